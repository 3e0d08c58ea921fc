"""What is said about a measurement: one line each, as a table and as values for the plot. Times are in nanoseconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.bench.rounds import Quartiles


@dataclass(frozen=True, slots=True)
class TensorRow:
    """One subject that puts, gets or unpacks, against the raw program. aim: the ratio that is wanted; None: none is set."""

    operation: str
    size: int  #: bytes of elements
    placement: str
    subject: str
    time: float
    limit_time: float
    ratio: Quartiles
    repetitions: int
    aim: float | None

    @property
    def meets_aim(self) -> bool:
        return self.aim is None or self.ratio.middle <= self.aim

    def __str__(self) -> str:
        aim = "" if self.aim is None else f"aim {self.aim:.2f}  {_verdict(self.meets_aim)}"
        return (
            f"{self.operation + ' ' + size_text(self.size):<14} {self.placement or 'anywhere':<10}"
            f"{self.subject:<18} {time_text(self.time):>9}   raw {time_text(self.limit_time):>9}   "
            f"{_ratio_text(self.ratio, f'n={self.repetitions}'):<34} {aim}"
        ).rstrip()


@dataclass(frozen=True, slots=True)
class InferenceRow:
    """One way to ask for inferences.

    One process: `ratio` is its latency to that of torch in process plus an echo, `over` what it takes beyond them.
    Many: `ratio` is the requests answered to those that torch answers in one process; larger is better.
    """

    processes: int
    placement: str
    subject: str
    latencies: Sequence[int]
    rate: float  #: a second, of all processes
    torch_time: float
    echo_time: float | None
    ratio: Quartiles
    over: Quartiles | None
    aim: float | None  #: for `over`

    @property
    def median(self) -> float:
        return float(np.median(self.latencies))

    @property
    def meets_aim(self) -> bool:
        return self.aim is None or self.over is None or self.over.middle <= self.aim

    def __str__(self) -> str:
        late = float(np.percentile(self.latencies, 99))
        limit = f"torch {time_text(self.torch_time)}"
        text = (
            f"{f'infer × {self.processes}':<14} {self.placement or 'anywhere':<10}{self.subject:<18} "
            f"{time_text(self.median):>9}   p99 {time_text(late):>9}   {self.rate:>7,.0f}/s   "
        )
        if self.echo_time is None or self.over is None or self.aim is None:
            return text + f"{limit}, {1e9 / self.torch_time:,.0f}/s   {_ratio_text(self.ratio, 'rates')}"
        limit += f" + echo {time_text(self.echo_time)}"
        return (
            text + f"{limit}   {_ratio_text(self.ratio, f'n={len(self.latencies)}')}   "
            f"over them {time_text(self.over.middle)}   aim {time_text(self.aim)}  {_verdict(self.meets_aim)}"
        )


Row = TensorRow | InferenceRow


def size_text(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def time_text(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e3:.1f} µs" if abs(nanoseconds) < 1e6 else f"{nanoseconds / 1e6:.2f} ms"


def _ratio_text(ratio: Quartiles, basis: str) -> str:
    return f"ratio {ratio.middle:.2f} ({ratio.low:.2f}–{ratio.high:.2f}, {basis})"


def _verdict(met: bool) -> str:
    return "ok" if met else "missed"
