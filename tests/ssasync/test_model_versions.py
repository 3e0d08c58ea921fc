"""What a client sets is what its next runs run on, though workers learn of a new version a moment later."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ssasync import blocking
from ssasync.cyclient import BadModel, ScriptNotFound

ROUNDS = 25
X = np.zeros(2)


def adds(number: int) -> str:
    return f"def f(x):\n    return x + {number}\n"


@pytest.fixture
async def store(exp):
    store = exp.create_database(workers=2)
    await exp.start(store)
    return store


@pytest.fixture
async def client(exp, store):
    client = exp.client(store)
    await client.put_tensor("x", X)
    return client


async def run(client) -> float:
    await client.run_script("s", "f", "x", "y")
    return (await client.get_tensor("y"))[0]


async def test_a_run_after_a_set_runs_what_was_set(client):
    for number in range(ROUNDS):
        await client.set_script("s", adds(number))
        assert [await run(client) for _ in range(3)] == [number] * 3


async def test_a_run_that_is_started_after_a_set_waits_for_it(client):
    await client.set_script("s", adds(0))
    for number in range(1, ROUNDS):
        setting = asyncio.create_task(client.set_script("s", adds(number)))
        await asyncio.sleep(0)
        running = asyncio.create_task(client.run_script("s", "f", "x", "y"))
        await asyncio.gather(setting, running)
        assert (await client.get_tensor("y"))[0] == number


async def test_nothing_runs_what_was_deleted(client):
    for number in range(ROUNDS):
        await client.set_script("s", adds(number))
        assert await run(client) == number
        await client.delete_script("s")
        with pytest.raises(ScriptNotFound):
            await run(client)


async def test_who_set_a_broken_version_is_told_and_others_keep_the_one_before(exp, store, client):
    other = exp.client(store)
    await client.set_script("s", adds(1))
    assert await run(client) == await run(other) == 1
    # Python takes it, TorchScript does not
    await client.set_script("s", "def f(x):\n    return [y for y in x if y][::-1] + {}\n")
    for _ in range(3):
        with pytest.raises(BadModel, match="version 2"):
            await run(client)
    assert await run(other) == 1
    await client.set_script("s", adds(3))
    assert await run(client) == 3


@pytest.mark.parametrize("steps", ["runs", "chained"])
async def test_in_a_batch_the_order_of_sets_and_runs_holds(client, steps):
    await client.set_script("s", adds(100))
    batch = client.batch()
    batch.run_script("s", "f", "x", "first")
    batch.set_script("s", adds(1))
    batch.run_script("s", "f", "first" if steps == "chained" else "x", "second")
    batch.set_script("s", adds(2))
    batch.run_script("s", "f", "second" if steps == "chained" else "x", "third")
    got = [batch.get_tensor(name) for name in ("first", "second", "third")]
    await batch.execute()
    assert [handle.value[0] for handle in got] == ([100, 101, 103] if steps == "chained" else [100, 1, 2])


async def test_in_a_batch_a_new_script_can_be_run_and_a_deleted_one_cannot(client):
    batch = client.batch()
    batch.set_script("new", adds(5))
    batch.run_script("new", "f", "x", "y")
    batch.delete_script("new")
    late = batch.run_script("new", "f", "x", "z")
    with pytest.raises(ScriptNotFound):
        await batch.execute()
    assert (await client.get_tensor("y"))[0] == 5
    assert isinstance(late.error, ScriptNotFound)


async def test_threads_of_a_blocking_client_know_what_one_of_them_set(store):
    """Each thread that operates at the same time has connections of its own."""
    address = store.address
    password = address.credentials.workload.reveal()
    await asyncio.to_thread(set_and_run_in_threads, ",".join(address.unix), password)


def set_and_run_in_threads(address: str, password: str) -> None:
    with (
        blocking.Client(address, user="workload", password=password) as client,
        ThreadPoolExecutor(4) as threads,
    ):
        client.put_tensor("x", X)

        def run(thread: int) -> float:
            client.run_script("s", "f", "x", f"y{thread}")
            return client.get_tensor(f"y{thread}")[0]

        for number in range(ROUNDS):
            client.set_script("s", adds(number))
            assert list(threads.map(run, range(4))) == [number] * 4
