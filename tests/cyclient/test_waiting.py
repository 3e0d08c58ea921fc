"""Waiting for a tensor: the shard tells, nothing polls."""

import asyncio
import threading
import time

import numpy as np
import pytest

from ssasync.cyclient import Client, ConnectionFailed, Disconnected, WaitTimeout
from ssasync.cyclient.blocking import Client as BlockingClient
from tests.cyclient.engine_process import EngineProcess

RECHECK_SECONDS = 5.0  #: of c/wait_table.c
#: What a push takes; a recheck would take RECHECK_SECONDS.
PROMPT = RECHECK_SECONDS / 5


def tracked_keys(engine: EngineProcess) -> int:
    return int(engine.redis.info("stats")["tracking_total_keys"])


def exists_calls(engine: EngineProcess) -> int:
    return int(engine.redis.info("commandstats")["cmdstat_exists"]["calls"])


def waiting_connections(engine: EngineProcess) -> set[str]:
    """Those that track keys and asked last whether one exists."""
    clients = engine.redis.client_list()
    return {client["id"] for client in clients if "t" in client["flags"] and client["cmd"] == "exists"}


def cut_waiting_connection(engine: EngineProcess) -> str:
    (number,) = waiting_connections(engine)
    engine.redis.execute_command("CLIENT", "KILL", "ID", number)
    return str(number)


async def until(condition, *arguments) -> None:
    """Let the loop run until a fact holds that no event tells."""
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(condition, *arguments):
            pass


def test_a_tensor_that_is_there_needs_no_wait(client):
    client.put_tensor("t", np.ones(3))
    client.wait_for_tensor("t", timeout=0)


def test_a_tensor_that_does_not_come_is_a_timeout_that_names_it(engine, client):
    started = time.monotonic()
    with pytest.raises(WaitTimeout, match=rf"'t' did not appear in {engine.unix} within 0.1 s.*producer") as failure:
        client.wait_for_tensor("t", timeout=0.1)
    assert 0.1 <= time.monotonic() - started < PROMPT
    assert isinstance(failure.value, TimeoutError)
    client.put_tensor("t", np.ones(3))
    client.wait_for_tensor("t", timeout=0.1)


async def test_waiters_are_woken_by_the_push(engine):
    async with Client(engine.unix, password=engine.password) as client:
        waits = [asyncio.create_task(client.wait_for_tensor("t")) for _ in range(50)]
        waits += [asyncio.create_task(client.wait_for_tensor(f"u{i}")) for i in range(50)]
        await until(lambda: tracked_keys(engine) == 51)
        commands = int(engine.redis.info("stats")["total_commands_processed"])
        started = time.monotonic()
        async with Client(engine.tcp, password=engine.password) as other:
            await other.put_tensor("t", np.ones(3))
            await asyncio.gather(*waits[:50])
            assert not any(wait.done() for wait in waits[50:])
            for i in range(50):
                await other.put_tensor(f"u{i}", np.ones(3))
            await asyncio.gather(*waits[50:])
        assert time.monotonic() - started < PROMPT
        # Each of the 100 asked once more, by two commands; nobody asked in between.
        assert int(engine.redis.info("stats")["total_commands_processed"]) - commands < 100 + 200 + 20


async def test_a_cancelled_wait_leaves_the_others_waiting(engine):
    async with Client(engine.unix, password=engine.password) as client:
        waits = [asyncio.create_task(client.wait_for_tensor("t")) for _ in range(3)]
        await until(lambda: tracked_keys(engine) == 1)
        waits[1].cancel()
        await asyncio.wait(waits[1:2])
        assert waits[1].cancelled()
        engine.redis.set("t", "anything")
        async with asyncio.timeout(PROMPT):
            await asyncio.gather(waits[0], waits[2])


async def test_a_key_that_came_and_went_is_waited_for_again(engine):
    async with Client(engine.unix, password=engine.password) as client:
        wait = asyncio.create_task(client.wait_for_tensor("t"))
        await until(lambda: tracked_keys(engine) == 1)
        asked = exists_calls(engine)
        pipeline = engine.redis.pipeline(transaction=True)
        pipeline.set("t", "x").delete("t").execute()
        await until(lambda: exists_calls(engine) == asked + 1)
        assert not wait.done()
        engine.redis.set("t", "x")
        async with asyncio.timeout(PROMPT):
            await wait


