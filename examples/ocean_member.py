"""One member of the ensemble: an ocean that shows its fields to the store and asks it for its closure.

Run it in a directory of its own: `python -m examples.ocean_member --seed 3 --shear 0.09`. If a checkpoint lies there it
continues from it, so a member that was killed is simply started again. With `SSDB` and `SSKEYOUT` from the environment,
as `ssasync` sets them, it puts under its own name (`member_0.latest` and so on):

    latest           each step       PV, float32 (2, n, n), 1/s
    progress         each step       int64 (steps done, steps in all)
    snapshot_<slot>  now and then    PV to learn from; slots go round, so that an absent reader costs no memory

and leaves in its directory: checkpoint.npz, final.npz and inference_latency.csv (step, microseconds).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from examples.ocean_solver import OceanModel, OceanParameters, RealArray
from examples.subgrid_forcing import closure_from_answer, network_inputs
from ssasync.blocking import Client

#: How many snapshots of a member lie in the store at most.
SNAPSHOT_SLOTS = 8

CHECKPOINT, FINAL_STATE, LATENCIES = Path("checkpoint.npz"), Path("final.npz"), Path("inference_latency.csv")


@dataclass(frozen=True, slots=True)
class MemberPlan:
    """How long a member runs and how often it does what, in steps."""

    steps: int = 6000
    closure_interval: int = 5
    snapshot_interval: int = 25
    checkpoint_interval: int = 500
    model: str = "closure"  #: name of the network in the store

    def __post_init__(self) -> None:
        """Refuse what would make a continued run differ from an uninterrupted one."""
        for name in ("steps", "closure_interval", "snapshot_interval", "checkpoint_interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give a positive number of steps")
        if self.checkpoint_interval % self.closure_interval:
            raise ValueError(
                f"checkpoint_interval {self.checkpoint_interval} is no multiple of closure_interval "
                f"{self.closure_interval}: the closure in force would be lost; give a multiple"
            )


def run_member(client: Client, ocean: OceanModel, plan: MemberPlan, directory: Path) -> None:
    """Take `ocean` to its last step and leave the results in `directory`."""
    closure: RealArray | None = None
    # Line buffering: what was measured before a SIGKILL is in the file.
    with (directory / LATENCIES).open("a", buffering=1) as latencies:
        while ocean.steps_done < plan.steps:
            if ocean.steps_done % plan.closure_interval == 0:
                closure = ask_for_closure(client, ocean, plan.model, latencies)
            ocean.step(closure)
            show(client, ocean, plan)
            if ocean.steps_done % plan.checkpoint_interval == 0:
                ocean.save(directory / CHECKPOINT)
    ocean.save(directory / FINAL_STATE)


def ask_for_closure(client: Client, ocean: OceanModel, model: str, latencies: TextIO) -> RealArray:
    """The network's closure for the ocean as it is now; notes how long the answer took."""
    inputs = network_inputs(ocean.pv_and_velocity(), ocean.parameters.grid_spacing)[np.newaxis]
    before = time.perf_counter_ns()
    answer = client.infer(model, inputs)
    latencies.write(f"{ocean.steps_done},{(time.perf_counter_ns() - before) / 1000:.1f}\n")
    if isinstance(answer, tuple):
        raise TypeError(f"model {model!r} gave {len(answer)} arrays where one closure is wanted; store another network")
    return closure_from_answer(answer[0], ocean)


def show(client: Client, ocean: OceanModel, plan: MemberPlan) -> None:
    """Put the fields of this step, all in one flight."""
    step = ocean.steps_done
    pv = ocean.pv().astype(np.float32)
    batch = client.batch()
    batch.put_tensor("latest", pv)
    batch.put_tensor("progress", np.array([step, plan.steps]))
    if step % plan.snapshot_interval == 0:
        batch.put_tensor(f"snapshot_{step // plan.snapshot_interval % SNAPSHOT_SLOTS}", pv)
    batch.execute()


def start_or_continue(parameters: OceanParameters, seed: int, directory: Path) -> OceanModel:
    """The ocean of the checkpoint in `directory`, or a new one. Raises ValueError if the checkpoint is of another."""
    checkpoint = directory / CHECKPOINT
    if not checkpoint.exists():
        return OceanModel.from_random_eddies(parameters, seed=seed)
    ocean = OceanModel.load(checkpoint)
    if ocean.parameters != parameters:
        raise ValueError(
            f"{checkpoint} is of {ocean.parameters}, this run wants {parameters}; remove it or run in another directory"
        )
    return ocean


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one member in the current directory."""
    ocean, plan = OceanParameters(), MemberPlan()
    parser = argparse.ArgumentParser(description="One member of an ocean ensemble that learns its closure.")
    parser.add_argument("--seed", type=int, default=0, help="of the first eddies")
    parser.add_argument("--grid-points", type=int, default=ocean.grid_points)
    parser.add_argument("--shear", type=float, default=ocean.shear, help="mean flow of the upper layer, m/s")
    parser.add_argument("--bottom-drag", type=float, default=ocean.bottom_drag, help="1/s")
    parser.add_argument("--steps", type=int, default=plan.steps)
    parser.add_argument("--closure-interval", type=int, default=plan.closure_interval)
    parser.add_argument("--snapshot-interval", type=int, default=plan.snapshot_interval)
    parser.add_argument("--checkpoint-interval", type=int, default=plan.checkpoint_interval)
    parser.add_argument("--model", default=plan.model, help="name of the network in the store")
    given = parser.parse_args(arguments)
    try:
        parameters = OceanParameters(grid_points=given.grid_points, shear=given.shear, bottom_drag=given.bottom_drag)
        plan = MemberPlan(
            given.steps, given.closure_interval, given.snapshot_interval, given.checkpoint_interval, given.model
        )
        model = start_or_continue(parameters, given.seed, Path())
    except ValueError as mistake:
        parser.error(str(mistake))
    client = Client()
    try:
        run_member(client, model, plan, Path())
    finally:
        client.close()


if __name__ == "__main__":
    main()
