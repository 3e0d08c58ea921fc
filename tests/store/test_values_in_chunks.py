"""Values longer than the server takes, through a real worker: inputs by key, outputs, batches; as the user `workload`."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis.asyncio import Redis

from ssasync.cyclient import Client, Dataset, InvalidArgument, ServerError
from ssasync.store.model_runtime import LoadedModel, Runtime
from ssasync.store.model_worker import WorkerOptions, serve
from tests.store.engines import options_for, running_engine

WORKER_ID = "fedcba9876543210" * 2
SECRET = "the password"  # noqa: S105
DEADLINE = 30.0
LIMIT = 1 << 20  #: the least that an engine can be told
X = np.arange(400_000.0).reshape(4, -1)  #: four chunks
SHORT = np.arange(6.0)


class Doubling(LoadedModel):
    def run(self, _: str, inputs: Any) -> Any:
        return [2 * each for each in inputs]


class DoublingRuntime(Runtime):
    def load(self, name: str, version: str, blob: bytes, device: str, threads: int) -> Doubling:
        return Doubling()


@dataclass
class Store:
    admin: Redis
    address: str
    client: Client

    async def longest(self) -> int:
        return max([await self.admin.strlen(key) async for key in self.admin.scan_iter(_type="string")])

    async def chunks(self) -> int:
        return len([key async for key in self.admin.scan_iter(match="*.????????????????????????????????.*")])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store that takes values of 1 MiB, a worker beside it, and a client with that limit."""
    runtime = tmp_path / "store"
    runtime.mkdir(mode=0o700)
    options = options_for(runtime)
    address = f"unix://{options.socket}"
    stop = asyncio.Event()
    async with running_engine(options) as admin:
        await admin.acl_setuser("workload", enabled=True, reset_passwords=True, passwords=[f"+{SECRET}"])
        await admin.config_set("proto-max-bulk-len", LIMIT)
        fields = {"backend": "DOUBLING", "device": "CPU", "sha256": hashlib.sha256(b"any").hexdigest()}
        await admin.hset("{ssa:model:m}1.meta", mapping=fields)
        await admin.mset({"{ssa:model:m}1.blob": b"any", "{ssa:model:m}current": "1"})
        path = tmp_path / "w.sock"
        await admin.set("{ssa:workers:all}list", f"1 1\n{WORKER_ID} 1 CPU unix://{path}\n")
        worker = WorkerOptions(worker_id=WORKER_ID, secret=SECRET.encode(), unix=path)
        async with (
            Client(address, user="workload", password=SECRET) as of_worker,
            Client(address, user="workload", password=SECRET, value_limit=LIMIT, timeout=DEADLINE) as client,
        ):
            task = asyncio.ensure_future(serve(worker, of_worker, stop, lambda _: DoublingRuntime()))
            yield Store(admin, address, client)
            stop.set()
            assert await asyncio.wait_for(task, DEADLINE)


async def test_a_client_without_the_limit_is_told_of_it(store: Store) -> None:
    async with Client(store.address, user="workload", password=SECRET) as plain:
        with pytest.raises(
            ServerError, match=r"longer than .* takes \(its setting proto-max-bulk-len.*Set value_limit"
        ):
            await plain.put_tensor("x", X)


async def test_inputs_and_outputs_of_a_run(store: Store) -> None:
    await store.client.put_tensor("x", X)
    await store.client.put_tensor("y", SHORT)
    await store.client.run_model("m", "x", "y")
    assert np.array_equal(await store.client.get_tensor("y"), 2 * X)
    assert await store.chunks() == 8
    await store.client.run_model("m", ["x", "y"], ["a", "b"])
    assert np.array_equal(await store.client.get_tensor("a"), 2 * X)
    assert np.array_equal(await store.client.get_tensor("b"), 4 * X)
    assert await store.longest() <= LIMIT
    await store.client.put_tensor("x", SHORT)
    for name in ("a", "b", "y"):  # what is short now leaves no chunks
        await store.client.run_model("m", "x", name)
        assert np.array_equal(await store.client.get_tensor(name), 2 * SHORT)
    assert await store.chunks() == 0


async def test_in_a_batch(store: Store) -> None:
    batch = store.client.batch()
    batch.put_tensor("x", X)
    batch.run_model("m", "x", "y")
    batch.run_model("m", "y", "z")
    got = batch.get_tensor("z")
    batch.put_tensor("z", SHORT)
    batch.run_model("m", "z", "w")
    batch.put_tensor("w", -X)
    batch.run_model("m", "w", "v")
    last = batch.get_tensor("w")
    await batch.execute()
    assert np.array_equal(last.value, -X)
    assert np.array_equal(await store.client.get_tensor("v"), -2 * X)
    await store.client.delete_tensor("v")
    assert np.array_equal(got.value, 4 * X)
    assert np.array_equal(await store.client.get_tensor("y"), 2 * X)
    assert np.array_equal(await store.client.get_tensor("z"), SHORT)
    assert np.array_equal(await store.client.get_tensor("w"), -X)
    assert await store.longest() <= LIMIT
    assert await store.chunks() == 12


async def test_a_run_uses_the_bytes_of_its_batch(store: Store) -> None:
    """Somebody deletes what the batch put, as soon as it is there."""

    async def delete() -> None:
        async with Client(store.address, user="workload", password=SECRET, value_limit=LIMIT) as other:
            while True:
                await other.delete_tensor("x")

    deleting = asyncio.ensure_future(delete())
    for _ in range(10):
        batch = store.client.batch()
        batch.put_tensor("x", X)
        batch.run_model("m", "x", "y")
        await batch.execute()
        assert np.array_equal(await store.client.get_tensor("y"), 2 * X)
    deleting.cancel()
    await asyncio.wait([deleting])


async def test_tensors_of_datasets(store: Store) -> None:
    dataset = Dataset("d")
    dataset.add_tensor("u", X)
    dataset.add_tensor("v", SHORT)
    dataset.add_bytes("raw", bytes(3 << 20))
    await store.client.put_dataset(dataset)
    assert await store.chunks() == 7
    await store.client.run_model("m", "{d}.u", "y")
    assert np.array_equal(await store.client.get_tensor("y"), 2 * X)
    await store.client.run_model("m", "{d}.v", "{d}.u")  # a short output where a long tensor was
    back = await store.client.get_dataset("d")
    assert np.array_equal(back.get_tensor("u"), 2 * SHORT)
    assert back.get_bytes("raw") == bytes(3 << 20)
    with pytest.raises(InvalidArgument, match=r"'{d}.v' has 3200000 bytes, more than value_limit"):
        await store.client.run_model("m", "y", "{d}.v")
    assert np.array_equal((await store.client.get_dataset("d")).get_tensor("v"), SHORT)
    assert await store.longest() <= LIMIT
    await store.client.delete_dataset("d")
    assert await store.chunks() == 4  # of y
