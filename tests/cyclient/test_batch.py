"""Batches: the caller's order, few round trips, errors that stay with their operation."""

import asyncio
import signal
import time

import numpy as np
import pytest

from ssasync.cyclient import (
    BadInput,
    Cancelled,
    Client,
    Dataset,
    InvalidArgument,
    ModelError,
    ModelFailed,
    NotATensor,
    NotCarriedOut,
    StoreError,
    TensorMismatch,
    TensorNotFound,
    UnsupportedDtype,
)
from tests.cyclient.scripted_worker import Refused, ScriptedWorker, list_workers, worker_of_models

X = np.arange(6.0).reshape(2, 3)


def fails(*_):
    raise Refused("MODELFAILED", "division by zero")


@pytest.fixture
def runs(engine, tmp_path):
    """A worker with the models "double" and "fails"; the requests it saw."""
    with worker_of_models(engine, tmp_path, fails=fails) as seen:
        yield seen


@pytest.fixture
def batch(client):
    return client.batch()


def test_operations_are_carried_out_in_the_callers_order(face, client, batch):
    client.put_tensor("k", np.zeros(1))
    out = np.zeros(1)
    handles = [
        batch.get_tensor("k"),
        batch.put_tensor("k", np.ones(1)),
        batch.get_tensor("k"),
        batch.tensor_exists("k"),
        batch.delete_tensor("k"),
        batch.tensor_exists("k"),
        batch.put_tensor("k", np.full(1, 2)),
        batch.put_tensor("k", np.full(1, 3.0)),
        batch.unpack_tensor("k", out),
    ]
    assert len(batch) == 9
    face.execute(batch)
    values = [handle.value for handle in handles]
    assert values[0] == [0]
    assert values[2] == [1]
    assert (values[3], values[5]) == (True, False)
    assert values[8] is out
    assert out == [3]


def test_a_batch_is_one_round_trip(face, engine, client, batch):
    client.put_tensor("warm", X)
    for i in range(1000):
        batch.put_tensor(f"t{i}", np.full(100, i))
    gets = [batch.get_tensor(f"t{i}") for i in range(1000)]
    before = int(engine.redis.info("stats")["total_reads_processed"])
    face.execute(batch)
    assert int(engine.redis.info("stats")["total_reads_processed"]) - before < 200
    for i, get in enumerate(gets):
        np.testing.assert_array_equal(get.value, np.full(100, i))


def test_large_puts_and_gets_go_together(face, batch):
    large = np.arange(1 << 19, dtype="f8")
    for i in range(6):
        batch.put_tensor(f"t{i}", large + i)
    gets = [batch.get_tensor(f"t{i}") for i in range(6)]
    face.execute(batch)
    for i, get in enumerate(gets):
        np.testing.assert_array_equal(get.value, large + i)


def test_an_empty_batch_does_nothing(face, batch):
    face.execute(batch)
    assert len(batch) == 0


def test_a_handle_says_when_it_is_too_early(batch):
    handle = batch.put_tensor("k", X)
    with pytest.raises(InvalidArgument, match=r"value of put_tensor 'k' cannot be taken.*call execute\(\) first"):
        handle.value  # noqa: B018
    assert handle.error is None


def test_an_error_in_the_middle_is_that_of_its_operation_alone(face, client, batch):
    first = batch.put_tensor("a", X)
    missing = batch.get_tensor("missing")
    last = batch.get_tensor("a")
    with pytest.raises(TensorNotFound, match="'missing'"):
        face.execute(batch)
    assert first.value is None
    assert isinstance(missing.error, TensorNotFound)
    with pytest.raises(TensorNotFound):
        missing.value  # noqa: B018
    np.testing.assert_array_equal(last.value, X)


def test_several_errors_come_as_a_group(face, engine, client, batch):
    engine.redis.set("text", "text")
    client.put_tensor("x", X)
    handles = [
        batch.get_tensor("missing"),
        batch.get_tensor("text"),
        batch.unpack_tensor("x", np.zeros(3)),
        batch.put_tensor("ok", X),
    ]
    with pytest.raises(ExceptionGroup, match="3 operations of the batch failed") as failure:
        face.execute(batch)
    kinds = (TensorNotFound, NotATensor, TensorMismatch)
    assert tuple(type(error) for error in failure.value.exceptions) == kinds
    assert [type(handle.error) for handle in handles[:3]] == list(kinds)
    np.testing.assert_array_equal(client.get_tensor("ok"), X)


def test_arguments_are_checked_when_they_are_given(batch):
    with pytest.raises(InvalidArgument):
        batch.put_tensor("{k}", X)
    with pytest.raises(InvalidArgument):
        batch.get_tensor("")
    with pytest.raises(InvalidArgument):
        batch.run_model("", "a", "b")
    with pytest.raises(TypeError):
        batch.unpack_tensor("k", [1.0])
    assert len(batch) == 0


