"""What shards and workers tell the bus beside the kernel's events. None of them holds a password."""

from dataclasses import dataclass

from ssasync.actors import Event

__all__ = ["DataLost", "ShardHealth", "ShardReady", "WorkerListed", "WorkerUnlisted"]


@dataclass(frozen=True, kw_only=True)
class ShardReady(Event):
    """A shard answers at `addresses`, `seconds` after its start began."""

    attempt: int
    addresses: tuple[str, ...]
    pid: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class DataLost(Event):
    """A shard came back empty: what it held is lost, since its durability is `durability`."""

    attempt: int
    durability: str


@dataclass(frozen=True, kw_only=True)
class ShardHealth(Event):
    """A shard answered a question after its health within `seconds`; sizes in bytes."""

    attempt: int
    seconds: float
    used: int  #: by values and the engine's own structures
    resident: int  #: of the machine's memory; larger by fragmentation
    maxmemory: int


@dataclass(frozen=True, kw_only=True)
class WorkerListed(Event):
    """Clients can find a worker: it is in the list of workers."""

    attempt: int
    worker_id: str
    device: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class WorkerUnlisted(Event):
    """A worker is gone from the list, because it ended or is about to."""

    attempt: int
    worker_id: str
    device: str
