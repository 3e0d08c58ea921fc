"""The limit of the actor benchmark: tasks that read bare asyncio.Queues, and futures for answers. No supervision."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

from tests.bench.actor_load import ASK, CRASH, LAST, TURN, CrashedOnPurposeError, Tally, turns

Queue = asyncio.Queue[Any]


class QueuesAndTasks:
    """A queue and a task each; one that raises gets a new task, with no more ceremony than that."""

    batch = 1 << 30

    def __init__(self) -> None:
        self._tally = Tally()
        self._queues: list[Queue] = []
        self._tasks: dict[Queue, asyncio.Task[None]] = {}

    async def open(self) -> None:
        pass

    async def spawn(self, count: int) -> None:
        new = [Queue(TURN) for _ in range(count)]
        self._queues += new
        ready = self._tally.expect(count)
        for queue in new:
            self._start(queue, self._serve(queue, first=True))
        await ready

    async def tell(self, count: int, passes: int) -> None:
        queues = self._queues[:count]
        handled = self._tally.expect(count)
        for some, message in turns(queues, passes):
            for queue in some:
                await queue.put(message)
            if count > 1:
                await asyncio.sleep(0)
        await handled

    async def ask(self, actors: Sequence[int]) -> None:
        queues, loop = self._queues, asyncio.get_running_loop()
        for actor in actors:
            reply = loop.create_future()
            await queues[actor].put((ASK, reply))
            await reply

    async def crash(self, actor: int) -> float:
        begin = time.perf_counter()
        await self._queues[actor].put(CRASH)
        await self.ask([actor])
        return time.perf_counter() - begin

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.wait(self._tasks.values())

    def _start(self, queue: Queue, run: Any) -> None:
        task = asyncio.get_running_loop().create_task(run)
        self._tasks[queue] = task
        task.add_done_callback(lambda task: self._restart(queue, task))

    def _restart(self, queue: Queue, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            with contextlib.suppress(CrashedOnPurposeError):
                task.result()
            self._start(queue, self._serve(queue))

    async def _serve(self, queue: Queue, *, first: bool = False) -> None:
        if first:
            self._tally.note()
        while True:
            message = await queue.get()
            if message == LAST:
                self._tally.note()
            elif type(message) is tuple:
                asked, reply = message
                reply.set_result(asked)
            elif message == CRASH:
                raise CrashedOnPurposeError
