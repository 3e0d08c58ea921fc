"""`control_poll` gives each request once: cancelled, timed out or interrupted at any moment, and by many threads."""

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from ssasync.blocking import Client as BlockingClient
from ssasync.cyclient import Client, operations
from tests.cyclient.faces import LOOPS
from tests.cyclient.test_futures import until

KEY = "{ssa:control:sim}requests"


def ask(engine, number):
    engine.redis.rpush(KEY, f"{number:016x} set 1 n{number}")


def numbers(requests):
    return [int(request.value) for request in requests]


@pytest.fixture
def at_the_answer(monkeypatch):
    """Sets what is run when requests have come and were not given to anybody yet, once."""
    convert = operations._control_requests
    actions = []

    def converted(reply):
        if reply and actions:
            actions.pop()()
        return convert(reply)

    monkeypatch.setattr(operations, "_control_requests", converted)
    return actions.append


# ---- asyncio


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("is_before", [True, False], ids=["before it is given out", "before the task goes on"])
def test_a_poll_that_is_cancelled_when_its_answer_is_there_has_taken_nothing(engine, loop, is_before, at_the_answer):
    async def poll_and_cancel():
        async with Client(engine.unix, password=engine.password, timeout=20) as client:
            task = asyncio.ensure_future(client.control_poll("sim"))
            call_soon = asyncio.get_running_loop().call_soon
            at_the_answer(task.cancel if is_before else lambda: call_soon(task.cancel))
            with pytest.raises(asyncio.CancelledError):
                await task
            assert numbers(await client.control_poll("sim")) == [1]
            assert await client.control_poll("sim") == []

    ask(engine, 1)
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(asyncio.wait_for(poll_and_cancel(), 60))


def test_a_poll_that_raises_has_taken_nothing(engine, at_the_answer):
    def fail():
        raise MemoryError

    with BlockingClient(engine.unix, password=engine.password, timeout=20) as client:
        ask(engine, 1)
        at_the_answer(fail)
        with pytest.raises(MemoryError):
            client.control_poll("sim")
        assert numbers(client.control_poll("sim")) == [1]
        assert client.control_poll("sim") == []


# ---- Ctrl-C


def test_a_poll_that_is_interrupted_when_its_answer_is_there_has_taken_nothing(engine, at_the_answer):
    with BlockingClient(engine.unix, password=engine.password, timeout=20) as client:
        ask(engine, 1)
        at_the_answer(lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            client.control_poll("sim")
        assert numbers(client.control_poll("sim")) == [1]
        assert client.control_poll("sim") == []


def test_ctrl_c_at_any_moment_loses_no_request_and_doubles_none(engine, interruptions):
    requests, came = [], []

    def poll():
        nonlocal requests
        requests = client.control_poll("sim")  # no signal is heard between the return and this name

    with BlockingClient(engine.unix, password=engine.password, timeout=20) as client:
        for sent in range(1000):
            ask(engine, sent)
            interruptions.during(poll)
            came += numbers(requests)
            requests = []
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert interruptions.count > 50
        until(lambda: came.extend(numbers(client.control_poll("sim"))) or len(came) >= 1000)
        assert came == list(range(1000))


# ---- threads


def test_what_was_given_on_one_connection_does_not_come_on_another(engine):
    with BlockingClient(engine.unix, password=engine.password, timeout=20) as client:
        for number in range(3):
            ask(engine, number)
        assert numbers(client.control_poll("sim")) == [0, 1, 2]
        with client._pool.claim_first(), ThreadPoolExecutor(1) as thread:
            thread.submit(client.tensor_exists, "t").result()
        assert len(client._pool._members) == 2
        assert client.control_poll("sim") == []
        assert client._pool.first.is_free
