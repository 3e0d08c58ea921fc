"""The plot of the inferences: latencies from one process, rates from many."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from tests.bench.inference_report import InferenceRow


def draw(rows: Sequence[InferenceRow], path: Path) -> None:
    """Write the figure."""
    figure, (single, many) = plt.subplots(1, 2, figsize=(12.0, 5.0), layout="constrained")
    _draw_single(single, [row for row in rows if row.processes == 1])
    _draw_many(many, [row for row in rows if row.processes > 1])
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_single(axes: Axes, rows: Sequence[InferenceRow]) -> None:
    names = [f"{row.subject.removeprefix('ssasync ')}\n{row.placement}" for row in rows]
    at = np.arange(len(rows))
    torch_times = np.array([row.torch_time for row in rows]) / 1e3
    echo_times = np.array([row.echo_time or 0.0 for row in rows]) / 1e3
    over = np.array([row.over.middle if row.over else 0.0 for row in rows]) / 1e3
    axes.bar(at, torch_times, color="0.75", label="torch in process")
    axes.bar(at, echo_times, bottom=torch_times, color="0.5", label="echo of the same bytes")
    axes.bar(at, over, bottom=torch_times + echo_times, color="tab:blue", label="ssasync")
    aims = torch_times + echo_times + np.array([row.aim or 0.0 for row in rows]) / 1e3
    axes.hlines(aims, at - 0.4, at + 0.4, color="black", linestyles="dashed", lw=1.2, label="aim")
    axes.set_xticks(at, names, fontsize=8)
    axes.set_ylabel("µs, median")
    axes.set_title("infer 32-64-64-8 from one process", fontsize=9)
    axes.set_ylim(top=1.3 * axes.get_ylim()[1])
    axes.legend(fontsize=8, ncols=3, loc="upper center")
    axes.grid(alpha=0.3, axis="y")


def _draw_many(axes: Axes, rows: Sequence[InferenceRow]) -> None:
    names = [f"{row.processes} processes\n{row.subject.removeprefix('ssasync ')}" for row in rows]
    at = np.arange(len(rows))
    bars = axes.bar(at, [row.rate for row in rows], color="tab:blue")
    labels = [f"p50 {row.median / 1e3:.0f} µs\np99 {np.percentile(row.latencies, 99) / 1e3:.0f} µs" for row in rows]
    axes.bar_label(bars, labels, fontsize=8)
    if rows:
        rate = 1e9 / float(np.median([row.torch_time for row in rows]))
        axes.axhline(rate, color="0.4", linestyle="dashed", lw=1, label="torch in one process, alone")
        axes.legend(fontsize=8)
    axes.margins(y=0.2)
    axes.set_xticks(at, names, fontsize=8)
    axes.set_ylabel("requests/s, all processes")
    axes.set_title("infer 32-64-64-8 from many processes", fontsize=9)
    axes.grid(alpha=0.3, axis="y")
