"""The actor system: one host task in which everything runs, and the root supervisor.

A task group must be left by the task that entered it, but systems are opened in one notebook cell, fixture or task and
closed in another. So one task of our own enters the root group and lives as long as the system; whoever opens, starts,
stops or closes only talks to it. This is the one file that calls create_task.

Cancellation from outside arrives in two ways: at the task that is inside `async with` (Ctrl-C, a timeout), whose
`close()` then runs inside a shield; or at the host itself (asyncio.run() ends with an open system and cancels all
tasks). Both lead to the same ordered shutdown; a second one kills.
"""

import asyncio
import atexit
import enum
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import anyio

from ssasync.actors.cell import JOURNAL_PATIENCE, Cell, CellExited, CellStarted
from ssasync.actors.child import Child, Phase
from ssasync.actors.child_spec import ChildSpec, Restart
from ssasync.actors.crash_log import CrashLog, CrashLogStatistics, CrashReport
from ssasync.actors.deadlines import Deadlines, DeadlineStatistics
from ssasync.actors.errors import InternalError, SystemClosed, UnknownActor, WrongLoop
from ssasync.actors.event_bus import BusStatistics, EventBus, Subscription
from ssasync.actors.events import DeadLetter, Event
from ssasync.actors.exit_reason import EXCEPTION, ExitReason
from ssasync.actors.journal import Journal
from ssasync.actors.log import tell_log
from ssasync.actors.reference import ActorRef
from ssasync.actors.registry import Registry, RegistryStatistics
from ssasync.actors.runners import Runners
from ssasync.actors.supervisor import Supervisor, start_child, stop_child, supervisor_of
from ssasync.actors.tree import TreeNode, tree_of


class _State(enum.Enum):
    """In words, and what is to be done for it."""

    NEW = "not opened yet", "use it inside `async with`, or after open()"
    OPEN = "open", "it is opened once, use it as it is"
    CLOSING = "being closed", "make a new ActorSystem"
    CLOSED = "closed", "make a new ActorSystem"


@dataclass(frozen=True, slots=True)
class SystemStatistics:
    """What is alive and pending, and what was counted since the system was made.

    tasks: of actors, now; an idle member of a pool has none. abandoned: those of them that would not end. deadlines:
    pending now, timers of actors among them. dead_letters: messages that nobody handled any more.
    """

    tasks: int
    abandoned: int
    deadlines: DeadlineStatistics
    dead_letters: int
    bus: BusStatistics
    registry: RegistryStatistics
    crashes: CrashLogStatistics


