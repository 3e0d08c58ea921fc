"""Datasets of a cluster while a shard dies and while their slot moves: no mixture, and every operation ends in time."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from redis.crc import key_slot

from ssasync.cyclient import Client, Dataset, blocking
from tests.cyclient.cluster_process import ClusterProcess, wait_until

NAME = "race"
SLOT = key_slot(b"race")
TIMEOUT = 30.0  #: of each operation
LONG = 20_000  #: elements of the longest item
#: Without one, and one that cuts the longest item into chunks.
LIMITS = pytest.mark.parametrize("limit", [0, 60_000])


def dataset_of(number: int) -> Dataset:
    """Everything in it says the number."""
    dataset = Dataset(NAME)
    dataset.add_tensor("short", np.full(4, number))
    dataset.add_tensor("long", np.full(LONG, number))
    dataset.add_bytes("text", str(number).encode())
    dataset.add_meta_scalar("number", number)
    return dataset


def numbers_in(dataset: Dataset) -> set[int]:
    found = {int(number) for name in ("short", "long") for number in dataset.get_tensor(name)}
    return found | {int(dataset.get_bytes("text")), *map(int, dataset.get_meta_scalars("number"))}


class Traffic:
    """A writer in a thread, and a reader on a loop in another."""

    def __init__(self, cluster: ClusterProcess, limit: int) -> None:
        self.puts = self.gets = 0
        self.slowest = 0.0
        self._options = {"password": cluster.password, "timeout": TIMEOUT, "value_limit": limit}
        self._addresses = cluster.addresses
        self._over = threading.Event()
        self._roles: list[Future[None]] = []

    def write(self) -> None:
        with blocking.Client(self._addresses, **self._options) as client:
            while not self._over.is_set():
                started = time.monotonic()
                client.put_dataset(dataset_of(self.puts))
                self.puts += 1
                self.slowest = max(self.slowest, time.monotonic() - started)

    async def read(self) -> None:
        async with Client(self._addresses, **self._options) as client:
            while not self._over.is_set():
                started = time.monotonic()
                numbers = numbers_in(await client.get_dataset(NAME))
                assert len(numbers) == 1, f"a mixture: {numbers}"
                self.gets += 1
                self.slowest = max(self.slowest, time.monotonic() - started)

    def goes_on(self, cluster: ClusterProcess) -> None:
        """Return when both have done something more. Raises what one of them has met."""
        puts, gets = self.puts + 20, self.gets + 20
        wait_until(
            "datasets are put and got",
            lambda: any(role.done() for role in self._roles) or (self.puts > puts and self.gets > gets),
            deadline=TIMEOUT,
            show=cluster.describe,
        )
        for role in self._roles:
            if role.done():
                role.result()

    @contextmanager
    def under_way(self, cluster: ClusterProcess) -> Iterator[None]:
        with blocking.Client(self._addresses, **self._options) as client:
            client.put_dataset(dataset_of(0))
        with ThreadPoolExecutor(2) as pool:
            self._roles = [pool.submit(self.write), pool.submit(lambda: asyncio.run(self.read()))]
            try:
                self.goes_on(cluster)
                yield
                self.goes_on(cluster)
            finally:
                self._over.set()
        for role in self._roles:
            role.result()
        assert self.slowest < TIMEOUT


@LIMITS
def test_while_their_shard_dies(cluster, limit):
    victim = cluster.primary_of(SLOT)
    (replica,) = cluster.replicas_of(victim)
    traffic = Traffic(cluster, limit)
    with traffic.under_way(cluster):
        assert victim.redis.execute_command("WAIT", 1, 1000) == 1  # the dataset is there, some version of it
        victim.kill()
        cluster.promote(replica)


@LIMITS
def test_while_their_slot_moves(cluster, limit):
    source = cluster.primary_of(SLOT)
    target = next(node for node in cluster.primaries() if node is not source)
    traffic = Traffic(cluster, limit)
    with traffic.under_way(cluster):
        for to in (target, source) * 3:
            cluster.migrate_slot(SLOT, to, half=True)
            cluster.migrate_slot(SLOT, to)
            traffic.goes_on(cluster)
