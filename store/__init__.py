"""The server side of the store: engines, shards and the workers that run models.

May import actors, wlm and cyclient, and redis for administration (never for data).
"""
