"""The picture of a soak."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from tests.soak.samples import MIB, Growth, Sample


def draw(samples: Sequence[Sample], growths: Sequence[Growth], title: str, path: Path) -> None:
    """Write RSS, objects, tasks and crashes against time; the quarters that are compared are shaded."""
    figure, grid = plt.subplots(2, 2, figsize=(12, 7), sharex=True, layout="constrained")
    times = [sample.at for sample in samples]
    by_series = {growth.series: growth for growth in growths}
    _draw_flat(grid[0][0], times, [sample.rss / MIB for sample in samples], "RSS in MiB", by_series["rss"], MIB)
    _draw_flat(grid[0][1], times, [sample.objects for sample in samples], "gc objects", by_series["objects"], 1)
    _draw_flat(grid[1][0], times, [sample.tasks for sample in samples], "asyncio tasks", by_series["tasks"], 1)
    axes = grid[1][1]
    axes.plot(times, [sample.crashes for sample in samples], color="tab:red", lw=1.6, label="crashes")
    axes.plot(times, [sample.dead_letters for sample in samples], color="0.5", lw=1.2, label="dead letters")
    axes.set_title("counted since the begin", fontsize=10)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", fontsize=9)
    for axes in grid.flat:
        axes.grid(alpha=0.3)
        for first in (0.25, 0.75):
            axes.axvspan(times[-1] * first, times[-1] * (first + 0.25), color="0.92", zorder=0)
    for axes in grid[1]:
        axes.set_xlabel("seconds")
    figure.suptitle(title, fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_flat(
    axes: Axes, times: Sequence[float], values: Sequence[float], title: str, growth: Growth, unit: int
) -> None:
    axes.plot(times, values, color="tab:blue", lw=1.1)
    end = times[-1]
    axes.hlines(growth.second / unit, end * 0.25, end * 0.5, color="black", lw=1.6)
    axes.hlines(growth.last / unit, end * 0.75, end, color="black", lw=1.6, label="medians of the quarters")
    limit = (growth.second + growth.allowed) / unit
    axes.hlines(limit, end * 0.75, end, color="tab:red", lw=1.2, linestyles="dashed", label="limit of the last")
    axes.set_ylim(0, max(*values, limit) * 1.15)
    axes.set_title(title, fontsize=10)
    axes.legend(loc="lower right", fontsize=9)
