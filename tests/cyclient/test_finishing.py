"""A request that is dropped or cancelled while its result is made: by the collector of garbage, or by another thread."""

import asyncio
import ctypes
import gc
import sys
import threading

import pytest

from ssasync import blocking
from ssasync.cyclient import Client, TensorNotFound, errors

DEADLINE = 20.0


@pytest.fixture
def at_the_error(monkeypatch):
    """Sets what is run while the error of a request is being composed, once."""
    compose = errors.error_from_status
    actions = []

    def composed(*given):
        if actions:
            actions.pop()()
        return compose(*given)

    monkeypatch.setattr(errors, "error_from_status", composed)
    return actions.append


def references(request):
    """To a request that this name alone should hold. Too few are put right: the test fails, the process goes on."""
    count = sys.getrefcount(request) - 2  # the argument, and that of getrefcount
    for _ in range(1 - count):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(request))
    return count


def in_another_thread(action):
    def run():
        thread = threading.Thread(target=action)
        thread.start()
        thread.join(DEADLINE)

    return run


def start_get(client):
    return client.start_get_tensor("missing")


def start_batch(client):
    batch = client.batch()
    batch.get_tensor("missing")
    return client.start_batch(batch)


@pytest.mark.parametrize("start", [start_get, start_batch])
@pytest.mark.parametrize("dropped", ["collected", "by another thread"])
def test_a_future_that_is_dropped_while_it_is_finished(engine, at_the_error, start, dropped):
    with blocking.Client(engine.unix, password=engine.password, timeout=DEADLINE) as client:
        box = [start(client)]
        request = box[0]._request
        if dropped == "collected":
            box.append(box)
            del box
            at_the_error(gc.collect)
        else:
            at_the_error(in_another_thread(box.clear))
        client.ping()
        assert references(request) == 1
        assert request.done
        assert isinstance(request.error, errors.NotFound)


async def test_a_task_that_is_collected_while_its_request_is_finished(engine, at_the_error):
    async with Client(engine.unix, password=engine.password, timeout=DEADLINE) as client:
        request = client._core.get_tensor("missing")
        waiter = client._core.start(request)
        at_the_error(request.cancel)
        with pytest.raises(TensorNotFound):
            await waiter
        assert references(request) == 1
        await asyncio.sleep(0)
        assert await client.ping() == 1


def test_an_interrupt_is_that_of_who_waits_and_not_the_error_of_a_request(engine, at_the_error):
    def interrupt():
        raise KeyboardInterrupt

    with blocking.Client(engine.unix, password=engine.password, timeout=DEADLINE) as client:
        future = client.start_get_tensor("missing")
        at_the_error(interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.ping()
        assert isinstance(future.error, TensorNotFound)
        assert client.ping() == 1
