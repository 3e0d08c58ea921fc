"""ssasync in the actor benchmark: children with a task of their own, and members of a pool. Both are supervised."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from ssasync.actors import (
    Actor,
    ActorRef,
    ActorSystem,
    Backoff,
    ChildSpec,
    Intensity,
    Pool,
    RestartPolicy,
    Supervisor,
    start_children,
)
from tests.bench.actor_load import ASK, CRASH, LAST, CrashedOnPurposeError, Tally, turns

#: Restarted at once, as often as the benchmark likes.
AT_ONCE = RestartPolicy(application=Intensity(1_000_000, 60.0), backoff=Backoff(0.0))


class Player(Actor):
    """Takes what it is told, answers what it is asked, crashes when it shall."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    async def receive(self, message: Any) -> Any:
        if message == LAST:
            self._tally.note()
        elif message == CRASH:
            raise CrashedOnPurposeError
        return message


class Children:
    """Under a Supervisor that starts them all at once."""

    batch = 1 << 30

    def __init__(self) -> None:
        self._tally = Tally()
        self._system = ActorSystem("bench")
        self._above: ActorRef | None = None
        self._refs: list[ActorRef] = []

    async def open(self) -> None:
        await self._system.open()
        self._above = await self._system.start_child(ChildSpec("above", self._make_above))

    async def spawn(self, count: int) -> None:
        assert self._above is not None
        first = len(self._refs)
        specs = [ChildSpec(f"player_{first + i}", self._make, policy=AT_ONCE) for i in range(count)]
        self._refs += await start_children(self._above, specs)

    async def tell(self, count: int, passes: int) -> None:
        refs = self._refs[:count]
        handled = self._tally.expect(count)
        for some, message in turns(refs, passes):
            for ref in some:
                await ref.tell(message)
            if count > 1:
                await asyncio.sleep(0)
        await handled

    async def ask(self, actors: Sequence[int]) -> None:
        refs = self._refs
        for actor in actors:
            await refs[actor].ask(ASK)

    async def crash(self, actor: int) -> float:
        ref = self._refs[actor]
        begin = time.perf_counter()
        await ref.tell(CRASH)
        await ref.ask(ASK)  # what is queued behind a crash is for the next incarnation
        return time.perf_counter() - begin

    async def close(self) -> None:
        await self._system.close()

    def _make(self) -> Player:
        return Player(self._tally)

    def _make_above(self) -> Supervisor:
        return Supervisor(ordered=False)


class Members(Children):
    """Under a Pool: an idle one has no task."""

    def _make_above(self) -> Supervisor:
        return Pool()
