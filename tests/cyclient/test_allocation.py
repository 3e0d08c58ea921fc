"""Memory: every allocation of the core failing in turn, and none that a large tensor does not need."""

import tracemalloc

import numpy as np
import pytest

from ssasync.cyclient import StoreError
from ssasync.cyclient._core import (
    allocated_bytes,
    decode_tensor,
    fail_allocation,
    refusals_left,
    stop_counting_allocations,
)
from tests.cyclient.scripted_worker import ScriptedWorker, doubles, list_workers
from tests.cyclient.wire_format import encode_tensor
from tests.model_archive import archive_of

SMALL = np.arange(6.0).reshape(2, 3)
LARGE = np.arange(1 << 16, dtype="f8").reshape(256, 256)
MODEL = archive_of(bytes(100_000))


@pytest.fixture(autouse=True)
def allocations_succeed_afterwards():
    yield
    stop_counting_allocations()


def batch_of_all(face, client):
    batch = client.batch()
    out = np.zeros_like(LARGE)
    batch.put_tensor("a", SMALL)
    batch.put_tensor("b", LARGE)
    handles = [
        batch.get_tensor("b"),
        batch.unpack_tensor("b", out),
        batch.tensor_exists("a"),
        batch.get_tensor("missing"),
    ]
    with pytest.raises(KeyError):
        face.execute(batch)
    np.testing.assert_array_equal(handles[0].value, LARGE)
    np.testing.assert_array_equal(out, LARGE)


OPERATIONS = {
    "put small": lambda face, client: client.put_tensor("t", SMALL),
    "put large": lambda face, client: client.put_tensor("t", LARGE),
    "get small": lambda face, client: np.testing.assert_array_equal(client.get_tensor("small"), SMALL),
    "get large": lambda face, client: np.testing.assert_array_equal(client.get_tensor("large"), LARGE),
    "unpack": lambda face, client: client.unpack_tensor("large", np.zeros_like(LARGE)),
    "unpack the other order": lambda face, client: client.unpack_tensor("large", np.zeros_like(LARGE, order="F")),
    "exists": lambda face, client: client.tensor_exists("small"),
    "wait": lambda face, client: client.wait_for_tensor("small"),
    "set_model": lambda face, client: client.set_model("m", MODEL, "TORCH"),
    "batch": batch_of_all,
    "infer": lambda face, client: np.testing.assert_array_equal(client.infer("m", LARGE, SMALL)[0], 2 * LARGE),
}


@pytest.fixture
def arranged(face, engine, tmp_path):
    """Something to read, and a worker."""
    client = face.open(engine.unix, password=engine.password, timeout=20)
    client.put_tensor("small", SMALL)
    client.put_tensor("large", LARGE)
    with ScriptedWorker(tmp_path / "w", engine.password, doubles) as worker:
        list_workers(engine, worker)
        yield client


def outcome_without_memory(operation) -> BaseException | None:
    """MemoryError, or what is left of a connection that could not go on; nothing else."""
    try:
        operation()
    except (MemoryError, StoreError) as error:
        return error
    except BaseExceptionGroup as errors:
        assert all(isinstance(error, (MemoryError, StoreError)) for error in errors.exceptions)  # noqa: PT017
        return errors
    finally:
        fail_allocation(-1)
    return None


def check_that_it_works(client, n):
    client.put_tensor("afterwards", SMALL * n, timeout=20)
    np.testing.assert_array_equal(client.get_tensor("afterwards", timeout=20), SMALL * n)
    np.testing.assert_array_equal(client.get_tensor("large", timeout=20), LARGE)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_any_one_allocation_may_fail(face, arranged, operation):
    OPERATIONS[operation](face, arranged)
    failures = 0
    for n in range(200):
        fail_allocation(n)
        refused = []

        def perform(refused=refused):
            try:
                OPERATIONS[operation](face, arranged)
            finally:
                refused.append(refusals_left() == 0)

        failures += outcome_without_memory(perform) is not None
        check_that_it_works(arranged, n)
        if refused == [False]:
            break
    else:
        raise AssertionError("there was no end of allocations")
    assert n > 1
    assert failures > 0


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_client_may_run_out_of_memory_while_it_connects(face, engine, arranged, operation):
    for n in range(8):
        client = face.open(engine.unix, password=engine.password, timeout=20)
        fail_allocation(n)
        outcome_without_memory(lambda client=client: OPERATIONS[operation](face, client))
        check_that_it_works(client, n)
        client.close()


