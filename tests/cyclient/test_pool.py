"""Threads that share the connections of a blocking client: their number, who waits for whom, Ctrl-C at any moment."""

import contextlib
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ssasync.blocking import Client
from ssasync.cyclient import NoWorker, OperationTimeout, WaitTimeout
from ssasync.cyclient.pool import Pool
from tests.cyclient.test_futures import in_thread, stopped, until

X = np.arange(12.0)


@pytest.fixture
def client(engine):
    with Client(engine.unix, password=engine.password, timeout=20) as client:
        yield client


# ---- as many as there are


def test_a_thread_waits_for_a_connection_no_longer_than_its_deadline(client, engine, monkeypatch):
    monkeypatch.setattr(Pool, "MOST_MEMBERS", 2)
    client.put_tensor("warm", X)
    with ThreadPoolExecutor(2) as threads, stopped(engine):
        puts = [threads.submit(client.put_tensor, f"t{i}", X) for i in range(2)]
        until(lambda: [member.is_free for member in client._pool._members] == [False, False])
        started = time.monotonic()
        with pytest.raises(OperationTimeout, match=r"within 0\.2 s: other threads use all 2 of this client"):
            client.tensor_exists("t", timeout=0.2)
        assert 0.2 <= time.monotonic() - started < 10
        engine.signal(signal.SIGCONT)
        for put in puts:
            put.result()


def test_the_wait_for_a_connection_is_part_of_the_deadline(client, monkeypatch):
    monkeypatch.setattr(Pool, "MOST_MEMBERS", 1)

    def infer(seconds):
        with pytest.raises(NoWorker):
            client.infer("m", X, timeout=seconds)

    with in_thread(lambda: infer(1.0)):
        until(lambda: not client._pool.first.is_free)
        started = time.monotonic()
        infer(1.2)
        assert 1.2 <= time.monotonic() - started < 2.0


# ---- waiting side by side


def test_threads_that_wait_share_one_connection_and_keep_nobody_out(client):
    """More of them than the client has connections."""
    count = 3 * Pool.MOST_MEMBERS // 2
    with ThreadPoolExecutor(count) as threads:
        waits = [threads.submit(client.wait_for_tensor, f"t{i}") for i in range(count)]
        poll = threads.submit(client.poll_tensor, "polled", 1000, 20)
        until(lambda: client.statistics()["requests"] >= count)
        started = time.monotonic()
        for i in range(count):
            client.put_tensor(f"t{i}", X)
            waits[i].result()
        client.put_tensor("polled", X)
        assert poll.result()
        assert time.monotonic() - started < 10
    assert client.statistics()["connections"] <= 4


def test_waits_of_many_threads_end_at_their_own_deadlines(client):
    def wait():
        started = time.monotonic()
        with pytest.raises(WaitTimeout):
            client.wait_for_tensor("never", timeout=0.5)
        return time.monotonic() - started

    count = 2 * Pool.MOST_MEMBERS
    with ThreadPoolExecutor(count) as threads:
        for wait_ in [threads.submit(wait) for _ in range(count)]:
            assert 0.5 <= wait_.result() < 5


def test_a_further_connection_is_told_what_was_set_last_and_nothing_before(client, engine):
    told = []
    with Client(engine.unix, password=engine.password, read_prefixes="a,b", write_prefix="w", timeout=20) as reader:
        for i in range(3):
            reader._pool.configure("told", lambda engine, i=i: told.append(i))
            for name in ("a", "b"):
                reader.set_data_source(name)
                reader.use_dataset_ensemble_prefix(name == "a")
                reader.use_tensor_ensemble_prefix(name == "b")
        client.put_tensor("b.t", X)
        with in_thread(lambda: reader.wait_for_tensor("end")):
            until(lambda: reader.statistics()["requests"] == 1)
            assert reader.tensor_exists("t")
            assert not reader.dataset_exists("t")
            assert len(reader._pool._members) == 2
            assert told == [0, 1, 2, 2]
            client.put_tensor("b.end", X)


def test_a_wait_does_not_overtake_what_was_started(client, engine):
    client.put_tensor("warm", X)
    with stopped(engine):
        future = client.start_put_tensor("t", X)
        with pytest.raises(OperationTimeout):
            client.wait_for_tensor("t", timeout=0.05)
        assert not future.test()
    client.wait_for_tensor("t")
    assert future.result() is None


def test_the_handler_of_a_signal_may_use_the_client_that_it_interrupts(client):
    def use(*_):
        future = client.start_put_tensor("started", X)
        batch = client.batch()
        batch.put_tensor("t", X)
        batch.execute()
        client.wait_for_tensor("t")
        future.result()
        client.put_tensor("late", X)

    before = signal.signal(signal.SIGALRM, use)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        client.wait_for_tensor("late")
    finally:
        signal.signal(signal.SIGALRM, before)
    np.testing.assert_array_equal(client.get_tensor("started"), X)


# ---- Ctrl-C


def test_ctrl_c_at_any_moment_takes_no_connection_away(client, engine, interruptions):
    """Each operation beside another thread, which waits for the same connections: who steps back is interrupted too."""
    kept = []

    def batch():
        batch = client.batch()
        batch.put_tensor("b", X)
        batch.execute()

    def future():
        kept.append(client.start_put_tensor("f", X))  # dropped later: what an interrupt raises in __del__ is lost
        kept[-1].wait()

    def wait():
        client.wait_for_tensor("never", timeout=0.0005)

    def beside():
        with contextlib.suppress(WaitTimeout):
            client.wait_for_tensor("last", timeout=20)

    operations = (lambda: client.put_tensor("t", X), lambda: client.get_tensor("t"), batch, future, wait)
    client.put_tensor("t", X)
    with in_thread(beside):
        for _ in range(400):
            for operation in operations:
                with contextlib.suppress(WaitTimeout):
                    interruptions.during(operation)
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert interruptions.count > 100
        with in_thread(lambda: [operation() for operation in operations[:4]]):  # of a thread that was not interrupted
            pass
        assert client._pool.first.engine.put_off == 0
        client.put_tensor("last", X)
    kept.clear()
    assert all(member.is_free and not member.is_overdue for member in client._pool._members)
    assert len(client._pool._members) <= 3
