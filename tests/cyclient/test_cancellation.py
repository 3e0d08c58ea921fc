"""Thousands of cancellations and timeouts at any moment: no reply goes astray, no tensor is torn, no socket is left.

After each the caller's array is overwritten, as a caller may do whose await has been cancelled.
"""

import asyncio
import os
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import pytest

from ssasync.cyclient import BadInput, Client, Dataset, DatasetNotFound, OperationTimeout, TensorNotFound
from tests.cyclient.engine_process import EngineProcess
from tests.cyclient.scripted_worker import Models, ScriptedWorker, list_workers
from tests.cyclient.throttle import Throttle
from tests.model_archive import archive_of

SECONDS = 1.6  # for each loop, with the throttle and without; longer for
WANTED = int(os.environ.get("SSA_CANCELLATIONS", "200"))  # operations that were cut short, for each
WHOLE = 56  # operations that were not
SIZES = (1, 100, 2_000, 40_000, 400_000)  # elements; the last ones do not fit in a socket
VALUE_LIMIT = 1 << 14  # bytes, of the variant where the last ones lie in pieces,
SHORTER = (1, 100, 2_000, 5_000, 20_000)  # and are these
TIMEOUTS = (None, None, None, 0.0, 0.001)
POISON = -1.0
MODEL = archive_of(b"")
USERS = 8
COPIES = ("copy", "moved")
LONG = 3600.0  # seconds


