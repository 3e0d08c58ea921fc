"""What a supervisor is told about a child, in OTP's words."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ssasync.actors.exit_reason import Blame, ExitReason
from ssasync.actors.restart_policy import DEFAULT_POLICY, RestartPolicy

if TYPE_CHECKING:
    from ssasync.actors.actor import Actor

ActorFactory: TypeAlias = "Callable[[], Actor]"


class Restart(enum.Enum):
    """When a child that ended is started again: always, only after a failure, never."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"

    def wanted_after(self, reason: ExitReason) -> bool:
        """Whether a child that ended by itself is started again (OTP design principles, Child Specification)."""
        if self is Restart.TRANSIENT:
            return reason.failed and reason.blame is not Blame.REQUESTED
        return self is Restart.PERMANENT


class Strategy(enum.Enum):
    """Who is restarted with a child: nobody, all siblings, those that were started after it."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class AutoShutdown(enum.Enum):
    """When a supervisor ends because of its significant children: never, with the first, with the last that lived.

    Only an end that a significant child comes to by itself counts: of a transient one that it ended normally, of a
    temporary one any. One that was stopped by hand or with its group ends nothing. (OTP design principles, Supervisor
    Behaviour, Automatic Shutdown.)
    """

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"

    def check(self, spec: "ChildSpec") -> None:
        """Raises ValueError for a significant child of a supervisor that never ends because of one."""
        if spec.significant and self is AutoShutdown.NEVER:
            raise ValueError(
                f"child {spec.name!r} is significant and its supervisor has auto_shutdown=NEVER: "
                "give the supervisor AutoShutdown.ANY_SIGNIFICANT or ALL_SIGNIFICANT"
            )


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What a supervisor must know to start, restart and stop one child."""

    name: str  #: unique among its siblings; no slash
    start: ActorFactory  #: makes a fresh actor for every incarnation
    restart: Restart = Restart.PERMANENT
    grace: float = 5.0  #: seconds from the polite stop to `Actor.kill`; a supervisor has those of its children besides
    start_timeout: float = 60.0  #: seconds `started()` may take; a supervisor's children have their own
    policy: RestartPolicy = DEFAULT_POLICY  #: see RestartPolicy's own defaults
    mailbox_limit: int = 1000  #: messages that may wait; senders are held back beyond it
    significant: bool = False  #: its end may end its supervisor, see AutoShutdown; not for permanent children

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name:
            raise ValueError(f"child name {self.name!r}: give a name without '/', it becomes a part of the path")
        if not (self.grace >= 0 and self.start_timeout > 0 and self.mailbox_limit > 0):
            raise ValueError(
                f"child {self.name!r}: grace {self.grace} must be >= 0, start_timeout {self.start_timeout} "
                f"and mailbox_limit {self.mailbox_limit} > 0"
            )
        if self.significant and self.restart is Restart.PERMANENT:
            raise ValueError(
                f"child {self.name!r} is significant and permanent: it would never end for good; "
                "make it Restart.TRANSIENT or TEMPORARY"
            )
