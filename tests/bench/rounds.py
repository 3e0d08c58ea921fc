"""Subject and limit in turn, round after round: what the machine does meanwhile hits both, so that the ratio holds."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

#: Does something so many times and returns the nanoseconds of each.
Timed = Callable[[int], Sequence[int]]


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
    """One subject against its limit: in each round the median of some repetitions of both."""

    subject: Timed
    limit: Timed
    subject_medians: list[float] = field(default_factory=list)
    limit_medians: list[float] = field(default_factory=list)
    subject_times: list[int] = field(default_factory=list)

    def one_round(self, repetitions: int) -> None:
        limit = self.limit(repetitions)
        subject = self.subject(repetitions)
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
    """Measure all of them, in turn; what a first use costs is not counted."""
    for comparison in comparisons:
        comparison.subject(1)
        comparison.limit(1)
    for _ in range(rounds):
        for comparison in comparisons:
            comparison.one_round(repetitions)
