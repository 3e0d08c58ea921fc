"""The wrapper in which one incarnation of an actor runs.

Nothing that happens inside gets out but one report to the supervisor. A child task of an anyio group that ends with a
CancelledError nobody asked for cancels the whole group, and the group ends without an exception: a supervisor with all
its children would vanish in silence. So everything is caught here, and by the cell's own scope an asked-for
cancellation is told from a stray one, which is a crash (test_stray_cancellation_is_a_crash_and_siblings_live).

The scope is shielded: a cancellation from outside reaches the root alone, which takes its children down in order. A
shield must have a deadline, and a task cannot be killed: past its grace the actor is reported as stuck with its stack,
killed, and cancelled again; if even that does not end it, the system goes on without it.

An incarnation in a pool has a task only while it has something to do: with nothing left to handle it is parked, and the
next message gets it a runner. 100,000 idle tasks with their scopes would take 4.7 s and 4 KiB each.

An ask that is taken back cancels its handler through the same scope, which is then used up and replaced: a scope for each
ask would take a third of its time.
"""

import asyncio
import inspect
import logging
import traceback
from collections.abc import Coroutine
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio

from ssasync.actors.actor import Actor
from ssasync.actors.deadlines import Deadline
from ssasync.actors.errors import ActorCrashed, ActorError, ActorStopped, NoNewActor
from ssasync.actors.events import ActorAbandoned, ActorStuck, JournalFailed
from ssasync.actors.exit_reason import EXCEPTION, START_TIMEOUT, STUCK, Blame, ExitReason, exception_text
from ssasync.actors.journal import Act, Intent
from ssasync.actors.log import tell_log
from ssasync.actors.mailbox import Ask
from ssasync.actors.ties import Ties
from ssasync.actors.timers import Tick

if TYPE_CHECKING:
    from ssasync.actors.child import Child

#: Seconds an actor has, once killed and cancelled at the end of its grace, before the system goes on without it.
AFTERLIFE = 1.0
#: Seconds a stop waits for its record.
JOURNAL_PATIENCE = 5.0
#: Messages handled in a row before the loop gets a turn: else an actor that never waits could not be stopped.
TURN = 256


@dataclass(frozen=True, slots=True)
class CellStarted:
    """A cell's report: the incarnation is ready."""

    name: str
    attempt: int


@dataclass(frozen=True, slots=True)
class CellExited:
    """A cell's last report: the incarnation is over."""

    name: str
    attempt: int
    reason: ExitReason


class _Parking:
    """Stands in a mailbox for an incarnation without a task, and gets it one when it is woken."""

    __slots__ = ("_cell",)

    def __init__(self, cell: "Cell") -> None:
        self._cell = cell

    def done(self) -> bool:
        return False  # woken, it is taken out of the mailbox

    def set_result(self, _: None, /) -> None:
        self._cell._resume()


