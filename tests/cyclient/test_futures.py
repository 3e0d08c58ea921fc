"""Operations of the blocking client that go on while the program computes, alone and beside other threads."""

import os
import signal
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

from ssasync.blocking import Client, wait_any
from ssasync.cyclient import (
    Cancelled,
    Disconnected,
    ForkedClient,
    InvalidArgument,
    OperationTimeout,
    TensorNotFound,
    UnsupportedDtype,
)
from tests.cyclient.scripted_worker import ScriptedWorker, list_workers
from tests.cyclient.test_client import in_fork, interrupted

X = np.arange(12.0).reshape(3, 4)
POISON = -1.0


@pytest.fixture
def client(engine):
    with Client(engine.unix, password=engine.password, timeout=20) as client:
        yield client


@contextmanager
def stopped(engine):
    """The engine does nothing meanwhile."""
    engine.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        engine.signal(signal.SIGCONT)


@contextmanager
def in_thread(function):
    """Runs beside the test; what it raises is raised at the end."""
    failures = []

    def run():
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(30)
        assert not thread.is_alive()
    if failures:
        raise failures[0]


def until(fact, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.001)


# ---- what they are


def test_they_give_what_the_operations_give(client):
    assert client.start_put_tensor("t", X).result() is None
    np.testing.assert_array_equal(client.start_get_tensor("t").result(), X)
    out = np.empty((3, 4), order="F")
    assert client.start_unpack_tensor("t", out).result() is out
    np.testing.assert_array_equal(out, X)
    strided = np.zeros((3, 8))[:, ::2]
    assert client.start_unpack_tensor("t", strided).result() is strided
    np.testing.assert_array_equal(strided, X)


def test_they_go_on_when_they_are_tested(client):
    future = client.start_put_tensor("t", X)
    until(future.test)
    assert future.test()
    assert future.wait(0)
    assert future.error is None
    assert client.tensor_exists("t")


def test_models_are_run_meanwhile(engine, tmp_path):
    answer = threading.Event()

    def script(worker):
        for _ in range(3):
            run = worker.run()
            while not answer.wait(0.05):
                worker.alive(run)
            worker.answer(run, 2 * X)
        worker.stall()

    with (
        ScriptedWorker(tmp_path / "w", engine.password, script) as worker,
        Client(engine.unix, password=engine.password, timeout=20) as client,
    ):
        list_workers(engine, worker)
        y = client.start_infer("m", X)
        assert not y.test()
        run = client.start_run_model("m", "x", "y")
        scripted = client.start_run_script("m", "f", "x", "z")
        client.put_tensor("unrelated", X)
        assert not y.wait(0.01)
        assert y.error is None
        answer.set()
        np.testing.assert_array_equal(y.result(), 2 * X)
        for done, name in ((run, "y"), (scripted, "z")):
            assert done.result() is None
            np.testing.assert_array_equal(client.get_tensor(name), 2 * X)


def test_a_batch_is_carried_out_meanwhile(client):
    batch = client.batch()
    batch.put_tensor("t", X)
    handle = batch.get_tensor("t")
    future = client.start_batch(batch)
    assert future.result() is None
    assert future.error is None
    np.testing.assert_array_equal(handle.value, X)
    with pytest.raises(InvalidArgument, match="executed twice"):
        client.start_batch(batch)
    assert client.start_batch(client.batch()).result() is None


def test_handles_have_their_values_when_the_future_is_found_done(client):
    batch = client.batch()
    batch.put_tensor("t", X)
    there, missing = batch.get_tensor("t"), batch.get_tensor("missing")
    future = client.start_batch(batch)
    until(future.test)
    np.testing.assert_array_equal(there.value, X)
    assert isinstance(missing.error, TensorNotFound)
    assert isinstance(future.error, TensorNotFound)
    with pytest.raises(TensorNotFound):
        future.result()


def test_a_batch_of_another_client_is_refused(client, engine):
    with Client(engine.unix, password=engine.password) as other:
        batch = other.batch()
        with pytest.raises(InvalidArgument, match="of another client"):
            client.start_batch(batch)


def test_mistakes_are_told_at_once_and_failures_by_the_future(client):
    with pytest.raises(UnsupportedDtype):
        client.start_put_tensor("t", np.array([object()]))
    with pytest.raises(InvalidArgument):
        client.start_get_tensor("t", timeout=float("nan"))
    with pytest.raises(InvalidArgument):
        client.start_get_tensor("t").wait(float("nan"))
    future = client.start_get_tensor("missing")
    assert future.wait()
    assert isinstance(future.error, TensorNotFound)
    with pytest.raises(TensorNotFound, match="'missing'"):
        future.result()


