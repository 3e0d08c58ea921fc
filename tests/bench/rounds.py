"""Subject and limit in turn, round after round: what the machine does meanwhile hits both, so that the ratio holds."""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns

from tests.bench.programs import ProgramError

#: Does something so many times and returns the nanoseconds of each.
Timed = Callable[[int], Sequence[int]]


def times(call: Callable[[], object], repetitions: int) -> list[int]:
    """Nanoseconds of each of so many calls."""
    found = []
    for _ in range(repetitions):
        begin = perf_counter_ns()
        call()
        found.append(perf_counter_ns() - begin)
    return found


async def times_awaited(call: Callable[[], Awaitable[object]], repetitions: int) -> list[int]:
    """As `times`, for calls that are awaited."""
    found = []
    for _ in range(repetitions):
        begin = perf_counter_ns()
        await call()
        found.append(perf_counter_ns() - begin)
    return found


@dataclass(frozen=True, slots=True)
class Quartiles:
    """The middle of some values, and the range of the middle half of them."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Quartiles":
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(low, middle, high)


@dataclass(slots=True)
class Comparison:
    """One subject against its limit: in each round the median of some repetitions of both.

    error: why the subject could not go on; what was measured until then stays.
    """

    subject: Timed
    limit: Timed
    subject_medians: list[float] = field(default_factory=list)
    limit_medians: list[float] = field(default_factory=list)
    subject_times: list[int] = field(default_factory=list)
    error: str | None = None

    def warm_up(self) -> None:
        """What a first use costs is not counted."""
        self.limit(1)
        try:
            self.subject(1)
        except ProgramError as error:
            self.error = str(error)

    def one_round(self, repetitions: int) -> None:
        if self.error is not None:
            return
        limit = self.limit(repetitions)
        try:
            subject = self.subject(repetitions)
        except ProgramError as error:
            self.error = str(error)
            return
        self.limit_medians.append(statistics.median(limit))
        self.subject_medians.append(statistics.median(subject))
        self.subject_times += subject

    @property
    def ratio(self) -> Quartiles:
        return Quartiles.of([s / r for s, r in zip(self.subject_medians, self.limit_medians, strict=True)])

    @property
    def time(self) -> float:
        """Nanoseconds."""
        return statistics.median(self.subject_medians)

    @property
    def limit_time(self) -> float:
        """Nanoseconds."""
        return statistics.median(self.limit_medians)


def compare(comparisons: Sequence[Comparison], *, rounds: int, repetitions: int) -> None:
    """Measure all of them, in turn."""
    for comparison in comparisons:
        comparison.warm_up()
    for _ in range(rounds):
        for comparison in comparisons:
            comparison.one_round(repetitions)
