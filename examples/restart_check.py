"""The proof of a restart: a member that was killed ends exactly where one that was left alone does.

Two members with the same seed ask the same network, which nobody trains any more. Requests are not batched (the size of a
batch changes the last bits of a network's answer) and the worker has one thread. One of the two is killed half way.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import anyio
import numpy as np

import ssasync
from examples.member_progress import reaches
from examples.ocean_member import FINAL_STATE
from ssasync.wlm import WorkloadRunning


@dataclass(frozen=True, slots=True)
class RestartCheck:
    """What came of it."""

    attempts: int  #: of the member that was killed
    killed_at: int  #: the step it had done
    steps: int
    largest_difference: float  #: between the two final states, over all their arrays
    bitwise_equal: bool


async def check_restart(
    exp: ssasync.Experiment, client: ssasync.Client, settings: ssasync.RunSettings, steps: int
) -> RestartCheck:
    """Run both to the end and compare. Raises what the experiment raises if one of them fails."""
    twins = exp.create_ensemble("twin", settings, replicas=2)
    calm, killed = twins.members
    killed_at = steps // 2 + 50  # not at a checkpoint, so that steps are repeated
    attempts = 0
    async with exp.events() as events, anyio.create_task_group() as group:

        async def count_attempts() -> None:
            nonlocal attempts
            async for event in events:
                if isinstance(event, WorkloadRunning) and event.path.endswith(killed.name):
                    attempts = event.attempt
                    if event.attempt == 1:
                        group.start_soon(kill_at, event.pid)

        async def kill_at(pid: int) -> None:
            await reaches(client, killed.name, killed_at)
            os.kill(pid, signal.SIGKILL)

        group.start_soon(count_attempts)
        await exp.start(twins, wait=True)
        group.cancel_scope.cancel()
    directory = exp.exp_path / twins.name
    states = [load_state(directory / member.name / FINAL_STATE) for member in (calm, killed)]
    difference = max(float(np.max(np.abs(states[0][name] - states[1][name]), initial=0.0)) for name in states[0])
    equal = all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
    return RestartCheck(attempts, killed_at, steps, difference, equal and states[0].keys() == states[1].keys())


def load_state(path: Path) -> dict[str, np.ndarray]:
    """All numeric arrays of a final state."""
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files if archive[name].dtype.kind in "iufc"}