def test_wait_any_tells_the_first_that_is_done(client, engine):
    with stopped(engine):
        futures = [client.start_put_tensor(f"t{i}", np.full(10, i)) for i in range(5)]
        assert wait_any(futures, 0.01) is None
    left = [None, *futures]
    seen = set()
    while any(left):
        place = wait_any(left)
        assert place is not None
        assert left[place].test()
        seen.add(place)
        left[place] = None
    assert seen == {1, 2, 3, 4, 5}
    with Client(engine.unix, password=engine.password) as other:
        for wrong in ([], [None], [futures[0], other.start_get_tensor("t0")]):
            with pytest.raises(InvalidArgument, match="at least one, and all of one client"):
                wait_any(wrong)


def test_a_deadline_counts_from_the_start(client, engine):
    client.put_tensor("t", X)
    with stopped(engine):
        future = client.start_put_tensor("t", X, timeout=0.05)
        assert future.error is None
        started = time.monotonic()
        assert future.wait()
        assert time.monotonic() - started < 2
        with pytest.raises(OperationTimeout):
            future.result()


# ---- the caller's memory


@pytest.mark.parametrize("how", ["cancelled", "dropped", "dropped while another thread waits"])
def test_the_array_is_given_back(client, engine, how):
    client.put_tensor("warm", X)
    array = np.full(1 << 19, 7.0)  # more than a socket takes at once
    with stopped(engine):
        future = client.start_put_tensor("t", array)
        if how == "cancelled":
            future.cancel()
            assert future.test()
            assert isinstance(future.error, Cancelled)
            with pytest.raises(Cancelled, match="cancelled"):
                future.result()
            future.cancel()
        elif how == "dropped":
            del future
        else:
            with in_thread(lambda: client.put_tensor("beside", X)):
                until(lambda: not client._pool.first.is_free)
                del future
                until(lambda: not client._pool.first.engine.put_off)
                array[:] = POISON
                engine.signal(signal.SIGCONT)
        array[:] = POISON
    if client.tensor_exists("t"):
        np.testing.assert_array_equal(client.get_tensor("t"), np.full(1 << 19, 7.0))


def test_a_cancelled_batch_gives_its_arrays_back(client, engine):
    client.put_tensor("warm", X)
    array = np.full(1 << 19, 7.0)
    with stopped(engine):
        batch = client.batch()
        batch.put_tensor("t", array)
        handle = batch.get_tensor("t")
        future = client.start_batch(batch)
        assert not future.test()
        future.cancel()
        array[:] = POISON
    assert isinstance(handle.error, Cancelled)
    with pytest.raises(Cancelled, match="the batch was cancelled"):
        future.result()
    if client.tensor_exists("t"):
        np.testing.assert_array_equal(client.get_tensor("t"), np.full(1 << 19, 7.0))


def test_an_unpack_that_was_given_up_writes_no_more(client, engine):
    client.put_tensor("t", np.full(1 << 19, 7.0))
    out = np.zeros(1 << 19)
    with stopped(engine):
        future = client.start_unpack_tensor("t", out)
        future.cancel()
        out[:] = POISON
    client.put_tensor("after", X)
    assert (out == POISON).all()


def test_ctrl_c_ends_the_wait_and_not_the_operation(own_engine):
    with Client(own_engine.unix, password=own_engine.password, timeout=20) as client:
        client.put_tensor("warm", X)
        with stopped(own_engine):
            future = client.start_put_tensor("t", X)
            assert interrupted(future.wait) < 1
            assert interrupted(lambda: wait_any([future])) < 1
            assert not future.test()
        assert future.result() is None
        np.testing.assert_array_equal(client.get_tensor("t"), X)


# ---- beside other threads


def test_nothing_overtakes_what_was_started(client, engine):
    for i in range(20):
        with stopped(engine):
            client.start_put_tensor("warm", X)  # dropped: cancelled at once, and still in its place
            future = client.start_put_tensor("t", np.full(10, i))
            before = threading.Barrier(2)

            def later(before=before, i=i):
                before.wait(10)
                client.put_tensor("t", np.full(10, i + 0.5))

            thread = threading.Thread(target=later)
            thread.start()
            before.wait(10)
            assert not future.wait(0.002)
        thread.join(20)
        assert future.wait(10)
        np.testing.assert_array_equal(client.get_tensor("t"), np.full(10, i + 0.5))