class ActorSystem:
    """A supervision tree and what it stands on; use it as `async with`, or with `open()` and `close()`.

    name: becomes the first part of all paths. journal: is told every start and stop before it happens.
    One system belongs to one event loop: whatever waits raises WrongLoop elsewhere, but `tell` that finds room and
    `tell_nowait` do not look. It restarts the children given to it by their own policies; one that gave up
    is marked as failed and the others go on.
    """

    def __init__(self, name: str, *, journal: Journal | None = None) -> None:
        self.name = name
        self.journal = journal
        self._state = _State.NEW
        self.crash_log = CrashLog()
        self._registry = Registry()
        self._dead_letters = 0
        self.runners = Runners(self)
        self._bus = EventBus()
        spec = ChildSpec(name, lambda: Supervisor(escalate=False), restart=Restart.TEMPORARY)
        self._root = Child(self, spec, None)
        self._cells: set[Cell] = set()
        self._abandoned: set[Cell] = set()
        self._stops: dict[Cell, tuple[Coroutine[Any, Any, None], ExitReason]] = {}  # to be recorded, not begun
        self._closing_since: float | None = None
        self._to_spawn: deque[tuple[Callable[[], Coroutine[Any, Any, None]], str]] = deque()
        self._host_task: asyncio.Task[None] | None = None
        self._host_waiter: asyncio.Future[None] | None = None
        self._opened: asyncio.Future[None] | None = None
        self._over: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deadlines: Deadlines | None = None

    # Opening and closing.

    async def open(self) -> None:
        """Start the host task and the root supervisor in the running loop.

        Raises SystemClosed if it ever was open, FailedToStart if the journal refused it.
        """
        if self._state is not _State.NEW:
            raise SystemClosed(self.name, *self._state.value)
        self._state = _State.OPEN
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines(self._loop)
        self._opened, self._over = self._loop.create_future(), self._loop.create_future()
        atexit.register(self.kill_now)
        self._host_task = self._loop.create_task(self._host(), name=f"actor system {self.name}")
        try:
            await asyncio.wait({self._opened, self._host_task}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.close()
            raise
        if self._root.outcome is not None:
            await self.close()
            raise self._root.stopped_error()

    async def close(self) -> None:
        """Stop everything in reverse start order, each within its grace; may be called from any task of the loop.

        Cancelled meanwhile, it kills all processes, finishes, and raises the cancellation then. Called by an actor,
        which cannot wait for its own end, it only begins. Raises WrongLoop, and InternalError if the kernel itself failed.
        """
        if self._state is _State.NEW:
            self._state = _State.CLOSED
        host, over = self._host_task, self._over
        if host is None or over is None:
            return
        self._check_loop("close()")
        self.begin_close()
        if any(cell.task is asyncio.current_task() for cell in self._cells):
            return
        cancelled: asyncio.CancelledError | None = None
        with anyio.CancelScope(shield=True):
            while not (host.done() or (over.done() and self._abandoned)):
                # No deadline here: the graces of all actors are deadlines, and past them the system goes on without.
                awaited: set[asyncio.Future[None]] = {host} if over.done() else {host, over}
                try:
                    await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                except asyncio.CancelledError as error:
                    cancelled = error
                    self.kill_now()
        if cancelled is not None:
            raise cancelled
        if host.done() and not host.cancelled() and (failure := host.exception()) is not None:
            raise InternalError(f"the host of actor system {self.name!r} failed: {failure!r}") from failure
        outcome = self._root.outcome
        if outcome is not None and outcome.kind == EXCEPTION and self._root.was_ready:
            # All of the user's children went down with it, and `async with` must not end as if all was well.
            raise InternalError(f"the root of actor system {self.name!r} failed: {outcome}") from outcome.exception

    def kill_now(self) -> None:
        """Call `Actor.kill` of all actors at once, start nothing any more, and begin to close.

        For a second interrupt; also called at exit, if the loop was closed before the system.
        """
        for cell in (self._root.cell, *self._abandoned):
            if cell is not None:
                cell.kill()
        if self._loop is not None and self._loop.is_running():
            self.begin_close()

    def begin_close(self) -> None:
        """Begin the shutdown that `close()` waits for; for those who cannot wait, such as a signal handler."""
        if self._state is _State.OPEN:
            self._state = _State.CLOSING
            self._closing_since = self.loop.time()
            if self._root.cell is not None:
                self._root.enter(Phase.STOPPING)
                self._root.cell.stop(ExitReason.shutdown("the system is being closed"))

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # Children.

    @property
    def root(self) -> ActorRef:
        """The root supervisor."""
        return self._root.ref

    async def start_child(self, spec: ChildSpec, *, parent: ActorRef | None = None) -> ActorRef:
        """Start a child of `parent` (default: the root) and wait until it is ready.

        How long that may take is bounded by its start_timeout and restart policy. If the caller is cancelled meanwhile,
        the child stays. Raises FailedToStart (with its story), NameTaken, SystemClosed, and, for another parent,
        ActorStopped and NotSupervisor.
        """
        self._check_open()
        return await start_child(parent or self.root, spec)

    def start_child_nowait(self, spec: ChildSpec, *, parent: ActorRef | None = None) -> ActorRef:
        """Add a child without waiting; `await ref.ready()` tells when it runs. Raises as `start_child`."""
        self._check_open()
        return supervisor_of(parent or self.root).start_child_nowait(spec)

    async def stop_child(self, name: str, *, parent: ActorRef | None = None) -> ExitReason:
        """Stop a child for good, within its grace; returns its exit. Raises UnknownActor, SystemClosed."""
        self._check_open()
        return await stop_child(parent or self.root, name)

    def lookup(self, path: str) -> ActorRef:
        """The reference of the actor at `path`, alive or not. Raises UnknownActor."""
        child, at = self._root, ""
        first, *rest = path.strip("/").split("/")
        if first != self.name:
            raise UnknownActor(path, (self._root.path,))
        for name in rest:
            at = child.path
            if name not in child.kids:
                raise UnknownActor(f"{at}/{name}", tuple(child.kids))
            child = child.kids[name]
        return child.ref

    # Names.

    def register(self, name: str, ref: ActorRef) -> None:
        """Let an actor be found by `name` until it is over for good; restarts do not matter.

        Raises RegisteredName (a living actor has it), ActorStopped (this one is over).
        """
        if ref._child.outcome is not None:
            raise ref._child.stopped_error()
        self._registry.register(name, ref)

    def unregister(self, name: str) -> None:
        """Take a name away. Raises UnknownName."""
        self._registry.unregister(name)

    def whereis(self, name: str) -> ActorRef:
        """The actor registered as `name`. Raises UnknownName."""
        return self._registry.whereis(name)

    def registered(self) -> dict[str, ActorRef]:
        """All registered names."""
        return self._registry.registered()

    # Watching.

    def events(self, *, lossless: bool = False, limit: int = 10_000) -> Subscription:
        """All events from now on, as an async iterator.

        limit: events that may wait unread. Beyond it a lossy subscription drops its oldest, counted; a lossless one
        ends with EventsOverflow.
        """
        return self._bus.subscribe(lossless=lossless, limit=limit)

    def publish(self, event: Event) -> None:
        """Put an event on the bus."""
        self._bus.publish(event)

    def crashes(self) -> tuple[CrashReport, ...]:
        """The last thousand bad ends of incarnations, oldest first; `render_crash` makes text of one."""
        return self.crash_log.reports()

    def tree(self) -> TreeNode:
        """The present state of all actors."""
        return tree_of(self._root)

    def statistics(self) -> SystemStatistics:
        """What is alive and pending."""
        return SystemStatistics(
            tasks=len(self._cells),
            abandoned=len(self._abandoned),
            deadlines=DeadlineStatistics() if self._deadlines is None else self._deadlines.statistics(),
            dead_letters=self._dead_letters,
            bus=self._bus.statistics(),
            registry=self._registry.statistics(),
            crashes=self.crash_log.statistics(),
        )

    @property
    def is_open(self) -> bool:
        """Whether children may be started."""
        return self._state is _State.OPEN

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop the system lives in. Raises SystemClosed before it was opened."""
        if self._loop is None:
            raise SystemClosed(self.name, *self._state.value)
        return self._loop

    @property
    def deadlines(self) -> Deadlines:
        """The one timer heap of this system."""
        if self._deadlines is None:
            raise SystemClosed(self.name, *self._state.value)
        return self._deadlines

    # The host.

    async def _host(self) -> None:
        try:
            async with anyio.create_task_group() as group:
                with anyio.CancelScope(shield=True):
                    self._start_root()
                    while True:
                        while self._to_spawn:
                            run, name = self._to_spawn.popleft()
                            group.start_soon(run, name=name)
                        # Looked at after the spawning: what was spawned last may be no actor, and wakes nobody.
                        if self._root.outcome is not None and not self._is_busy():
                            break
                        await self._next_order()
                    self.runners.close()
                self._close_books()  # before the group waits for what was abandoned
        finally:
            self._close_books()

    async def _next_order(self) -> None:
        if self._host_waiter is None:
            self._host_waiter = self.loop.create_future()
        try:
            await self._host_waiter
        except asyncio.CancelledError:
            # asyncio.run() cancels all tasks at its end. Not un-cancelled, so that _swept() can tell. A second time means
            # haste; being closed already does not: one sweep reaches both us and the task that then calls close().
            if self._host_task is not None and self._host_task.cancelling() > 1:
                self.kill_now()
            self.begin_close()
            # In the next turn every task that still was to take its first step has taken it, or never will.
            for cell in tuple(self._cells):
                self.loop.call_soon(cell.bury_unborn)
            self.loop.call_soon(self.runners.after_sweep)
            for cell in tuple(self._stops):
                self.loop.call_soon(self._stop_unrecorded, cell)
        finally:
            self._host_waiter = None

    def _is_busy(self) -> bool:
        """Incarnations have something to do, or to release, besides those that were given up."""
        return self.runners.pending or len(self._cells) > len(self._abandoned)

    def _wake_host(self) -> None:
        if self._host_waiter is None:
            self._host_waiter = self.loop.create_future()
        if not self._host_waiter.done():
            self._host_waiter.set_result(None)

    def _start_root(self) -> None:
        self._root.attempt = 1
        self._root.cell = Cell(self._root, 1)
        self._root.enter(Phase.STARTING)
        self._spawn_cell(self._root.cell)

    def _close_books(self) -> None:
        """All is over, but for what was abandoned."""
        self._state = _State.CLOSED
        atexit.unregister(self.kill_now)
        if self._deadlines is not None:
            self._deadlines.close()
        self._bus.close()
        for future in (self._opened, self._over):
            if future is not None and not future.done():
                future.set_result(None)

    def _swept(self) -> bool:
        """Whether somebody cancelled the host itself, and so, most likely, every task of the loop."""
        return self._host_task is not None and self._host_task.cancelling() > 0

    def _check_open(self) -> None:
        if self._state is not _State.OPEN:
            raise SystemClosed(self.name, *self._state.value)

    def _check_loop(self, call: str) -> None:
        """Raises WrongLoop: what is woken from another loop or thread is not seen by its own, and hangs."""
        running = asyncio._get_running_loop()
        if running is self._loop and running is not None:
            return
        if self._state is _State.CLOSED:
            return  # nothing runs any more, and whoever calls is told so
        if self._loop is None:
            raise SystemClosed(self.name, *self._state.value)
        if running is not None or self._loop.is_running():  # else it is between two of its runs
            raise WrongLoop(self.name, call, loop_closed=self._loop.is_closed())

    # What cells and supervisors call.

    def _spawn(self, run: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self._to_spawn.append((run, name))
        self._wake_host()

    def _spawn_cell(self, cell: Cell) -> None:
        def begin() -> Coroutine[Any, Any, None]:
            self._cells.add(cell)
            return cell.begin()

        self._spawn(begin, cell.child.path)

    def _spawn_stop(self, cell: Cell, reason: ExitReason) -> None:
        """Record a stop, then carry it out; in a task of its own, since the supervisor has other things to do."""

        def begin() -> Coroutine[Any, Any, None]:
            self._stops[cell] = (coroutine := stop(), reason)
            return coroutine

        async def stop() -> None:
            del self._stops[cell]  # from here on it cannot be lost
            await cell.stop_recorded(reason)

        self._spawn(begin, f"{cell.child.path} (stop)")

    def _stop_unrecorded(self, cell: Cell) -> None:
        """The task that was to record the stop was cancelled before its first step."""
        if cell in self._stops:
            coroutine, reason = self._stops.pop(cell)
            coroutine.close()
            cell.stop(reason)

    def _journal_patience(self) -> float:
        """Seconds a stop may wait for its record: all stops together have one such time once the system closes."""
        if self._closing_since is None:
            return JOURNAL_PATIENCE
        return self._closing_since + JOURNAL_PATIENCE - self.loop.time()

    def _report(self, child: Child, report: CellStarted | CellExited) -> None:
        if child.parent is not None:
            child.parent.mailbox.post(report)
        elif isinstance(report, CellStarted):
            child.enter(Phase.RUNNING)
            if self._opened is not None and not self._opened.done():
                self._opened.set_result(None)
        else:
            self._root_exited(report.reason)

    def _root_exited(self, reason: ExitReason) -> None:
        self._state = _State.CLOSING
        self._root.last_exit = reason
        self._root.cell = None
        self._root.enter(Phase.FAILED if reason.failed else Phase.STOPPED, f"after {reason}")
        self._root.end(reason)
        self._wake_host()
        if reason.failed:
            fate = "the system is being closed"
            self.crash_log.add(self._root.path, 1, reason, fate=fate, story=self._root.story)
            tell_log(logging.CRITICAL, "actor system %s failed: %s", self.name, reason, error=reason.exception)

    def _cell_ended(self, cell: Cell) -> None:
        self._cells.discard(cell)
        self._abandoned.discard(cell)
        if self._root.outcome is not None:  # the host waits for the last one
            self._wake_host()

    def _child_is_over(self, child: Child) -> None:
        self._registry.unregister_child(child.ref)

    def letters_died(self, path: str, count: int, *, sample: object) -> None:
        """Messages that nobody will handle."""
        self._dead_letters += count
        self.publish(DeadLetter(path=path, count=count, sample=type(sample).__name__))

    def _cell_abandoned(self, cell: Cell) -> None:
        self._abandoned.add(cell)
        self._wake_host()
