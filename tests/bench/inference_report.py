"""What is said about inferences: one line each, as a table and as values for the plot. Times are in nanoseconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.bench.figure_text import ratio_text, time_text, verdict
from tests.bench.rounds import Quartiles


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
            return text + f"{limit}, {1e9 / self.torch_time:,.0f}/s   {ratio_text(self.ratio, 'rates')}"
        limit += f" + echo {time_text(self.echo_time)}"
        return (
            text + f"{limit}   {ratio_text(self.ratio, f'n={len(self.latencies)}')}   "
            f"over them {time_text(self.over.middle)}   aim {time_text(self.aim)}  {verdict(self.meets_aim)}"
        )