class Task:
    """One user of the client, with names of its own: knows what each of its keys may hold."""

    def __init__(self, client: Client, number: int, sizes: Sequence[int]) -> None:
        self.client = client
        self.sizes = sizes
        self.random = random.Random(number)
        self.number = number
        self.serial = 0
        self.cut = self.whole = 0
        self.least = self.most = 0  # how long its list may be

    async def use(self, until: float) -> None:
        tensors = (self.put, self.get, self.unpack, self.batch)
        others = (self.exists, self.put_dataset, self.get_dataset, self.wait, self.poll, self.append, self.look_at_list)
        while time.monotonic() < until or self.cut < WANTED / USERS or self.whole < WHOLE / USERS:
            (kind,) = self.random.choices((tensors, others, self.further()), (0.5, 0.3, 0.2))
            await self.random.choice(kind)()

    def further(self) -> Sequence[Callable[[], Awaitable[None]]]:
        return (self.copy, self.rename, self.look_at_copy, self.delete, self.set_ttl)

    def name(self, size: int) -> str:
        return f"{self.number}.{size}"

    @property
    def list_name(self) -> str:
        return f"{self.number}.list"

    def fresh(self, size: int) -> np.ndarray:
        """An array that no other put has sent: all elements are its serial number."""
        self.serial += 1
        return np.full(size, 1e6 * self.number + self.serial)

    def timeout(self) -> float | None:
        return self.random.choice(TIMEOUTS)

    async def cut_short(self, operation, arrays=()) -> list[Any]:
        """Carry it out for as long as chance allows: its result, or nothing. The arrays are overwritten then."""
        how = self.random.random()
        task = asyncio.ensure_future(operation)
        try:
            if how < 0.4:
                for _ in range(self.random.randrange(6)):
                    await asyncio.sleep(0)
                task.cancel()
            elif how < 0.8:
                await asyncio.wait([task], timeout=self.random.expovariate(1000))
                task.cancel()
            result = await task
        except (asyncio.CancelledError, OperationTimeout):
            self.cut += 1
            return []
        except (TensorNotFound, DatasetNotFound):
            return []
        except BadInput as error:
            if "is not in the store" not in str(error):
                raise
            return []
        else:
            self.whole += 1
            return [result]
        finally:
            for array in arrays:
                array[:] = POISON

    def check(self, array: np.ndarray, size: int) -> None:
        assert array.shape == (size,), f"the reply of another: {array.shape}, not {size}"
        assert (array == array[0]).all(), "torn"
        assert array[0] // 1e6 == self.number, f"the reply of another: {array[0]}"

    # ---- tensors

    async def put(self) -> None:
        size = self.random.choice(self.sizes)
        array = self.fresh(size)
        await self.cut_short(self.client.put_tensor(self.name(size), array, timeout=self.timeout()), [array])

    async def get(self) -> None:
        size = self.random.choice(self.sizes)
        for got in await self.cut_short(self.client.get_tensor(self.name(size), timeout=self.timeout())):
            self.check(got, size)

    async def unpack(self) -> None:
        size = self.random.choice(self.sizes)
        out = np.full(size, POISON) if self.random.random() < 0.8 else np.full((size, 2), POISON)[:, 1]
        checked = []

        async def unpack() -> None:
            await self.client.unpack_tensor(self.name(size), out, timeout=self.timeout())
            checked.append(out.copy())

        if await self.cut_short(unpack(), [out]):
            self.check(checked[0], size)
        await asyncio.sleep(0)
        assert (out == POISON).all(), "written to after it was given back"

    async def batch(self) -> None:
        sizes = self.random.sample(self.sizes, 3)
        batch = self.client.batch()
        arrays = [self.fresh(size) for size in sizes]
        outs = [np.full(size, POISON) for size in sizes]
        gets = []
        for size, array, out in zip(sizes, arrays, outs, strict=True):
            batch.put_tensor(self.name(size), array)
            gets.append(batch.get_tensor(self.name(size)))
            batch.unpack_tensor(self.name(size), out)
        serials = [array[0] for array in arrays]

        async def execute() -> None:
            await batch.execute(timeout=self.timeout())
            assert [out[0] for out in outs] == serials, "not what this batch put"

        if await self.cut_short(execute(), [*arrays, *outs]):
            for size, serial, get in zip(sizes, serials, gets, strict=True):
                self.check(get.value, size)
                assert get.value[0] == serial, "not what this batch put"
        await asyncio.sleep(0)
        assert all((out == POISON).all() for out in outs), "written to after it was given back"

    async def exists(self) -> None:
        names = [self.name(size) for size in self.sizes] + ["never"]
        name = self.random.choice(names)
        found = await self.cut_short(self.client.tensor_exists(name, timeout=self.timeout()))
        assert name != "never" or found in ([], [False])

    # ---- copies

    async def copy(self) -> None:
        name = self.name(self.random.choice(self.sizes))
        await self.cut_short(self.client.copy_tensor(name, f"{name}.copy", timeout=self.timeout()))

    async def rename(self) -> None:
        name = self.name(self.random.choice(self.sizes))
        names = self.random.sample([f"{name}.copy", f"{name}.moved"], 2)
        await self.cut_short(self.client.rename_tensor(*names, timeout=self.timeout()))

    async def look_at_copy(self) -> None:
        size = self.random.choice(self.sizes)
        name = f"{self.name(size)}.{self.random.choice(COPIES)}"
        for got in await self.cut_short(self.client.get_tensor(name, timeout=self.timeout())):
            self.check(got, size)

    async def delete(self) -> None:
        name = f"{self.name(self.random.choice(self.sizes))}.{self.random.choice(COPIES)}"
        await self.cut_short(self.client.delete_tensor(name, timeout=self.timeout()))

    async def set_ttl(self) -> None:
        name = self.name(self.random.choice(self.sizes))
        if self.random.random() < 0.5:
            await self.cut_short(self.client.set_tensor_ttl(name, LONG, timeout=self.timeout()))
        for left in await self.cut_short(self.client.get_tensor_ttl(name, timeout=self.timeout())):
            assert left is None or left <= LONG

    # ---- waits

    async def wait(self) -> None:
        """Only what has a deadline: some of it never comes."""
        timeout = self.random.choice((0.0, 0.001, 0.005))
        name = self.random.choice(["never", self.name(1)])
        if self.random.random() < 0.5:
            waited = await self.cut_short(self.client.wait_for_tensor(name, timeout=timeout))
            assert not (waited and name == "never")
            return
        wait = self.client.wait_for_list_length(self.list_name, 1, timeout=timeout)
        for length in await self.cut_short(wait):
            assert 1 <= length <= self.most

    async def poll(self) -> None:
        found = await self.cut_short(self.client.poll_tensor("never", 1, self.random.randrange(1, 5)))
        assert found in ([], [False])

    # ---- datasets and lists of them

    async def put_dataset(self) -> None:
        sizes = self.random.sample(self.sizes[:-1], 2)
        self.serial += 1
        arrays = [np.full(size, 1e6 * self.number + self.serial) for size in sizes]
        dataset = Dataset(self.name(0))
        for part, array in zip("ab", arrays, strict=True):
            dataset.add_tensor(part, array)
        await self.cut_short(self.client.put_dataset(dataset, timeout=self.timeout()), arrays)

    async def get_dataset(self) -> None:
        for got in await self.cut_short(self.client.get_dataset(self.name(0), timeout=self.timeout())):
            self.check_dataset(got)

    def check_dataset(self, got: Dataset) -> None:
        parts = [got.get_tensor(part) for part in "ab"]
        for part in parts:
            self.check(part, part.size)
        assert parts[0][0] == parts[1][0], "parts of two datasets"

    async def append(self) -> None:
        self.most += 1
        append = self.client.append_to_list(self.list_name, self.name(0), timeout=self.timeout())
        if await self.cut_short(append):
            self.least += 1

    async def look_at_list(self) -> None:
        """An append that was cut short is in its place: before what is asked now."""
        if self.most > 5 and self.random.random() < 0.5:
            self.least = 0
            if await self.cut_short(self.client.delete_list(self.list_name, timeout=self.timeout())):
                self.most = 0
            return
        if self.random.random() < 0.5:
            for length in await self.cut_short(self.client.get_list_length(self.list_name, timeout=self.timeout())):
                assert self.least <= length <= self.most
                self.least = self.most = length
            return
        for got in await self.cut_short(self.client.get_datasets_from_list(self.list_name, timeout=self.timeout())):
            assert self.least <= len(got) <= self.most
            for dataset in got:
                self.check_dataset(dataset)

    # ---- the end

    async def check_all(self) -> None:
        """What is stored in the end is whole: nothing was sent from an array that had been given back."""
        for size in self.sizes:
            for name in [self.name(size), *(f"{self.name(size)}.{copy}" for copy in COPIES)]:
                try:
                    self.check(await self.client.get_tensor(name, timeout=30), size)
                except TensorNotFound:
                    continue
        assert self.least <= await self.client.get_list_length(self.list_name, timeout=30) <= self.most


