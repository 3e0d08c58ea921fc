"""A program: threads that share clients, and drop what is another's, for so many seconds. Says "sound" when all was.

    python -m tests.cyclient.drop_in_threads ADDRESS PASSWORD SECONDS

Run by test_dropping.py under a debug malloc; under ThreadSanitizer by hand, with an extension that was built for it.
"""

import asyncio
import contextlib
import gc
import random
import sys
import threading
import time

import numpy as np

from ssasync.blocking import Client, wait_any
from ssasync.cyclient import Client as AsyncClient
from ssasync.cyclient import StoreError, WrongLoop

THREADS = 6
SIZES = (3, 100, 2_000, 40_000, 400_000)  # elements; the last ones do not fit in a socket


class Litter:
    """What threads leave for others to drop."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._things: list[object] = []
        self._lock = threading.Lock()

    def leave(self, *things: object) -> None:
        gone: list[object] = []
        with self._lock:
            self._things.extend(things)
            if len(self._things) > 40:
                self._random.shuffle(self._things)
                gone, self._things[:30] = self._things[:30], []
        del gone  # here, by this thread


class User:
    """One thread: its keys are its own, the client and the litter everybody's."""

    def __init__(self, client: Client, litter: Litter, number: int) -> None:
        self.client = client
        self.litter = litter
        self.number = number
        self.random = random.Random(number)
        self.serial = 0

    def use(self, until: float) -> None:
        acts = (
            self.put_and_get,
            self.begin_and_drop,
            self.begin_many,
            self.batch,
            self.fail,
            self.collect,
            self.time_out,
        )
        while time.monotonic() < until:
            self.random.choice(acts)()

    def fresh(self) -> tuple[str, np.ndarray]:
        """A name, and an array that nothing else has sent: all elements are its serial number."""
        size = self.random.choice(SIZES)
        self.serial += 1
        return f"{self.number}.{size}", np.full(size, 1e6 * self.number + self.serial)

    def put_and_get(self) -> None:
        name, array = self.fresh()
        self.client.put_tensor(name, array)
        assert (self.client.get_tensor(name) == array[0]).all()

    def begin_and_drop(self) -> None:
        name, array = self.fresh()
        future = self.client.start_put_tensor(name, array)
        if self.random.random() < 0.5:
            future.cancel()
            array[:] = -1
        self.litter.leave(
            future, self.client.start_get_tensor(name), self.client.start_unpack_tensor(name, array.copy())
        )
        del future
        name, array = self.fresh()
        self.client.put_tensor(name, array)
        assert (self.client.get_tensor(name) == array[0]).all()

    def begin_many(self) -> None:
        pairs = [self.fresh() for _ in range(8)]
        left = [self.client.start_put_tensor(name, array) for name, array in pairs]
        while any(left):
            place = wait_any(left, 20)
            assert place is not None
            assert left[place].result() is None
            self.litter.leave(left[place])
            left[place] = None
        last = dict(pairs)
        for name, array in last.items():
            assert (self.client.start_get_tensor(name).result() == array[0]).all()

    def batch(self) -> None:
        batch = self.client.batch()
        name, array = self.fresh()
        for _ in range(20):
            batch.put_tensor(name, array)
        handle = batch.get_tensor(name)
        chance = self.random.random()
        if chance < 0.4:
            batch.execute()
            assert (handle.value == array[0]).all()
        elif chance < 0.7:
            self.litter.leave(self.client.start_batch(batch))
        self.litter.leave(batch, handle)

    def fail(self) -> None:
        try:
            self.client.get_tensor(f"missing {self.number}")
        except StoreError as error:
            self.litter.leave(error)

    def time_out(self) -> None:
        try:
            self.client.get_tensor(f"{self.number}.{SIZES[-1]}", timeout=self.random.expovariate(1000))
        except StoreError as error:
            self.litter.leave(error)

    def collect(self) -> None:
        ring: list[object] = [self.client.start_get_tensor(f"{self.number}.3"), self.client.batch()]
        ring.append(ring)
        del ring
        gc.collect(0)


def use_in_threads(address: str, password: str, seconds: float) -> None:
    litter = Litter(1)
    failures = []
    with Client(address, password=password, timeout=30) as client:

        def run(number: int) -> None:
            try:
                User(client, litter, number).use(time.monotonic() + seconds)
            except BaseException as error:  # noqa: BLE001 - raised below
                failures.append(error)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


async def use_in_a_loop(address: str, password: str, seconds: float) -> None:
    """Other threads drop the batches, errors and suspended operations of a client whose loop is at work."""
    litter = Litter(2)
    over = threading.Event()
    refused = []
    async with AsyncClient(address, password=password, timeout=30) as client:

        def sweep() -> None:
            while not over.wait(0.0005):
                litter.leave(*range(20))
                with contextlib.suppress(IndexError):
                    suspended.pop().close()
                with contextlib.suppress(IndexError):
                    batch = batches.pop()
                    try:
                        batch.put_tensor("t", np.ones(3))
                    except WrongLoop:
                        refused.append(batch)

        async def use(number: int) -> None:
            until = time.monotonic() + seconds
            chance = random.Random(number)
            while time.monotonic() < until:
                array = np.full(chance.choice(SIZES), time.monotonic())
                name = f"{number}.{len(array)}"
                await client.put_tensor(name, array)
                assert (await client.get_tensor(name) == array[0]).all()
                batch = client.batch()
                for _ in range(20):
                    batch.put_tensor(name, array)
                operation = client.put_tensor("suspended", array)
                operation.send(None)  # begun, and awaited by nobody
                suspended.append(operation)
                try:
                    await client.get_tensor("missing")
                except StoreError as error:
                    litter.leave(batch, error)
                batches.append(client.batch())
                del batch, operation

        suspended: list = []
        batches: list = []
        sweepers = [threading.Thread(target=sweep) for _ in range(2)]
        for sweeper in sweepers:
            sweeper.start()
        try:
            await asyncio.gather(*(use(number) for number in range(4)))
        finally:
            over.set()
            for sweeper in sweepers:
                sweeper.join()
            while suspended:
                suspended.pop().close()
    assert refused


def main() -> None:
    address, password, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    sys.setswitchinterval(1e-5)
    use_in_threads(address, password, seconds)
    asyncio.run(use_in_a_loop(address, password, seconds))
    print("sound")


if __name__ == "__main__":
    main()
