import io

import numpy as np
import pytest
import torch

from examples.closure_training import ClosureTrainer, TrainingSettings
from examples.ocean_solver import OceanModel, OceanParameters
from examples.subgrid_forcing import Float32Array


@pytest.fixture(scope="module")
def fields() -> list[Float32Array]:
    ocean = OceanModel.from_random_eddies(OceanParameters(), seed=2)
    snapshots = []
    for _ in range(40):
        for _ in range(10):
            ocean.step()
        snapshots.append(ocean.pv().astype(np.float32))
    return snapshots


def test_training_explains_unseen_fields_and_publishes_a_better_network(fields: list[Float32Array]) -> None:
    trainer = ClosureTrainer(OceanParameters())
    for pv in fields:
        trainer.add(pv)
    losses = [loss for _ in range(60) if (loss := trainer.learn()) is not None]
    assert losses[0] == pytest.approx(1.0)  # the first network answers zero
    before = trainer.network_in_use()
    held_out = trainer.improved_loss()
    assert held_out is not None
    assert held_out < 0.6
    assert trainer.improved_loss() is None  # the same network is no improvement over itself
    old, new = (torch.jit.load(io.BytesIO(blob)) for blob in (before, trainer.network_in_use()))
    inputs = 1e-5 * torch.randn(1, 6, 64, 64)
    assert torch.count_nonzero(old(inputs)) == 0
    assert torch.count_nonzero(new(inputs)) > 0


def test_trainer_waits_for_a_full_draw_and_its_memory_is_bounded(fields: list[Float32Array]) -> None:
    settings = TrainingSettings(rows=4, replay=6, held_out=2, hold_out_every=4)
    trainer = ClosureTrainer(OceanParameters(), settings)
    trainer.add(fields[0])
    assert trainer.learn() is None
    for pv in fields:
        trainer.add(pv)
    assert trainer.learn() is not None
    assert (len(trainer._replay), len(trainer._held_out)) == (6, 2)


def test_equal_fields_and_seeds_give_equal_networks(fields: list[Float32Array]) -> None:
    answers = []
    for _ in range(2):
        trainer = ClosureTrainer(OceanParameters(), TrainingSettings(rows=4))
        for pv in fields[:10]:
            trainer.add(pv)
        answers.append([trainer.learn() for _ in range(5)])
    assert answers[0] == answers[1]