class Runner(Task):
    """Its client has a worker, whose model "same" gives back what it takes."""

    def further(self) -> Sequence[Callable[[], Awaitable[None]]]:
        return (self.infer, self.run_model, self.run_chain, self.look_at_copy, self.set_model)

    async def infer(self) -> None:
        size = self.random.choice(self.sizes)
        array = self.fresh(size)
        serial = array[0]
        for got in await self.cut_short(self.client.infer("same", array, timeout=self.timeout()), [array]):
            self.check(got, size)
            assert got[0] == serial, "not what this was asked about"

    async def run_model(self) -> None:
        name = self.name(self.random.choice(self.sizes))
        await self.cut_short(self.client.run_model("same", name, f"{name}.copy", timeout=self.timeout()))

    async def run_chain(self) -> None:
        size = self.random.choice(self.sizes)
        name = self.name(size)
        array = self.fresh(size)
        serial = array[0]
        batch = self.client.batch()
        batch.put_tensor(name, array)
        batch.run_model("same", name, f"{name}.moved", keep=False)
        batch.run_model("same", f"{name}.moved", f"{name}.copy")
        got = batch.get_tensor(f"{name}.copy")
        if await self.cut_short(batch.execute(timeout=self.timeout()), [array]):
            self.check(got.value, size)
            assert got.value[0] == serial, "not what this batch put"

    async def set_model(self) -> None:
        await self.cut_short(self.client.set_model("same", MODEL, "TORCH", timeout=self.timeout()))


