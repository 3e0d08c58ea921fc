"""The decisions of a supervisor: events in, new state and instructions out. No clock, task or I/O in it.

The idea: every child has a phase. An event changes phases; then `_advance` does the first of three things that there is
to do: take down what must go (the last started first); when all of that is down and the supervisor is ending, finish;
else start what waits (the first in line first, each when those before it are ready). Group restarts, the shutdown and
the end of significant children are the same thing: children marked as doomed, with a different sequel. Starting is a
phase, never a wait: a crash elsewhere is seen at once.

Cost: an event costs the same however many children there are, but for a group or a shutdown, which looks at all of them
once. So nothing is counted or searched when it is asked for: `_enter`, through which every change of a phase goes,
keeps how many children are in each phase, and a heap of those that others in line may have to wait for.

Rejected: one coroutine a supervisor that awaits its children's starts and stops in turn (a crash of another child is
seen only after the slowest start; a stop must break into the wait), and immutable states copied for every event (a pool
of a hundred thousand members would copy them all).

Invariants, checked after every step by tests/actors/test_supervisor_state.py: at most one incarnation a child; in an
ordered supervisor a child in line is started only when all before it are ready or over; nothing is started while
anything doomed lives; doomed children stop one at a time from the end, peers together; whoever was removed or is over
in a pool is not known any more; what is kept up step by step equals what counting afresh gives; after `Finish` nothing
is instructed any more.
"""

import enum
import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ssasync.actors.child import Phase
from ssasync.actors.child_spec import AutoShutdown, Restart, Strategy
from ssasync.actors.errors import InternalError
from ssasync.actors.exit_reason import GAVE_UP, Blame, ExitReason, one_or_group
from ssasync.actors.restart_policy import EXCEPTIONS_KEPT, RestartCount, RestartPolicy
from ssasync.actors.supervisor_events import (
    Added,
    Begin,
    Event,
    Exited,
    Fate,
    Finish,
    Forget,
    Instruction,
    Note,
    Quiesce,
    RemoveAsked,
    RestartAsked,
    Shutdown,
    Start,
    Started,
    Stop,
    StopAsked,
    TimeUp,
    Wake,
)

_COMING_UP = (Phase.WAITING, Phase.STARTING, Phase.BACKOFF)


class _Sequel(enum.Enum):
    """What a child that is being stopped by hand does next."""

    STAY = "stay"
    START = "start"
    GO = "go"  # out of the supervisor's books; final


@dataclass(slots=True, eq=False)
class ChildState:
    """What the machine knows of one child."""

    name: str
    place: int
    restart: Restart
    policy: RestartPolicy
    attempt: int
    significant: bool = False
    phase: Phase = Phase.STOPPED  # until it has been lined up
    in_line: bool = False  # waits for those before it, if it waits
    unsettled: bool = False  # stands in SupervisorState._unsettled
    doomed: bool = False
    sequel: _Sequel | None = None
    count: RestartCount | None = None  # of many children very few are ever restarted
    restarts: int = 0


