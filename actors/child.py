"""What lasts of a child while its incarnations come and go: its place in the tree, its mailbox, its story."""

import asyncio
import enum
import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssasync.actors.child_spec import ChildSpec
from ssasync.actors.clock_text import clock_text
from ssasync.actors.deadlines import Deadline, Deadlines
from ssasync.actors.errors import ActorStopped, FailedToStart, WaitTimeout
from ssasync.actors.exit_reason import ExitReason, clipped
from ssasync.actors.mailbox import Mailbox
from ssasync.actors.reference import ActorRef
from ssasync.actors.watch import Down, Up

if TYPE_CHECKING:
    from ssasync.actors.cell import Cell
    from ssasync.actors.system import ActorSystem
    from ssasync.actors.ties import Ties

STORY_LENGTH = 20
#: Characters kept of what one line of a story says: a thousand crash reports keep twenty lines each.
LINE_LIMIT = 2_048


class Phase(enum.Enum):
    """Where a child stands. The last three are over; a child in them comes back only by hand or with its group."""

    WAITING = "waiting"  # for those before it, or for its supervisor
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    BACKOFF = "backoff"  # waiting to be restarted
    STOPPED = "stopped"  # was asked to
    ENDED = "ended"  # by itself, and is not to be restarted
    FAILED = "failed"  # its restarts are used up

    alive: bool  #: there is an incarnation
    over: bool  #: there is no incarnation, and none is planned
    unsettled: bool  #: neither ready nor over: those that come after it in line wait for it

    def __init__(self, word: str) -> None:
        # Attributes, since a property of an enum costs ten times as much and these are asked at every step.
        self.alive = word in ("starting", "running", "stopping")
        self.over = word in ("stopped", "ended", "failed")
        self.unsettled = not self.over and word != "running"

    # Members are the only instances: identity is as good a hash as Enum's own, which is a Python function.
    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of a child's story; `at` is wall-clock time."""

    at: float
    attempt: int
    phase: Phase
    detail: str = ""

    def __str__(self) -> str:
        return f"{clock_text(self.at)} attempt {self.attempt}: {self.phase.value}{' ' + self.detail if self.detail else ''}"


