"""What a supervisor is told about a child, in OTP's words."""

import enum
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, TypeAlias

from ssasync.actors.actor import Actor
from ssasync.actors.exit_reason import Blame, ExitReason
from ssasync.actors.restart_policy import DEFAULT_POLICY, RestartPolicy

ActorFactory: TypeAlias = Callable[[], Actor]


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

    def mistake_of(self, spec: "ChildSpec") -> str:
        """What is wrong with a significant child of a supervisor that never ends because of one; else nothing."""
        if spec.significant and self is AutoShutdown.NEVER:
            return (
                f"child {spec.name!r} is significant and its supervisor has auto_shutdown=NEVER: "
                "give the supervisor AutoShutdown.ANY_SIGNIFICANT or ALL_SIGNIFICANT"
            )
        return ""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What a supervisor must know to start, restart and stop one child. Raises ValueError, which tells all mistakes."""

    name: str  #: unique among its siblings; no slash
    start: ActorFactory  #: makes a fresh actor for every incarnation
    restart: Restart = Restart.PERMANENT
    grace: float = 5.0  #: seconds from the polite stop to `Actor.kill`; a supervisor has those of its children besides
    start_timeout: float = 60.0  #: seconds `started()` may take; a supervisor's children have their own
    policy: RestartPolicy = DEFAULT_POLICY  #: see RestartPolicy's own defaults
    mailbox_limit: int = 1000  #: messages that may wait; senders are held back beyond it
    significant: bool = False  #: its end may end its supervisor, see AutoShutdown; not for permanent children

    def __post_init__(self) -> None:
        given: Any = self  # annotations bind no caller
        wrong: list[str] = []
        if not isinstance(given.name, str) or not given.name or "/" in given.name:
            wrong.append("give a name without '/', a str: it becomes a part of the path")
        if start := _mistake_of_start(given.start):
            wrong.append(start)
        if not isinstance(given.restart, Restart):
            wrong.append(f"restart is {given.restart!r}: give a Restart, such as Restart.TRANSIENT")
        if not (isinstance(given.grace, (float, int)) and given.grace >= 0):
            wrong.append(f"grace is {given.grace!r}: give seconds from 0, or math.inf")
        if not (isinstance(given.start_timeout, (float, int)) and given.start_timeout > 0):
            wrong.append(f"start_timeout is {given.start_timeout!r}: give seconds above 0, or math.inf")
        if not isinstance(given.policy, RestartPolicy):
            wrong.append(f"policy is {given.policy!r}: give a RestartPolicy, or leave it out")
        if not (isinstance(given.mailbox_limit, int) and given.mailbox_limit > 0):
            wrong.append(f"mailbox_limit is {given.mailbox_limit!r}: give a whole number above 0")
        if not isinstance(given.significant, bool):
            wrong.append(f"significant is {given.significant!r}: give True or False")
        elif given.significant and given.restart is Restart.PERMANENT:
            wrong.append(
                "is significant and permanent, and would never end for good: make it Restart.TRANSIENT or TEMPORARY"
            )
        if wrong:
            raise ValueError(f"child {given.name!r}: {'; '.join(wrong)}")


def _mistake_of_start(start: Any) -> str:
    """What is wrong with what is to make actors, as far as it can be seen without calling it."""
    if isinstance(start, type):
        return "" if issubclass(start, Actor) else f"start is {start!r}: derive the class from Actor"
    if isinstance(start, Actor):
        kind = type(start).__name__
        return f"start is a {kind}: give what makes a new one for every incarnation, {kind} or lambda: {kind}(...)"
    if not callable(start):
        return f"start is {start!r}: give a class derived from Actor, or a function that returns a new actor"
    if type(start) is FunctionType and start.__code__.co_flags & inspect.CO_COROUTINE:
        name = start.__qualname__
        return f"start is the coroutine function {name}: give a plain one, and await in the actor's `started`"
    return ""
