"""One picture of the whole demo: the oceans, the training, the kill and the restart, the price of an inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import FuncFormatter

from examples.training_record import TrainingRecord

# Okabe and Ito's colours, which stay apart for colour-blind eyes.
MEMBER_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
KILL_COLOUR, GREY = "#D55E00", "#5F5F5F"

PERCENTILES = ((50, "o"), (95, "s"), (99, "D"))


@dataclass(frozen=True, slots=True)
class MemberStory:
    """What the figure tells of one member."""

    name: str
    description: str  #: what sets it apart, as "shear 7 cm/s"
    pv: npt.NDArray[np.floating]  #: last field, 1/s, shape (2, n, n)
    progress: Sequence[tuple[float, int]]  #: (seconds since the start, steps done)
    latencies: npt.NDArray[np.floating]  #: of its inferences, µs
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Kill:
    """When a member was killed and when its next attempt was running, in seconds since the start."""

    member: str
    killed: float
    restarted: float


@dataclass(frozen=True, slots=True)
class DemoStory:
    """All that the figure shows. Times are on the clock of the training record."""

    members: Sequence[MemberStory]
    training: TrainingRecord
    domain_size: float  #: m
    kill: Kill | None = None
    title: str = "Four oceans learn one closure while they run"
    notes: Sequence[str] = field(default_factory=tuple)  #: one line each, under the title


def draw_demo(story: DemoStory, path: Path) -> None:
    """Write the figure as PNG to `path`."""
    figure = Figure(figsize=(14, 8.6), dpi=120, layout="constrained")
    figure.suptitle(story.title, fontsize=15, fontweight="bold")
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.0, 1.05], hspace=0.03)[:, 0]
    upper.suptitle("\n".join(story.notes), fontsize=11, color=GREY)
    _draw_oceans(upper, story)
    training, progress, latency = lower.subplots(1, 3, width_ratios=[1.35, 1.0, 0.95])
    _draw_training(training, story)
    _draw_progress(progress, story)
    _draw_latency(latency, story.members)
    for axes in (training, progress, latency):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="png")


def _draw_oceans(row: FigureBase, story: DemoStory) -> None:
    """Upper-layer PV, one colour scale for all."""
    panels = row.subplots(1, len(story.members), sharey=True, squeeze=False)[0]
    largest = 1e5 * max(float(np.quantile(np.abs(member.pv[0]), 0.995)) for member in story.members)
    side = story.domain_size / 1e3
    for number, (axes, member) in enumerate(zip(panels, story.members, strict=True)):
        image = axes.imshow(
            1e5 * member.pv[0],
            origin="lower",
            extent=(0, side, 0, side),
            cmap="RdBu_r",
            vmin=-largest,
            vmax=largest,
            interpolation="bicubic",
        )
        axes.set_title(f"{member.name}: {member.description}", fontsize=11, color=_colour(number), fontweight="bold")
        axes.set_xlabel("x (km)")
        if member.attempts > 1:
            axes.text(
                0.03,
                0.965,
                f"killed and restarted: attempt {member.attempts}",
                transform=axes.transAxes,
                va="top",
                fontsize=9,
                bbox={"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": KILL_COLOUR},
            )
    panels[0].set_ylabel("y (km)")
    row.colorbar(image, ax=list(panels), label="upper-layer PV (10⁻⁵ s⁻¹)", shrink=0.85, pad=0.01, extend="both")


def _draw_training(axes: Axes, story: DemoStory) -> None:
    """Loss of each gradient step, and each network that went to the store."""
    record = story.training
    if record.losses:
        times, losses = np.array(record.losses).T
        axes.plot(times, losses, color="#56B4E9", linewidth=0.7, alpha=0.8, label="each gradient step")
    axes.plot(
        [network.seconds for network in record.published],
        [network.held_out_loss for network in record.published],
        "o-",
        color="#0072B2",
        drawstyle="steps-post",
        markersize=5,
        linewidth=1.4,
        label=f"published network, on unseen fields ({len(record.published)} versions)",
    )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "235" else ""))
    axes.set_xlabel("time (s)")
    axes.set_ylabel("subgrid forcing not explained (1 = all)")
    axes.set_title("Training beside the runs", fontsize=11)
    axes.grid(which="major", alpha=0.3)
    _mark_kill(axes, story.kill)
    axes.legend(fontsize=9, framealpha=0.9, edgecolor="none", loc="upper right")


def _draw_progress(axes: Axes, story: DemoStory) -> None:
    """Steps against time: the killed member falls back to its checkpoint and goes on."""
    for number, member in enumerate(story.members):
        if member.progress:
            times, steps = np.array(member.progress).T
            axes.plot(times, steps, color=_colour(number), linewidth=1.6, label=member.name)
    axes.set_xlabel("time (s)")
    axes.set_ylabel("steps done")
    axes.set_title("Members", fontsize=11)
    axes.grid(alpha=0.3)
    _mark_kill(axes, story.kill, labelled=True)
    axes.legend(fontsize=9, frameon=False, loc="lower right")


def _mark_kill(axes: Axes, kill: Kill | None, *, labelled: bool = False) -> None:
    """A dashed line at the kill, a dotted one at the restart."""
    if kill is None:
        return
    axes.axvline(kill.killed, color=KILL_COLOUR, linestyle="--", linewidth=1.3)
    axes.axvline(kill.restarted, color=KILL_COLOUR, linestyle=":", linewidth=1.3)
    if labelled:
        axes.annotate(
            f"{kill.member}\nSIGKILL at {kill.killed:.1f} s\nback after {kill.restarted - kill.killed:.2f} s",
            (kill.killed, 0.98),
            xycoords=("data", "axes fraction"),
            xytext=(-6, 0),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=9,
            color=KILL_COLOUR,
        )


def _draw_latency(axes: Axes, members: Sequence[MemberStory]) -> None:
    """Median and tail of the time from question to answer."""
    for number, member in enumerate(members):
        if member.latencies.size == 0:
            continue
        values = np.percentile(member.latencies, [percentile for percentile, _ in PERCENTILES]) / 1e3
        axes.plot(values, [number] * len(values), color=_colour(number), linewidth=2.5, alpha=0.5, zorder=1)
        for value, (_, marker) in zip(values, PERCENTILES, strict=True):
            axes.plot(value, number, marker, color=_colour(number), markersize=8, zorder=2)
            axes.annotate(
                f"{value:.2g}" if value < 10 else f"{value:.0f}",
                (value, number),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                fontsize=9,
            )
    for percentile, marker in PERCENTILES:
        axes.plot([], [], marker, color=GREY, label=f"{percentile} %")
    axes.set_xscale("log")
    for ticks in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        ticks(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "125" else ""))
    axes.margins(x=0.12)
    axes.set_yticks(range(len(members)), [f"{member.name}\n{member.latencies.size} asked" for member in members])
    axes.set_ylim(len(members) - 0.5, -0.9)
    axes.set_xlabel("time from question to answer (ms)")
    axes.set_title("Inference through the store's worker", fontsize=11)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=9, frameon=False, loc="upper center", ncols=len(PERCENTILES), columnspacing=1.0)


def _colour(number: int) -> str:
    return MEMBER_COLOURS[number % len(MEMBER_COLOURS)]
