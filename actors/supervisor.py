"""The actor that obeys the machine in supervisor_state.py."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ssasync.actors.actor import Actor
from ssasync.actors.cell import Cell, CellExited, CellStarted
from ssasync.actors.child import Child, Phase
from ssasync.actors.child_spec import AutoShutdown, ChildSpec, Strategy
from ssasync.actors.errors import (
    ActorStopped,
    InternalError,
    NameTaken,
    NotRunning,
    NotSupervisor,
    SupervisorCrashed,
    TakesNoMessages,
    UnknownActor,
    listed,
)
from ssasync.actors.events import ChildExited, ChildGaveUp, ChildStarted, ChildStarting, ChildStopped
from ssasync.actors.exit_reason import EXCEPTION, ExitReason
from ssasync.actors.log import tell_log
from ssasync.actors.restart_policy import RestartPolicy
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
from ssasync.actors.supervisor_state import SupervisorState

if TYPE_CHECKING:
    from ssasync.actors.reference import ActorRef

#: Children that start_children adds before the loop gets a turn: about 5 ms.
STARTS_IN_A_TURN = 256

_PHASE_AFTER = {Fate.STOPPED: Phase.STOPPED, Fate.ENDED: Phase.ENDED, Fate.GAVE_UP: Phase.FAILED}


@dataclass(frozen=True, slots=True)
class SupervisorStatistics:
    """children: known now, by phase name. restarts: of all children, by this incarnation of the supervisor."""

    children: dict[str, int]
    restarts: int


class Supervisor(Actor):
    """Starts, watches, restarts and stops children. May be derived from; `started` runs before the children's.

    children: started in order, each when the one before it is ready. It is ready itself when all of them are.
    strategy: whom the crash of a child takes along.
    ordered: stop children one after the other, in reverse start order. False for pools of peers, whose members start
    and stop all at once.
    escalate: a permanent or transient child whose restarts are used up makes the supervisor stop all others and fail
    with kind `gave_up`, for its parent to decide. False: the child is marked as failed and its siblings go on.
    policy: budgets over all children together, as OTP has them; None leaves it to each child's own. Its backoff is not
    used.
    auto_shutdown: whether it ends, with kind `shutdown`, when significant children ended; see AutoShutdown. One that
    gave up makes it fail even where `escalate` is False.
    Raises ValueError, which tells all mistakes, also of names given twice and significant children under
    AutoShutdown.NEVER.
    """

    def __init__(
        self,
        children: Sequence[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        ordered: bool = True,
        escalate: bool = True,
        policy: RestartPolicy | None = None,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    ) -> None:
        wrong = [
            f"{name} is {value!r}: give {remedy}"
            for name, value, kind, remedy in (
                ("children", children, Iterable, "a sequence of ChildSpec"),
                ("strategy", strategy, Strategy, "a Strategy, such as Strategy.ONE_FOR_ALL"),
                ("ordered", ordered, bool, "True or False"),
                ("escalate", escalate, bool, "True or False"),
                ("policy", policy, RestartPolicy | None, "a RestartPolicy, or None"),
                ("auto_shutdown", auto_shutdown, AutoShutdown, "an AutoShutdown, such as AutoShutdown.ANY_SIGNIFICANT"),
            )
            if not isinstance(value, kind)
        ]
        given: Any = children  # annotations bind no caller
        self._static: tuple[ChildSpec, ...] = tuple(given) if isinstance(given, Iterable) else ()
        wrong.extend(_mistakes_of(self._static, auto_shutdown))
        if wrong:
            raise ValueError(f"{type(self).__name__}: {listed(wrong, between='; ')}")
        self._children_state = SupervisorState(
            strategy=strategy,
            ordered=ordered,
            escalate=escalate,
            policy=policy,
            draw=random.random,
            auto_shutdown=auto_shutdown,
            keep_over=self._keeps_over,
        )
        self._ordered = ordered

    async def receive(self, message: Any) -> Any:
        """A supervisor that crashed on a stray message would take its children along: it is a dead letter instead.

        Who asked gets TakesNoMessages.
        """
        ask = self._inside.answering
        if ask is not None:
            ask.fail(TakesNoMessages(self.ref.path, type(self).__name__, message))
            return
        self.system.letters_died(self.ref.path, 1, sample=message)

    _may_park = False  # its children report to it at any time
    _members_park: ClassVar[bool] = False  # its children do without a task while they are idle
    _keeps_over: ClassVar[bool] = True  # a child that is over can be seen, and started again

    def kill(self) -> None:
        """Kill all that is below, and start nothing any more."""
        self._children_state.handle(Quiesce(), 0.0)
        for kid in reversed(tuple(self._inside.child.kids.values())):
            if kid.cell is not None:
                kid.cell.kill()

    def start_child_nowait(self, spec: ChildSpec) -> "ActorRef":
        """Add a child; it is not ready yet. A child of that name that is over is replaced.

        Raises NameTaken, ActorStopped if this supervisor is on its way down, TypeError for what is no ChildSpec,
        ValueError for a significant child under AutoShutdown.NEVER.
        """
        self._check(spec)
        return self._adopt(spec, in_line=False).ref

    def check(self, specs: Iterable[ChildSpec]) -> None:
        """Raises as `start_child_nowait` for the first of `specs` that cannot be added, or that is given twice."""
        names = set[str]()
        for spec in specs:
            self._check(spec)
            if spec.name in names:
                raise NameTaken(f"{self.ref.path}/{spec.name}", "given twice")
            names.add(spec.name)

    async def stop_child(self, name: str) -> ExitReason:
        """Stop a child for good, within its grace; returns its exit. Raises UnknownActor.

        The last wish counts: one that is told to restart meanwhile runs again when this returns.
        """
        kid = self._kid(name)
        before = kid.attempt
        self._inside.child.mailbox.post(StopAsked(name))
        await self._wish_granted(kid, lambda: kid.outcome is not None or kid.runs(after=before), "over")
        return kid.last_word()

    async def remove_child(self, name: str) -> ExitReason:
        """Stop a child if it lives, within its grace, and forget it; returns its last exit. Raises UnknownActor."""
        kid = self._kid(name)
        self._inside.child.mailbox.post(RemoveAsked(name))
        kids = self._inside.child.kids
        await self._wish_granted(kid, lambda: kids.get(name) is not kid, "removed")
        return kid.last_word()

    async def restart_child(self, name: str) -> "ActorRef":
        """Stop a child if it lives, and start it (again); returns when it is ready. Counts as no restart."""
        kid = self._kid(name)
        before = kid.attempt
        kid.revive(kid.spec)
        self._inside.child.mailbox.post(RestartAsked(name))
        await self._wish_granted(kid, lambda: kid.outcome is not None or kid.runs(after=before), "ready again")
        if kid.outcome is not None:
            raise kid.stopped_error()
        return kid.ref

    async def _wish_granted(self, kid: Child, done: Callable[[], bool], awaited: str) -> None:
        """Bounded by graces, start deadlines and intensities; a supervisor that crashed meanwhile forgot the wish."""
        mine, attempt = self._inside.child, self.attempt
        await kid.until(lambda: done() or mine.attempt != attempt or mine.outcome is not None, awaited, None)
        if not done():
            if mine.outcome is not None:
                raise mine.stopped_error()
            raise SupervisorCrashed(mine.path, attempt, mine.last_word())

    def statistics(self) -> SupervisorStatistics:
        """How the children stand."""
        state = self._children_state
        return SupervisorStatistics(
            {phase.value: number for phase, number in state.phases.items() if number}, state.restarts
        )

    # What the cell calls.

    def _bind(self, cell: Cell) -> None:
        super()._bind(cell)
        # Reports of the children of an earlier incarnation: those children are over, or given up.
        cell.child.mailbox.lane = None
        for spec in self._static:
            self._adopt(spec, in_line=True)

    def _begin(self) -> None:
        # As in OTP, children that were added later do not come back with a restarted supervisor.
        self._inside.child.disown(keep=self._children_state.children)
        self._feed(Begin())
        self._inside.child.wake()  # see _present

    def _is_ready(self) -> bool:
        # One whose child gave up while it started has no child left to wait for, but it has failed to start.
        return self._children_state.ready and not self._children_state.ending

    def _on_lane(self, message: Any) -> None:
        match message:
            case CellStarted(name, attempt):
                state = self._children_state.children.get(name)
                if state is not None and state.attempt == attempt and state.phase is Phase.STARTING:
                    # Before the machine hears of it, whose answer may be the start of the next one.
                    kid = self._inside.child.kids[name]
                    kid.enter(Phase.RUNNING)
                    self.publish(ChildStarted(path=kid.path, attempt=attempt))
                self._feed(Started(name, attempt))
            case CellExited(name, attempt, reason):
                self._feed(Exited(name, attempt, reason))
            case TimeUp() | StopAsked() | RestartAsked() | RemoveAsked():
                self._feed(message)
            case _:
                raise InternalError(f"{self.ref.path}: {message!r} on the system lane")

    async def _drain(self, reason: ExitReason) -> None:
        mailbox = self._inside.child.mailbox
        try:
            self._feed(Shutdown(reason))
            while not (self._children_state.finished or self._inside.over):
                mailbox.urgent = False
                while lane := mailbox.lane:
                    self._on_lane(lane.popleft())
                if not self._children_state.finished:
                    await self._inside.idle()
        finally:
            if not (self._children_state.finished or self._inside.over):
                # Cut off by the grace, or by a bug: do not leave anybody unasked.
                for kid in self._inside.child.kids.values():
                    if kid.cell is not None:
                        kid.cell.stop(ExitReason.shutdown("its supervisor ran out of grace"))

    def _drain_budget(self) -> float:
        cells = [kid.cell for kid in self._inside.child.kids.values() if kid.cell is not None and kid.phase.alive]
        budgets = [cell.budget() for cell in cells]
        return sum(budgets) if self._ordered else max(budgets, default=0.0)

    # The machine.

    def _check(self, spec: ChildSpec) -> None:
        mine, state = self._inside.child, self._children_state
        if not_spec := _not_spec(spec):
            raise TypeError(f"child of {mine.path}: {not_spec}")
        if mistake := state.auto_shutdown.mistake_of(spec):
            raise ValueError(mistake)
        if state.ending:
            why = mine.last_exit or ExitReason.shutdown("it is on its way down")
            raise ActorStopped(mine.path, why, system_open=mine.system.is_open)
        known = state.children.get(spec.name)
        if known is not None and not known.phase.over:
            raise NameTaken(f"{mine.path}/{spec.name}", known.phase.value)

    def _adopt(self, spec: ChildSpec, *, in_line: bool) -> Child:
        mine = self._inside.child
        kid = mine.kids.get(spec.name)
        if kid is None:
            kid = Child(mine.system, spec, mine)
        else:
            kid.revive(spec)
            del mine.kids[spec.name]  # to the end of the order
        mine.kids[spec.name] = kid
        kid.enter(Phase.WAITING)
        self._feed(Added(spec.name, spec.restart, spec.policy, kid.attempt, in_line, spec.significant))
        return kid

    def _feed(self, event: Event) -> None:
        now = self.system.loop.time()
        for instruction in self._children_state.handle(event, now):
            self._obey(instruction)

    def _obey(self, instruction: Instruction) -> None:
        system, kids = self.system, self._inside.child.kids
        match instruction:
            case Start(name, attempt):
                self._start(kids[name], attempt)
            case Stop(name, attempt):
                self._stop(kids[name])
            case Wake(name, attempt, delay):
                kids[name].backoff = system.deadlines.after(delay, self._ring(TimeUp(name, attempt)))
            case Note():
                self._note(kids[instruction.name], instruction)
            case Forget(name):
                kid = kids.pop(name)
                kid.end(kid.last_exit or ExitReason.shutdown())
            case Finish(reason):
                self.exit(reason)

    def _start(self, kid: Child, attempt: int) -> None:
        kid.revive(kid.spec)
        kid.attempt = attempt
        kid.cell = Cell(kid, attempt, parks=self._members_park)
        kid.enter(Phase.STARTING)
        self.publish(ChildStarting(path=kid.path, attempt=attempt))
        self._spawn(kid.cell)

    def _spawn(self, cell: Cell) -> None:
        self.system._spawn_cell(cell)

    def _stop(self, kid: Child) -> None:
        kid.enter(Phase.STOPPING)
        cell, reason = kid.cell, ExitReason.shutdown()
        if cell is None:
            raise InternalError(f"{kid.path} is to be stopped and has no incarnation")
        if self.system.journal is None:
            cell.stop(reason)
        else:
            self.system._spawn_stop(cell, reason)

    def _ring(self, event: TimeUp) -> Callable[[], None]:
        return lambda: self._inside.child.mailbox.post(event)

    def _note(self, kid: Child, note: Note) -> None:
        """An incarnation is over: story, events, log, and whoever waits for it."""
        reason = note.reason or ExitReason.shutdown()
        # Who reads an event late, or never, must not keep the incarnation alive; the crash log has the traceback.
        told = reason.without_frames()
        will_restart = note.fate is Fate.RESTARTED or (note.fate is Fate.TAKEN_DOWN and not self._children_state.ending)
        if will_restart:
            phase = Phase.BACKOFF if note.delay > 0 else Phase.WAITING
        else:
            phase = _PHASE_AFTER.get(note.fate, Phase.STOPPED)
        kid.cell = None
        kid.enter(phase, f"after {reason}" + (f"; {note.detail}" if note.detail else ""))
        if note.reason is not None:
            kid.incarnation_over(note.attempt, told)
        if note.fate in (Fate.TAKEN_DOWN, Fate.STOPPED):
            self.publish(ChildStopped(path=kid.path, attempt=note.attempt, reason=told, will_restart=will_restart))
        else:
            self.publish(
                ChildExited(
                    path=kid.path, attempt=note.attempt, reason=told, will_restart=will_restart, delay=note.delay
                )
            )
        if note.fate is Fate.GAVE_UP:
            story = tuple(str(line) for line in kid.story)
            self.publish(ChildGaveUp(path=kid.path, attempt=note.attempt, reason=told, story=story))
        if reason.failed:
            fate = f"restarted in {note.delay:.2f} s" if will_restart else note.detail or note.fate.value
            self.system.crash_log.add(kid.path, note.attempt, reason, fate=fate, story=kid.story)
            tell_log(
                logging.WARNING if will_restart else logging.ERROR,
                "%s (attempt %d) ended, %s: %s",
                kid.path,
                note.attempt,
                fate,
                reason.detail or reason.kind,
                # Where our own code raised, the traceback says where; of a program that ended badly the text says all.
                error=reason.exception if reason.kind == EXCEPTION else None,
            )
        if self._children_state.ending:
            # It comes back if its supervisor is restarted, and is over when its supervisor is: see Child.end. Once the
            # system is being closed nothing comes back: whoever asks it must not wait until its supervisor is down too.
            if self._root_is_ending():
                kid.end(kid.last_exit or reason)
        elif note.fate in _PHASE_AFTER:
            kid.end(reason)

    def _root_is_ending(self) -> bool:
        top = self._inside.child
        while top.parent is not None:
            top = top.parent
        root = top.cell.actor if top.cell is not None else None
        return not isinstance(root, Supervisor) or root._children_state.ending

    def _kid(self, name: str) -> Child:
        mine = self._inside.child
        if name not in mine.kids:
            raise UnknownActor(f"{mine.path}/{name}", tuple(mine.kids))
        return mine.kids[name]


def _not_spec(given: object) -> str:
    """What is wrong with what is no ChildSpec; else nothing."""
    if isinstance(given, ChildSpec):
        return ""
    example = f"ChildSpec('name', {given.__name__})" if isinstance(given, type) else "ChildSpec('name', TheActor)"
    return f"{given!r} is no ChildSpec: give {example}"


def _mistakes_of(specs: Iterable[object], auto_shutdown: object) -> Iterator[str]:
    """What is wrong with children given beforehand."""
    names = set[str]()
    for spec in specs:
        if not isinstance(spec, ChildSpec):
            yield _not_spec(spec)
            continue
        if spec.name in names:
            yield f"child {spec.name!r} is given twice: give each a name of its own"
        names.add(spec.name)
        if isinstance(auto_shutdown, AutoShutdown) and (mistake := auto_shutdown.mistake_of(spec)):
            yield mistake


def supervisor_of(ref: "ActorRef") -> Supervisor:
    """The supervisor behind a reference.

    Raises NotSupervisor, ActorStopped if it is over, NotRunning (`ready()` waits for it), WrongLoop.
    """
    child = ref._child
    child.system._check_loop(f"looking for the children of {child.path}")
    actor = child.cell.actor if child.cell is not None else None
    if child.phase.over:
        raise child.stopped_error()
    if actor is None:
        raise NotRunning(child.path, child.phase.value)
    if not isinstance(actor, Supervisor):
        raise NotSupervisor(child.path, type(actor).__name__)
    return actor


def supervisor_statistics(supervisor: "ActorRef") -> SupervisorStatistics:
    """How the children of `supervisor` stand. Raises as supervisor_of."""
    return supervisor_of(supervisor).statistics()


async def _present(ref: "ActorRef") -> Supervisor:
    """The supervisor behind a reference, as soon as it can be told something.

    That is before it is ready: it is not while a child of it takes long to start, which must be stoppable meanwhile.
    """
    child = ref._child

    def there() -> bool:
        cell = child.cell
        listens = cell is not None and cell.actor is not None and not cell.ending and child.phase is not Phase.STOPPING
        return listens or child.outcome is not None

    while not there():  # again, since it may crash in the very turn in which it came
        await child.until(there, "there", None)
    return supervisor_of(ref)


async def start_child(supervisor: "ActorRef", spec: ChildSpec) -> "ActorRef":
    """Start a child under `supervisor` and wait until it is ready. Raises FailedToStart, NameTaken, ActorStopped."""
    await supervisor.ready()
    ref = supervisor_of(supervisor).start_child_nowait(spec)
    await ref.ready()
    return ref


async def start_children(supervisor: "ActorRef", specs: Iterable[ChildSpec]) -> "list[ActorRef]":
    """Start many children under `supervisor` and wait until all are ready; other actors get their turns meanwhile.

    Raises, before any is started, NameTaken, ActorStopped, TypeError for what is no ChildSpec, ValueError for a
    significant child under AutoShutdown.NEVER; and an ExceptionGroup of FailedToStart: one for each child that is over;
    the others run.
    """
    await supervisor.ready()
    actor, specs = supervisor_of(supervisor), tuple(specs)
    actor.check(specs)
    refs: list[ActorRef] = []
    for place, spec in enumerate(specs, start=1):
        refs.append(actor.start_child_nowait(spec))
        if place % STARTS_IN_A_TURN == 0:
            await asyncio.sleep(0)
    failures: list[ActorStopped] = []
    for ref in refs:
        try:
            await ref.ready()
        except ActorStopped as failure:
            failures.append(failure)
    if failures:
        raise ExceptionGroup(f"{len(failures)} of {len(refs)} children of {supervisor.path} failed to start", failures)
    return refs


async def stop_child(supervisor: "ActorRef", name: str) -> ExitReason:
    """Stop a child of `supervisor` for good, within its grace; returns its exit. Raises UnknownActor."""
    return await (await _present(supervisor)).stop_child(name)


async def remove_child(supervisor: "ActorRef", name: str) -> ExitReason:
    """Stop a child of `supervisor` if it lives, and forget it; returns its last exit. Raises UnknownActor."""
    return await (await _present(supervisor)).remove_child(name)


async def restart_child(supervisor: "ActorRef", name: str) -> "ActorRef":
    """Stop a child of `supervisor` if it lives, start it (again) and wait until it is ready. Raises UnknownActor."""
    return await (await _present(supervisor)).restart_child(name)