async def test_a_flush_does_not_end_a_wait(engine):
    async with Client(engine.unix, password=engine.password) as client:
        wait = asyncio.create_task(client.wait_for_tensor("t"))
        await until(lambda: tracked_keys(engine) == 1)
        asked = exists_calls(engine)
        engine.redis.flushall()
        await until(lambda: exists_calls(engine) == asked + 1)
        assert not wait.done()
        engine.redis.set("t", "x")
        async with asyncio.timeout(PROMPT):
            await wait


async def test_a_wait_survives_the_loss_of_its_connection(engine):
    async with Client(engine.unix, password=engine.password) as client:
        wait = asyncio.create_task(client.wait_for_tensor("t"))
        await until(lambda: waiting_connections(engine))
        for _ in range(3):
            cut = cut_waiting_connection(engine)
            await until(lambda cut=cut: waiting_connections(engine) - {cut})
        engine.redis.set("t", "x")
        async with asyncio.timeout(PROMPT):
            await wait


async def test_a_wait_survives_a_restart_of_the_shard(own_engine):
    async with Client(own_engine.unix, password=own_engine.password) as client:
        wait = asyncio.create_task(client.wait_for_tensor("t"))
        await until(lambda: waiting_connections(own_engine))
        own_engine.kill()
        own_engine.start()
        await until(lambda: waiting_connections(own_engine))
        own_engine.redis.set("t", "x")
        async with asyncio.timeout(PROMPT):
            await wait


async def test_closing_the_client_ends_a_wait_at_once(engine):
    client = await Client.connect(engine.unix, password=engine.password)
    wait = asyncio.create_task(client.wait_for_tensor("t"))
    await until(lambda: tracked_keys(engine) == 1)
    client.close()
    async with asyncio.timeout(PROMPT):
        with pytest.raises(Disconnected, match="the client is closed"):
            await wait


def in_thread(function, *arguments, **options) -> tuple[threading.Thread, list[object]]:
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(function(*arguments, **options))
        except Exception as error:  # noqa: BLE001 - the test looks at it
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def wait_until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_blocking_wait_is_woken_by_the_push(engine):
    with BlockingClient(engine.unix, password=engine.password) as client:
        thread, outcome = in_thread(client.wait_for_tensor, "t", timeout=20)
        wait_until(lambda: tracked_keys(engine) == 1)
        started = time.monotonic()
        engine.redis.set("other", "x")
        engine.redis.set("t", "x")
        thread.join(10)
        assert time.monotonic() - started < PROMPT
        assert outcome == [None]


def test_a_blocking_wait_survives_the_loss_of_its_connection(own_engine):
    with BlockingClient(own_engine.unix, password=own_engine.password) as client:
        assert not client.key_exists("t")  # a client that does not know its store yet asks by a transaction
        thread, outcome = in_thread(client.wait_for_tensor, "t", timeout=20)
        wait_until(lambda: waiting_connections(own_engine))
        cut = cut_waiting_connection(own_engine)
        wait_until(lambda: waiting_connections(own_engine) - {cut})
        own_engine.kill()
        own_engine.start()
        wait_until(lambda: waiting_connections(own_engine))
        started = time.monotonic()
        own_engine.redis.set("t", "x")
        thread.join(10)
        assert time.monotonic() - started < PROMPT
        assert outcome == [None]


def test_a_wait_for_a_store_that_is_gone_ends_at_its_deadline(face, own_engine):
    client = face.open(own_engine.unix, password=own_engine.password)
    client.put_tensor("u", np.ones(1))
    own_engine.kill()
    started = time.monotonic()
    with pytest.raises((ConnectionFailed, WaitTimeout)):
        client.wait_for_tensor("t", timeout=0.2)
    assert time.monotonic() - started < PROMPT + 1  # the last look has a second of its own