async def cut_many_short(
    address: str, *, sizes: Sequence[int] = SIZES, user: type[Task] = Task, connections: int = 2, **options: Any
) -> None:
    """connections: at most; for each shard one for commands and one for what is long."""
    async with Client(address, **options) as client:
        tasks = [user(client, number, sizes) for number in range(1, USERS + 1)]
        until = time.monotonic() + SECONDS
        await asyncio.gather(*(task.use(until) for task in tasks))
        await asyncio.gather(*(task.check_all() for task in tasks))
        assert client.statistics()["connections"] <= connections
    cut, whole = sum(task.cut for task in tasks), sum(task.whole for task in tasks)
    print(f"{cut:,} operations cut short, {whole:,} carried out", flush=True)
    assert cut >= WANTED
    assert whole >= WHOLE


@pytest.mark.parametrize("throttled", [True, False], ids=["throttled", "at full speed"])
async def test_random_cancellations_lose_and_tear_nothing(engine, tmp_path, throttled):
    async with Throttle(tmp_path / "proxy", str(engine.socket)) as throttle:
        await cut_many_short(throttle.address if throttled else engine.unix, password=engine.password)
        assert throttle.connections <= 2


async def test_random_cancellations_lose_and_tear_nothing_on_a_cluster(cluster):
    await cut_many_short(cluster.addresses, password=cluster.password, connections=2 * cluster.shards)


async def test_random_cancellations_lose_and_tear_nothing_of_runs(engine, tmp_path):
    models = Models(engine, {"same": lambda array: (array,)})
    models.seen = deque(maxlen=0)  # a long run has not so much memory
    with ScriptedWorker(tmp_path / "w", engine.password, models) as worker:
        list_workers(engine, worker)
        await cut_many_short(engine.unix, user=Runner, sizes=SHORTER, password=engine.password, connections=3)
        assert worker.connections == 1


def delete_what_was_left(engine: EngineProcess) -> None:
    """Pieces of puts that were cut short expire after an hour: a long run has not so much memory."""
    keys = list(engine.redis.scan_iter("*", count=1000))
    with engine.redis.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.pttl(key)
        left = pipeline.execute()
    for key, milliseconds in zip(keys, left, strict=True):
        if 0 <= milliseconds < (3600 - 10) * 1000:  # 10 s after any put that is still under way began
            engine.redis.unlink(key)


async def test_random_cancellations_lose_and_tear_nothing_of_values_in_pieces(engine):
    cutting = asyncio.ensure_future(
        cut_many_short(engine.unix, sizes=SHORTER, password=engine.password, value_limit=VALUE_LIMIT)
    )
    while not (await asyncio.wait([cutting], timeout=2))[0]:
        await asyncio.to_thread(delete_what_was_left, engine)
    await cutting


@pytest.mark.parametrize("throttled", [True, False], ids=["throttled", "at full speed"])
async def test_random_cancellations_lose_and_tear_nothing_over_tls(tls_engine, throttled):
    """What is encrypted and not sent belongs to nobody but the connection."""
    async with Throttle(None, tls_engine.port) as throttle:
        await cut_many_short(throttle.address if throttled else tls_engine.tcp, **tls_engine.options)
        assert throttle.connections <= 2


async def test_a_cancelled_wait_for_a_worker_gives_the_arrays_back(engine, tmp_path):

    inputs = []

    def script(worker):
        while True:
            run = worker.run()
            inputs.append(run.inputs[0])
            worker.answer(run, run.inputs[0])

    with ScriptedWorker(tmp_path / "w", engine.password, script) as worker:
        list_workers(engine, worker)
        async with Client(engine.unix, password=engine.password) as client:
            random_ = random.Random(3)
            await client.infer("m", np.ones(3))
            for serial in range(300):
                array = np.full(random_.choice(SIZES), float(serial))
                task = asyncio.ensure_future(client.infer("m", array, timeout=20))
                for _ in range(random_.randrange(6)):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                array[:] = POISON
            np.testing.assert_array_equal(await client.infer("m", np.arange(5.0), timeout=20), np.arange(5.0))
        assert worker.connections == 1
    for array in inputs[1:-1]:
        assert (array == array[0]).all()
        assert array[0] != POISON
