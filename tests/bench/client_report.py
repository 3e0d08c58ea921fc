"""What is said about the clients: one line a measurement, and values for the plot. Times are in nanoseconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tests.bench.figure_text import quartiles_text, ratio_text, size_text, time_text, verdict
from tests.bench.rounds import Quartiles


class Row(Protocol):
    """A line of the table. `goal`: what its aim is about; it holds only when all rows of the goal meet it.

    error: why the subject could not be measured.
    """

    @property
    def subject(self) -> str: ...

    @property
    def error(self) -> str | None: ...

    @property
    def goal(self) -> str | None: ...

    @property
    def meets_aim(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class TensorRow:
    """One subject that puts, gets or unpacks one tensor, or a batch of `count`, against the raw program.

    aim: for one tensor the largest ratio, for a batch the fewest tensors a second; None: none is set.
    error: why there are no values.
    """

    operation: str
    size: int  #: bytes of elements, of one tensor
    count: int
    transport: str
    placement: str
    subject: str
    repetitions: int
    aim: float | None
    time: float = 0.0
    limit_time: float = 0.0
    ratio: Quartiles | None = None
    error: str | None = None

    @property
    def rate(self) -> float:
        """Tensors a second."""
        return self.count * 1e9 / self.time

    @property
    def meets_aim(self) -> bool:
        if self.ratio is None or self.aim is None:
            return False
        return self.rate >= self.aim if self.count > 1 else self.ratio.middle <= self.aim

    @property
    def goal(self) -> str | None:
        return None if self.aim is None else f"{self.subject} {self.what} {self.transport} {_aim_text(self)}"

    @property
    def what(self) -> str:
        size = size_text(self.size)
        return f"{self.operation} {self.count:,} × {size}" if self.count > 1 else f"{self.operation} {size}"

    def __str__(self) -> str:
        where = f"{self.transport} {self.placement or 'anywhere'}"
        head = f"{self.what:<26}{where:<16}{self.subject:<18}"
        if self.ratio is None:
            return f"{head} cannot: {self.error}"
        rate = f"{self.rate:>11,.0f}/s" if self.count > 1 else ""
        aim = "" if self.aim is None else f"aim {_aim_text(self)}  {verdict(self.meets_aim)}"
        ratio = ratio_text(self.ratio, f"n={self.repetitions}")
        return (
            f"{head} {time_text(self.time):>9}{rate}   raw {time_text(self.limit_time):>9}   {ratio:<34} {aim}"
        ).rstrip()


def _aim_text(row: TensorRow) -> str:
    return "" if row.aim is None else f"≥ {row.aim:,.0f}/s" if row.count > 1 else f"≤ {row.aim:.2f}"


@dataclass(frozen=True, slots=True)
class TasksRow:
    """Many tasks that share one client: operations a second against the peer, and as a share of the raw program's.

    ratio: to redis-py asyncio on the same loop, in the same round; of_raw: to the raw program, which sends as many
    commands as there are tasks in one write.
    """

    operation: str
    tasks: int
    placement: str
    subject: str
    aim: float | None
    rate: float = 0.0
    ratio: Quartiles | None = None
    of_raw: Quartiles | None = None
    error: str | None = None

    @property
    def meets_aim(self) -> bool:
        return self.aim is not None and self.ratio is not None and self.ratio.middle >= self.aim

    @property
    def goal(self) -> str | None:
        return (
            None
            if self.aim is None
            else f"{self.subject} {self.operation} by {self.tasks} tasks ≥ {self.aim:.0f} × redis-py"
        )

    def __str__(self) -> str:
        head = f"{f'{self.operation} by {self.tasks} tasks':<26}{f'unix {self.placement}':<16}{self.subject:<18}"
        if self.of_raw is None:
            return f"{head} cannot: {self.error}"
        text = f"{head} {self.rate:>9,.0f}/s   {quartiles_text('of raw', self.of_raw):<26}"
        if self.ratio is not None:
            text += f" {quartiles_text('× redis-py', self.ratio):<30}"
        return text + ("" if self.aim is None else f" aim ≥ {self.aim:.0f}  {verdict(self.meets_aim)}")


@dataclass(frozen=True, slots=True)
class BesideRow:
    """Small gets while nothing else runs, and while large puts of the same client follow each other."""

    subject: str
    alone: Sequence[int]
    beside: Sequence[int]
    ratio: Quartiles | None = None  #: of the 99th percentile beside to that of the raw program, round by round
    error: str | None = None

    goal = None
    meets_aim = True

    def __str__(self) -> str:
        head = f"{'get 1 KiB beside puts':<26}{'unix anywhere':<16}{self.subject:<18}"
        if self.ratio is None:
            return f"{head} cannot: {self.error}"
        alone = f"alone p50 {time_text(np.median(self.alone))} p99 {time_text(np.percentile(self.alone, 99))}"
        p50, p99, most = np.percentile(self.beside, [50, 99, 100])
        return (
            f"{head} p50 {time_text(p50):>9}  p99 {time_text(p99):>9}  max {time_text(most):>9}   ({alone})   "
            f"{quartiles_text('p99 / raw', self.ratio)}, n={len(self.beside)}"
        )


@dataclass(frozen=True, slots=True)
class ManyToOneRow:
    """A step of many writers and one reader through the store, against files; ratio: files' time / store's time."""

    size: int
    writers: int
    subject: str  #: whose reader it is, and how it reads
    files: str  #: what writes and reads the files
    time: float
    files_time: float
    ratio: Quartiles
    steps: int
    aim: float | None

    error = None

    @property
    def meets_aim(self) -> bool:
        return self.aim is not None and self.ratio.middle >= self.aim

    @property
    def goal(self) -> str | None:
        return (
            None
            if self.aim is None
            else f"{self.writers} × {size_text(self.size)} to one against {self.files} ≥ {self.aim:.1f}"
        )

    def __str__(self) -> str:
        aim = "" if self.aim is None else f"aim ≥ {self.aim:.1f}  {verdict(self.meets_aim)}"
        head = f"{f'{self.writers} × {size_text(self.size)} to one':<26}{'unix anywhere':<16}{self.subject:<18}"
        return (
            f"{head} {time_text(self.time):>9}   {self.files} {time_text(self.files_time):>9}   "
            f"{quartiles_text('files / store', self.ratio)}, n={self.steps}   {aim}"
        ).rstrip()


@dataclass(frozen=True, slots=True)
class ControlRow:
    """A `control_poll` when nothing was asked; the limit: a recv from a socket in which nothing lies, in C."""

    subject: str
    time: Quartiles
    limit_time: float
    ratio: Quartiles
    rounds: int
    aim: float  #: the longest time

    error = None

    @property
    def meets_aim(self) -> bool:
        return self.time.middle <= self.aim

    @property
    def goal(self) -> str | None:
        return f"{self.subject} control_poll ≤ {time_text(self.aim)}"

    def __str__(self) -> str:
        head = f"{'control_poll, nothing new':<26}{'unix anywhere':<16}{self.subject:<18}"
        return (
            f"{head} {time_text(self.time.middle):>9}   raw {time_text(self.limit_time):>9}   "
            f"{ratio_text(self.ratio, f'n={self.rounds}'):<34} aim ≤ {time_text(self.aim)}  {verdict(self.meets_aim)}"
        )


@dataclass(frozen=True, slots=True)
class WaitersRow:
    """Many waiters of one shard, a connection each, that wait for one key."""

    subject: str
    count: int
    connected: float  #: until all were connected
    set_before: float  #: a SET of another key while nobody waits
    set_with: Quartiles
    herd_set: Quartiles  #: the SET for which all wait
    all_woken: Quartiles  #: from that SET until the last waiter knows
    one_woken: Quartiles  #: the same for a lone waiter for another key, while they wait
    memory_fresh: int  #: of the engine, a waiter, in bytes, when all have connected
    memory_idle: int  #: the same when they have waited for some seconds
    rounds: int

    error = None
    goal = None
    meets_aim = True

    def __str__(self) -> str:
        head = f"{f'{self.count:,} waiters':<26}{'unix anywhere':<16}{self.subject:<18}"
        return (
            f"{head} SET of another key {time_text(self.set_before)} before, {_times_text(self.set_with)} with them; "
            f"the SET that wakes all {_times_text(self.herd_set)}, all woken in {_times_text(self.all_woken)}\n"
            f"{'':<60} a lone one for another key woken in {_times_text(self.one_woken)}; {self.rounds} rounds; "
            f"connected in {time_text(self.connected)}; "
            f"{self.memory_fresh / 1024:.1f} KiB of the engine each, {self.memory_idle / 1024:.1f} KiB when idle"
        )


def goals_met(rows: Sequence[Row]) -> dict[str, bool]:
    """Each goal, and whether all its rows meet their aim."""
    goals: dict[str, bool] = {}
    for row in rows:
        if row.goal is not None:
            goals[row.goal] = goals.get(row.goal, True) and row.meets_aim
    return goals


def _times_text(values: Quartiles) -> str:
    return f"{time_text(values.middle)} ({time_text(values.low)}–{time_text(values.high)})"
