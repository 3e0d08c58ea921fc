"""An asyncio client that nobody has any more: its sockets go with it, and a ResourceWarning says who forgot to close it."""

import asyncio
import gc
import os
import threading
import warnings
import weakref

import numpy as np
import pytest

from ssasync.cyclient import Client
from tests.cyclient.conftest import open_sockets
from tests.cyclient.faces import LOOPS

X = np.ones(3)


@pytest.fixture(params=LOOPS)
def runner(request):
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
        yield runner


async def used_client(engine) -> Client:
    client = Client(engine.unix, password=engine.password)
    await client.put_tensor("t", X)
    return client


def test_dropped_clients_leave_no_socket_in_a_loop_that_goes_on(engine, runner):
    async def drop_many() -> None:
        before = open_sockets()
        for _ in range(20):
            client = await used_client(engine)
            with pytest.warns(ResourceWarning, match=f"unclosed client of {engine.unix}"):
                del client
            assert open_sockets() == before

    runner.run(drop_many())


def test_a_client_dropped_between_two_runs_of_its_loop_is_closed(engine, runner):
    before = open_sockets()
    client = runner.run(used_client(engine))
    with pytest.warns(ResourceWarning, match="unclosed client"):
        del client
    assert open_sockets() == before
    runner.run(asyncio.sleep(0))


def test_a_client_dropped_by_another_thread_is_closed_by_its_loop(engine, runner):
    async def drop_elsewhere() -> None:
        before = open_sockets()
        clients = [await used_client(engine)]
        gone = weakref.ref(clients[0])
        with pytest.warns(ResourceWarning, match="unclosed client"):
            await asyncio.to_thread(clients.clear)
        assert open_sockets() == before
        assert gone() is None

    runner.run(drop_elsewhere())


def test_a_client_in_a_cycle_is_closed_when_it_is_collected(engine, runner):
    async def drop() -> None:
        before = open_sockets()
        client = await used_client(engine)
        client.myself = client
        del client
        with pytest.warns(ResourceWarning, match="unclosed client"):
            gc.collect()
        assert open_sockets() == before

    runner.run(drop())


def test_what_is_under_way_keeps_its_client(engine, runner):
    async def drop_while_waiting() -> None:
        client = await used_client(engine)
        waiting = asyncio.create_task(client.wait_for_tensor("later", timeout=20))
        await client.ping()
        alive = weakref.ref(client)
        del client
        gc.collect()
        async with Client(engine.unix, password=engine.password) as other:
            await other.put_tensor("later", X)
        await waiting
        if (client := alive()) is not None:
            client.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # when it goes depends on the task, which has its frame
        runner.run(drop_while_waiting())
        gc.collect()


def test_a_closed_client_and_one_that_was_never_used_go_in_silence(engine, runner):
    async def drop_in_silence() -> None:
        client = await used_client(engine)
        client.close()
        del client
        Client(engine.unix, password=engine.password)
        gc.collect()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runner.run(drop_in_silence())


def test_a_client_dropped_in_a_forked_child_still_works_in_its_parent(engine, runner):
    client = runner.run(used_client(engine))
    pid = os.fork()
    if pid == 0:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            del client
        gc.collect()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0

    async def use_and_close() -> None:
        np.testing.assert_array_equal(await client.get_tensor("t"), X)
        client.close()

    runner.run(use_and_close())


def test_clients_dropped_by_many_threads_at_once(engine, runner):
    async def drop_all() -> None:
        before = open_sockets()
        clients = [await used_client(engine) for _ in range(40)]

        def drop() -> None:
            threads = [threading.Thread(target=clients.pop) for _ in clients]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        with pytest.warns(ResourceWarning):
            await asyncio.to_thread(drop)
        assert open_sockets() == before

    runner.run(drop_all())
