"""Two renames that go both ways at the same time: each would undo what the other does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
import pytest

from ssasync.cyclient import Client, Dataset, NotFound
from tests.cyclient.cluster_process import ClusterProcess
from tests.cyclient.engine_process import EngineProcess

LIMIT = 100
SHORT, LONG = 2, 40
ROUNDS = 6
#: Far less than two that never end send before the deadline.
COMMANDS = 2000

sizes = pytest.mark.parametrize("sizes", [(LONG, LONG), (LONG, None), (SHORT, LONG), (SHORT, SHORT)])
kinds = pytest.mark.parametrize("kind", ["tensor", "dataset"])


@pytest.fixture(params=["one client", "two clients"])
async def pair(request: pytest.FixtureRequest, engine: EngineProcess) -> AsyncIterator[tuple[Client, Client]]:
    async with AsyncExitStack() as stack:
        yield await clients(stack, request.param, engine.unix, engine.password)


@pytest.fixture(params=["one client", "two clients"])
async def cluster_pair(request: pytest.FixtureRequest, cluster: ClusterProcess) -> AsyncIterator[tuple[Client, Client]]:
    async with AsyncExitStack() as stack:
        yield await clients(stack, request.param, cluster.addresses, cluster.password)


async def clients(stack: AsyncExitStack, how: str, addresses: str, password: str) -> tuple[Client, Client]:
    opened = [
        await stack.enter_async_context(Client(addresses, password=password, timeout=20, value_limit=LIMIT))
        for _ in range(1 if how == "one client" else 2)
    ]
    return opened[0], opened[-1]


async def put(client: Client, kind: str, name: str, size: int, value: float) -> None:
    array = np.full(size, value)
    if kind == "tensor":
        await client.put_tensor(name, array)
        return
    dataset = Dataset(name)
    dataset.add_tensor("t", array)
    await client.put_dataset(dataset)


async def value_of(client: Client, kind: str, name: str) -> float | None:
    try:
        if kind == "tensor":
            return float((await client.get_tensor(name))[-1])
        return float((await client.get_dataset(name)).get_tensor("t")[-1])
    except NotFound:
        return None


async def race(pair: tuple[Client, Client], kind: str, sizes: tuple[int | None, int | None]) -> tuple[Any, ...]:
    """What became of "b" and "c", which were 1 and 2, and of the rename from "b" to "c" and of the one back."""
    client, other = pair
    for name in ("b", "c"):
        await getattr(client, f"delete_{kind}")(name)
    for name, size, value in zip(("b", "c"), sizes, (1.0, 2.0), strict=True):
        if size:
            await put(client, kind, name, size, value)
    commands = sum(one.statistics()["commands"] for one in {client, other})
    ends = await asyncio.gather(
        getattr(client, f"rename_{kind}")("b", "c"),
        getattr(other, f"rename_{kind}")("c", "b"),
        return_exceptions=True,
    )
    assert sum(one.statistics()["commands"] for one in {client, other}) - commands < COMMANDS
    assert all(end is None or isinstance(end, NotFound) for end in ends), ends
    return await value_of(client, kind, "b"), await value_of(client, kind, "c"), *(end is None for end in ends)


@kinds
@sizes
async def test_one_comes_after_the_other(
    pair: tuple[Client, Client], engine: EngineProcess, kind: str, sizes: tuple[int | None, int | None]
) -> None:
    back_is_last, back_is_first = (1.0, None, True, True), (None, 2.0, True, True)
    if not sizes[1]:
        back_is_first = (None, 1.0, True, False)
    for _ in range(ROUNDS):
        assert await race(pair, kind, sizes) in (back_is_last, back_is_first)
    for name in ("b", "c"):
        await getattr(pair[0], f"delete_{kind}")(name)
    await pair[0].ping()
    assert engine.redis.dbsize() == 0


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("tensor", (LONG, LONG)),
        ("tensor", (LONG, None)),
        ("tensor", (SHORT, LONG)),
        ("tensor", (SHORT, SHORT)),
        ("tensor", (SHORT, None)),
        ("dataset", (LONG, LONG)),
        ("dataset", (LONG, None)),
        ("dataset", (SHORT, LONG)),
        ("dataset", (SHORT, SHORT)),
    ],
)
async def test_between_shards_both_come_to_an_end(
    cluster_pair: tuple[Client, Client], kind: str, sizes: tuple[int | None, int | None]
) -> None:
    """What is copied and what is removed are two moments: either value may remain, under either name, but one does."""
    for _ in range(ROUNDS):
        b, c, *_ = await race(cluster_pair, kind, sizes)
        assert (b is None) != (c is None)
