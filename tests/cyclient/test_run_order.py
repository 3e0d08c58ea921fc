"""A run does not overtake what its client started before it, and what changes an input of it, or what is run."""

import asyncio

import numpy as np
import pytest

from ssasync.cyclient import Client, OperationTimeout
from ssasync.cyclient.blocking import Client as BlockingClient
from tests.cyclient.scripted_peer import DEADLINE
from tests.cyclient.scripted_worker import worker_of_models

LARGE = 1 << 20  #: elements: longer on its way than a worker needs to ask for the key


@pytest.fixture
def runs(engine, tmp_path):
    """A worker with the model "double"; the requests it saw."""
    with worker_of_models(engine, tmp_path) as seen:
        yield seen


@pytest.fixture
async def client(engine, runs):
    async with Client(engine.unix, password=engine.password, timeout=DEADLINE) as client:
        await client.put_tensor("x", np.zeros(1))
        await client.run_model("double", "x", "y")  # it knows the worker from here on
        yield client


async def in_order(*operations):
    tasks = []
    for operation in operations:
        tasks.append(asyncio.create_task(operation))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)


async def test_a_run_sees_the_put_that_was_started_before_it(client):
    for value in range(1, 6):
        await in_order(client.put_tensor("x", np.full(LARGE, value)), client.run_model("double", "x", "y"))
        np.testing.assert_array_equal(await client.get_tensor("y"), np.full(LARGE, 2 * value))


async def test_a_run_sees_the_outputs_of_a_run_that_was_started_before_it(client):
    for value in range(1, 6):
        await client.put_tensor("x", np.full(3, value))
        await client.put_tensor("b", np.full(3, -1))
        await in_order(
            client.run_model("double", "x", "b"),
            client.run_model("double", "b", "c"),
            client.run_model("double", "c", "d"),
        )
        np.testing.assert_array_equal(await client.get_tensor("d"), np.full(3, 8 * value))


async def test_a_run_sees_renamed_tensors_and_batches(client):
    await client.put_tensor("old", np.full(LARGE, 1))
    await in_order(
        client.put_tensor("old", np.full(LARGE, 2)),
        client.rename_tensor("old", "x"),
        client.run_model("double", "x", "y"),
    )
    assert (await client.get_tensor("y"))[0] == 4
    batch = client.batch()
    batch.put_tensor("other", np.full(LARGE, 1))
    batch.run_model("double", "other", "x", keep=True)
    await in_order(batch.execute(), client.run_model("double", "x", "y"))
    assert (await client.get_tensor("y"))[0] == 4


async def test_a_chain_of_runs_waits_too(client):
    await client.put_tensor("x", np.full(LARGE, 1))
    batch = client.batch()
    batch.run_model("double", "x", "b")
    batch.run_model("double", "b", "c")
    await in_order(client.put_tensor("x", np.full(LARGE, 3)), batch.execute())
    assert (await client.get_tensor("c"))[0] == 12


@pytest.mark.parametrize("changed", [[["a"]], [["a", "b"]], [["a", "b"], ["b", "a"]]], ids=["one", "two", "two ways"])
async def test_held_runs_leave_in_the_order_in_which_they_were_asked_for(client, runs, changed):
    """Of two inputs that are being changed the first is looked at first: some runs wait for one put, then for the other."""
    names = [f"run{i}" for i in range(8)]
    for name in names:
        await client.put_tensor(name, np.zeros(1))
    del runs[:]
    asked = []
    for i, name in enumerate(names):
        inputs = [*changed[i % len(changed)], name]
        asked.append(client.run_model("double", inputs, [f"{name}.{j}" for j in range(len(inputs))]))
    puts = [client.put_tensor(key, np.zeros(LARGE)) for key in ("a", "b")]
    await in_order(*puts, *asked)
    assert [run.inputs[-1] for run in runs] == names


async def test_a_held_run_may_be_late_or_cancelled(client, runs):
    seen = len(runs)
    first = asyncio.create_task(client.put_tensor("x", np.full(8 * LARGE, 1.0)))
    await asyncio.sleep(0)
    late = asyncio.create_task(client.run_model("double", "x", "y", timeout=0))
    gone = asyncio.create_task(client.run_model("double", "x", "y"))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    with pytest.raises(OperationTimeout, match=r"not run, since put_tensor 'x' of this client"):
        await late
    await first
    assert len(runs) == seen
    await client.run_model("double", "x", "y")


def test_started_operations_of_the_blocking_client_keep_the_order(engine, runs):
    with BlockingClient(engine.unix, password=engine.password, timeout=DEADLINE) as client:
        client.put_tensor("x", np.zeros(1))
        client.run_model("double", "x", "y")
        for value in range(1, 6):
            put = client.start_put_tensor("x", np.full(LARGE, value))
            client.run_model("double", "x", "y")
            put.result()
            assert client.get_tensor("y")[-1] == 2 * value
            one, other = client.start_run_model("double", "x", "b"), client.start_run_model("double", "b", "d")
            one.result()
            other.result()
            assert client.get_tensor("d")[-1] == 4 * value