def test_who_waits_for_a_future_keeps_nobody_out(engine, tmp_path):
    answer = threading.Event()

    def script(worker):
        run = worker.run()
        while not answer.wait(0.1):
            worker.alive(run)
        worker.answer(run, X)
        worker.stall()

    with (
        ScriptedWorker(tmp_path / "w", engine.password, script) as worker,
        Client(engine.unix, password=engine.password, timeout=30) as client,
    ):
        list_workers(engine, worker)
        future = client.start_infer("m", X)
        with in_thread(future.wait):
            took = []
            for i in range(200):
                started = time.monotonic()
                client.put_tensor("t", np.full(10, i))
                batch = client.batch()
                handle = batch.get_tensor("t")
                batch.execute()
                took.append(time.monotonic() - started)
                assert handle.value[0] == i
            assert not future.test()
            answer.set()
        assert sorted(took)[100] < 0.05  # and not the 0.2 s between two looks for a signal
        np.testing.assert_array_equal(future.result(), X)


def test_who_waits_in_an_operation_keeps_nobody_out(client):
    with in_thread(lambda: client.wait_for_tensor("late")):
        until(lambda: not client._pool.first.is_free)
        for i in range(50):
            batch = client.batch()
            batch.put_tensor("t", np.full(3, i))
            batch.execute()
            assert client.start_get_tensor("t").result()[0] == i
        client.put_tensor("late", X)


def test_threads_wait_for_futures_of_their_own_side_by_side(client):
    def use(number):
        for i in range(40):
            futures = [client.start_put_tensor(f"{number}.{k}", np.full(100, i + k)) for k in range(5)]
            left = list(futures)
            while any(left):
                left[wait_any(left)] = None
            assert client.start_get_tensor(f"{number}.4").result()[0] == i + 4

    with in_thread(lambda: use(1)), in_thread(lambda: use(2)), in_thread(lambda: use(3)):
        use(4)


# ---- the end of the client


def test_closing_ends_them_and_who_waits(engine):
    client = Client(engine.unix, password=engine.password, timeout=20)
    client.put_tensor("warm", X)
    with stopped(engine):
        future, other = client.start_put_tensor("t", X), client.start_get_tensor("t")
        with in_thread(lambda: future.wait(10)) as thread:
            until(lambda: not client._pool.first.is_free)
            client.close()
            thread.join(5)
            assert not thread.is_alive()
    for ended in (future, other):
        assert ended.test()
        with pytest.raises(Disconnected, match="closed"):
            ended.result()
    with pytest.raises(Disconnected, match="closed"):
        client.start_get_tensor("t").result()
    client.close()


def test_the_handler_of_a_signal_may_close_what_is_waited_for(engine):
    client = Client(engine.unix, password=engine.password, timeout=20)
    client.put_tensor("warm", X)

    def send_signal():
        until(lambda: not client._pool.first.is_free)
        os.kill(os.getpid(), signal.SIGUSR1)

    earlier = signal.signal(signal.SIGUSR1, lambda *_: client.close())
    try:
        with stopped(engine):
            futures = [client.start_get_tensor(name) for name in "tu"]
            begun = time.monotonic()
            with in_thread(send_signal):
                assert wait_any(futures, timeout=15) == 0
            assert time.monotonic() - begun < 10
    finally:
        signal.signal(signal.SIGUSR1, earlier)


def test_a_future_in_a_forked_child_is_refused(client, engine):
    done, future = client.start_put_tensor("t", X), None
    done.result()
    with stopped(engine):
        future = client.start_put_tensor("t", 2 * X)

        def child():
            assert done.test()
            assert done.result() is None
            calls = (future.test, future.wait, future.result, future.cancel, lambda: wait_any([future]))
            for call in (*calls, lambda: client.start_get_tensor("t"), client.batch):
                with pytest.raises(ForkedClient):
                    call()
            client.close()

        in_fork(child)
    assert future.result() is None
    np.testing.assert_array_equal(client.get_tensor("t"), 2 * X)


# ---- what is dropped while another thread is on the C side


def test_what_is_dropped_meanwhile_waits_for_the_thread_that_drives(client):
    pool = client._pool
    engine = pool.first.engine

    def drop_at_once(count=20):
        """Whether all of it was put off: the other thread looks up five times a second, and frees it."""
        with pool.claim_first():
            dropped = [engine.put_tensor("x", X) for _ in range(count)]
        batch = client.batch()
        batch.put_tensor("x", X)
        until(lambda: not pool.first.is_free)
        del batch, dropped
        return engine.put_off == count + 1

    with in_thread(lambda: client.wait_for_tensor("late")):
        until(lambda: not pool.first.is_free)
        until(drop_at_once)
        until(lambda: not engine.put_off)
        client.put_tensor("late", X)
    assert not engine.put_off
