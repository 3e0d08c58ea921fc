"""Tasks that serve the members of pools, each of which has one only while it has something to do.

One runner leads: it takes the woken members one after the other, and as long as no handler suspends, many are served in
one turn of the loop without a switch of tasks. A handler that suspends keeps its runner to itself, and another one must
take the lead. That is noticed when somebody else's code runs while work waits and there is a leader: a task that adds
work, or a look a turn later. A runner without work waits to be used again, or ends if enough of them wait.

Rejected: a task for each time a member is woken (30 µs, three quarters of it for the task and its cancel scopes), and a
task that a member keeps for a while (nothing gained over 100,000 members, which are all idle when their turn comes).

What would be lost on one task a member: context variables. They are those of the runner, so a member's do not last.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from ssasync.actors.cell import Cell
    from ssasync.actors.exit_reason import ExitReason
    from ssasync.actors.system import ActorSystem

#: Members served in a row before the loop gets a turn.
TURN = 64
#: Runners that may wait for work.
SPARE = 8


class Runners:
    """All runners of one system."""

    def __init__(self, system: "ActorSystem") -> None:
        self._system = system
        self._ready: deque[Cell] = deque()
        self._spare: list[asyncio.Future[None]] = []
        self._lead: _Runner | None = None
        self._coming = False  # a runner was woken, made, or lets the loop have a turn: it will look
        self._unborn: Coroutine[Any, Any, None] | None = None
        self._looking = False
        self._closed = False

    def add(self, cell: "Cell") -> None:
        """Serve `cell` soon."""
        self._ready.append(cell)
        if self._lead is None:
            if not self._coming:
                self._summon()
        elif self._lead.task is asyncio.current_task():
            self._look_later()
        else:
            self._replace_lead()

    @property
    def pending(self) -> bool:
        """Somebody waits to be served."""
        return bool(self._ready)

    def close(self) -> None:
        """There will be no more work: let those who wait for some end."""
        self._closed = True
        for future in self._spare:
            if not future.done():
                future.set_result(None)

    def after_sweep(self) -> None:
        """All tasks of the loop were cancelled: begin anew with what is to be done."""
        self._lead = None
        if self._ready and not self._coming:
            self._summon()

    def _summon(self) -> None:
        self._coming = True
        while self._spare:
            future = self._spare.pop()
            if not future.done():
                future.set_result(None)
                return
        self._system._spawn(self._begin, "runner of pool members")

    def _begin(self) -> Coroutine[Any, Any, None]:
        self._unborn = coroutine = self._run()
        # A task that is cancelled before its first step never takes it: in two turns this one has, or never will.
        loop = self._system.loop
        loop.call_soon(loop.call_soon, self._bury_unborn, coroutine)
        return coroutine

    def _bury_unborn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        if self._unborn is coroutine:
            coroutine.close()
            self._unborn, self._coming = None, False
            if self._ready and self._lead is None:
                self._summon()

    async def _run(self) -> None:
        """One runner: serves members until there is nothing to do and enough others wait for more; raises nothing."""
        self._unborn, self._coming = None, False
        runner = _Runner()
        cell: Cell | None = None
        try:
            while not runner.cancelled:
                reason: ExitReason | None = None
                # One scope for many members: only a cancellation, of an ask or of a whole member, uses it up.
                with anyio.CancelScope(shield=True) as scope:
                    while reason is None and not scope.cancel_called and not runner.cancelled:
                        cell = cell or await self._next(runner)
                        if cell is None:
                            return
                        reason = await cell.handle(scope)
                        if cell.parked:
                            cell = None
                if cell is not None and reason is not None:
                    await cell.finish(reason)
                    cell = None
        except asyncio.CancelledError:
            pass  # somebody cancelled this task between two members, or all tasks: see after_sweep
        finally:
            self._retire(runner, cell)

    async def _next(self, runner: "_Runner") -> "Cell | None":
        """The next woken member; None if this runner is to end."""
        while True:
            if self._lead is None or self._lead is runner:
                if self._ready and runner.served < TURN:
                    self._lead = runner
                    runner.served += 1
                    cell = self._ready.popleft()
                    if self._ready:
                        self._look_later()
                    return cell
                self._lead = None
                if self._ready:
                    self._coming = True
                    try:
                        await asyncio.sleep(0)
                    finally:
                        self._coming = False
                    runner.served = 0
                    continue
            if self._closed or len(self._spare) >= SPARE:
                return None
            future = self._system.loop.create_future()
            self._spare.append(future)
            try:
                await future  # no deadline: until there is work, or close()
            finally:
                if future in self._spare:
                    self._spare.remove(future)  # cancelled, or closed
                else:
                    self._coming = False
            runner.served = 0

    def _look_later(self) -> None:
        if not self._looking:
            self._looking = True
            self._system.loop.call_soon(self._look)

    def _look(self) -> None:
        self._looking = False
        if self._lead is not None and self._ready:
            self._replace_lead()

    def _replace_lead(self) -> None:
        """Other code than the leader's runs: it is suspended by a handler."""
        self._lead = None
        if not self._coming:
            self._summon()

    def _retire(self, runner: "_Runner", cell: "Cell | None") -> None:
        """The runner ends; what it has not served somebody else will."""
        if self._lead is runner:
            self._lead = None
        if cell is not None:
            self._ready.appendleft(cell)
        if self._ready and self._lead is None and not self._coming:
            self._summon()


class _Runner:
    """What is to be known of one runner."""

    __slots__ = ("served", "task")

    def __init__(self) -> None:
        self.task = asyncio.current_task()
        self.served = 0  # members in this turn of the loop

    @property
    def cancelled(self) -> bool:
        """Somebody cancelled the task itself, not a member on it: it is of no more use."""
        return self.task is None or self.task.cancelling() > 0
