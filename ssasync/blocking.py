"""The blocking client, for simulation ranks written in Python: `from ssasync.blocking import Client`."""

from ssasync.cyclient.blocking import Batch, Client
from ssasync.cyclient.future import Future, wait_any

__all__ = ["Batch", "Client", "Future", "wait_any"]
