"""What the machine in supervisor_state.py is told, and what it answers: plain values.

`attempt` numbers an incarnation: a report of an earlier one is stale and ignored.
"""

import enum
from dataclasses import dataclass
from typing import TypeAlias

from ssasync.actors.child_spec import Restart
from ssasync.actors.exit_reason import ExitReason
from ssasync.actors.restart_policy import DEFAULT_POLICY, RestartPolicy

# Events.


@dataclass(frozen=True, slots=True)
class Begin:
    """The supervisor itself is up: its children may be started."""


@dataclass(frozen=True, slots=True)
class Added:
    """A child. `attempts` have been made before, under the same name; a child of that name that is over is replaced."""

    name: str
    restart: Restart = Restart.PERMANENT
    policy: RestartPolicy = DEFAULT_POLICY
    attempts: int = 0
    in_line: bool = False  # started only when all before it are ready
    significant: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """An incarnation is ready."""

    name: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Exited:
    """An incarnation is over."""

    name: str
    attempt: int
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class TimeUp:
    """The delay that a `Wake` asked for is over."""

    name: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Stop one child by hand, whatever its restart type; it stays known unless it is temporary."""

    name: str


@dataclass(frozen=True, slots=True)
class RestartAsked:
    """Stop one child by hand if it lives, and start it (again). Counts as no restart."""

    name: str


@dataclass(frozen=True, slots=True)
class RemoveAsked:
    """Stop one child by hand if it lives, then forget it, whatever its restart type. Nothing takes this back."""

    name: str


@dataclass(frozen=True, slots=True)
class Quiesce:
    """Start nothing any more."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Stop everything, then finish with `reason`."""

    reason: ExitReason


Event: TypeAlias = (
    Begin | Added | Started | Exited | TimeUp | StopAsked | RestartAsked | RemoveAsked | Quiesce | Shutdown
)

# Instructions.


@dataclass(frozen=True, slots=True)
class Start:
    """Start an incarnation."""

    name: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask an incarnation to end."""

    name: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Wake:
    """Answer with TimeUp in `delay` seconds."""

    name: str
    attempt: int
    delay: float


class Fate(enum.Enum):
    """What becomes of a child after an exit."""

    RESTARTED = "restarted"  # after `delay`
    TAKEN_DOWN = "taken down"  # asked for: comes up again unless its supervisor is on its way down
    STOPPED = "stopped"  # by hand: over
    ENDED = "ended"  # by itself: over
    GAVE_UP = "gave up"  # its restarts are used up: over


@dataclass(frozen=True, slots=True)
class Note:
    """An incarnation is over (or, with `reason` None, a child that had none is stopped): tell the world."""

    name: str
    attempt: int
    reason: ExitReason | None
    fate: Fate
    delay: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Forget:
    """A child is over that is temporary, was removed, or belongs to a pool: nobody needs to know it any longer."""

    name: str


@dataclass(frozen=True, slots=True)
class Finish:
    """All children are down: the supervisor ends with `reason`."""

    reason: ExitReason


Instruction: TypeAlias = Start | Stop | Wake | Note | Forget | Finish
