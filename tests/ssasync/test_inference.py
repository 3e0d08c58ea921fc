"""Inference through the whole: driver, store, worker, members; and what happens when parts of it die."""

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from ssasync.cyclient import BadInput, BadModel, ModelNotFound, NoWorker
from ssasync.store import ShardReady, WorkerListed


@pytest.fixture
async def store(exp):
    store = exp.create_database()
    await exp.start(store)
    return store


def pid_of(word: str, mark: str) -> int:
    """The program (not its launcher) that carries the mark and has this word on its command line."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                marked = mark.encode() in (entry / "environ").read_bytes()
            except OSError:
                continue
            if marked and word.encode() in command and b"_launcher" not in command[0]:
                return int(entry.name)
    raise AssertionError(f"no process {word}")


async def test_infer_returns_the_output(exp, store, double_model):
    client = exp.client(store)
    await client.set_model("double", double_model, "TORCH")
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(await client.infer("double", x), 2 * x)


async def test_run_model_takes_keys_and_stores_outputs(exp, store, double_model):
    client = exp.client(store)
    await client.set_model("double", double_model, "TORCH")
    x = np.arange(4.0)
    await client.put_tensor("x", x)
    await client.run_model("double", "x", "y")
    np.testing.assert_array_equal(await client.get_tensor("y"), 2 * x)
    with pytest.raises(BadInput, match="missing"):
        await client.run_model("double", "missing", "y")


async def test_a_batch_puts_runs_chains_and_gets(exp, store, double_model):
    client = exp.client(store)
    await client.set_model("double", double_model, "TORCH")
    x = np.ones(3, np.float32)
    batch = client.batch()
    batch.put_tensor("x", x)
    batch.run_model("double", "x", "y", keep=False)
    batch.run_model("double", "y", "z")
    z = batch.get_tensor("z")
    await batch.execute()
    np.testing.assert_array_equal(z.value, 4 * x)
    np.testing.assert_array_equal(await client.get_tensor("z"), 4 * x)
    assert not await client.tensor_exists("y")


async def test_a_new_version_answers_from_then_on(exp, store, double_model):
    import io

    import torch

    class Triple(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 3 * x

    triple = io.BytesIO()
    torch.jit.save(torch.jit.script(Triple()), triple)
    client = exp.client(store)
    x = np.ones(2, np.float32)
    assert await client.set_model("m", double_model, "TORCH") == "1"
    assert (await client.infer("m", x))[0] == 2
    assert await client.set_model("m", triple.getvalue(), "TORCH") == "2"
    assert (await client.infer("m", x))[0] == 3


async def test_no_such_model(exp, store):
    with pytest.raises(ModelNotFound, match="nothing"):
        await exp.client(store).infer("nothing", np.ones(2))


async def test_without_workers_the_error_says_so(exp):
    store = exp.create_database(workers=0)
    await exp.start(store)
    with pytest.raises(NoWorker, match="lists no worker"):
        await exp.client(store).infer("m", np.ones(2), timeout=0.3)


async def test_requests_of_a_killed_worker_are_answered_all_the_same(exp, store, double_model, nothing_is_left):
    client = exp.client(store)
    await client.set_model("double", double_model, "TORCH")
    x = np.ones((64, 64), np.float32)
    await client.infer("double", x)
    done = 0
    under_way = asyncio.Event()

    async def ask(number: int) -> None:
        nonlocal done
        for _ in range(50):
            np.testing.assert_array_equal(await client.infer("double", x * number), 2 * x * number)
            done += 1
            if done == 20:
                under_way.set()

    async with exp.events() as events, asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(ask(number))
        await under_way.wait()
        os.kill(pid_of("ssasync.store.model_worker", nothing_is_left), signal.SIGKILL)
        async with asyncio.timeout(30):
            async for event in events:
                if isinstance(event, WorkerListed) and event.attempt == 2:
                    break
    assert done == 400


async def test_a_stopped_worker_is_replaced(exp, store, double_model, nothing_is_left):
    client = exp.client(store)
    await client.set_model("double", double_model, "TORCH")
    x = np.ones(4, np.float32)
    await client.infer("double", x)
    os.kill(pid_of("ssasync.store.model_worker", nothing_is_left), signal.SIGSTOP)
    np.testing.assert_array_equal(await client.infer("double", x, timeout=30), 2 * x)


async def test_a_killed_shard_comes_back_at_its_address_and_clients_ride_it_out(exp):
    store = exp.create_database(workers=0)
    async with exp.events() as events:
        await exp.start(store)
        async with asyncio.timeout(20):
            shard = await anext(event async for event in events if isinstance(event, ShardReady))
    client = exp.client(store)
    await client.put_tensor("x", np.ones(3))
    address = store.get_address()
    os.kill(shard.pid, signal.SIGKILL)
    await client.put_tensor("y", np.ones(3), timeout=20)
    assert store.get_address() == address
    assert await client.tensor_exists("y")
    assert not await client.tensor_exists("x")


async def test_what_is_no_model_is_refused_before_it_is_stored(exp, store, tmp_path):
    client = exp.client(store)
    for name, blob, says in (
        ("words", b"hello", "5 bytes that begin with b'hello'"),
        ("weights", _saved(), "torch.save"),
        ("empty", b"", "nothing"),
    ):
        path = tmp_path / f"{name}.pt"
        path.write_bytes(blob)
        with pytest.raises(BadModel, match=says) as caught:
            await client.set_model_from_file(name, path, "TORCH")
        assert str(path) in str(caught.value)
        assert not await client.model_exists(name)
    with pytest.raises(FileNotFoundError, match="model 'lost' cannot be read"):
        await client.set_model_from_file("lost", tmp_path / "nowhere.pt", "TORCH")


def _saved() -> bytes:
    import io

    import torch

    buffer = io.BytesIO()
    torch.save({"weight": torch.ones(3)}, buffer)
    return buffer.getvalue()