@dataclass(slots=True)
class SupervisorState:
    """The machine. `draw` gives the luck of the backoff's jitter, uniform in [0, 1).

    strategy: whom a crash takes along.
    ordered: stop one after the other, in reverse; False: children are peers, which start and stop together.
    escalate: a permanent or transient child that gave up makes the supervisor fail; False: it is marked as failed and
    its siblings go on, unless it is significant.
    policy: budgets over all children together, besides each child's own.
    auto_shutdown: whether the supervisor ends with its significant children.
    keep_over: know children that are over, which may be started again by hand or with their group; False: forget each
    at once.

    children: those known, in start order. phases: how many are in each. restarts: of all together, so far.
    """

    strategy: Strategy
    ordered: bool
    escalate: bool
    policy: RestartPolicy | None
    draw: Callable[[], float]
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    keep_over: bool = True
    children: dict[str, ChildState] = field(default_factory=dict)
    phases: dict[Phase, int] = field(default_factory=lambda: dict.fromkeys(Phase, 0))
    restarts: int = 0
    finished: bool = False
    _begun: bool = False
    _quiet: bool = False
    _ending: ExitReason | None = None
    _held_by: ChildState | None = None  # a group waits for the backoff of the child that took it down
    _doomed: list[ChildState] = field(default_factory=list)  # in start order; those that are down already are skipped
    _doomed_alive: int = 0
    _out_of_line: dict[str, ChildState] = field(default_factory=dict)  # waiting, but for none before it
    # Of an ordered supervisor: a heap of those neither ready nor over, by place. They leave it late, at its top.
    _unsettled: list[tuple[int, ChildState]] = field(default_factory=list)
    _significant: int = 0  # of those that are not over
    _places: int = 0
    _counted: OrderedDict[str, ChildState] = field(default_factory=OrderedDict)  # those that have a count
    _total: RestartCount | None = None
    _out: list[Instruction] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.policy is not None:
            self._total = RestartCount(self.policy)

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take one event at time `now` (any monotonic clock); returns what to do, in order."""
        self._out = []
        if self.finished:
            return self._out
        if self._counted or self._total is not None:
            self._expire_counts(now)
        match event:
            case Started(name, attempt):
                self._started(name, attempt)
            case Added():
                self._add(event)
            case Exited(name, attempt, reason):
                self._exited(name, attempt, reason, now)
            case TimeUp(name, attempt):
                self._time_up(name, attempt)
            case StopAsked(name):
                self._stop_by_hand(name, _Sequel.STAY)
            case RestartAsked(name):
                self._stop_by_hand(name, _Sequel.START)
            case RemoveAsked(name):
                self._stop_by_hand(name, _Sequel.GO)
            case Begin():
                self._begun = True
            case Quiesce():
                self._quiet = True
            case Shutdown(reason):
                self._shut_down(reason)
        self._advance()
        out, self._out = self._out, []  # not kept: an exit in it holds its incarnation
        return out

    @property
    def ending(self) -> bool:
        """The supervisor is on its way down, or finished: no child is accepted."""
        return self._ending is not None

    @property
    def ready(self) -> bool:
        """All children were started, ended or failed: none is on its way up."""
        return self._begun and not any(map(self.phases.__getitem__, _COMING_UP))

    # Events.

    def _add(self, event: Added) -> None:
        known = self.children.get(event.name)
        if known is not None and not known.phase.over:
            raise InternalError(f"child {event.name!r} was added while it is {known.phase.value}")
        if event.significant and self.auto_shutdown is AutoShutdown.NEVER:
            raise InternalError(f"child {event.name!r} was added as significant under AutoShutdown.NEVER")
        if known is not None:
            self._drop(known)  # the name moves to the end of the start order
        child = ChildState(event.name, self._places, event.restart, event.policy, event.attempts, event.significant)
        self._places += 1
        self.children[event.name] = child
        self.phases[child.phase] += 1
        if self._ending is not None:
            self._over(child, Phase.STOPPED, None, Fate.TAKEN_DOWN)
        else:
            self._line_up(child, in_line=self.ordered and (event.in_line or self.strategy is not Strategy.ONE_FOR_ONE))

    def _started(self, name: str, attempt: int) -> None:
        child = self._current(name, attempt)
        if child is not None and child.phase is Phase.STARTING:
            self._enter(child, Phase.RUNNING)

    def _exited(self, name: str, attempt: int, reason: ExitReason, now: float) -> None:
        child = self._current(name, attempt)
        if child is None or not child.phase.alive:
            return
        if child.doomed:
            self._taken_down(child, reason)
        elif child.phase is Phase.STOPPING:
            self._stopped_by_hand(child, reason)
        elif not child.restart.wanted_after(reason):
            self._ended(child, reason)
        else:
            self._restart(child, reason, now)

    def _ended(self, child: ChildState, reason: ExitReason) -> None:
        self._over(child, Phase.ENDED, reason, Fate.ENDED)
        if child.significant and (self.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT or not self._significant):
            self._shut_down(ExitReason.shutdown(f"significant child {child.name!r} ended: {reason}"))

    def _taken_down(self, child: ChildState, reason: ExitReason) -> None:
        self._spare(child)
        if child.restart is Restart.TEMPORARY or child.sequel in (_Sequel.STAY, _Sequel.GO):
            self._over(child, Phase.STOPPED, reason, Fate.STOPPED)
        elif self._ending is not None:
            self._over(child, Phase.STOPPED, reason, Fate.TAKEN_DOWN)
        else:
            child.sequel = None
            self._out.append(Note(child.name, child.attempt, reason, Fate.TAKEN_DOWN))
            self._line_up(child, in_line=self.ordered)

    def _stopped_by_hand(self, child: ChildState, reason: ExitReason) -> None:
        if child.sequel is _Sequel.START:
            child.sequel = None
            self._out.append(Note(child.name, child.attempt, reason, Fate.TAKEN_DOWN))
            self._line_up(child, in_line=False)
        else:
            self._over(child, Phase.STOPPED, reason, Fate.STOPPED)

    def _restart(self, child: ChildState, reason: ExitReason, now: float) -> None:
        """OTP's restart: within the budgets by the strategy, else the child, or the supervisor, gives up."""
        child.count = child.count or RestartCount(child.policy)
        self._counted[child.name] = child
        if reason.hopeless:
            detail = "was not restarted: another attempt would end the same way"
            self._give_up(child, reason, detail, child.count.exceptions(now))
            return
        for count in (child.count, self._total):
            if count is not None and not count.allows(reason, now):
                self._give_up(child, reason, count.policy.refusal(reason), count.exceptions(now))
                return
        recent = child.count.add(reason, now)
        if self._total is not None:
            self._total.add(reason, now)
        child.restarts += 1
        self.restarts += 1
        delay = child.policy.backoff.delay(recent, self.draw())
        self._out.append(Note(child.name, child.attempt, reason, Fate.RESTARTED, delay))
        if self.strategy is not Strategy.ONE_FOR_ONE:
            self._doom_group(child)
        if delay > 0:
            self._enter(child, Phase.BACKOFF)
            self._out.append(Wake(child.name, child.attempt, delay))
            if self.strategy is not Strategy.ONE_FOR_ONE:
                self._held_by = child
        else:
            self._line_up(child, in_line=self.ordered and self.strategy is not Strategy.ONE_FOR_ONE)

    def _give_up(self, child: ChildState, reason: ExitReason, detail: str, earlier: Sequence[BaseException]) -> None:
        self._over(child, Phase.FAILED, reason, Fate.GAVE_UP, detail)
        if self.escalate or child.significant:
            blame = reason.blame if reason.blame is Blame.INFRASTRUCTURE else Blame.APPLICATION
            errors = [error for error in (*earlier, reason.exception) if error is not None][-EXCEPTIONS_KEPT:]
            group = one_or_group(errors, f"the last {len(errors)} exceptions before child {child.name!r} gave up")
            text = f"child {child.name!r} {detail}; its last exit: {reason}"
            self._shut_down(ExitReason(GAVE_UP, blame, text, group))

    def _time_up(self, name: str, attempt: int) -> None:
        child = self._current(name, attempt)
        if child is None or child.phase is not Phase.BACKOFF:
            return
        if self._held_by is child:
            self._held_by = None
        self._line_up(child, in_line=self.ordered and self.strategy is not Strategy.ONE_FOR_ONE)

    def _stop_by_hand(self, name: str, sequel: _Sequel) -> None:
        child = self.children.get(name)
        if child is None or self._ending is not None:
            return  # a temporary child that was over before the wish arrived, or all go down anyway
        if child.phase.alive:
            if child.sequel is not _Sequel.GO:
                child.sequel = sequel
            if child.phase is not Phase.STOPPING and not child.doomed:
                self._stop(child)
            return
        if self._held_by is child:
            self._held_by = None
        if sequel is _Sequel.START:
            if child.phase is Phase.FAILED:  # whoever starts it again has mended what was wrong: a fresh budget
                child.count = None
                self._counted.pop(name, None)
            self._line_up(child, in_line=False)
        elif not child.phase.over:
            child.sequel = sequel
            self._over(child, Phase.STOPPED, None, Fate.STOPPED)
        elif sequel is _Sequel.GO:
            self._forget(child)

    def _shut_down(self, reason: ExitReason) -> None:
        if self._ending is not None:
            return
        self._ending = reason
        self._held_by = None
        self._doom(self.children.values())

    def _expire_counts(self, now: float) -> None:
        """Look at one count an event, the longest unseen: else each would hold its tracebacks until its next crash."""
        if self._total is not None:
            self._total.expire(now)
        if self._counted:
            name, child = self._counted.popitem(last=False)
            if child.count is not None and not child.count.expire(now):
                self._counted[name] = child
            else:
                child.count = None

    # Groups.

    def _doom_group(self, origin: ChildState) -> None:
        """Mark those whom the crash of `origin` takes along. As in OTP, even those that had ended come up again."""
        everybody = self.strategy is Strategy.ONE_FOR_ALL
        group = [c for c in self.children.values() if c is not origin and (everybody or c.place > origin.place)]
        self._held_by = None
        self._doom(child for child in group if child.phase is not Phase.FAILED)

    def _doom(self, group: Iterable[ChildState]) -> None:
        """Mark children to be taken down. Those without an incarnation are down already."""
        for child in list(group):
            if child.phase.alive:
                self._doomed_alive += not child.doomed
                child.doomed = True
            elif self._ending is not None:
                if not child.phase.over:
                    self._over(child, Phase.STOPPED, None, Fate.TAKEN_DOWN)
            elif child.restart is not Restart.TEMPORARY:
                self._line_up(child, in_line=self.ordered)
        self._doomed = [child for child in self.children.values() if child.doomed]

    # What is to be done next.

    def _advance(self) -> None:
        if self._doomed_alive:
            self._take_down()
        elif self._ending is not None:
            self.finished = True
            self._out.append(Finish(self._ending))
        elif self._begun and self._held_by is None and not self._quiet:
            self._start_waiting()

    def _take_down(self) -> None:
        """Stop the last of those that are doomed and live; peers all at once."""
        while self._doomed:
            last = self._doomed[-1]
            if last.doomed:
                self._stop(last)
                if self.ordered:
                    return
            self._doomed.pop()

    def _spare(self, child: ChildState) -> None:
        self._doomed_alive -= child.doomed
        child.doomed = False

    def _start_waiting(self) -> None:
        for child in tuple(self._out_of_line.values()):
            self._start(child)
        first = self._first_unsettled()
        if first is not None and first.phase is Phase.WAITING:
            self._start(first)

    def _first_unsettled(self) -> ChildState | None:
        """Of an ordered supervisor, the first that is neither ready nor over: all after it in line wait for it."""
        while self._unsettled:
            _, child = self._unsettled[0]
            if child.phase.unsettled:
                return child
            child.unsettled = False
            heapq.heappop(self._unsettled)
        return None

    # Phases.

    def _enter(self, child: ChildState, phase: Phase) -> None:
        """Every change of a phase goes through here, where what is asked of all children together is kept up."""
        self.phases[child.phase] -= 1
        self.phases[phase] += 1
        self._significant += child.significant * (child.phase.over - phase.over)
        child.phase = phase
        if self.ordered and phase.unsettled and not child.unsettled:
            child.unsettled = True
            heapq.heappush(self._unsettled, (child.place, child))

    def _line_up(self, child: ChildState, *, in_line: bool) -> None:
        self._enter(child, Phase.WAITING)
        child.in_line = in_line
        if in_line:
            self._out_of_line.pop(child.name, None)
        else:
            self._out_of_line[child.name] = child

    def _start(self, child: ChildState) -> None:
        if not child.in_line:
            del self._out_of_line[child.name]
        self._enter(child, Phase.STARTING)
        child.attempt += 1
        self._out.append(Start(child.name, child.attempt))

    def _stop(self, child: ChildState) -> None:
        if child.phase is not Phase.STOPPING:
            self._enter(child, Phase.STOPPING)
            self._out.append(Stop(child.name, child.attempt))

    def _over(self, child: ChildState, phase: Phase, reason: ExitReason | None, fate: Fate, detail: str = "") -> None:
        self._enter(child, phase)
        self._out_of_line.pop(child.name, None)
        self._out.append(Note(child.name, child.attempt, reason, fate, detail=detail))
        if child.restart is Restart.TEMPORARY or child.sequel is _Sequel.GO or not self.keep_over:
            self._forget(child)
        child.sequel = None

    def _forget(self, child: ChildState) -> None:
        self._drop(child)
        self._out.append(Forget(child.name))

    def _drop(self, child: ChildState) -> None:
        """Strike a child that is over from the books."""
        del self.children[child.name]
        self.phases[child.phase] -= 1
        self._counted.pop(child.name, None)
        # Temporary children that come and go behind one that is slow to start would heap up.
        if len(self._unsettled) > 2 * len(self.children) + 8:
            self._unsettled = [(other.place, other) for other in self.children.values() if other.unsettled]

    def _current(self, name: str, attempt: int) -> ChildState | None:
        child = self.children.get(name)
        return child if child is not None and child.attempt == attempt else None
