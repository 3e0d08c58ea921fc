"""Puts in chunks that fail, or whose caller has gone, leave nothing in the store (more in c_engine/chunk_races.c)."""

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ssasync.cyclient import Client, Dataset, OperationTimeout, StoreFull
from tests.cyclient.engine_process import EngineProcess

LIMIT = 100_000
ROOM = 4 << 20
LONG = np.arange(2_000_000.0)  #: 16 MB, in 161 chunks; more than sockets take at once
DEADLINE = 20.0


@pytest.fixture
def client(face: Any, engine: EngineProcess) -> Any:
    return face.open(engine.unix, password=engine.password, timeout=DEADLINE, value_limit=LIMIT)


def dataset() -> Dataset:
    made = Dataset("d")
    made.add_tensor("u", LONG)
    made.add_bytes("raw", bytes(3 * LIMIT))
    return made


PUTS: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "tensor": lambda client: lambda **options: client.put_tensor("k", LONG, **options),
    "bytes": lambda client: lambda **options: client.put_bytes("k", LONG.tobytes(), **options),
    "dataset": lambda client: lambda **options: client.put_dataset(dataset(), **options),
}
puts = pytest.mark.parametrize("put", PUTS.values(), ids=PUTS)


def wait_for_keys(engine: EngineProcess, wanted: list[bytes]) -> None:
    """Errands of the client are answered by nobody who could be waited for: ask the server."""
    end = time.monotonic() + DEADLINE
    while sorted(engine.redis.keys()) != wanted:
        assert time.monotonic() < end, engine.redis.keys()
        engine.redis.ping()


@puts
def test_a_put_without_room_leaves_the_room_there_was(client: Any, engine: EngineProcess, put: Any) -> None:
    client.ping()
    engine.redis.config_set("maxmemory", engine.redis.info("memory")["used_memory"] + ROOM)
    with pytest.raises(StoreFull):
        put(client)()
    client.ping()
    wait_for_keys(engine, [])
    client.put_tensor("short", np.ones(3))


@puts
def test_a_put_that_was_late_leaves_nothing(client: Any, engine: EngineProcess, put: Any) -> None:
    client.ping()
    assert engine.process
    engine.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(OperationTimeout):
            put(client)(timeout=0.05)
    finally:
        engine.process.send_signal(signal.SIGCONT)
    client.ping()
    wait_for_keys(engine, [])


@pytest.fixture
async def waiting(engine: EngineProcess) -> Any:
    async with Client(engine.unix, password=engine.password, timeout=DEADLINE, value_limit=LIMIT) as client:
        yield client


@puts
async def test_a_put_that_is_cancelled_leaves_nothing(waiting: Client, engine: EngineProcess, put: Any) -> None:
    await waiting.ping()
    assert engine.process
    engine.process.send_signal(signal.SIGSTOP)
    try:
        task = asyncio.ensure_future(put(waiting)())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        engine.process.send_signal(signal.SIGCONT)
    await waiting.ping()
    wait_for_keys(engine, [])


@pytest.mark.parametrize("how", ["copy_tensor", "rename_tensor"])
async def test_a_copy_beside_a_long_put_takes_whole_values(waiting: Client, engine: EngineProcess, how: str) -> None:
    long = bytes(3 * LIMIT)
    await waiting.put_bytes("k", b"short")
    await asyncio.gather(waiting.put_bytes("k", long), getattr(waiting, how)("k", "t"))
    got = [await waiting.get_bytes(name) for name in ("k", "t") if await waiting.bytes_exists(name)]
    assert long in got
    assert set(got) <= {b"short", long}


async def test_a_cancelled_put_takes_what_it_replaced_along(waiting: Client, engine: EngineProcess) -> None:
    for turns in range(12):
        await waiting.put_bytes("k", bytes(3 * LIMIT))
        task = asyncio.ensure_future(waiting.put_bytes("k", b"1" * 2 * LIMIT))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await waiting.ping()
        await waiting.delete_bytes("k")
        wait_for_keys(engine, [])
