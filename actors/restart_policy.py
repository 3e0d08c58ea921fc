"""How often, and after what delay, a child may be restarted: backoff and budgets."""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ssasync.actors.exit_reason import Blame, ExitReason


@dataclass(frozen=True, slots=True)
class Backoff:
    """The wait before a restart: exponential, with full jitter.

    initial: upper bound of the first delay in seconds; 0 restarts at once, always.
    factor: growth from one restart to the next. maximum: cap in seconds.
    jitter: draw uniformly from 0 to the bound, so that a thousand members do not come back at one instant.
    Raises ValueError, which tells all mistakes.
    """

    initial: float = 0.05
    factor: float = 2.0
    maximum: float = 30.0
    jitter: bool = True

    def __post_init__(self) -> None:
        given: Any = self  # annotations bind no caller
        wrong: list[str] = []
        if not (isinstance(given.initial, (float, int)) and 0 <= given.initial < math.inf):
            wrong.append("initial >= 0, a finite number of seconds")
        if not (isinstance(given.factor, (float, int)) and 1 <= given.factor < math.inf):
            wrong.append("factor >= 1, a finite number")
        if not (isinstance(given.maximum, (float, int)) and given.maximum < math.inf) or (
            isinstance(given.initial, (float, int)) and not given.maximum >= given.initial
        ):
            wrong.append("maximum >= initial, a finite number of seconds")
        if not isinstance(given.jitter, bool):
            wrong.append("jitter True or False")
        if wrong:
            raise ValueError(f"{self}: needs {'; '.join(wrong)}")

    def delay(self, restart: int, luck: float) -> float:
        """Seconds before restart number `restart` (1 is the first); `luck` is drawn uniformly from [0, 1)."""
        if self.initial == 0:
            return 0.0
        try:
            bound = min(self.maximum, self.initial * float(self.factor) ** (restart - 1))
        except OverflowError:
            bound = self.maximum
        return bound * luck if self.jitter else bound


@dataclass(frozen=True, slots=True)
class Intensity:
    """At most `restarts` restarts within any `seconds` seconds (OTP's MaxR and MaxT).

    Raises ValueError, which tells all mistakes.
    """

    restarts: int = 3
    seconds: float = 600.0

    def __post_init__(self) -> None:
        given: Any = self  # annotations bind no caller
        wrong: list[str] = []
        if not (isinstance(given.restarts, int) and given.restarts >= 0):
            wrong.append("restarts >= 0, a whole number")
        if not (isinstance(given.seconds, (float, int)) and given.seconds > 0):
            wrong.append("seconds > 0, or math.inf")
        if wrong:
            raise ValueError(f"{self!r}: needs {'; '.join(wrong)}")

    def __str__(self) -> str:
        return f"{self.restarts} restarts in {self.seconds:g} s"


NO_RESTARTS = Intensity(restarts=0)


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Two budgets, so that a preempted node never uses up what is meant for bugs, and the backoff for all restarts.

    application: 3 restarts in 600 s. infrastructure: 30 restarts in 3600 s.
    kinds: budgets of their own for single exit kinds, whoever is to blame: `{"time_limit": Intensity(100, 604800.0)}`;
    restarts counted there are not counted elsewhere. None: an exit of that kind is not restarted, the child gives up
    at once. Copied; read only.
    Raises ValueError, which tells all mistakes, also of a kind that is no word or has no Intensity.
    """

    application: Intensity = Intensity()
    infrastructure: Intensity = Intensity(restarts=30, seconds=3600.0)
    backoff: Backoff = Backoff()
    kinds: Mapping[str, Intensity | None] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        given: Any = self  # annotations bind no caller
        wrong = [
            f"{name} is {value!r}: give an Intensity, such as Intensity(restarts=3, seconds=600.0)"
            for name, value in (("application", given.application), ("infrastructure", given.infrastructure))
            if not isinstance(value, Intensity)
        ]
        if not isinstance(given.backoff, Backoff):
            wrong.append(f"backoff is {given.backoff!r}: give a Backoff, such as Backoff(initial=0.05, maximum=30.0)")
        if isinstance(given.kinds, Mapping):
            wrong.extend(
                f"kinds has {kind!r}: {budget!r}: give an exit kind an Intensity, or None"
                for kind, budget in given.kinds.items()
                if not (isinstance(kind, str) and kind and (budget is None or isinstance(budget, Intensity)))
            )
        else:
            wrong.append(f"kinds is {given.kinds!r}: give a dict, of an Intensity or None by exit kind")
        if wrong:
            raise ValueError(f"RestartPolicy: {'; '.join(wrong)}")
        object.__setattr__(self, "kinds", dict(self.kinds))

    def budget(self, reason: ExitReason) -> Intensity:
        """The budget that a restart after `reason` is taken from."""
        if reason.kind in self.kinds:
            return self.kinds[reason.kind] or NO_RESTARTS
        return self.infrastructure if reason.blame is Blame.INFRASTRUCTURE else self.application

    def refusal(self, reason: ExitReason) -> str:
        """What to say of a child that is not restarted after `reason` any more."""
        if reason.kind not in self.kinds:
            return f"used up {self.budget(reason)}"
        if self.kinds[reason.kind] is None:
            return f"is not restarted after {reason.kind!r}, see RestartPolicy.kinds"
        return f"used up {self.budget(reason)} after {reason.kind!r}"


#: What a ChildSpec has unless told otherwise.
DEFAULT_POLICY = RestartPolicy()

#: Exceptions kept of one child, or of one supervisor's children; see ExitReason.without_frames.
EXCEPTIONS_KEPT = 5


@dataclass(slots=True)
class RestartCount:
    """The restarts that still count against a policy, and the exceptions that led to them. Times come from outside."""

    policy: RestartPolicy
    _until: dict[str | Blame, deque[float]] = field(default_factory=dict)  # by budget: when each ceases to count
    _exceptions: list[tuple[float, BaseException]] = field(default_factory=list)

    def allows(self, reason: ExitReason, now: float) -> bool:
        """Whether one more restart after `reason` stays within its budget; counts nothing."""
        self.expire(now)
        return len(self._until.get(self._account(reason), ())) < self.policy.budget(reason).restarts

    def add(self, reason: ExitReason, now: float) -> int:
        """Count one restart; returns how many recent ones of its budget there are with it."""
        self.expire(now)
        until = now + self.policy.budget(reason).seconds
        times = self._until.setdefault(self._account(reason), deque())
        times.append(until)
        error = reason.without_frames().exception
        if error is not None:
            self._exceptions = [*self._exceptions, (until, error)][-EXCEPTIONS_KEPT:]
        return len(times)

    def exceptions(self, now: float) -> list[BaseException]:
        """Those of the last restarts that still count, oldest first."""
        self.expire(now)
        return [error for _, error in self._exceptions]

    def expire(self, now: float) -> bool:
        """Let go of what counts no longer; returns whether nothing is left."""
        for account, times in tuple(self._until.items()):
            while times and times[0] <= now:
                times.popleft()
            if not times:
                del self._until[account]
        if self._exceptions:
            self._exceptions = [(until, error) for until, error in self._exceptions if until > now]
        return not self._until

    def _account(self, reason: ExitReason) -> str | Blame:
        if reason.kind in self.policy.kinds:
            return reason.kind
        return Blame.INFRASTRUCTURE if reason.blame is Blame.INFRASTRUCTURE else Blame.APPLICATION