@pytest.mark.parametrize("operation", ["put large", "get large", "unpack", "exists", "batch", "infer"])
def test_memory_may_stay_away(face, engine, arranged, operation):
    for n in range(0, 20, 3):
        client = face.open(engine.unix, password=engine.password, timeout=0.05)
        if n % 2:
            client.put_tensor("warm", SMALL, timeout=20)
        fail_allocation(n, refusals=1 << 40)
        outcome_without_memory(lambda client=client: OPERATIONS[operation](face, client))
        check_that_it_works(client, n)
        client.close()


def test_decoding_without_memory_is_a_memory_error():
    value = encode_tensor(LARGE)
    fail_allocation(0)
    with pytest.raises(MemoryError):
        decode_tensor(value)
    fail_allocation(-1)
    np.testing.assert_array_equal(decode_tensor(value), LARGE)


def allocated_by(operation) -> tuple[int, int]:
    """Bytes that the core asked for, and the most that Python and numpy held at a time."""
    tracemalloc.start()
    fail_allocation(-1)
    try:
        operation()
        return allocated_bytes(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("order", "mebibytes"), [("C", 256), ("F", 16)])
def test_large_arrays_are_put_and_unpacked_without_a_copy(face, engine, order, mebibytes):
    limit = 1 << 20
    array = np.ones((mebibytes, 1 << 17), "f8", order=order)
    out = np.zeros_like(array)
    assert array.nbytes == mebibytes << 20
    client = face.open(engine.unix, password=engine.password)
    client.put_tensor("warm", SMALL)
    assert max(allocated_by(lambda: client.put_tensor("t", array))) < limit
    assert max(allocated_by(lambda: client.unpack_tensor("t", out))) < limit
    assert (out == 1).all()
    core, python = allocated_by(lambda: client.get_tensor("t"))
    assert core < array.nbytes + limit  # nothing, where freed memory of that size was kept
    assert python < limit


def test_a_batch_makes_no_copies_either(face, engine):
    array, out = np.ones(1 << 21), np.zeros(1 << 21)
    client = face.open(engine.unix, password=engine.password)
    client.put_tensor("warm", SMALL)
    batch = client.batch()
    batch.put_tensor("t", array)
    batch.unpack_tensor("t", out)
    assert max(allocated_by(lambda: face.execute(batch))) < 1 << 20
    assert (out == 1).all()


def test_a_strided_array_is_copied_once(face, engine):
    array = np.ones((1 << 11, 1 << 11), "f8")[:, ::2]
    client = face.open(engine.unix, password=engine.password)
    client.put_tensor("warm", SMALL)
    core, python = allocated_by(lambda: client.put_tensor("t", array))
    assert core < 1 << 20
    assert array.nbytes <= python < array.nbytes + (1 << 20)


@pytest.mark.parametrize("operation", ["get small", "get large", "exists"])
def test_a_connection_that_broke_for_want_of_memory_is_replaced(face, engine, operation):
    """What only reads is asked again on the new one: nobody is told."""
    client = face.open(engine.unix, password=engine.password, timeout=20)
    client.put_tensor("small", SMALL)
    client.put_tensor("large", LARGE)
    replaced = 0
    for n in range(40):
        before = client.statistics()["connections"]
        fail_allocation(n)
        try:
            OPERATIONS[operation](face, client)
        except MemoryError:
            pass  # refused before it was sent
        else:
            replaced += client.statistics()["connections"] - before
        spared = refusals_left()
        fail_allocation(-1)
        check_that_it_works(client, n)
        if spared:
            break
    assert spared
    assert replaced > 0
