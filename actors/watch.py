"""What actors are told about one another's ends: the messages of `Actor.watch` and `Actor.link`.

They overtake ordinary messages. A watch looks at a child through all its incarnations; a link ties two incarnations.
"""

from dataclasses import dataclass

from ssasync.actors.exit_reason import ExitReason
from ssasync.actors.reference import ActorRef


@dataclass(frozen=True, slots=True)
class Up:
    """A watched child runs."""

    ref: ActorRef
    attempt: int


@dataclass(frozen=True, slots=True)
class Down:
    """An incarnation of a watched child is over; Up or Terminated follows."""

    ref: ActorRef
    attempt: int
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class Terminated:
    """A watched child is over and will not be restarted; the watch has ended with it."""

    ref: ActorRef
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class LinkedExit:
    """A linked incarnation is over; told only to actors with `traps_exits`, the others end with it."""

    ref: ActorRef
    attempt: int
    reason: ExitReason
