"""The class that users derive from: three coroutines and a last resort."""

import enum
import inspect
from collections.abc import Collection, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ssasync.actors.errors import NotStarted
from ssasync.actors.events import Event, StateChanged
from ssasync.actors.exit_reason import ExitReason
from ssasync.actors.state_machine import StateMachine, state_text
from ssasync.actors.timers import Timer

if TYPE_CHECKING:
    from ssasync.actors.cell import Cell
    from ssasync.actors.reference import ActorRef
    from ssasync.actors.system import ActorSystem

S = TypeVar("S", bound=enum.Enum)


class Actor:
    """One incarnation of a child: made by `ChildSpec.start`, thrown away when it ends.

    One message at a time, no re-entrancy. Deriving classes need not call `super().__init__()`; they have the system, the
    reference and timers from `started` on, before it they raise NotStarted.
    Raises TypeError for a class whose `started`, `receive` or `stopped` is no `async def`, or whose `kill` is one.
    """

    #: A linked actor's end is told by a LinkedExit message instead of ending this one too.
    traps_exits: ClassVar[bool] = False

    _cell: "Cell | None" = None
    _machine: "StateMachine[Any] | None" = None
    _state_timeouts: tuple[Timer, ...] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        wrong = [
            f"{name} is no coroutine function: write `async def {name}`, without yield"
            for name in ("started", "receive", "stopped")
            if _is_async(cls, name) is False
        ]
        if _is_async(cls, "kill"):
            wrong.append("kill is a coroutine function, which nobody could wait for: write `def kill`")
        if wrong:
            raise TypeError(f"actor class {cls.__qualname__}: {'; '.join(wrong)}")

    async def started(self) -> None:
        """Acquire what the actor needs; it is ready when this returns. Raising is a failure to start."""

    async def receive(self, message: Any) -> Any:
        """Handle one message. What it returns answers an `ask`; raising is a crash, and an `ask` gets ActorCrashed."""
        raise NotImplementedError(f"{type(self).__name__} takes no messages; it was sent {type(message).__name__}")

    async def stopped(self, reason: ExitReason) -> None:
        """Release what was acquired.

        Always called once `started` was entered, after a crash as after a stop, and given the child's grace.
        """

    def kill(self) -> None:
        """Kill operating system processes at once, synchronously. Must not fail for what is dead already.

        Called when the grace is over, when `stopped` failed, at a second interrupt, and at exit if the loop is gone.
        """

    @property
    def ref(self) -> "ActorRef":
        """The reference that names this actor's child."""
        return self._inside.child.ref

    @property
    def system(self) -> "ActorSystem":
        """The system this actor lives in."""
        return self._inside.child.system

    @property
    def attempt(self) -> int:
        """Which incarnation this is; the first is 1."""
        return self._inside.attempt

    def exit(self, reason: ExitReason | None = None) -> None:
        """End this incarnation, normally unless `reason` says otherwise; the first call counts.

        Takes effect ahead of all queued messages, but never interrupts a running handler. May be called from callbacks
        of the loop. Raises TypeError for what is no ExitReason.
        """
        given: Any = reason  # annotations bind no caller, and the supervisor acts on it
        if not (given is None or isinstance(given, ExitReason)):
            raise TypeError(f"{self.ref.path}: exit({given!r}): give an ExitReason, such as ExitReason.normal('done')")
        self._inside.leave(ExitReason.normal() if reason is None else reason)

    def publish(self, event: Event) -> None:
        """Put an event on the system's bus."""
        self.system.publish(event)

    # Time, and other actors.

    def send_after(self, seconds: float, message: Any) -> Timer:
        """Send `message` to oneself in `seconds`, unless the timer is cancelled or this incarnation ends before."""
        return self._inside.ties.add_timer(seconds, message, repeat=False)

    def send_interval(self, seconds: float, message: Any) -> Timer:
        """Send `message` to oneself every `seconds`, first in `seconds`, until cancelled or the end of the incarnation.

        While a tick waits in the mailbox no other is queued; those are counted in `Timer.skipped`. It does not drift.
        """
        return self._inside.ties.add_timer(seconds, message, repeat=True)

    def watch(self, ref: "ActorRef") -> None:
        """Be sent Up, Down and Terminated of another actor, ahead of ordinary messages.

        What is true now is told first: Up if it runs, Terminated if it is over. Ends with Terminated, with `unwatch`, or
        with this incarnation: watch in `started`. Watching twice is watching once.
        """
        self._inside.ties.watch(ref._child)

    def unwatch(self, ref: "ActorRef") -> None:
        """Be told nothing more of it, not even what is queued already."""
        self._inside.ties.unwatch(ref._child)

    def link(self, ref: "ActorRef") -> None:
        """Tie this incarnation and the other's present one: when one ends, other than normally, so does the other.

        The one that is taken along ends with the same kind and blame, and its supervisor decides; one that has
        `traps_exits` is sent LinkedExit instead, for normal ends too. A link does not survive either of the two.
        Raises ActorStopped (it is over), NotRunning (it has no incarnation at the moment).
        """
        self._inside.ties.link(ref._child)

    def unlink(self, ref: "ActorRef") -> None:
        """Undo `link`."""
        self._inside.ties.unlink(ref._child)

    def register(self, name: str) -> None:
        """Be found by `ActorSystem.whereis(name)` until this child is over. Raises RegisteredName."""
        self.system.register(name, self.ref)

    def state_machine(self, initial: S, table: Mapping[S, Collection[S]]) -> StateMachine[S]:
        """The states of this actor: its moves are events (StateChanged) and its state is shown by `tree()`.

        table: for every state those that may follow it. Call it once, in `started`. Raises ValueError (all mistakes of
        the table), and on an illegal move `StateMachine.to` raises IllegalTransition: uncaught, it is a crash.
        """

        def changed(before: S, after: S, detail: str) -> None:
            self._leave_state()
            self.publish(
                StateChanged(path=self.ref.path, before=state_text(before), after=state_text(after), detail=detail)
            )

        machine = StateMachine(self.ref.path, initial, table, on_change=changed)
        self._machine = machine
        return machine

    def state_timeout(self, seconds: float, message: Any) -> Timer:
        """As `send_after`, but the next change of state cancels it (gen_statem's state timeout).

        Raises ValueError if the actor has no `state_machine` yet.
        """
        if self._machine is None:
            raise ValueError(
                f"{self.ref.path}: state_timeout needs states; call state_machine() first, or send_after()"
            )
        timer = self.send_after(seconds, message)
        self._state_timeouts = (*(old for old in self._state_timeouts if old.active), timer)
        return timer

    @property
    def _inside(self) -> "Cell":
        if self._cell is None:
            raise NotStarted(type(self).__name__)
        return self._cell

    # What the kernel needs of its own supervisors, and finds empty in all others.

    _may_park: ClassVar[bool] = True  # can do without a task while it is idle, in a pool

    def _leave_state(self) -> None:
        for timer in self._state_timeouts:
            timer.cancel()
        self._state_timeouts = ()

    def _bind(self, cell: "Cell") -> None:
        self._cell = cell

    def _begin(self) -> None:
        """`started` has returned."""
        self._inside.child.disown()  # a worker that replaces a supervisor

    def _is_ready(self) -> bool:
        """Whether the child counts as started."""
        return True

    def _on_lane(self, message: Any) -> None:
        """Handle a system message."""

    async def _drain(self, reason: ExitReason) -> None:
        """Take down what stands below, before `stopped`."""

    def _drain_budget(self) -> float:
        """Seconds `_drain` may take besides the grace."""
        return 0.0


def _is_async(cls: type[Actor], name: str) -> bool | None:
    """Whether a method is a coroutine function; None where only a call can tell: decorated, compiled, a mock."""
    method = getattr(cls, name)
    if type(method) is not FunctionType or hasattr(method, "__wrapped__"):
        return None
    return inspect.iscoroutinefunction(method)
