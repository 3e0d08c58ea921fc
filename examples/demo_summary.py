"""The last words of the demo: a table of the members, one of the rest."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from examples.demo_figure import DemoStory
from examples.restart_check import RestartCheck


def print_summary(console: Console, story: DemoStory, check: RestartCheck, seconds: float, out: Path) -> None:
    """Print both tables and where the results are."""
    members = Table(title="members", box=SIMPLE_HEAD)
    for heading in ("member", "run", "attempts", "steps", "inferences", "p50, p95, p99 (ms)"):
        members.add_column(heading, justify="left" if heading in ("member", "run") else "right", no_wrap=True)
    for member in story.members:
        percentiles = np.percentile(member.latencies, [50, 95, 99]) / 1000 if len(member.latencies) else [np.nan] * 3
        members.add_row(
            member.name,
            member.description,
            str(member.attempts),
            str(member.progress[-1][1]) if member.progress else "0",
            str(len(member.latencies)),
            "".join(f"{value:6.1f}" for value in percentiles),
        )
    console.print(members)

    rest = Table(title="what happened", show_header=False, box=SIMPLE_HEAD)
    training = story.training
    if training.published:
        first, last = training.published[0], training.published[-1]
        rest.add_row("snapshots learned from", str(training.snapshots.total()))
        rest.add_row("networks published", str(last.version))
        rest.add_row("held-out loss", f"{first.held_out_loss:.2f} → {last.held_out_loss:.2f} (1: no closure)")
    if story.kill is not None:
        outage = 1000 * (story.kill.restarted - story.kill.killed)
        rest.add_row(
            f"{story.kill.member} was killed",
            f"after {story.kill.killed:.1f} s; running again {outage:.0f} ms later",
        )
    verdict = "bitwise equal" if check.bitwise_equal else f"DIFFERENT by up to {check.largest_difference:.3g}"
    rest.add_row(
        "killed against uninterrupted",
        f"{verdict} (killed at step {check.killed_at} of {check.steps}, attempts: {check.attempts})",
    )
    rest.add_row("time", f"{seconds:.0f} s")
    rest.add_row("picture", os.path.relpath(out / "demo.png"))
    console.print(rest)