def test_a_lost_connection_is_told_by_every_handle(face, own_engine):
    client = face.open(own_engine.unix, password=own_engine.password)
    client.put_tensor("warm", X)
    own_engine.kill()
    batch = client.batch()
    handles = [batch.put_tensor(f"t{i}", X) for i in range(3)]
    with pytest.raises((ExceptionGroup, StoreError)):
        face.execute(batch, timeout=0.2)
    for handle in handles:
        with pytest.raises((StoreError, InvalidArgument)):
            handle.value  # noqa: B018


# ---- with models


def test_a_run_uses_the_bytes_that_the_batch_carries(face, engine, client, batch, runs):
    batch.put_tensor("x", X)
    run = batch.run_model("double", "x", "y")
    got = batch.get_tensor("y")
    face.execute(batch)
    assert run.value is None
    np.testing.assert_array_equal(got.value, 2 * X)
    np.testing.assert_array_equal(client.get_tensor("y"), 2 * X)
    np.testing.assert_array_equal(runs[0].inputs[0], X)


def test_infer_in_a_batch_gives_its_outputs(face, batch, runs):
    one = batch.infer("double", X)
    two = batch.infer("double", X, X + 1)
    face.execute(batch)
    np.testing.assert_array_equal(one.value, 2 * X)
    np.testing.assert_array_equal(two.value[1], 2 * X + 2)


def test_a_chain_of_runs_passes_outputs_on(face, client, batch, runs):
    batch.put_tensor("a", X)
    batch.run_model("double", "a", "b", keep=False)
    batch.run_model("double", ["b", "a"], ["c", "d"])
    got = batch.get_tensor("b")
    out = np.zeros_like(X)
    batch.unpack_tensor("b", out)
    face.execute(batch)
    np.testing.assert_array_equal(got.value, 2 * X)
    np.testing.assert_array_equal(out, 2 * X)
    np.testing.assert_array_equal(client.get_tensor("c"), 4 * X)
    np.testing.assert_array_equal(client.get_tensor("d"), 2 * X)
    assert not client.tensor_exists("b")


def test_an_unpack_of_an_output_that_does_not_fit_says_so(face, batch, runs):
    batch.put_tensor("x", X)
    batch.run_model("double", "x", "y")
    batch.unpack_tensor("y", np.zeros(5))
    with pytest.raises(TensorMismatch, match=r"or use get_tensor\.$"):
        face.execute(batch)


def test_what_touches_an_output_keeps_the_order(face, client, batch, runs):
    batch.put_tensor("x", X)
    batch.run_model("double", "x", "y")
    first = batch.get_tensor("y")
    batch.put_tensor("y", X + 5)
    second = batch.get_tensor("y")
    batch.run_model("double", "y", "z")
    batch.delete_tensor("y")
    gone = batch.tensor_exists("y")
    batch.run_model("double", "x", "y")
    third = batch.get_tensor("y")
    face.execute(batch)
    np.testing.assert_array_equal(first.value, 2 * X)
    np.testing.assert_array_equal(second.value, X + 5)
    assert gone.value is False
    np.testing.assert_array_equal(third.value, 2 * X)
    np.testing.assert_array_equal(client.get_tensor("z"), 2 * (X + 5))
    np.testing.assert_array_equal(client.get_tensor("y"), 2 * X)


def test_what_replaces_an_output_counts(face, client, batch, runs):
    client.put_tensor("q", X + 9)
    batch.put_tensor("x", X)
    batch.run_model("double", "x", ["y"])
    batch.run_model("double", "x", ["z"])
    batch.copy_tensor("q", "y")
    copied = batch.get_tensor("y")
    batch.run_model("double", "y", "w")
    batch.rename_tensor("z", "y")
    renamed = batch.get_tensor("y")
    gone = batch.get_tensor("z")
    with pytest.raises(TensorNotFound):
        face.execute(batch)
    np.testing.assert_array_equal(copied.value, X + 9)
    np.testing.assert_array_equal(client.get_tensor("w"), 2 * (X + 9))
    np.testing.assert_array_equal(renamed.value, 2 * X)
    assert isinstance(gone.error, TensorNotFound)


def test_a_dataset_that_replaces_an_output_counts(face, client, batch, runs):
    before, dataset = Dataset("d"), Dataset("d")
    before.add_tensor("u", X)
    client.put_dataset(before)
    dataset.add_tensor("u", X + 9)
    batch.put_tensor("x", X)
    batch.run_model("double", "x", "{d}.u")
    batch.put_dataset(dataset)
    batch.run_model("double", "{d}.u", "y")
    face.execute(batch)
    np.testing.assert_array_equal(client.get_tensor("y"), 2 * (X + 9))


def test_a_put_after_a_run_that_fetches_the_key_comes_later(face, client, batch, runs):
    client.put_tensor("x", X)
    batch.run_model("double", "x", "y")
    batch.put_tensor("x", X - 100)
    face.execute(batch)
    np.testing.assert_array_equal(client.get_tensor("y"), 2 * X)
    np.testing.assert_array_equal(client.get_tensor("x"), X - 100)


