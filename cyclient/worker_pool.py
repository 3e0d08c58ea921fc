"""The asyncio client and the model workers: which there are, a connection to each, who takes the next request."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ssasync.cyclient.async_connection import AsyncConnection
from ssasync.cyclient.errors import BadWorkerList, ConnectionFailed, Disconnected, NoWorker, ServerError, StoreError
from ssasync.cyclient.handshake import worker_handshake
from ssasync.cyclient.key_names import WORKER_LIST_KEY
from ssasync.cyclient.options import Options
from ssasync.cyclient.request_limits import check_request
from ssasync.cyclient.retry import WORKER_SILENCE_SECONDS, RetryDelay, is_busy, is_refused
from ssasync.cyclient.shard_link import ShardLink
from ssasync.cyclient.worker_list import WorkerEntry, WorkerList

_LONGEST_DELAY = 0.5  # seconds between looks for a worker when there is none

Input = np.ndarray[Any, Any] | bytes


class _Worker:
    """One incarnation of a worker, and the connection to it once somebody needed one."""

    def __init__(self, pool: WorkerPool, entry: WorkerEntry) -> None:
        self.entry = entry
        self._pool = pool
        self._connection: AsyncConnection | None = None
        self._opened: asyncio.Future[None] | None = None

    @property
    def open_connection(self) -> AsyncConnection | None:
        return self._connection if self._connection is not None and self._connection.open_ else None

    @property
    def reachable(self) -> bool:
        """An open connection says so; without one, the file of its socket has to be looked for."""
        return self.open_connection is not None or bool(self.entry.reachable_addresses())

    @property
    def unanswered(self) -> int:
        connection = self.open_connection
        return 0 if connection is None else connection.core.unanswered

    async def connection(self) -> AsyncConnection:
        """An open connection; one opening serves all who wait for it. Raises ConnectionFailed."""
        if self.open_connection is not None:
            return self.open_connection
        if self._opened is None or self._opened.done():
            address = self.entry.reachable_addresses()[0]
            self._connection = AsyncConnection(
                self._pool.loop, address, silence=WORKER_SILENCE_SECONDS, on_lost=lambda _: self._pool.forget(self)
            )
            self._opened = self._connection.open(lambda core: worker_handshake(core, self._pool.options, self.entry))
        # Shielded: the opening is the worker's; a caller that is cancelled must not end it for the others.
        await asyncio.shield(self._opened)
        if self._connection is None:
            raise Disconnected(str(self.entry.addresses[0]), "lost again at once")
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _no_worker(model: str, seconds: float, story: Sequence[str]) -> NoWorker:
    return NoWorker(model, seconds, "; ".join(story[-3:]) or "the store lists no worker")


class WorkerPool:
    """Requests go to the worker with the fewest unanswered ones; what a lost worker left unanswered goes to another."""

    def __init__(self, loop: asyncio.AbstractEventLoop, options: Options, link: ShardLink) -> None:
        self.loop = loop
        self.options = options
        self._link = link
        self._workers: dict[str, _Worker] = {}
        self._list = WorkerList()
        self._list_is_current = False
        self._list_error: BadWorkerList | None = None
        self._changed: asyncio.Future[None] | None = None
        self._stop_watch: Any = None
        self._reading: asyncio.Future[bytes | None] | None = None
        self._suspects: set[str] = set()  # ids of workers that were lost and have not answered since
        self._retiring: list[_Worker] = []  # no longer listed, but still answering
        self._ids = itertools.count(1)

    async def run(
        self, model: str, function: str, inputs: Sequence[Input], timeout: float
    ) -> tuple[str, tuple[np.ndarray[Any, Any], ...]]:
        """Run a model; inputs are arrays or keys of tensors in the store. Returns its version and the outputs.

        Sent again, with the attempt counted, when a worker is lost before it answered: models are pure by contract.
        Raises NoWorker, ModelNotFound, BadModel, BadInput, ModelFailed, OperationTimeout.
        """
        deadline = self.loop.time() + timeout
        story: list[str] = []
        delay = RetryDelay(longest=_LONGEST_DELAY)
        attempt = failures = 0
        busy = ""
        check_request(model, inputs)
        while True:
            if self.loop.time() >= deadline:
                raise _no_worker(model, timeout, story)
            worker = await self._pick(deadline, busy)
            if worker is not None:
                try:
                    connection = worker.open_connection
                    if connection is None:
                        async with asyncio.timeout_at(deadline):
                            connection = await worker.connection()
                    attempt += 1
                    milliseconds = max(1, int(1000 * (deadline - self.loop.time())))
                    command = connection.core.run(
                        next(self._ids), attempt, milliseconds, model.encode(), function.encode(), list(inputs)
                    )
                    result: tuple[str, tuple[np.ndarray[Any, Any], ...]] = await connection.perform(
                        command, "run", deadline
                    )
                    self._suspects.discard(worker.entry.worker_id)
                    return result
                except (Disconnected, ConnectionFailed) as error:
                    if is_refused(error):
                        raise
                    story.append(str(error))
                    self.forget(worker)
                except ServerError as error:
                    if not is_busy(error):
                        raise
                    busy = worker.entry.worker_id
                    story.append(str(error))
                except TimeoutError as error:
                    if isinstance(error, StoreError):
                        if not story:
                            raise
                        raise _no_worker(
                            model, timeout, [*story, str(error)]
                        ) from error  # its end is only the last line
                    raise _no_worker(
                        model, timeout, story or [f"{worker.entry.addresses[0]} did not take a connection"]
                    ) from None
                failures += 1
            # The first failure is answered at once: another worker may be there. From then on the list decides.
            if worker is None or failures > 1:
                await self._list_changes(min(delay.next(), deadline - self.loop.time()))

    async def _pick(self, deadline: float, busy: str) -> _Worker | None:
        """The worker with the fewest unanswered requests; None when the list has none that can be reached.

        One that said it is busy, and one that was lost and has not answered since, only when there is no other.
        """
        if not self._list_is_current:
            await self._read_list(deadline)
        reachable = [worker for worker in self._workers.values() if worker.reachable]
        return min(
            reachable,
            key=lambda worker: (
                worker.entry.worker_id == busy,
                worker.entry.worker_id in self._suspects,
                worker.unanswered,
            ),
            default=None,
        )

    async def _read_list(self, deadline: float) -> None:
        """Read the list; one read serves all who wait for it."""
        if self._stop_watch is None:
            self._stop_watch = self._link.watch(WORKER_LIST_KEY, self._list_may_have_changed)
        if self._reading is None:
            connection = await self._link.connection(deadline)
            if self._reading is None:
                # Set before the read: a change that comes while the answer is on its way makes it stale again.
                self._list_is_current = True
                self._reading = connection.start(connection.core.command("list of workers", "GET", WORKER_LIST_KEY))
                self._reading.add_done_callback(self._list_was_read)
        # Not the read itself: it is the pool's, and outlives a caller that is cancelled or late.
        reading = self._reading
        await asyncio.wait((reading,), timeout=max(0.0, deadline - self.loop.time()))
        if self._list_error is not None:
            raise self._list_error

    def _list_was_read(self, reading: asyncio.Future[bytes | None]) -> None:
        self._reading = None
        self._list_is_current = self._list_is_current and reading.exception() is None
        if reading.exception() is not None or reading.result() is None:
            return  # a shard restarted empty does not yet know its workers: go on with those we know
        self._list_error = None
        try:
            new = WorkerList.decode(reading.result())
        except BadWorkerList as error:
            self._list_error = error
            self._list_is_current = False
            return
        if new.version < self._list.version:
            return
        self._list = new
        current = {entry.worker_id for entry in new.workers}
        self._suspects &= current
        self._retiring += [self._workers.pop(id_) for id_ in list(self._workers) if id_ not in current]
        for entry in new.workers:
            if entry.worker_id not in self._workers:
                self._workers[entry.worker_id] = _Worker(self, entry)
        for worker in [worker for worker in self._retiring if worker.unanswered == 0]:
            worker.close()
            self._retiring.remove(worker)

    def _list_may_have_changed(self) -> None:
        self._list_is_current = False
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    async def _list_changes(self, seconds: float) -> None:
        """Wait until the list of workers may have changed, `seconds` at most."""
        if self._changed is None or self._changed.done():
            self._changed = self.loop.create_future()
        await asyncio.wait((self._changed,), timeout=max(0.0, seconds))
        self._list_is_current = False

    def forget(self, worker: _Worker) -> None:
        """Its connection is of no use: take it from the list until the list says that it is there."""
        worker.close()
        if self._workers.get(worker.entry.worker_id) is worker:
            del self._workers[worker.entry.worker_id]
            self._suspects.add(worker.entry.worker_id)
        self._list_is_current = False

    def close(self) -> None:
        """Close all connections."""
        if self._stop_watch is not None:
            self._stop_watch()
        for worker in (*self._workers.values(), *self._retiring):
            worker.close()
        self._workers.clear()
