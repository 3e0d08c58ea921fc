"""Watching a key with the asyncio client."""

import asyncio
import gc
import logging
import time

import pytest

from ssasync.cyclient import Client, WrongType
from tests.cyclient.test_waiting import tracked_keys, until


@pytest.fixture
def unheard():
    """What the loop is told because nobody else was."""
    said = []
    return said, lambda _loop, context: said.append(context["message"])


async def test_a_watch_that_is_refused_is_tried_again_with_pauses_until_it_succeeds(own_engine, caplog):
    redis = own_engine.redis

    def set_password(password):
        redis.acl_setuser("workload", enabled=True, reset_passwords=True, passwords=["+" + password])

    called = asyncio.Event()
    calls = []

    def changed():
        calls.append(time.monotonic())
        called.set()

    async def tries(count):
        while len(calls) < count:
            called.clear()
            await asyncio.wait_for(called.wait(), 20)

    with caplog.at_level(logging.ERROR, logger="ssasync.cyclient"):
        async with Client(own_engine.unix, password=own_engine.password, timeout=20) as client:
            client.watch_key(b"k", changed)
            await client.ping()
            set_password("another")
            redis.client_kill_filter(_type="normal", skipme=True)
            await tries(5)  # now, at the loss of the connection or after its refusal, and after pauses
            assert calls[4] - calls[1] > 0.1 + 0.2
            (told,) = [record for record in caplog.records if record.name == "ssasync.cyclient"]
            assert told.levelname == "ERROR"
            assert told.getMessage().startswith("the watch of key b'k' failed, and is tried again until it succeeds: ")
            set_password(own_engine.password)
            await until(lambda: tracked_keys(own_engine) == 1)
            before = len(calls)
            redis.set("k", "changed")
            await tries(before + 1)


async def test_closing_ends_a_watch_and_leaves_no_error_unheard(engine, unheard):
    said, handler = unheard
    asyncio.get_running_loop().set_exception_handler(handler)
    client = Client(engine.unix, password=engine.password)
    calls = []
    client.watch_key(b"k", lambda: calls.append(1))
    await client.ping()
    client.close()
    await asyncio.sleep(0)
    gc.collect()
    assert said == []
    assert calls == [1]


async def test_what_cannot_be_watched_is_refused(engine):
    async with Client(engine.unix, password=engine.password) as client:
        with pytest.raises(WrongType, match=r"^key cannot be 's' \(str\): give bytes\.$"):
            client.watch_key("s", print)
        with pytest.raises(WrongType, match=r"^changed cannot be None: give a function without arguments\.$"):
            client.watch_key(b"u", None)