def test_a_run_after_a_delete_finds_the_key_gone(face, client, batch, runs):
    client.put_tensor("x", X)
    batch.put_tensor("x", X)
    batch.delete_tensor("x")
    run = batch.run_model("double", "x", "y")
    with pytest.raises(BadInput, match="input 'x' is not in the store"):
        face.execute(batch)
    assert isinstance(run.error, BadInput)


def test_nothing_is_stored_after_a_failure(face, client, batch, runs):
    batch.put_tensor("x", X)
    bad = batch.run_model("fails", "x", "z")
    good = batch.run_model("double", "x", "y")
    later = batch.run_model("double", "y", "w")
    got = batch.get_tensor("z")
    with pytest.raises(ModelFailed, match="division by zero"):
        face.execute(batch)
    assert isinstance(bad.error, ModelError)
    for handle in (good, later, got):
        with pytest.raises(
            NotCarriedOut, match=r"was not carried out: the batch ended before it, with: .*division by zero"
        ):
            handle.value  # noqa: B018
        assert isinstance(handle.error, NotCarriedOut)
    for name in "yzw":
        assert not client.tensor_exists(name)
    assert client.tensor_exists("x")


def test_a_put_that_fails_stops_what_follows(face, client, batch, runs):
    batch.put_tensor("x", X)
    batch.get_tensor("missing")
    batch.run_model("double", "x", "y")
    with pytest.raises(TensorNotFound):
        face.execute(batch)
    assert not client.tensor_exists("y")


def test_an_input_that_cannot_be_sent_is_told_at_once(face, batch, runs):
    for bad in (object(), None):
        with pytest.raises(UnsupportedDtype):
            batch.infer("m", np.array([bad]))
        with pytest.raises(UnsupportedDtype):
            batch.put_tensor("x", np.array([bad]))
    assert len(batch) == 0


async def test_runs_of_a_batch_go_out_together(engine, tmp_path):
    def script(worker):
        runs = [worker.run() for _ in range(3)]
        for run in runs[::-1]:
            worker.answer(run, 2 * run.inputs[0])
        worker.stall()

    with ScriptedWorker(tmp_path / "w", engine.password, script) as worker:
        list_workers(engine, worker)
        async with Client(engine.unix, password=engine.password, timeout=20) as client:
            batch = client.batch()
            handles = [batch.infer("m", X + i) for i in range(3)]
            await batch.execute()
        for i, handle in enumerate(handles):
            np.testing.assert_array_equal(handle.value, 2 * (X + i))


async def test_a_cancelled_batch_gives_the_arrays_back(own_engine, tmp_path):
    """Cancelled while a run is awaited: what was not sent of the puts is not read from the caller's arrays later."""
    with ScriptedWorker(tmp_path / "w", own_engine.password, lambda worker: worker.stall()) as worker:
        list_workers(own_engine, worker)
        async with Client(own_engine.unix, password=own_engine.password) as client:
            await client.put_tensor("warm", X)
            own_engine.signal(signal.SIGSTOP)
            batch = client.batch()
            arrays = [np.full(1 << 19, i, "f8") for i in range(4)]
            handle, *_ = [batch.put_tensor(f"t{i}", array) for i, array in enumerate(arrays)]
            batch.infer("m", X)
            executing = asyncio.create_task(batch.execute())
            await asyncio.wait([executing], timeout=0.05)
            with pytest.raises(InvalidArgument, match=r"there is none yet: wait until execute\(\) is over"):
                handle.value  # noqa: B018
            assert handle.error is None
            executing.cancel()
            await asyncio.wait([executing])
            with pytest.raises(
                Cancelled, match=r"put_tensor 't0' was cancelled .*may or may not have been carried out"
            ):
                handle.value  # noqa: B018
            assert isinstance(handle.error, Cancelled)
            assert not isinstance(handle.error, NotCarriedOut)
            for array in arrays:
                array[:] = -1
            own_engine.signal(signal.SIGCONT)
            for i in range(4):
                if await client.tensor_exists(f"t{i}"):
                    np.testing.assert_array_equal(await client.get_tensor(f"t{i}"), np.full(1 << 19, i))


def test_a_batch_can_be_late(face, own_engine):
    client = face.open(own_engine.unix, password=own_engine.password)
    client.put_tensor("warm", X)
    own_engine.signal(signal.SIGSTOP)
    batch = client.batch()
    handles = [batch.put_tensor("a", X), batch.get_tensor("a"), batch.unpack_tensor("a", np.zeros((2, 3)))]
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="execute 'batch': no answer"):
        face.execute(batch, timeout=0.05)
    assert time.monotonic() - started < 2
    for handle in handles:
        with pytest.raises(TimeoutError):
            handle.value  # noqa: B018
    own_engine.signal(signal.SIGCONT)
    assert client.tensor_exists("warm")
