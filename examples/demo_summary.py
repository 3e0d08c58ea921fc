"""The last words of the demo: a table of the members, one of the rest."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from examples.demo_figure import DemoStory
from examples.restart_check import RestartCheck


def print_summary(console: Console, story: DemoStory, check: RestartCheck, seconds: float, out: Path) -> None:
    """Print both tables and where the results are."""
    members = Table(title="members")
    for heading in ("member", "parameters", "attempts", "steps", "inferences", "p50 µs", "p95 µs", "p99 µs"):
        members.add_column(heading, justify="left" if heading in ("member", "parameters") else "right")
    for member in story.members:
        percentiles = np.percentile(member.latencies, [50, 95, 99]) if len(member.latencies) else [np.nan] * 3
        members.add_row(
            member.name,
            member.description,
            str(member.attempts),
            str(member.progress[-1][1]) if member.progress else "0",
            str(len(member.latencies)),
            *(f"{value:.0f}" for value in percentiles),
        )
    console.print(members)

    rest = Table(title="the rest", show_header=False)
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
