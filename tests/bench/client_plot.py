"""The plot of the client benchmark: a panel a transport and operation for ratios by size, one for each other part."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from tests.bench.client_report import BesideRow, ManyToOneRow, Row, TasksRow, TensorRow, WaitersRow
from tests.bench.figure_text import size_text, time_text

_STYLES = {
    "ssasync C": ("black", "P"),
    "ssasync blocking": ("tab:blue", "o"),
    "ssasync uvloop": ("tab:green", "s"),
    "ssasync asyncio": ("tab:orange", "^"),
    "redis-py": ("tab:red", "v"),
    "redis-py asyncio": ("tab:purple", "D"),
    "redis-py uvloop": ("tab:pink", "<"),
    "coredis": ("tab:brown", ">"),
    "valkey-glide": ("tab:olive", "h"),
    "raw, new memory": ("0.5", "x"),
    "raw, two processes": ("0.5", "x"),
}
_OPERATIONS = ("put", "get", "unpack")
_TRANSPORTS = ("unix", "tcp")
#: Ratios: above these lines nobody is drawn (`aim` of tensors.py, by range of sizes).
_AIMS = ((1.5, 1 << 10, 2 << 10), (3.0, 1 << 10, 2 << 10), (1.15, 1 << 20, 64 << 20))

R = TypeVar("R")


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write the figure; panels of what was not measured stay away."""
    figure, grid = plt.subplots(3, 4, figsize=(23.0, 15.0), layout="constrained")
    tensors = [row for row in _of(rows, TensorRow) if row.ratio is not None]
    panels: list[tuple[Callable[[Axes, Any], None], Sequence[Row]]] = []
    for transport in _TRANSPORTS:
        mine = [row for row in tensors if row.transport == transport]
        panels += [(_draw_ratios, [row for row in mine if row.operation == operation]) for operation in _OPERATIONS]
        panels += [(_draw_batches, [row for row in mine if row.count > 1])]
    panels += [
        (_draw_tasks, [row for row in _of(rows, TasksRow) if row.of_raw is not None]),
        (_draw_beside, [row for row in _of(rows, BesideRow) if row.ratio is not None]),
        (_draw_many_to_one, _of(rows, ManyToOneRow)),
        (_draw_waiters, _of(rows, WaitersRow)),
    ]
    for axes, (draw_panel, of_panel) in zip(grid.flat, panels, strict=True):
        axes.set_visible(bool(of_panel))
        if of_panel:
            draw_panel(axes, of_panel)
    with_legend = [axes for axes in grid[:2, :3].flat if axes.get_visible()]
    shown = {
        label: handle for axes in with_legend for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if shown:
        figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=len(_STYLES), fontsize=10)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _of(rows: Sequence[Row], kind: type[R]) -> list[R]:
    return [row for row in rows if isinstance(row, kind)]


def _draw_ratios(axes: Axes, rows: Sequence[TensorRow]) -> None:
    """Both placements of a small size: the line goes through the worse one, the other stands beside it."""
    title = f"{rows[0].operation}, {rows[0].transport}"
    axes.set_title(f"{title} (dashed: aims; faint: the better placement)", fontsize=9)
    for subject, (color, marker) in _STYLES.items():
        mine = {row.size: _by_ratio([r for r in rows if r.subject == subject and r.size == row.size]) for row in rows}
        worst = [of_size[-1] for of_size in mine.values() if of_size]
        if not worst:
            continue
        middle = np.array([_middle(row) for row in worst])
        spread = [
            middle - [row.ratio.low for row in worst if row.ratio],
            [row.ratio.high for row in worst if row.ratio] - middle,
        ]
        sizes = [row.size for row in worst]
        axes.errorbar(sizes, middle, yerr=spread, color=color, marker=marker, ms=5, lw=1.4, capsize=2, label=subject)
        others = [row for of_size in mine.values() for row in of_size[:-1]]
        axes.scatter(
            [row.size for row in others], [_middle(row) for row in others], c=color, marker=marker, alpha=0.35, s=22
        )
    axes.axhline(1.0, color="black", lw=0.8)
    for aim, first, last in _AIMS:
        axes.hlines(aim, first, last, color="black", linestyles="dashed", lw=1)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({row.size for row in rows})
    axes.set_xticks(ticks, [size_text(size) for size in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "235" else ""))
    axes.grid(alpha=0.3, which="both")
    axes.set_ylabel("time / time of the raw program")


def _middle(row: TensorRow) -> float:
    return row.ratio.middle if row.ratio else 0.0


def _by_ratio(rows: Sequence[TensorRow]) -> list[TensorRow]:
    return sorted(rows, key=_middle)


