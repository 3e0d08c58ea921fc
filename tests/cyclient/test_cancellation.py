"""Thousands of cancellations and timeouts at any moment: no reply goes astray, no tensor is torn, no socket is left.

After each the caller's array is overwritten, as a caller may do whose await has been cancelled.
"""

import asyncio
import os
import random
import time

import numpy as np
import pytest

from ssasync.cyclient import Client, OperationTimeout, TensorNotFound
from tests.cyclient.scripted_worker import ScriptedWorker, list_workers
from tests.cyclient.throttle import Throttle

SECONDS = 2.0  # for each loop, with the throttle and without; longer for
WANTED = int(os.environ.get("SSA_CANCELLATIONS", "200"))  # operations that were cut short, for each
WHOLE = 56  # operations that were not
SIZES = (1, 100, 2_000, 40_000, 400_000)  # elements; the last ones do not fit in a socket
POISON = -1.0
USERS = 8


class Task:
    """One user of the client, with names of its own: knows what each of its keys may hold."""

    def __init__(self, client: Client, number: int) -> None:
        self.client = client
        self.random = random.Random(number)
        self.number = number
        self.serial = 0
        self.cut = self.whole = 0

    async def use(self, until: float) -> None:
        while time.monotonic() < until or self.cut < WANTED / USERS or self.whole < WHOLE / USERS:
            await self.random.choice((self.put, self.get, self.unpack, self.batch, self.exists))()

    def name(self, size: int) -> str:
        return f"{self.number}.{size}"

    def fresh(self, size: int) -> np.ndarray:
        """An array that no other put has sent: all elements are its serial number."""
        self.serial += 1
        return np.full(size, 1e6 * self.number + self.serial)

    async def cut_short(self, operation, arrays=()) -> bool:
        """Carry it out for as long as chance allows; True: to its end. The arrays are overwritten then."""
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
            await task
        except (asyncio.CancelledError, OperationTimeout):
            self.cut += 1
            return False
        except TensorNotFound:
            return False
        else:
            self.whole += 1
            return True
        finally:
            for array in arrays:
                array[:] = POISON

    def check(self, array: np.ndarray, size: int) -> None:
        assert array.shape == (size,), f"the reply of another: {array.shape}, not {size}"
        assert (array == array[0]).all(), "torn"
        assert array[0] // 1e6 == self.number, f"the reply of another: {array[0]}"

    async def put(self) -> None:
        size = self.random.choice(SIZES)
        array = self.fresh(size)
        timeout = self.random.choice([None, 0.0, 0.001])
        await self.cut_short(self.client.put_tensor(self.name(size), array, timeout=timeout), [array])

    async def get(self) -> None:
        size = self.random.choice(SIZES)
        got: list[np.ndarray] = []

        async def get() -> None:
            got.append(await self.client.get_tensor(self.name(size)))

        if await self.cut_short(get()):
            self.check(got[0], size)

    async def unpack(self) -> None:
        size = self.random.choice(SIZES)
        out = np.full(size, POISON)
        checked = []

        async def unpack() -> None:
            await self.client.unpack_tensor(self.name(size), out)
            checked.append(out.copy())

        if await self.cut_short(unpack(), [out]):
            self.check(checked[0], size)
        await asyncio.sleep(0)
        assert (out == POISON).all(), "written to after it was given back"

    async def batch(self) -> None:
        sizes = self.random.sample(SIZES, 3)
        batch = self.client.batch()
        arrays = [self.fresh(size) for size in sizes]
        gets = []
        for size, array in zip(sizes, arrays, strict=True):
            batch.put_tensor(self.name(size), array)
            gets.append(batch.get_tensor(self.name(size)))
        serials = [array[0] for array in arrays]
        if await self.cut_short(batch.execute(), arrays):
            for size, serial, get in zip(sizes, serials, gets, strict=True):
                self.check(get.value, size)
                assert get.value[0] == serial, "not what this batch put"

    async def exists(self) -> None:
        names = [self.name(size) for size in SIZES] + ["never"]
        name = self.random.choice(names)
        found = []

        async def exists() -> None:
            found.append(await self.client.tensor_exists(name))

        if await self.cut_short(exists()) and name == "never":
            assert found == [False]

    async def check_all(self) -> None:
        """What is stored in the end is whole: nothing was sent from an array that had been given back."""
        for size in SIZES:
            try:
                self.check(await self.client.get_tensor(self.name(size), timeout=30), size)
            except TensorNotFound:
                continue


def check_enough(tasks: list[Task]) -> None:
    cut, whole = sum(task.cut for task in tasks), sum(task.whole for task in tasks)
    print(f"{cut:,} operations cut short, {whole:,} carried out", flush=True)
    assert cut >= WANTED
    assert whole >= WHOLE


@pytest.mark.parametrize("throttled", [True, False], ids=["throttled", "at full speed"])
async def test_random_cancellations_lose_and_tear_nothing(engine, tmp_path, throttled):
    async with Throttle(tmp_path / "proxy", str(engine.socket)) as throttle:
        address = throttle.address if throttled else engine.unix
        async with Client(address, password=engine.password) as client:
            tasks = [Task(client, number) for number in range(1, USERS + 1)]
            until = time.monotonic() + SECONDS
            await asyncio.gather(*(task.use(until) for task in tasks))
            await asyncio.gather(*(task.check_all() for task in tasks))
            if throttled:
                assert throttle.connections <= 2  # commands, bulk
    check_enough(tasks)


@pytest.mark.parametrize("throttled", [True, False], ids=["throttled", "at full speed"])
async def test_random_cancellations_lose_and_tear_nothing_over_tls(tls_engine, throttled):
    """What is encrypted and not sent belongs to nobody but the connection."""
    async with Throttle(None, tls_engine.port) as throttle:
        address = throttle.address if throttled else tls_engine.tcp
        async with Client(address, **tls_engine.options) as client:
            tasks = [Task(client, number) for number in range(1, USERS + 1)]
            until = time.monotonic() + SECONDS
            await asyncio.gather(*(task.use(until) for task in tasks))
            await asyncio.gather(*(task.check_all() for task in tasks))
            if throttled:
                assert throttle.connections <= 2  # commands, bulk
    check_enough(tasks)


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