class Cell:
    """One incarnation: makes the actor, feeds it messages, ends it, reports to its supervisor.

    parks: it gives up its task whenever it is idle.
    """

    __slots__ = (
        "_ask",
        "_coroutine",
        "_ending",
        "_entered",
        "_grace",
        "_handling",
        "_leave",
        "_over",
        "_overdue",
        "_parked",
        "_parking",
        "_parks",
        "_scope",
        "_start_deadline",
        "_started",
        "_stop",
        "_ties",
        "actor",
        "attempt",
        "child",
        "task",
    )

    def __init__(self, child: "Child", attempt: int, *, parks: bool = False) -> None:
        self.child = child
        self.attempt = attempt
        self.actor: Actor | None = None
        self.task: asyncio.Task[Any] | None = None
        self._coroutine: Coroutine[Any, Any, None] | None = None
        self._scope: anyio.CancelScope | None = None
        self._ask: Ask | None = None  # whose handler runs
        self._handling = False  # inside started() or receive(): a stop must interrupt, a wake would not be seen
        self._entered = False  # started() was entered: stopped() is due
        self._started = False  # reported as started
        self._leave: ExitReason | None = None  # set by the actor itself
        self._stop: ExitReason | None = None  # set by the supervisor, or by a deadline
        self._ending = False
        self._over = False  # reported as exited
        self._overdue = False  # past its grace
        self._parks = parks
        self._parked = False  # has no task now, and none on its way
        self._parking: _Parking | None = None
        self._ties: Ties | None = None
        self._start_deadline: Deadline | None = None
        self._grace: Deadline | None = None

    # Called from outside.

    def begin_parked(self) -> bool:
        """Start without a task, if nothing has to be awaited for it; False if it needs one."""
        try:
            actor = self._make_actor()
        except BaseException as error:  # noqa: BLE001 -- everything, as in handle
            self._report_exit(self._reason_of(error))
            return True
        if not (self._parks and type(actor).started is Actor.started):
            return False
        self._entered = True
        actor._begin()
        self._started = True
        self._report(CellStarted(self.child.spec.name, self.attempt))
        mailbox = self.child.mailbox
        if mailbox.messages or mailbox.urgent:  # sent to an earlier incarnation
            self._resume()
        else:
            self._lie_down()
        return True

    def leave(self, reason: ExitReason) -> None:
        """The actor wants to end; see Actor.exit."""
        if self._leave is None:
            self._leave = reason
        self.child.mailbox.wake()

    def stop(self, reason: ExitReason) -> None:
        """The supervisor wants this incarnation to end, within its grace."""
        if self._stop is not None or self._over:
            return
        self._stop = reason
        if self._parked and self.actor is not None and type(self.actor).stopped is Actor.stopped:
            self.child.mailbox.unpark()
            self._parked = False
            self._ending = True
            self._report_exit(reason)
            return
        self._start_grace()
        if not self._ending:
            if self._handling and self._scope is not None:
                self._scope.cancel()
            self.child.mailbox.wake()

    def bury_unborn(self) -> None:
        """Report in the stead of a task that was cancelled before its first step, and so will not report anything."""
        if self.task is None and self._coroutine is not None:
            self._coroutine.close()
            self._report_exit(self._stop or ExitReason.shutdown("cancelled before it had begun"))
            self.child.system._cell_ended(self)

    async def stop_recorded(self, reason: ExitReason) -> None:
        """Record the intent, then `stop`. A journal that fails or hangs must not keep anything running."""
        journal, child = self.child.system.journal, self.child
        patience = child.system._journal_patience()
        error = f"no answer within {JOURNAL_PATIENCE:g} s"
        try:
            if journal is not None and patience > 0:
                with anyio.move_on_after(patience, shield=True):
                    await journal.record(Intent(Act.STOP, child.path, self.attempt))
                    error = ""
        except GeneratorExit:
            raise
        except BaseException as failure:  # noqa: BLE001 -- a cancellation of all tasks, too: the stop goes on
            self._pass_on_interrupt(failure)
            error = exception_text(failure)
        finally:
            self.stop(reason)
        if error:
            child.system.publish(JournalFailed(path=child.path, error=error))

    def kill(self) -> None:
        """Actor.kill, whatever it does."""
        if self.actor is not None:
            try:
                self.actor.kill()
            except BaseException as error:  # noqa: BLE001 -- others are to be killed, too
                self._pass_on_interrupt(error)
                tell_log(logging.ERROR, "%s (attempt %d): kill() failed", self.child.path, self.attempt, error=error)

    @property
    def ties(self) -> Ties:
        """Its watches, links and timers; made when first needed, since most incarnations have none."""
        if self._ties is None:
            self._ties = Ties(self)
        return self._ties

    @property
    def ending(self) -> bool:
        """It handles no messages any more."""
        return self._ending or self._over

    @property
    def over(self) -> bool:
        """It has reported its exit."""
        return self._over

    @property
    def answering(self) -> Ask | None:
        """The ask whose handler runs."""
        return self._ask

    def budget(self) -> float:
        """Seconds until this incarnation is over, or given up, from the moment it is asked to stop."""
        recording = JOURNAL_PATIENCE if self.child.system.journal is not None else 0.0
        return self._patience() + AFTERLIFE + recording

    def _patience(self) -> float:
        return self.child.spec.grace + (self.actor._drain_budget() if self.actor is not None else 0.0)

    # The task.

    def begin(self) -> Coroutine[Any, Any, None]:
        """What the host is to run as a task."""
        self._coroutine = self._run()
        return self._coroutine

    async def _run(self) -> None:
        """The life of an incarnation with a task of its own, until it is parked; raises nothing."""
        reason: ExitReason | None = None
        while reason is None and not self._parked:
            with anyio.CancelScope(shield=True) as scope:
                reason = await self.handle(scope)
        if reason is not None:
            await self.finish(reason)

    async def handle(self, scope: anyio.CancelScope) -> ExitReason | None:
        """Start, or go on, inside a shielded scope of the caller's, until something ends it; raises nothing.

        None if it was parked, or if the scope is used up and it wants another one.
        """
        self.task = asyncio.current_task()
        self._scope = scope
        self.child.system._cells.add(self)
        try:
            if not self._entered:
                await self._start()
            return await self._serve(scope)
        except GeneratorExit:
            raise  # the loop is gone and the coroutine is being collected: nothing may be awaited any more
        except BaseException as error:  # noqa: BLE001 -- everything: see above
            ask = self._ask
            if isinstance(error, asyncio.CancelledError) and self._stop is None and ask is not None and ask.taken_back:
                return None
            reason = self._reason_of(error)
            if ask is not None:
                ask.fail(self._failure_of_ask(reason))
            return reason
        finally:
            self._handling = False
            self._ask = None
            if self._start_deadline is not None:
                self._start_deadline.cancel()
                self._start_deadline = None

    async def finish(self, reason: ExitReason) -> None:
        """Release what was acquired, and report; raises nothing."""
        given_up = self._over
        reason = await self._end(reason)
        if given_up:
            self._tell_late(reason)
        if self._overdue and not reason.failed:
            reason = ExitReason(STUCK, Blame.APPLICATION, "was not over after its grace; killed")
        if self._grace is not None:
            self._grace.cancel()
        self._report_exit(reason)
        self.child.system._cell_ended(self)

    def _make_actor(self) -> Actor:
        actor, path = self.child.spec.start(), self.child.path
        made: Any = actor  # annotations bind no caller
        if not isinstance(made, Actor):
            if inspect.iscoroutine(made):
                made.close()
            raise NoNewActor.returned(path, made)
        if actor._cell is not None:
            raise NoNewActor.used(path, type(actor).__name__)
        try:
            actor._bind(self)
        except FrozenInstanceError as error:
            raise NoNewActor.frozen(path, type(actor).__name__) from error
        self._parks = self._parks and actor._may_park
        self.actor = actor
        return actor

    async def _start(self) -> None:
        self._handling = True
        child = self.child
        if self._stop is not None:
            return  # stopped before it had begun
        self._start_deadline = child.system.deadlines.after(child.spec.start_timeout, self._start_too_long)
        if child.system.journal is not None:
            await child.system.journal.record(Intent(Act.START, child.path, self.attempt))
        actor = self.actor if self.actor is not None else self._make_actor()
        self._entered = True
        await actor.started()
        if self._over:
            return
        self._start_deadline.cancel()
        self._handling = False
        actor._begin()
        # The lane comes before the first message, and an actor is announced from there.
        child.mailbox.urgent = True

    async def _serve(self, scope: anyio.CancelScope) -> ExitReason | None:
        """Messages one after the other, until something ends it; None when there are no more and it parks."""
        if self.actor is None or not self._entered:
            return self._stop or ExitReason.shutdown()
        if self.over:  # given up in started(): the child belongs to its successor now
            return ExitReason.shutdown("it had been given up")
        mailbox, receive = self.child.mailbox, self.actor.receive
        turn = TURN
        while True:
            if mailbox.urgent:
                ended = self._look_at_lane()
                if ended is not None:
                    return ended
            notices = self._ties.notices if self._ties is not None else None
            if not (self._started and (mailbox.messages or notices)):
                if self._parks and self._started:
                    self._park()
                    return None
                turn = TURN
                try:
                    await mailbox.sleep()
                except asyncio.CancelledError:
                    self._outlast_sweep()
                continue
            if not turn:
                turn = TURN
                await asyncio.sleep(0)
                continue
            turn -= 1
            self._handling = True
            if notices:
                await receive(notices.popleft())
            else:
                message = mailbox.take()
                kind = type(message)
                if kind is Ask:
                    if not message.dropped:
                        self._ask = message
                        message.begin(scope)
                        message.answer(await receive(message.message))
                        self._ask = None
                        if message.taken_back and not self._over:  # too late, but the scope is used up
                            return None
                elif kind is not Tick:
                    await receive(message)
                elif message.timer.take():
                    await receive(message.timer.message)
            self._handling = False
            if self._over:  # given up in this handler
                return ExitReason.shutdown("it had been given up")

    def _look_at_lane(self) -> ExitReason | None:
        mailbox, actor = self.child.mailbox, self.actor
        mailbox.urgent = False
        assert actor is not None  # noqa: S101 -- _serve runs only with one; for the type checker
        lane = mailbox.lane
        while lane:
            actor._on_lane(lane.popleft())
        if not self._started and actor._is_ready():
            self._started = True
            self._report(CellStarted(self.child.spec.name, self.attempt))
        return self._stop or self._leave

    def _failure_of_ask(self, reason: ExitReason) -> ActorError:
        if reason.failed:
            return ActorCrashed(self.child.path, self.attempt, reason)
        child = self.child
        return ActorStopped(child.path, reason, tuple(child.story), system_open=child.system.is_open)

    async def idle(self) -> None:
        """Wait until there may be something to do."""
        try:
            await self.child.mailbox.sleep()
        except asyncio.CancelledError:
            self._outlast_sweep()

    def _outlast_sweep(self) -> None:
        """Go on after a cancellation that hit all tasks of the loop at once; re-raise any other.

        When asyncio.run() ends with an open system it cancels every task, children and supervisors together. The host
        takes that as a wish to close, in order, so those who merely wait keep on waiting for their turn.
        """
        asked = self._scope is not None and self._scope.cancel_called
        if asked or self.task is None or not self.child.system._swept():
            raise
        self.task.uncancel()

    async def _end(self, reason: ExitReason) -> ExitReason:
        """Release what was acquired, within the grace."""
        self._ending = True
        if self._ties is not None:
            self._ties.stop_timers()
        if not self._entered or self.actor is None:
            return reason
        self._start_grace()
        errors: list[BaseException] = []
        # One that was given up leaves its children to its successor.
        releases = (self.actor.stopped,) if self._over else (self.actor._drain, self.actor.stopped)
        with anyio.CancelScope(shield=True) as self._scope:
            if self._overdue:
                self._scope.cancel()  # the grace was over before this began: what has to wait is cut off at once
            for release in releases:
                try:
                    await release(reason)
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001 -- everything: it goes into the reason
                    self._pass_on_interrupt(error)
                    if not (isinstance(error, asyncio.CancelledError) and self._scope.cancel_called):
                        errors.append(error)
        if errors:
            self.kill()
        return self._combined(reason, errors)

    def _combined(self, reason: ExitReason, errors: list[BaseException]) -> ExitReason:
        """The reason, with what went wrong while releasing; no exception is lost."""
        if not errors:
            return reason
        if reason.exception is not None:
            errors = [reason.exception, *errors]
        error = (
            errors[0] if len(errors) == 1 else BaseExceptionGroup(f"{self.child.path} failed more than once", errors)
        )
        if reason.failed:
            detail = f"{reason.detail}; stopped() failed too: {exception_text(errors[-1])}"
            return replace(reason, detail=detail, exception=error)
        return ExitReason(EXCEPTION, Blame.APPLICATION, f"in stopped(): {exception_text(error)}", error)

    # Without a task.

    @property
    def parks(self) -> bool:
        """It does without a task while it is idle; known once the actor is made."""
        return self._parks

    @property
    def parked(self) -> bool:
        """It has no task now, and none is on its way."""
        return self._parked

    def _park(self) -> None:
        """The task goes to others; what is needed for the next one is in the actor and the mailbox."""
        self.task = self._scope = self._coroutine = None
        self.child.system._cell_ended(self)
        self._lie_down()

    def _lie_down(self) -> None:
        self._parked = True
        if self._parking is None:
            self._parking = _Parking(self)
        self.child.mailbox.park(self._parking)

    def _resume(self) -> None:
        self._parked = False
        self.child.mailbox.unpark()
        self.child.system.runners.add(self)

    # Why it ended.

    def _reason_of(self, error: BaseException) -> ExitReason:
        self._pass_on_interrupt(error)
        asked = self._scope is not None and self._scope.cancel_called
        if isinstance(error, asyncio.CancelledError) and asked and self._stop is not None:
            return self._stop
        return ExitReason.from_exception(error)

    def _pass_on_interrupt(self, error: BaseException) -> None:
        """A Ctrl-C that happened to strike inside this actor is meant for the program: raise it from the loop."""
        if isinstance(error, KeyboardInterrupt):
            asyncio.get_running_loop().call_soon(_interrupt)

    # Deadlines.

    def _start_too_long(self) -> None:
        if self._stop is None and not self._ending and self._scope is not None:
            seconds = self.child.spec.start_timeout
            detail = f"started() took more than {seconds:g} s, ChildSpec.start_timeout; it stood at\n{self._stack()}"
            self._stop = ExitReason(START_TIMEOUT, Blame.APPLICATION, detail)
            self._start_grace()
            self._scope.cancel()

    def _start_grace(self) -> None:
        if self._grace is None:
            self._grace = self.child.system.deadlines.after(self._patience(), self._grace_is_over)

    def _grace_is_over(self) -> None:
        if self._over:
            return
        self._overdue = True
        stack = self._stack()
        self.child.system.publish(ActorStuck(path=self.child.path, attempt=self.attempt, stack=stack))
        tell_log(
            logging.ERROR,
            "%s (attempt %d) was not over after its grace of %g s; killed. It stood at\n%s",
            self.child.path,
            self.attempt,
            self.child.spec.grace,
            stack,
        )
        self.kill()
        if self._scope is not None:
            self._scope.cancel()
        self._grace = self.child.system.deadlines.after(AFTERLIFE, self._abandon)

    def _abandon(self) -> None:
        if self._over:
            return
        self.child.system.publish(ActorAbandoned(path=self.child.path, attempt=self.attempt))
        tell_log(
            logging.ERROR,
            "%s (attempt %d) did not end when it was cancelled; given up",
            self.child.path,
            self.attempt,
        )
        self.child.system._cell_abandoned(self)
        detail = f"was not over {AFTERLIFE:g} s after its grace; it stood at\n{self._stack()}"
        reason = ExitReason(STUCK, Blame.APPLICATION, detail)
        if self._ask is not None:
            self._ask.fail(self._failure_of_ask(reason))
        self._report_exit(reason)

    def _tell_late(self, reason: ExitReason) -> None:
        """It ended after all, long after it was given up: nothing waits for its report, but what it raised is told."""
        if reason.failed and reason.exception is not None:
            child = self.child
            child.system.crash_log.add(
                child.path, self.attempt, reason, fate="had been given up before", story=child.story
            )
            tell_log(
                logging.ERROR,
                "%s (attempt %d), given up before, ended: %s",
                child.path,
                self.attempt,
                reason,
                error=reason.exception,
            )

    def _stack(self) -> str:
        """Where the task stands, innermost last."""
        if self.task is None:
            return "(not begun)"
        return "".join(traceback.format_list(_frames(self.task))).rstrip() or "(no frames)"

    # Reports.

    def _report_exit(self, reason: ExitReason) -> None:
        if not self._over:
            self._over = True
            if self._ties is not None:
                self._ties.undo(reason)
            self._report(CellExited(self.child.spec.name, self.attempt, reason))

    def _report(self, report: CellStarted | CellExited) -> None:
        self.child.system._report(self.child, report)


def _frames(task: "asyncio.Task[Any]") -> list[traceback.FrameSummary]:
    """The chain of awaits of a suspended task; Task.get_stack knows only its outermost coroutine."""
    frames: list[traceback.FrameSummary] = []
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            frames.extend(traceback.StackSummary.extract([(frame, frame.f_lineno)]))
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return frames


def _interrupt() -> None:
    raise KeyboardInterrupt