def _draw_batches(axes: Axes, rows: Sequence[TensorRow]) -> None:
    what = f"{rows[0].count:,} × {size_text(rows[0].size)}, {rows[0].transport}"
    axes.set_title(f"batch of {what}; worse placement", fontsize=9)
    names = [name for name in _STYLES if any(row.subject == name for row in rows)]
    at = np.arange(len(names))
    for shift, operation, shade in ((-0.2, "put_batch", 1.0), (0.2, "get_batch", 0.5)):
        rates = [min(r.rate for r in rows if (r.subject, r.operation) == (name, operation)) / 1e3 for name in names]
        bars = axes.bar(at + shift, rates, 0.38, color=[_STYLES[name][0] for name in names], alpha=shade)
        axes.bar_label(bars, [f"{rate:.0f}" for rate in rates], fontsize=8)
    axes.axhline(500, color="black", linestyle="dashed", lw=1)
    _name_bars(axes, at, names)
    axes.set_ylabel("thousand tensors/s (left put, right get; dashed: aim for C)", fontsize=9)


def _draw_tasks(axes: Axes, rows: Sequence[TasksRow]) -> None:
    axes.set_title(f"1 KiB by {rows[0].tasks} tasks of one client; worse placement", fontsize=9)
    names = [name for name in _STYLES if any(row.subject == name for row in rows)]
    at = np.arange(len(names))
    for shift, operation, shade in ((-0.2, "put", 1.0), (0.2, "get", 0.5)):
        of_names = [[r for r in rows if (r.subject, r.operation) == (name, operation)] for name in names]
        rates = [min(r.rate for r in of_name) / 1e3 for of_name in of_names]
        ratios = [min((r.ratio.middle for r in of_name if r.ratio), default=1.0) for of_name in of_names]
        bars = axes.bar(at + shift, rates, 0.38, color=[_STYLES[name][0] for name in names], alpha=shade)
        axes.bar_label(bars, [f"× {ratio:.1f}" for ratio in ratios], fontsize=8)
    _name_bars(axes, at, names)
    axes.set_ylabel("thousand operations/s (left put, right get)\n×: to redis-py on the same loop, aim 5", fontsize=9)


def _draw_beside(axes: Axes, rows: Sequence[BesideRow]) -> None:
    axes.set_title("get of 1 KiB beside puts of 64 MiB (faint: alone)", fontsize=9)
    at = np.arange(len(rows))
    for shift, share, label in ((-0.27, 50, "p50"), (0.0, 99, "p99"), (0.27, 100, "max")):
        colors = [_STYLES[row.subject][0] for row in rows]
        times = [float(np.percentile(row.beside, share)) for row in rows]
        bars = axes.bar(at + shift, times, 0.25, color=colors)
        axes.bar_label(bars, [f"{label} {time_text(time)}" for time in times], fontsize=7, rotation=90, padding=2)
        axes.bar(at + shift, [float(np.percentile(row.alone, share)) for row in rows], 0.25, color="white", alpha=0.6)
    axes.set_yscale("log")
    axes.margins(y=0.3)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: time_text(value)))
    _name_bars(axes, at, [row.subject for row in rows])


def _draw_many_to_one(axes: Axes, rows: Sequence[ManyToOneRow]) -> None:
    axes.set_title(f"{rows[0].writers} writers, one reader of all: files' time / store's", fontsize=9)
    at = np.arange(len(rows))
    middle = np.array([row.ratio.middle for row in rows])
    spread = [middle - [row.ratio.low for row in rows], [row.ratio.high for row in rows] - middle]
    colors = ["tab:blue" if row.subject.endswith("unpack") else "tab:cyan" for row in rows]
    bars = axes.bar(at, middle, yerr=spread, color=colors, capsize=3)
    axes.bar_label(bars, [f"{time_text(row.files_time)}\n/ {time_text(row.time)}" for row in rows], fontsize=7)
    for place, row in enumerate(rows):
        if row.aim is not None:
            axes.hlines(row.aim, place - 0.4, place + 0.4, color="black", linestyles="dashed")
    axes.margins(y=0.15)
    names = [f"{row.subject.removeprefix('ssasync ')}\n{row.files}\n{size_text(row.size)}" for row in rows]
    axes.set_xticks(at, names, fontsize=7)
    axes.grid(alpha=0.3, axis="y")


def _draw_waiters(axes: Axes, rows: Sequence[WaitersRow]) -> None:
    axes.set_title("waiters of one key, a connection each", fontsize=9)
    labels = [
        "SET of another\nkey, before",
        "the same,\nwith them",
        "SET that\nwakes all",
        "all woken",
        "a lone one\nwoken",
    ]
    at = np.arange(len(labels))
    for place, row in enumerate(rows):
        values = [
            row.set_before,
            *(quartiles.middle for quartiles in (row.set_with, row.herd_set, row.all_woken, row.one_woken)),
        ]
        shift = 0.4 * (place - 0.5)
        label = f"{row.subject}, {row.count:,}"
        bars = axes.bar(at + shift, values, 0.38, label=label, color=("0.5", "tab:orange")[place % 2])
        axes.bar_label(bars, [time_text(value) for value in values], fontsize=7)
    axes.set_yscale("log")
    axes.margins(y=0.15)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: time_text(value)))
    axes.set_xticks(at, labels, fontsize=8)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3, axis="y")


def _name_bars(axes: Axes, at: "np.ndarray[tuple[int], np.dtype[np.intp]]", names: Sequence[str]) -> None:
    axes.set_xticks(at, [name.replace(" ", "\n", 1) for name in names], fontsize=8)
    axes.grid(alpha=0.3, axis="y")
