"""The whole idea in one run: four oceans learn one closure while they run; one of them is killed and carries on.

    python -m examples.demo [--out out/demo] [--steps 4000]

Under one supervision tree: a store with a model worker, and an ensemble of ocean simulations that ask the network in the
store for their closure. The driver trains that network on their fields as they arrive and puts better versions back. Half
way one member is killed with SIGKILL; its supervisor starts it again, and it continues from its checkpoint. At the end: a
table, a picture, and the proof that an interrupted run ends exactly where an uninterrupted one does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

import ssasync
from examples.demo_figure import DemoStory, Kill, MemberStory, draw_demo
from examples.demo_summary import print_summary
from examples.member_progress import steps_of
from examples.ocean_member import FINAL_STATE, LATENCIES
from examples.ocean_solver import OceanModel, OceanParameters
from examples.restart_check import RestartCheck, check_restart
from examples.training_consumer import train
from examples.training_record import TrainingRecord
from ssasync.wlm import WorkloadRunning

SHEARS = (0.06, 0.07, 0.08, 0.09)  # m/s, one for each member
VICTIM = "ocean_1"
CHECK_STEPS = 600
CHECKPOINT_INTERVAL = 100  # steps

#: Members are plain numpy: one core each is all they use.
ONE_THREAD = {"OMP_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1, "MKL_NUM_THREADS": 1}


@dataclass(slots=True)
class Observed:
    """What the driver saw of the members; times are those of the training record."""

    record: TrainingRecord
    pids: dict[str, int] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    progress: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    killed: float | None = None
    restarted: float | None = None
    ended: float = 0.0


async def main(out: Path, steps: int, console: Console) -> RestartCheck:
    """Run the demo and leave its results in `out`."""
    shutil.rmtree(out, ignore_errors=True)  # checkpoints of an earlier demo would be continued
    record = TrainingRecord()
    observed = Observed(record)
    async with ssasync.Experiment("demo", out) as exp:
        store = exp.create_database()
        await exp.start(store)
        console.print(f"A store and a model worker are ready after {record.now():.1f} s.")
        client = exp.client(store)
        oceans = exp.create_ensemble(
            "ocean",
            member_settings(steps),
            params={"shear": SHEARS, "seed": range(len(SHEARS))},
            params_as_args=["shear", "seed"],
            perm_strategy="step",
        )
        await run_and_learn(exp, client, oceans, steps, observed, console)
        console.print(exp.render_tree(), highlight=False)
        console.print("Two more members, one of them killed, show that a restart changes nothing:")
        check = await check_restart(exp, client, member_settings(CHECK_STEPS), CHECK_STEPS)
    story = tell(out / "ocean", observed, check)
    draw_demo(story, out / "demo.png")
    print_summary(console, story, check, record.now(), out)
    return check


async def run_and_learn(
    exp: ssasync.Experiment,
    client: ssasync.Client,
    oceans: ssasync.Ensemble,
    steps: int,
    observed: Observed,
    console: Console,
) -> None:
    """Run the ensemble to its end, and train on its fields meanwhile."""
    names = [member.name for member in oceans]
    members_done = anyio.Event()
    columns = (TextColumn("{task.description:16}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        async with exp.events() as events, anyio.create_task_group() as observers:
            observers.start_soon(note_starts, events, observed)
            for name in names:
                bar = progress.add_task(name, total=steps, note="")
                observers.start_soon(follow_member, client, name, steps, observed, progress, bar)
            async with anyio.create_task_group() as training:
                first_network = partial(
                    train, client, names, OceanParameters(), observed.record, members_done=members_done
                )
                await training.start(first_network)
                bar = progress.add_task("network", total=None, note="")
                observers.start_soon(follow_training, observed.record, progress, bar)
                await exp.start(oceans, wait=True)
                members_done.set()
                observed.ended = observed.record.now()
            observers.cancel_scope.cancel()


async def note_starts(events: ssasync.Subscription, observed: Observed) -> None:
    """Remember pid and attempt of each program that starts."""
    async for event in events:
        if isinstance(event, WorkloadRunning):
            name = event.path.rsplit("/", 1)[-1]
            observed.pids[name], observed.attempts[name] = event.pid, event.attempt
            if name == VICTIM and event.attempt == 2:
                observed.restarted = observed.record.now()


async def follow_member(
    client: ssasync.Client, name: str, steps: int, observed: Observed, progress: Progress, bar: TaskID
) -> None:
    """Show a member's progress, and kill it half way, between two checkpoints, if it is the victim."""
    history = observed.progress.setdefault(name, [])
    async with steps_of(client, name) as changes:
        async for step in changes:
            history.append((observed.record.now(), step))
            attempt = observed.attempts.get(name, 1)
            progress.update(bar, completed=step, note=f"step {step}" + (f", attempt {attempt}" if attempt > 1 else ""))
            if name == VICTIM and observed.killed is None and step >= steps // 2 + CHECKPOINT_INTERVAL // 2:
                os.kill(observed.pids[name], signal.SIGKILL)
                observed.killed = observed.record.now()
            await anyio.sleep(0.1)  # the eye needs no more; changes meanwhile are seen at the next look


