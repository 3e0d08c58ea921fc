"""To whom a client belongs, and what interrupts it."""

import asyncio
import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest

from ssasync.cyclient import Client, ForkedClient, WrongLoop
from ssasync.cyclient.blocking import Client as BlockingClient
from tests.cyclient.scripted_worker import ScriptedWorker, list_workers

X = np.ones(3)


async def test_another_loop_is_told_at_the_first_call(engine):
    async with Client(engine.unix, password=engine.password) as client:
        await client.put_tensor("t", X)

        def elsewhere():
            for operation in (client.get_tensor, client.wait_for_tensor, client.infer, client.model_exists):
                with pytest.raises(WrongLoop, match="belongs to another event loop: open one client in each loop"):
                    asyncio.run(operation("t"))

        await asyncio.to_thread(elsewhere)
        np.testing.assert_array_equal(await client.get_tensor("t"), X)


def in_fork(function) -> None:
    """Run it in a forked child; what it raises there is raised here."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def child() -> None:
        try:
            function()
            sender.send(None)
        except BaseException as error:  # noqa: BLE001 - sent to the parent
            sender.send(repr(error))

    process = context.Process(target=child)
    process.start()
    sender.close()
    try:
        assert receiver.poll(20)
        assert receiver.recv() is None
    finally:
        process.join(20)
        process.close()
        receiver.close()


def test_a_forked_child_is_told_and_leaves_the_connection_alone(face, engine):
    client = face.open(engine.unix, password=engine.password)
    client.put_tensor("t", X)

    def child():
        try:
            client.get_tensor("t")
        except (ForkedClient, RuntimeError) as error:
            assert f"opened in process {os.getppid()}, before a fork" in str(error)  # noqa: PT017
        else:
            raise AssertionError("a forked client worked")
        client.close()

    in_fork(child)
    np.testing.assert_array_equal(client.get_tensor("t"), X)
    assert engine.redis.info("clients")["connected_clients"] >= 2


def interrupted(operation) -> float:
    """Seconds from SIGINT to KeyboardInterrupt."""
    sent = []

    def interrupt() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.1, interrupt)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            operation()
        return time.monotonic() - sent[0]
    finally:
        timer.join()


BLOCKED = {
    "wait": lambda client: client.wait_for_tensor("never"),
    "put": lambda client: client.put_tensor("t", np.ones(1 << 21)),
    "get": lambda client: client.get_tensor("t"),
    "unpack": lambda client: client.unpack_tensor("t", np.zeros(3)),
    "exists": lambda client: client.tensor_exists("t"),
}


@pytest.mark.parametrize("operation", BLOCKED)
def test_ctrl_c_ends_a_blocking_operation_and_the_client_still_works(own_engine, operation):
    with BlockingClient(own_engine.unix, password=own_engine.password, timeout=30) as client:
        client.put_tensor("t", X)
        if operation != "wait":
            own_engine.signal(signal.SIGSTOP)
        assert interrupted(lambda: BLOCKED[operation](client)) < 1
        own_engine.signal(signal.SIGCONT)
        client.put_tensor("u", 2 * X)
        np.testing.assert_array_equal(client.get_tensor("u"), 2 * X)


def test_ctrl_c_ends_a_blocking_batch_and_gives_the_arrays_back(own_engine):
    with BlockingClient(own_engine.unix, password=own_engine.password, timeout=30) as client:
        client.put_tensor("warm", X)
        own_engine.signal(signal.SIGSTOP)
        arrays = [np.full(1 << 19, i, "f8") for i in range(4)]
        batch = client.batch()
        for i, array in enumerate(arrays):
            batch.put_tensor(f"t{i}", array)
        assert interrupted(batch.execute) < 1
        for array in arrays:
            array[:] = -1
        own_engine.signal(signal.SIGCONT)
        for i in range(4):
            if client.tensor_exists(f"t{i}"):
                np.testing.assert_array_equal(client.get_tensor(f"t{i}"), np.full(1 << 19, i))


def test_ctrl_c_ends_a_blocking_inference(own_engine, tmp_path):
    def script(worker):
        run = worker.run()
        while run.id < 2:
            worker.alive(run)
            time.sleep(0.05)
            if worker.poll():
                run = worker.run()
        worker.answer(run, X)
        worker.stall()

    with (
        ScriptedWorker(tmp_path / "w", own_engine.password, script) as worker,
        BlockingClient(own_engine.unix, password=own_engine.password, timeout=30) as client,
    ):
        list_workers(own_engine, worker)
        assert interrupted(lambda: client.infer("m", X)) < 1
        np.testing.assert_array_equal(client.infer("m", X), X)


def test_threads_may_share_a_blocking_client(engine):
    failures = []

    def use(number: int) -> None:
        try:
            for i in range(50):
                client.put_tensor(f"{number}", np.full(1000, number + i))
                np.testing.assert_array_equal(client.get_tensor(f"{number}"), np.full(1000, number + i))
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    with BlockingClient(engine.unix, password=engine.password) as client:
        threads = [threading.Thread(target=use, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert not failures


async def test_many_tasks_share_a_client(engine):
    async with Client(engine.unix, password=engine.password) as client:

        async def use(number: int) -> None:
            for i in range(20):
                size = (10, 1000, 20_000)[i % 3]
                await client.put_tensor(f"{number}", np.full(size, number + i))
                np.testing.assert_array_equal(await client.get_tensor(f"{number}"), np.full(size, number + i))

        await asyncio.gather(*(use(i) for i in range(64)))


def test_a_client_closed_after_its_loop_leaves_nothing(engine):
    async def open_client() -> Client:
        client = Client(engine.unix, password=engine.password)
        await client.put_tensor("t", X)
        return client

    asyncio.run(open_client()).close()


@pytest.fixture
def over_unix(engine):
    """How many connections came over the unix socket since."""

    def ids():
        return {peer["id"] for peer in engine.redis.client_list() if peer["addr"].endswith(":0")}

    before = ids()
    return lambda: len(ids() - before)


def test_counters_are_those_of_all_connections(engine, over_unix):
    with BlockingClient(engine.unix, password=engine.password, timeout=20) as client:
        client.put_tensor("warm", X)
        waiting = threading.Thread(target=client.wait_for_tensor, args=("t",))
        waiting.start()
        while over_unix() < 2:  # one of the two goes another way as long as the other is in use
            client.put_tensor("u", X)
        client.put_tensor("t", X)
        waiting.join(20)
        counted = client.statistics()
        assert counted["connections"] == 2
        assert counted["requests"] >= 4


async def test_what_many_tasks_ask_for_leaves_in_few_writes(engine):
    """Their answers come together, so what they ask for next leaves together too."""
    async with Client(engine.unix, password=engine.password, timeout=20) as client:

        async def work(name):
            for _ in range(20):
                await client.put_tensor(name, X)
                await client.get_tensor(name)

        await client.put_tensor("warm", X)
        before = engine.redis.info("stats")["total_reads_processed"]
        await asyncio.gather(*(work(f"t{i}") for i in range(64)))
        reads = engine.redis.info("stats")["total_reads_processed"] - before
    assert reads < 64 * 40 / 4
