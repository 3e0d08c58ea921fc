"""Which version a run tells the worker not to be older than: WIRE.md, "Run"."""

import numpy as np
import pytest

from ssasync.cyclient import Client
from tests.cyclient.scripted_worker import worker_of_models
from tests.model_archive import archive_of

X = np.ones(2)
MODEL = archive_of(b"")


@pytest.fixture
def seen(engine, tmp_path):
    with worker_of_models(engine, tmp_path, **{f"m{number}": lambda x: (x,) for number in range(60)}) as seen:
        yield seen


@pytest.fixture
async def client(engine, seen):
    async with Client(engine.unix, password=engine.password) as client:
        yield client


async def infer(client, seen) -> int:
    await client.infer("double", X)
    return seen[-1].least_version


async def test_what_others_set_has_none(engine, client, seen):
    async with Client(engine.unix, password=engine.password) as other:
        await other.set_model("double", MODEL, "TORCH")
    assert await infer(client, seen) == 0


async def test_it_is_the_last_one_that_the_client_set(client, seen):
    await client.set_model("double", MODEL, "TORCH")
    assert await infer(client, seen) == 1
    await client.set_model("other", MODEL, "TORCH")
    assert await infer(client, seen) == 1


async def test_it_follows_a_worker_whose_store_counts_anew(client, seen):
    for _ in range(3):
        await client.set_model("double", MODEL, "TORCH")
    assert await infer(client, seen) == 3
    assert await infer(client, seen) == 1  # what the worker said that it ran on


async def test_what_was_deleted_has_the_next_one(client, seen):
    await client.set_model("double", MODEL, "TORCH")
    await client.delete_model("double")
    assert await infer(client, seen) == 2


async def test_steps_of_a_chain_have_theirs(client, seen):
    await client.set_model("double", MODEL, "TORCH")
    batch = client.batch()
    batch.put_tensor("x", X)
    batch.run_model("double", "x", "y")
    batch.run_model("double", "y", "z")
    await batch.execute()
    assert [step.least_version for step in seen[-1].steps] == [1, 1]


async def test_many_models_each_have_theirs(client, seen):
    for number in range(60):
        for _ in range(number % 3):
            await client.set_model(f"m{number}", MODEL, "TORCH")
    for number in range(60):
        await client.infer(f"m{number}", X)
        assert seen[-1].least_version == number % 3
