"""The blocking client, for simulation ranks written in Python: `from ssasync.blocking import Client`."""

from ssasync.cyclient.blocking import Batch, Client

__all__ = ["Batch", "Client"]
