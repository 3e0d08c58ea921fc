import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from examples.ocean_member import (
    CHECKPOINT,
    FINAL_STATE,
    LATENCIES,
    SNAPSHOT_SLOTS,
    MemberPlan,
    run_member,
    start_or_continue,
)
from examples.ocean_solver import OceanModel, OceanParameters
from ssasync.blocking import Client

PARAMETERS = OceanParameters(grid_points=32)
PLAN = MemberPlan(steps=60, closure_interval=5, snapshot_interval=4, checkpoint_interval=20)


class KilledError(Exception):
    pass


class StoreInMemory:
    """The operations of the client that a member uses, on a dict; answers as a fixed network would."""

    def __init__(self, *, killed_at_step: int | None = None) -> None:
        self.tensors: dict[str, Any] = {}
        self.snapshots: list[str] = []
        self.killed_at_step = killed_at_step

    def infer(self, model: str, inputs: Any) -> Any:
        assert model == "closure"
        assert inputs.shape == (1, 6, 32, 32)
        assert inputs.dtype == np.float32
        return 0.1 * inputs[:, :2] * np.abs(inputs[:, 2:4])

    def batch(self) -> "BatchInMemory":
        return BatchInMemory(self)


class BatchInMemory:
    def __init__(self, store: StoreInMemory) -> None:
        self.store, self.puts = store, dict[str, Any]()

    def put_tensor(self, name: str, data: Any) -> None:
        self.puts[name] = data.copy()

    def execute(self) -> None:
        if self.puts["progress"][0] == self.store.killed_at_step:
            raise KilledError
        self.store.tensors.update(self.puts)
        self.store.snapshots += [name for name in self.puts if name.startswith("snapshot")]


def run(store: StoreInMemory, directory: Path) -> None:
    run_member(cast(Client, store), start_or_continue(PARAMETERS, 4, directory), PLAN, directory)


@pytest.mark.parametrize("killed_at_step", [3, 20, 21, 47, 60])
def test_member_killed_and_started_again_ends_in_the_same_bits(tmp_path: Path, killed_at_step: int) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for directory in (whole, broken):
        directory.mkdir()
    run(StoreInMemory(), whole)
    with pytest.raises(KilledError):
        run(StoreInMemory(killed_at_step=killed_at_step), broken)
    assert not (broken / FINAL_STATE).exists()
    run(StoreInMemory(), broken)
    expected, ended = (OceanModel.load(directory / FINAL_STATE) for directory in (whole, broken))
    assert ended.steps_done == PLAN.steps
    assert ended.pv_spectrum.tobytes() == expected.pv_spectrum.tobytes()


def test_member_shows_every_step_and_its_snapshots_go_round(tmp_path: Path) -> None:
    store = StoreInMemory()
    run(store, tmp_path)
    assert store.tensors["latest"].dtype == np.float32
    np.testing.assert_array_equal(store.tensors["progress"], [60, 60])
    assert store.snapshots == [f"snapshot_{number % SNAPSHOT_SLOTS}" for number in range(1, 16)]
    latencies = np.loadtxt(tmp_path / LATENCIES, delimiter=",")
    np.testing.assert_array_equal(latencies[:, 0], range(0, 60, 5))
    assert np.all(latencies[:, 1] >= 0)


def test_checkpoint_of_another_ocean_is_refused(tmp_path: Path) -> None:
    OceanModel.from_random_eddies(OceanParameters(grid_points=32, shear=0.03), seed=1).save(tmp_path / CHECKPOINT)
    with pytest.raises(ValueError, match=r"shear=0\.03.*this run wants.*shear=0\.08.*remove it"):
        start_or_continue(PARAMETERS, 4, tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MemberPlan(steps=0), "steps is 0"),
        (lambda: MemberPlan(closure_interval=7), "checkpoint_interval 500 is no multiple of closure_interval 7"),
    ],
)
def test_impossible_plan_is_refused(make: Callable[[], MemberPlan], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_program_says_what_is_wrong_with_its_arguments(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(
        [sys.executable, "-m", "examples.ocean_member", "--grid-points", "63"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert "grid_points is 63; give an even number" in ended.stderr
