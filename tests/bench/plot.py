"""The plot of a run: ratios by size for tensors, latencies and rates for inferences."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from tests.bench.report import InferenceRow, Row, TensorRow, size_text

_STYLES = {
    "ssasync blocking": ("tab:blue", "o"),
    "ssasync uvloop": ("tab:green", "s"),
    "ssasync asyncio": ("tab:orange", "^"),
    "redis-py": ("tab:red", "v"),
    "redis-py asyncio": ("tab:purple", "D"),
    "raw, new memory": ("0.5", "x"),
}


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write the figure; parts that were not measured stay away."""
    tensors = [row for row in rows if isinstance(row, TensorRow)]
    inferences = [row for row in rows if isinstance(row, InferenceRow)]
    operations = list(dict.fromkeys(row.operation for row in tensors))
    columns, lines = max(len(operations), 2), bool(tensors) + bool(inferences)
    figure, grid = plt.subplots(
        lines, columns, figsize=(5.2 * columns, 4.6 * lines), squeeze=False, layout="constrained"
    )
    if tensors:
        for axes, operation in zip(grid[0], operations, strict=False):
            _draw_ratios(axes, [row for row in tensors if row.operation == operation], operation)
        figure.legend(*_handles(grid[0]), loc="outside lower center", ncols=len(_STYLES), fontsize=9)
        grid[0][0].set_ylabel("time / time of the raw program")
    if inferences:
        _draw_single(grid[-1][0], [row for row in inferences if row.processes == 1])
        _draw_many(grid[-1][1], [row for row in inferences if row.processes > 1])
        for axes in grid[-1][2:]:
            axes.set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _handles(row: Sequence[Axes]) -> tuple[list[Artist], list[str]]:
    """What the axes of a row show, each once."""
    shown = {label: handle for axes in row for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    return list(shown.values()), list(shown)


def _draw_ratios(axes: Axes, rows: Sequence[TensorRow], operation: str) -> None:
    """Both placements of a small size: the line goes through the worse one, the other stands beside it."""
    for subject, (color, marker) in _STYLES.items():
        mine = [row for row in rows if row.subject == subject]
        if not mine:
            continue
        sizes = sorted({row.size for row in mine})
        worst = [max((row for row in mine if row.size == size), key=lambda row: row.ratio.middle) for size in sizes]
        middle = np.array([row.ratio.middle for row in worst])
        spread = [middle - [row.ratio.low for row in worst], [row.ratio.high for row in worst] - middle]
        axes.errorbar(sizes, middle, yerr=spread, color=color, marker=marker, ms=5, lw=1.4, capsize=2, label=subject)
        others = [row for row in mine if row not in worst]
        axes.scatter(
            [row.size for row in others], [row.ratio.middle for row in others], c=color, marker=marker, alpha=0.35, s=22
        )
    axes.axhline(1.0, color="black", lw=0.8)
    for aim, first, last in ((1.5, 1 << 10, 2 << 10), (3.0, 1 << 10, 2 << 10), (1.15, 1 << 20, 64 << 20)):
        axes.hlines(aim, first, last, color="black", linestyles="dashed", lw=1)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    sizes = sorted({row.size for row in rows})
    axes.set_xticks(sizes, [size_text(size) for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "235" else ""))
    axes.grid(alpha=0.3, which="both")
    axes.set_title(f"{operation} on the unix socket (dashed: aims; faint: the better placement)", fontsize=9)


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
