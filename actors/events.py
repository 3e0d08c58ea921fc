"""What the kernel tells its bus: one frozen record for each change of an actor's state.

Other folders derive their own records from `Event` and publish them on the same bus.
"""

import time
from dataclasses import dataclass, field

from ssasync.actors.exit_reason import ExitReason


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something happened to the actor at `path`; `at` is wall-clock time (seconds since the epoch)."""

    path: str
    at: float = field(default_factory=time.time, compare=False)


@dataclass(frozen=True, kw_only=True)
class ChildStarting(Event):
    """An incarnation is being started."""

    attempt: int


@dataclass(frozen=True, kw_only=True)
class ChildStarted(Event):
    """An incarnation is ready."""

    attempt: int


@dataclass(frozen=True, kw_only=True)
class ChildExited(Event):
    """An incarnation ended unasked, well or badly. `delay` is the wait before the restart, if there is one."""

    attempt: int
    reason: ExitReason
    will_restart: bool
    delay: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ChildStopped(Event):
    """An incarnation ended because its supervisor asked for it; `will_restart` in a restart of its group."""

    attempt: int
    reason: ExitReason
    will_restart: bool = False


@dataclass(frozen=True, kw_only=True)
class ChildGaveUp(Event):
    """The restarts of a child are used up: `reason` is its last exit, `story` its last transitions as text."""

    attempt: int
    reason: ExitReason
    story: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ActorStuck(Event):
    """An actor was not over when its grace was: its `kill()` was called. `stack` is where its task stood."""

    attempt: int
    stack: str


@dataclass(frozen=True, kw_only=True)
class ActorAbandoned(Event):
    """A stuck actor did not even end when it was cancelled again; the system goes on without it."""

    attempt: int


@dataclass(frozen=True, kw_only=True)
class StateChanged(Event):
    """An actor that has states moved from one to another."""

    before: str
    after: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class DeadLetter(Event):
    """`count` queued messages will not be handled, since their actor is over; `sample` is the type of the first."""

    count: int
    sample: str


@dataclass(frozen=True, kw_only=True)
class JournalFailed(Event):
    """A stop could not be recorded; it was carried out all the same."""

    error: str
