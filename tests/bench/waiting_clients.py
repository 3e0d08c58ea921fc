"""Many asyncio clients of ours that wait, in one process: `python -m tests.bench.waiting_clients`, with SSDB set.

Speaks on stdin and stdout as waiters.c does: "open N" and "wait NAME". N is how many it opens at most: each takes some
descriptors, which the system limits.
"""

import asyncio
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from ssasync import Client

#: Clients that connect at the same time.
AT_ONCE = 64
#: Descriptors that are left to the process.
KEPT = 100
#: Seconds that a wait may last.
PATIENCE = 60.0
NAME = "bench_awaited_before"


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def _waiting_client() -> Client:
    """A client that has all connections that it will have: it has waited."""
    client = await Client.connect()
    await client.put_tensor(NAME, np.zeros(1))
    await client.wait_for_tensor(NAME)
    return client


async def open_clients(count: int) -> tuple[list[Client], int]:
    """As many of them as may be open, and the nanoseconds that it took."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    begin = perf_counter_ns()
    before = _open_files()
    clients = [await _waiting_client()]
    each = _open_files() - before
    room = (hard - before - KEPT) // each
    while len(clients) < min(count, room):
        some = min(AT_ONCE, min(count, room) - len(clients))
        clients += await asyncio.gather(*(_waiting_client() for _ in range(some)))
    return clients, perf_counter_ns() - begin


async def wait_all(clients: Sequence[Client], name: str) -> tuple[int, int]:
    """When the first and the last knew that the tensor is there."""

    async def one(client: Client) -> int:
        await client.wait_for_tensor(name, timeout=PATIENCE)
        return perf_counter_ns()

    woken = await asyncio.gather(*(one(client) for client in clients))
    return min(woken), max(woken)


async def main() -> None:
    clients: list[Client] = []
    print("ready", flush=True)
    for line in sys.stdin:
        word, argument = line.split()
        if word == "open":
            clients, took = await open_clients(int(argument))
            print(len(clients), took, flush=True)
        else:
            print(*await wait_all(clients, argument), flush=True)
    for client in clients:
        client.close()


if __name__ == "__main__":
    asyncio.run(main())
