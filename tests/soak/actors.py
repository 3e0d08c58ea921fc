"""A tree of actors that crashes for as long as you like, and a verdict whether anything leaked.

    python -m tests.soak.actors --seconds 600 [--loop asyncio|uvloop] [--mean 0.01] [--out out/soak] [--seed 1]

Measured once a second (more often in a short run). The exit status is 1 if memory is not flat, if a task, a descriptor
or an object of the kernel is left, or if a crash was not told by an event.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import uvloop

from ssasync.actors import ActorSystem, ExitReason, Phase, Transition, render_tree
from ssasync.actors.crash_log import CrashLog
from tests.soak.ledger import Auditor, CountingHandler, Ledger
from tests.soak.plot import draw
from tests.soak.samples import LONG, MIB, Growth, Sample, growth, kernel_objects, look
from tests.soak.scene import Scene


@dataclass(frozen=True, slots=True)
class Soak:
    """What a run has seen."""

    before: Sample
    samples: Sequence[Sample]
    after: Sample
    left: dict[str, int]
    ledger: Ledger
    auditor: Auditor
    logged: int
    told: dict[str, int]
    crashes_logged: int  # by the kernel's own crash log
    tree: str


async def soak(seconds: float, mean: float, seed: int) -> Soak:
    """Open a system, trouble it for `seconds`, close it, and look at what is left."""
    handler, ledger = CountingHandler(), Ledger()
    auditor = Auditor(ledger)
    logger = logging.getLogger("ssasync.actors")
    logger.addHandler(handler)
    logger.propagate = False
    gc.collect()
    before = look(0.0, 0)
    samples: list[Sample] = []
    async with anyio.create_task_group() as observers:
        # The system is a local of a function of its own, so that nothing here keeps it from being collected.
        told, crashes_logged, tree = await _run(observers, ledger, auditor, samples, seconds, mean, seed)
    gc.collect()
    after = look(samples[-1].at, ledger.total)
    return Soak(
        before, samples, after, kernel_objects(), ledger, auditor, handler.levels.total(), told, crashes_logged, tree
    )


async def _run(
    observers: anyio.abc.TaskGroup,
    ledger: Ledger,
    auditor: Auditor,
    samples: list[Sample],
    seconds: float,
    mean: float,
    seed: int,
) -> tuple[dict[str, int], int, str]:
    async with ActorSystem("soak") as system:
        observers.start_soon(auditor.read, system.events(lossless=True, limit=200_000))
        filled = fill(system.crash_log)
        scene = Scene(system, ledger, random.Random(seed))
        observers.start_soon(scene.read_slowly, system.events(limit=100))
        await scene.build()
        async with anyio.create_task_group() as troubles:
            for trouble in (scene.fill_pool, scene.churn, *[scene.ask_and_tell] * 3):
                troubles.start_soon(trouble)
            troubles.start_soon(scene.crash, mean)
            begin, interval = time.monotonic(), min(1.0, seconds / 40)
            while (at := time.monotonic() - begin) < seconds:
                await asyncio.sleep(interval - at % interval)
                if seconds < LONG:
                    gc.collect()
                samples.append(look(time.monotonic() - begin, ledger.total, system))
            troubles.cancel_scope.cancel()
        tree = render_tree(system.tree(), limit=6)
    return dict(scene.told), system.statistics().crashes.total - filled, tree


def fill(log: CrashLog) -> int:
    """Fill the kernel's crash log, which has a limit, beforehand: else it would look like a leak until it is full."""
    try:
        raise ExceptionGroup("filler", [ValueError("one"), OSError("two")])
    except ExceptionGroup as error:
        reason = ExitReason.from_exception(error)
    story = [Transition(0.0, line, Phase.RUNNING) for line in range(20)]
    while log.statistics().kept < log.statistics().limit:
        log.add("/soak/filler", 1, reason, fate="filled", story=story)
    return log.total


def judge(run: Soak, growths: Sequence[Growth]) -> list[str]:
    """What is wrong; nothing, if all is well."""
    wrong = [f"{g.series} grew from {g.second:,.0f} to {g.last:,.0f}" for g in growths if not g.flat]
    for series in ("tasks", "descriptors"):
        first, last = getattr(run.before, series), getattr(run.after, series)
        if last > first:
            wrong.append(f"{series} before: {first}, after: {last}")
    if run.left:
        wrong.append(f"objects of the kernel are left: {run.left}")
    if run.ledger.untold:
        some = sorted(run.ledger.untold)[:5]
        wrong.append(f"no event told of {len(run.ledger.untold)} of {run.ledger.total} crashes, the first: {some}")
    if run.auditor.open:
        wrong.append(f"no event told the end of {len(run.auditor.open)} incarnations: {list(run.auditor.open)[:5]}")
    if run.crashes_logged != run.auditor.failed_exits:
        wrong.append(f"the crash log counts {run.crashes_logged} bad ends, the events {run.auditor.failed_exits}")
    if not run.samples[-1].events_dropped:
        wrong.append("the slow lossy subscriber lost nothing: it was not put to the test")
    return wrong + run.auditor.mistakes[:5]


def report(run: Soak, growths: Sequence[Growth]) -> None:
    """Print what was measured."""
    last = run.samples[-1]
    print(run.tree)
    print(
        f"\n{run.ledger.total:,} crashes in {last.at:.0f} s, one every {last.at / max(run.ledger.total, 1) * 1e3:.1f} ms"
    )
    for name, counts in (
        ("crashes by kind", run.ledger.made),
        ("events", run.auditor.kinds),
        ("callers were told", run.told),
    ):
        print(f"  {name}: " + ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items())))
    print(
        f"  bad ends by events {run.auditor.failed_exits:,}, by the crash log {run.crashes_logged:,}; "
        f"log records {run.logged:,}; dead letters {last.dead_letters:,}; "
        f"events dropped by the lossy subscriber {last.events_dropped:,}"
    )
    print(f"\n{'':14}{'before':>14}{'after':>14}")
    for series, unit in (("rss", MIB), ("objects", 1), ("tasks", 1), ("descriptors", 1)):
        first, end = getattr(run.before, series) / unit, getattr(run.after, series) / unit
        print(f"{series:14}{first:14,.1f}{end:14,.1f}" if unit > 1 else f"{series:14}{first:14,.0f}{end:14,.0f}")
    print(f"\n{'medians':14}{'2nd quarter':>14}{'last quarter':>14}{'growth':>14}{'allowed':>14}")
    for g in growths:
        numbers = (g.second, g.last, g.last - g.second, g.allowed)
        print(f"{g.series:14}" + "".join(f"{number:14,.0f}" for number in numbers) + ("" if g.flat else "  NOT FLAT"))


def main() -> int:
    """Soak, print, draw, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--mean", type=float, default=0.01, help="seconds between two crashes, on average")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("out/soak"))
    options = parser.parse_args()
    factory = uvloop.new_event_loop if options.loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        run = runner.run(soak(options.seconds, options.mean, options.seed))
    growths = growth(run.samples)
    report(run, growths)
    picture = options.out / f"actors_{options.loop}.png"
    draw(run.samples, growths, f"{run.ledger.total:,} crashes in {run.samples[-1].at:.0f} s on {options.loop}", picture)
    wrong = judge(run, growths)
    print(f"\n{picture}")
    print("verdict: " + ("; ".join(wrong) if wrong else "flat, nothing leaked, nothing lost"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
