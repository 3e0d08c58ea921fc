"""How often, and after what delay, a child may be restarted: backoff and the two budgets."""

from collections import deque
from dataclasses import dataclass, field

from ssasync.actors.exit_reason import Blame, ExitReason


@dataclass(frozen=True, slots=True)
class Backoff:
    """The wait before a restart: exponential, with full jitter.

    initial: upper bound of the first delay in seconds; 0 restarts at once, always.
    factor: growth from one restart to the next. maximum: cap in seconds.
    jitter: draw uniformly from 0 to the bound, so that a thousand members do not come back at one instant.
    """

    initial: float = 0.05
    factor: float = 2.0
    maximum: float = 30.0
    jitter: bool = True

    def __post_init__(self) -> None:
        if self.initial < 0 or self.factor < 1 or self.maximum < self.initial:
            raise ValueError(f"{self}: needs initial >= 0, factor >= 1 and maximum >= initial")

    def delay(self, restart: int, luck: float) -> float:
        """Seconds before restart number `restart` (1 is the first); `luck` is drawn uniformly from [0, 1)."""
        if self.initial == 0:
            return 0.0
        # The exponent is capped since factor ** 10_000 is an overflow, not a long wait.
        bound = min(self.maximum, self.initial * self.factor ** min(restart - 1, 200))
        return bound * luck if self.jitter else bound


@dataclass(frozen=True, slots=True)
class Intensity:
    """At most `restarts` restarts within any `seconds` seconds (OTP's MaxR and MaxT)."""

    restarts: int = 3
    seconds: float = 600.0

    def __post_init__(self) -> None:
        if self.restarts < 0 or self.seconds <= 0:
            raise ValueError(f"{self}: needs restarts >= 0 and seconds > 0")

    def __str__(self) -> str:
        return f"{self.restarts} restarts in {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Two budgets, so that a preempted node never uses up what is meant for bugs, and the backoff for both.

    application: 3 restarts in 600 s. infrastructure: 30 restarts in 3600 s.
    """

    application: Intensity = Intensity()
    infrastructure: Intensity = Intensity(restarts=30, seconds=3600.0)
    backoff: Backoff = Backoff()

    def budget(self, reason: ExitReason) -> Intensity:
        """The budget that a restart after `reason` is taken from."""
        return self.infrastructure if reason.blame is Blame.INFRASTRUCTURE else self.application


#: What a ChildSpec has unless told otherwise.
DEFAULT_POLICY = RestartPolicy()


@dataclass(slots=True)
class RestartCount:
    """The restarts that still count against a policy. Times come from outside."""

    policy: RestartPolicy
    _application: deque[float] = field(default_factory=deque)
    _infrastructure: deque[float] = field(default_factory=deque)

    def allows(self, reason: ExitReason, now: float) -> bool:
        """Whether one more restart after `reason` stays within its budget; counts nothing."""
        return len(self._recent(reason, now)) < self.policy.budget(reason).restarts

    def add(self, reason: ExitReason, now: float) -> int:
        """Count one restart; returns how many recent ones there are with it."""
        recent = self._recent(reason, now)
        recent.append(now)
        return len(recent)

    def _recent(self, reason: ExitReason, now: float) -> deque[float]:
        times = self._infrastructure if reason.blame is Blame.INFRASTRUCTURE else self._application
        horizon = now - self.policy.budget(reason).seconds
        while times and times[0] <= horizon:
            times.popleft()
        return times
