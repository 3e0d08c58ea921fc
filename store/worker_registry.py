"""The actor that keeps the list of workers in the store, for all workers of one orchestrator."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ssasync.actors import Actor, ActorRef, ActorStopped, ExitReason, InternalError, MailboxFull
from ssasync.cyclient.key_names import WORKER_LIST_KEY
from ssasync.cyclient.worker_list import WorkerEntry, WorkerList
from ssasync.store.administration import administrator
from ssasync.store.credentials import Secret
from ssasync.store.events import WorkerListed, WorkerUnlisted

__all__ = ["ListWorker", "Publish", "RegistryPlace", "UnlistWorker", "WorkerRegistry"]

_TIMEOUT = 5.0
#: Seconds that a worker waits to be listed behind others; no write takes longer than _TIMEOUT.
_LISTING = 60.0
#: Seconds until the list is written again when the shard did not take it. Its restart makes it sooner.
_RETRY = 0.5


@dataclass(frozen=True, slots=True)
class ListWorker:
    """A worker became ready. `path` names its actor in the event."""

    entry: WorkerEntry
    path: str


@dataclass(frozen=True, slots=True)
class UnlistWorker:
    """A worker ended, or is about to."""

    worker_id: str
    device: str
    incarnation: int
    path: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Write the list (again): the shard was restarted and came back without it, or did not take it."""


@dataclass(slots=True)
class RegistryPlace:
    """What lasts of the registry through its restarts, and how others find it."""

    list: WorkerList = field(default_factory=WorkerList)  #: as it is to stand in the store; its version only grows
    ref: ActorRef | None = None  #: once the registry was started

    async def list_worker(self, message: ListWorker) -> None:
        """List a worker; done when the list was written, or its shard is down. Raises errors of ActorRef.ask."""
        if self.ref is None:
            raise InternalError("a worker became ready before the registry was started")
        await self.ref.ask(message, timeout=_LISTING)

    def tell_nowait(self, message: ListWorker | UnlistWorker | Publish) -> None:
        """Send, if there is a registry: one that is over lists nobody, a new one starts with an empty list."""
        if self.ref is not None:
            with contextlib.suppress(ActorStopped, MailboxFull):
                self.ref.tell_nowait(message)


class WorkerRegistry(Actor):
    """Writes the versioned list to the shard at `socket` whenever a worker came or went. Only it writes that key."""

    def __init__(self, place: RegistryPlace, socket: Path, password: Secret) -> None:
        self._place = place
        self._socket = socket
        self._password = password
        self._admin: Redis | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def started(self) -> None:
        """Write an empty list: workers of an earlier incarnation list themselves again, or are gone."""
        self._admin = administrator(self._socket, self._password, timeout=_TIMEOUT)
        self._place.list = WorkerList(version=self._place.list.version + 1)
        await self._write()
        self._place.ref = self.ref

    async def receive(self, message: object) -> None:
        """Take ListWorker, UnlistWorker and Publish."""
        match message:
            case ListWorker(entry, path):
                self._place.list = self._place.list.with_worker(entry)
                await self._write()
                self.publish(
                    WorkerListed(
                        path=path,
                        attempt=entry.incarnation,
                        worker_id=entry.worker_id,
                        device=entry.device,
                        addresses=entry.addresses,
                    )
                )
            case UnlistWorker(worker_id, device, incarnation, path):
                self._place.list = self._place.list.without_worker(worker_id)
                await self._write()
                self.publish(WorkerUnlisted(path=path, attempt=incarnation, worker_id=worker_id, device=device))
            case Publish():
                await self._write()
            case _:
                await super().receive(message)

    async def stopped(self, reason: ExitReason) -> None:
        """Close the connection; the list goes with the shard."""
        if self._timer is not None:
            self._timer.cancel()
        if self._admin is not None:
            with contextlib.suppress(RedisError, OSError):
                await self._admin.aclose()

    async def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._admin is None:
            return
        try:
            await self._admin.set(WORKER_LIST_KEY, self._place.list.encode())
        except (RedisError, OSError):
            # The shard is down or silent. It will be restarted, and then asks for the list; if it was only a moment's
            # trouble, this does.
            self._timer = asyncio.get_running_loop().call_later(_RETRY, self._place.tell_nowait, Publish())
