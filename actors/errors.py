"""The errors of the kernel.

ActorError
├── ActorStopped        the actor is over: whatever was sent will not be handled
│   └── FailedToStart   it never came to run
├── ActorCrashed        the actor crashed while it handled this very message
│   └── SupervisorCrashed   a supervisor crashed before it had stopped, removed or restarted a child by hand
├── AskTimeout          no answer within the deadline (also a TimeoutError)
├── WaitTimeout         not ready, or not over, within the deadline (also a TimeoutError)
├── NotRunning          the actor has no incarnation at the moment: it is waiting, or between two of them
├── NotStarted          an instance that no supervisor has started, or not yet, was used as an actor
├── NoNewActor          ChildSpec.start returned something else than a new actor
├── AskSelf             an actor asked itself and would have waited for ever
├── MailboxFull         no room, and the caller would not or must not wait
├── TakesNoMessages     a supervisor without a `receive` of its own was asked something
├── NotSupervisor       children were to be started under an actor that has none
├── NameTaken           a sibling of that name is alive
├── UnknownActor        no actor at that path
├── UnknownName         no living actor is registered under that name
├── RegisteredName      another living actor is registered under that name
├── IllegalTransition   a state machine was to make a move that is not in its table
├── SystemClosed        the actor system is not open, or was to be opened twice
├── WrongLoop           the caller runs in another event loop than the actor system
├── EventsOverflow      a lossless subscriber fell behind its limit
└── InternalError       the kernel is wrong: please report it
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ssasync.actors.exit_reason import EXCEPTION, Blame, ExitReason

if TYPE_CHECKING:
    from ssasync.actors.child import Transition


def listed(words: Sequence[str], *, between: str = ", ") -> str:
    """The first ten of them, and how many more there are: a pool may have a hundred thousand."""
    more = f" and {len(words) - 10:,} more" if len(words) > 10 else ""
    return between.join(words[:10]) + more


def _told(story: Sequence[object], last: int = 5) -> str:
    """The last lines of a story, or nothing."""
    return "".join(f"\n  {line}" for line in story[-last:])


class ActorError(Exception):
    """Whatever the kernel complains about."""


class ActorStopped(ActorError):
    """The actor is over. Look at `reason` for why, at `story` for how it came to that."""

    def __init__(
        self, path: str, reason: ExitReason, story: "Sequence[Transition]" = (), *, system_open: bool = True
    ) -> None:
        self.path, self.reason, self.story, self.system_open = path, reason, tuple(story), system_open
        super().__init__(self._text())
        self.__cause__ = reason.exception

    def _text(self) -> str:
        remedy = "Start it again, or watch `terminated()`"
        if not self.system_open:
            remedy = "Its actor system is closed, or being closed: make a new one"
        return f"{self.path} is over: {self.reason}. {remedy}.{_told(self.story)}"


class FailedToStart(ActorStopped):
    """The actor ended, for good, before it ever was ready."""

    def _text(self) -> str:
        return f"{self.path} failed to start: {self.reason}.{_told(self.story)}"


class ActorCrashed(ActorError):
    """The actor crashed while it handled the message; the message is not repeated."""

    def __init__(self, path: str, attempt: int, reason: ExitReason) -> None:
        self.path, self.attempt, self.reason = path, attempt, reason
        super().__init__(f"{path} (attempt {attempt}) crashed {self._on}: {reason}. {self._remedy}")
        self.__cause__ = reason.exception

    _on = "on this message"
    _remedy = "The message will not be repeated."


class SupervisorCrashed(ActorCrashed):
    """The supervisor crashed before it had stopped, removed or restarted a child by hand."""

    _on = "before it had done this to its child"
    _remedy = "Its next incarnation does not know of it: look at tree(), and ask again if need be."


class AskTimeout(ActorError, TimeoutError):
    """No answer in time. The message was dropped if it was still queued; its handler was cancelled if it ran."""

    def __init__(self, path: str, message: object, timeout: float, running: bool) -> None:
        self.path, self.timeout = path, timeout
        where = "its handler was cancelled" if running else "it was still queued and was dropped"
        super().__init__(
            f"{path} did not answer {type(message).__name__} within {timeout:g} s; {where}. Give ask(timeout=) more, "
            f"or see tree() for what the actor does."
        )


class WaitTimeout(ActorError, TimeoutError):
    """The actor did not become ready, or did not end, in time."""

    def __init__(self, path: str, awaited: str, timeout: float, state: str) -> None:
        self.path, self.timeout = path, timeout
        super().__init__(f"{path} was not {awaited} within {timeout:g} s: it is {state}")


class NotRunning(ActorError):
    """The actor has no incarnation at the moment, but will have one."""

    def __init__(self, path: str, state: str) -> None:
        self.path = path
        super().__init__(f"{path} does not run: it is {state}. Await its reference's ready() first")


class NotStarted(ActorError):
    """An actor was used before its life: it has no reference, no system, no time yet."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"this {kind} is not started: what it needs in __init__ is for `started`; an instance made by hand is no "
            f"actor, so give {kind} to a ChildSpec and that to start_child()"
        )


