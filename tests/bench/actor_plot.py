"""The plot of the actor benchmark: a panel a measure, a line a subject over the number of actors."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from tests.bench.actor_report import (
    MANY,
    MEMBER_BYTES,
    RESTART_SECONDS,
    START_SECONDS,
    ActorRow,
    text_of,
)

_TITLES = {
    "tell": "tells handled a second",
    "ask": "asks answered a second, one after the other",
    "spawn": "actors started a second",
    "memory": "memory an idle actor",
    "restart": "crash to first answer of the next incarnation",
}
_AIMS = {"spawn": MANY / START_SECONDS, "memory": MEMBER_BYTES, "restart": RESTART_SECONDS}
_STYLES = {
    "limit": ("0.35", "x"),
    "supervisor": ("tab:blue", "o"),
    "pool": ("tab:green", "s"),
    "xoscar": ("tab:orange", "^"),
    "xoscar-process": ("tab:brown", "v"),
    "thespian-simple": ("tab:red", "D"),
    "thespian-multiproc": ("tab:pink", "P"),
    "pykka": ("tab:purple", "*"),
    "ray": ("tab:olive", "h"),
}


def draw(rows: Sequence[ActorRow], path: Path) -> None:
    """Write the figure; what has no value is not drawn."""
    figure, grid = plt.subplots(2, 3, figsize=(16.0, 9.0), layout="constrained")
    for axes, measure in zip(grid.flat, _TITLES, strict=False):
        _draw(axes, [row for row in rows if row.measure == measure and not row.error], measure)
    shown = {
        label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    legend = grid.flat[-1]
    legend.set_axis_off()
    legend.legend(shown.values(), shown.keys(), loc="center", fontsize=10, title="dashed lines: plain asyncio")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw(axes: Axes, rows: Sequence[ActorRow], measure: str) -> None:
    for name in dict.fromkeys(row.name for row in rows):
        mine = sorted((row for row in rows if row.name == name), key=lambda row: row.count)
        color, marker = _STYLES[mine[0].subject]
        values = [row.value for row in mine]
        spread = [[row.value - row.spread.low for row in mine], [row.spread.high - row.value for row in mine]]
        axes.errorbar(
            [row.carried for row in mine],
            values,
            yerr=[[max(0.0, value) for value in side] for side in spread],
            color=color,
            marker=marker,
            linestyle="dashed" if mine[0].loop == "asyncio" else "solid",
            lw=1.3,
            ms=6,
            capsize=2,
            label=name,
        )
    if measure in _AIMS:
        axes.axhline(_AIMS[measure], color="black", lw=1, linestyle="dotted")
        axes.annotate("aim", (0.01, _AIMS[measure]), xycoords=("axes fraction", "data"), fontsize=8, va="bottom")
    axes.set_xscale("log")
    axes.set_yscale("log", base=4 if measure == "memory" else 10)
    counts = sorted({row.count for row in rows})
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    show = text_of(measure)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: show(value)))
    low, high = axes.get_ylim()
    few_decades = high < 30 * low  # then the powers of ten alone would leave the axis bare
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: show(value)) if few_decades else NullFormatter())
    axes.tick_params(axis="y", which="both", labelsize=8)
    axes.grid(alpha=0.3)
    axes.set_xlabel("actors")
    axes.set_title(_TITLES[measure], fontsize=10)