class Child:
    """A named place under a supervisor. Its reference and its mailbox survive restarts."""

    __slots__ = (
        "_waiters",
        "_watchers",
        "attempt",
        "backoff",
        "cell",
        "kids",
        "last_crash",
        "last_exit",
        "mailbox",
        "outcome",
        "parent",
        "path",
        "phase",
        "ref",
        "since",
        "spec",
        "story",
        "system",
        "was_ready",
    )

    def __init__(self, system: "ActorSystem", spec: ChildSpec, parent: "Child | None") -> None:
        self.system = system
        self.spec = spec
        self.parent = parent
        self.path: str = f"{parent.path if parent else ''}/{spec.name}"
        self.mailbox = Mailbox(self.path, spec.mailbox_limit)
        self.ref = ActorRef(self)
        self.kids: dict[str, Child] = {}  # in start order; they outlive the incarnations of their supervisor
        self.cell: Cell | None = None
        self.attempt = 0
        self.backoff: Deadline | None = None  # of a child in BACKOFF, and gone with that phase
        self.phase = Phase.WAITING
        self.since = time.monotonic()
        self.last_exit: ExitReason | None = None
        self.last_crash: tuple[float, ExitReason] | None = None  # when (monotonic), and why
        self.outcome: ExitReason | None = None  # set while the child is over
        self.was_ready = False  # since it was added, or started again by hand
        self.story: list[Transition] = []  # the last STORY_LENGTH; an empty deque would take as much as they do
        self._waiters: dict[asyncio.Future[None], Callable[[], bool]] | None = None
        self._watchers: dict[Ties, None] | None = None

    def enter(self, phase: Phase, detail: str = "") -> None:
        """Note a transition and wake whoever waits for it."""
        if self.backoff is not None:
            # Else it would end that of another child that gets the same name, and the same attempt, before it is due.
            self.backoff.cancel()
            self.backoff = None
        if phase is not self.phase or not self.story:
            self.story.append(Transition(time.time(), self.attempt, phase, clipped(detail, LINE_LIMIT)))
            if len(self.story) > STORY_LENGTH:
                del self.story[0]
        self.phase = phase
        self.since = time.monotonic()
        if phase is Phase.RUNNING:
            self.was_ready = True
            for watcher in tuple(self._watchers or ()):
                watcher.notify(Up(self.ref, self.attempt))
        self.wake()

    def incarnation_over(self, attempt: int, reason: ExitReason) -> None:
        """Note an exit and tell those who watch."""
        self.last_exit = reason
        if reason.failed:
            self.last_crash = (time.monotonic(), reason)
        for watcher in tuple(self._watchers or ()):
            watcher.notify(Down(self.ref, attempt, reason))

    def end(self, reason: ExitReason) -> None:
        """The child is over: nobody waits for it any longer than now, and so for all below it."""
        if self.outcome is None:
            self.outcome = reason
            lost = self.mailbox.close(self.stopped_error)
            if lost:
                self.system.letters_died(self.path, len(lost), sample=lost[0])
            self.system._child_is_over(self)
            watchers, self._watchers = self._watchers, None
            for watcher in watchers or ():
                watcher.watch_ended(self, reason)
        for kid in self.kids.values():
            if not kid.phase.over:
                kid.enter(Phase.STOPPED, "with its supervisor")
            kid.end(kid.last_exit or ExitReason.shutdown("its supervisor is over"))
        self.wake()

    def disown(self, *, keep: Container[str] = ()) -> None:
        """Forget the children of earlier incarnations, but for those that this one has, too."""
        for name in [name for name in self.kids if name not in keep]:
            kid = self.kids.pop(name)
            kid.enter(Phase.STOPPED, "with an earlier incarnation of its supervisor")
            kid.end(kid.last_exit or ExitReason.shutdown("its supervisor was restarted"))

    def revive(self, spec: ChildSpec) -> None:
        """The child is to be started (again): its reference holds once more."""
        self.spec = spec
        if self.outcome is not None:
            self.outcome = None
            self.was_ready = False
            self.mailbox.reopen()

    def stopped_error(self) -> ActorStopped:
        """What senders and waiters are told once the child is over."""
        error = ActorStopped if self.was_ready else FailedToStart
        return error(self.path, self.last_word(), tuple(self.story), system_open=self.system.is_open)

    def runs(self, *, after: int = 0) -> bool:
        """Whether an incarnation later than `after` is ready."""
        return self.phase is Phase.RUNNING and self.attempt > after

    async def ready(self, timeout: float | None, after: int) -> None:
        """See ActorRef.ready."""
        has_run = False

        def is_told() -> bool:
            nonlocal has_run
            has_run = has_run or self.runs(after=after)  # it may be over before whoever waits has a turn
            return has_run or self.outcome is not None

        await self.until(is_told, "ready", timeout)
        if not has_run:
            raise self.stopped_error()

    async def terminated(self, timeout: float | None) -> ExitReason:
        """See ActorRef.terminated."""
        await self.until(lambda: self.outcome is not None, "over", timeout)
        # A child that is started again by hand in the very turn in which it ended: its last exit is what was meant.
        return self.last_word()

    def last_word(self) -> ExitReason:
        """Why it is over, or why its last incarnation was."""
        return self.outcome or self.last_exit or ExitReason.shutdown()

    async def until(self, condition: Callable[[], bool], awaited: str, timeout: float | None) -> None:
        """Until `condition` holds, looked at whenever something becomes of the child. Raises WaitTimeout, WrongLoop."""
        if condition():
            return
        self.system._check_loop(f"waiting until {self.path} is {awaited}")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = {}
        self._waiters[future] = condition
        deadlines: Deadlines = self.system.deadlines

        def too_late() -> None:
            if not future.done():
                future.set_exception(WaitTimeout(self.path, awaited, timeout or 0.0, self.phase.value))

        deadline = None if timeout is None else deadlines.after(timeout, too_late)
        try:
            await future  # without a timeout: a supervisor's start deadlines, graces and intensities bound it
        finally:
            self._waiters.pop(future, None)
            if deadline is not None:
                deadline.cancel()

    def add_watcher(self, watcher: "Ties") -> None:
        """Tell `watcher` of every Up, Down and Terminated from now on."""
        if self._watchers is None:
            self._watchers = {}
        self._watchers[watcher] = None

    def remove_watcher(self, watcher: "Ties") -> None:
        """Tell it nothing more."""
        if self._watchers is not None:
            self._watchers.pop(watcher, None)

    def wake(self) -> None:
        """Let those who wait look again."""
        if not self._waiters:
            return
        for future, condition in tuple(self._waiters.items()):
            if condition() and not future.done():
                future.set_result(None)