async def follow_training(record: TrainingRecord, progress: Progress, bar: TaskID) -> None:
    """Show what the training does."""
    while True:
        if record.published:
            newest = record.published[-1]
            progress.update(bar, note=f"version {newest.version}, held-out loss {newest.held_out_loss:.2f}")
        await anyio.sleep(0.2)


def member_settings(steps: int) -> ssasync.RunSettings:
    """How a member is run: this Python, one thread, checkpoints often enough to lose little."""
    arguments = f"-m examples.ocean_member --steps {steps} --checkpoint-interval {CHECKPOINT_INTERVAL}"
    root = str(Path(__file__).resolve().parent.parent)
    return ssasync.RunSettings(sys.executable, arguments, env_vars={"PYTHONPATH": root, **ONE_THREAD})


def tell(directory: Path, observed: Observed, check: RestartCheck) -> DemoStory:
    """What the figure shows, from what was seen and what the members left in their directories."""
    members = []
    for name, shear in zip(observed.progress, SHEARS, strict=True):
        latencies = np.loadtxt(directory / name / LATENCIES, delimiter=",", ndmin=2)[:, 1]
        ocean = OceanModel.load(directory / name / FINAL_STATE)
        if observed.progress[name][-1][1] < ocean.steps_done:  # its last step was too quick for the eye
            observed.progress[name].append((observed.ended, ocean.steps_done))
        members.append(
            MemberStory(
                name,
                f"shear {100 * shear:g} cm/s",
                ocean.pv(),
                observed.progress[name],
                latencies,
                observed.attempts.get(name, 1),
            )
        )
    kill = None
    if observed.killed is not None and observed.restarted is not None:
        kill = Kill(VICTIM, observed.killed, observed.restarted)
    verdict = "bitwise equal to" if check.bitwise_equal else f"up to {check.largest_difference:.1e} away from"
    note = f"A member that was killed at step {check.killed_at} and restarted ended {verdict} its uninterrupted twin."
    return DemoStory(members, observed.record, OceanParameters().domain_size, kill, notes=(note,))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Four oceans learn one closure while they run.")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="where the results go; emptied first")
    parser.add_argument("--steps", type=int, default=4000, help="of each member")
    given = parser.parse_args()
    try:
        check = ssasync.run(main(given.out.absolute(), given.steps, Console()))
    except (KeyboardInterrupt, SystemExit) as end:
        print("Interrupted: everything was stopped; logs and checkpoints are in", os.path.relpath(given.out))
        sys.exit(130 if isinstance(end, KeyboardInterrupt) else end.code)
    if not check.bitwise_equal:
        sys.exit("the interrupted member did not end where the uninterrupted one did")
