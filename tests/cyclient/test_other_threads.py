"""An asyncio client in threads other than that of its loop: nothing of it meets the loop at work on the same engine."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ssasync.cyclient import Client, Disconnected, WrongLoop

X = np.ones(3)


def in_thread(function) -> None:
    """Run it in another thread while this one, the loop's, stands still."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(function).result()


async def test_the_loop_closes_what_another_thread_asks_it_to_close(engine):
    client = Client(engine.unix, password=engine.password)
    waiting = asyncio.create_task(client.wait_for_tensor("never"))
    await client.put_tensor("t", X)
    in_thread(client.close)
    in_thread(client.close)
    assert not client._core.closed  # the loop stood still
    with pytest.raises(Disconnected, match="the client is closed"):
        await asyncio.wait_for(waiting, 20)
    with pytest.raises(Disconnected, match="the client is closed: open a new one"):
        await client.ping()


async def test_closing_from_another_thread_at_any_moment_ends_what_is_under_way(engine):
    long = np.ones(200_000)
    for round_ in range(30):
        client = Client(engine.unix, password=engine.password)
        await client.ping()
        puts = [asyncio.create_task(client.put_tensor(f"t{i}", X if i % 3 else long)) for i in range(30)]
        for _ in range(round_ % 7):
            await asyncio.sleep(0)
        thread = threading.Thread(target=client.close)
        thread.start()
        ended = await asyncio.wait_for(asyncio.gather(*puts, return_exceptions=True), 20)
        await asyncio.to_thread(thread.join)
        assert {type(error) for error in ended} <= {type(None), Disconnected}


async def test_who_may_not_enter_a_client_does_not_close_it(engine):
    async with Client(engine.unix, password=engine.password) as client:

        def enter_elsewhere():
            with pytest.raises(WrongLoop):
                asyncio.run(client.__aenter__())

        await asyncio.to_thread(enter_elsewhere)
        await client.put_tensor("t", X)


async def test_what_needs_the_loop_to_stand_still_is_refused_elsewhere(engine):
    async with Client(engine.unix, password=engine.password, write_prefix="p") as client:
        batch = client.batch()
        for use in (
            client.batch,
            lambda: batch.put_tensor("t", X),
            lambda: client.set_data_source("p"),
            lambda: client.use_tensor_ensemble_prefix(False),
            lambda: client.watch_key(b"t", print),
            lambda: client.put_tensor("t", X).send(None),
            lambda: batch.execute().send(None),
        ):
            with pytest.raises(WrongLoop, match="belongs to another event loop"):
                in_thread(use)
        told = []
        in_thread(lambda: told.append((client.statistics(), client.describe(), repr(client))))
        assert told[0][0]["connections"] == 1


def test_a_loop_that_does_not_run_is_told():
    client = Client("a:1")
    for use in (lambda: client.ping().send(None), lambda: client.watch_key(b"t", print)):
        with pytest.raises(RuntimeError, match=r"^there is no running event loop of asyncio: use ssasync\.Client in a"):
            use()