class NoNewActor(ActorError):
    """What `ChildSpec.start` returned cannot be the next incarnation, and will not be at another attempt."""

    def __init__(self, path: str, wrong: str) -> None:
        self.path = path
        super().__init__(f"ChildSpec.start of {path} {wrong}")
        self.exit_reason = ExitReason(EXCEPTION, Blame.APPLICATION, str(self), hopeless=True)

    @classmethod
    def returned(cls, path: str, what: object) -> "NoNewActor":
        """It is no Actor."""
        return cls(path, f"returned {what!r}: return an instance of a class derived from Actor")

    @classmethod
    def used(cls, path: str, kind: str) -> "NoNewActor":
        """It was an incarnation before."""
        return cls(path, f"returned a {kind} that it had returned before: make a new one each time, {kind}(...)")

    @classmethod
    def frozen(cls, path: str, kind: str) -> "NoNewActor":
        """It is a frozen dataclass."""
        return cls(path, f"returned a {kind}, a frozen dataclass: an actor changes, leave `frozen` out")


class AskSelf(ActorError):
    """An actor waited for itself: no message is handled before the present one is done."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} asked itself while handling a message: call the method directly, or tell")


class MailboxFull(ActorError):
    """The mailbox holds as many messages as it may."""

    def __init__(self, path: str, limit: int) -> None:
        self.path, self.limit = path, limit
        super().__init__(
            f"the mailbox of {path} holds its limit of {limit} messages: await tell(), or raise ChildSpec.mailbox_limit"
        )


class TakesNoMessages(ActorError):
    """A supervisor has no answers."""

    def __init__(self, path: str, kind: str, message: object) -> None:
        self.path = path
        super().__init__(
            f"{path} is a {kind}, which takes no messages; it was asked {type(message).__name__}. Ask one of its "
            f"children, or give a class derived from {kind} a receive() of its own"
        )


class NotSupervisor(ActorError):
    """Only supervisors have children."""

    def __init__(self, path: str, kind: str) -> None:
        self.path = path
        super().__init__(f"{path} is {kind}, which is no Supervisor and has no children")


class NameTaken(ActorError):
    """A living child has that name already."""

    def __init__(self, path: str, state: str) -> None:
        self.path = path
        super().__init__(f"{path} exists already and is {state}: stop it first, or choose another name")


class UnknownActor(ActorError):
    """There is no such actor."""

    def __init__(self, path: str, siblings: Sequence[str]) -> None:
        self.path = path
        super().__init__(f"there is no actor {path}; its supervisor has {listed(siblings) or 'no children'}")


class UnknownName(ActorError):
    """Nobody is registered under that name, or whoever was is over."""

    def __init__(self, name: str, registered: Sequence[str]) -> None:
        self.name = name
        known = listed([repr(other) for other in registered]) or "none"
        super().__init__(f"no actor is registered as {name!r}; registered names: {known}")


class RegisteredName(ActorError):
    """A name belongs to one living child at a time."""

    def __init__(self, name: str, path: str, owner: str) -> None:
        self.name, self.path, self.owner = name, path, owner
        super().__init__(
            f"{path} cannot be registered as {name!r}: {owner} is, and is not over. Unregister the name or stop that "
            f"actor first, or choose another name."
        )


class IllegalTransition(ActorError):
    """A state machine was to make a move that is not in its table; `history` are the last moves it made."""

    def __init__(
        self, machine: str, before: str, after: str, allowed: Sequence[str], history: Sequence[object] = ()
    ) -> None:
        self.machine, self.before, self.after = machine, before, after
        self.allowed, self.history = tuple(allowed), tuple(history)
        may = f"only {', '.join(allowed)} may follow" if allowed else "nothing may follow, it is a final state"
        told = f"Its last moves:{_told(history)}" if history else "It had made no move before."
        super().__init__(
            f"state machine {machine!r} is {before} and was to become {after}; {may}. Allow it in the table, or ask "
            f"can() first. {told}"
        )


class SystemClosed(ActorError):
    """The system was not opened yet, is being closed, or was to be opened a second time."""

    def __init__(self, name: str, state: str, remedy: str) -> None:
        super().__init__(f"actor system {name!r} is {state}: {remedy}")


class WrongLoop(ActorError):
    """An actor system belongs to the event loop it was opened in, and so to one thread."""

    def __init__(self, name: str, call: str, *, loop_closed: bool) -> None:
        if loop_closed:
            remedy = "that loop is closed, and the system with it: open a new one"
        else:
            remedy = (
                "run it there, with asyncio.run_coroutine_threadsafe(..., system.loop), or open a system of your own"
            )
        super().__init__(f"{call} outside of the event loop that actor system {name!r} was opened in: {remedy}")


class EventsOverflow(ActorError):
    """A lossless subscription ended, since its reader did not keep up: nothing is missed in silence."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"more than {limit} events waited: read faster, or give events(limit=) more")


class InternalError(ActorError):
    """The kernel broke one of its own rules. Please report it."""
