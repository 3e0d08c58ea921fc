"""Memory of large tensors: a client keeps it for the next one of its size, and never shares it with one that lives.

Which blocks are kept, and that tensors outlive their client in any thread: c/test_tensor_memory.c.
"""

import threading

import numpy as np
import pytest

from ssasync.cyclient import TensorNotFound, _core
from ssasync.cyclient.blocking import Client as BlockingClient

ELEMENTS = 1 << 20
FIELD = np.arange(ELEMENTS, dtype=np.float64)
#: What gets of a small tensor ask for besides the elements: commands and replies.
BESIDES = 1 << 16


@pytest.fixture(autouse=True)
def counted():
    yield
    _core.stop_counting_allocations()


def allocated_by(operation) -> int:
    """Bytes that the core asked for."""
    _core.fail_allocation(-1)
    operation()
    return _core.allocated_bytes()


@pytest.fixture
def other_client(face, engine):
    return face.open(engine.unix, password=engine.password, timeout=20)


def test_a_large_tensor_takes_the_memory_of_the_one_before(client):
    client.put_tensor("t", FIELD)
    assert allocated_by(lambda: client.get_tensor("t")) >= FIELD.nbytes
    for _ in range(20):
        assert allocated_by(lambda: client.get_tensor("t")) < BESIDES


def test_clients_keep_memory_for_themselves(client, other_client):
    client.put_tensor("t", FIELD)
    client.get_tensor("t")
    assert allocated_by(lambda: other_client.get_tensor("t")) >= FIELD.nbytes


def test_tensors_that_live_have_memory_of_their_own(client):
    client.put_tensor("t", FIELD)
    tensors = [client.get_tensor("t") for _ in range(6)]
    for number, tensor in enumerate(tensors):
        tensor[:] = number
    del tensors[::2], tensor
    more = [client.get_tensor("t") for _ in range(4)]
    for number, tensor in enumerate(tensors):
        assert (tensor == 2 * number + 1).all()
    assert all((tensor == FIELD).all() for tensor in more)


def test_a_view_holds_the_memory_of_its_tensor(client):
    client.put_tensor("t", FIELD)
    view = client.get_tensor("t")[ELEMENTS // 2 :]
    client.get_tensor("t")[:] = -1
    client.get_tensor("t")[:] = -1
    np.testing.assert_array_equal(view, FIELD[ELEMENTS // 2 :])


def test_tensors_outlive_their_client(client):
    client.put_tensor("t", FIELD)
    first, second = client.get_tensor("t"), client.get_tensor("t")
    client.close()
    del first
    np.testing.assert_array_equal(second, FIELD)


def test_much_smaller_tensors_do_not_take_large_memory(client):
    half = np.zeros(ELEMENTS // 2 + 512)
    client.put_tensor("t", FIELD)
    client.put_tensor("half", half)
    client.get_tensor("t")
    assert allocated_by(lambda: client.get_tensor("half")) >= half.nbytes


def test_what_is_kept_is_bounded(client):
    for mebibytes in (40, 50, 60):
        client.put_tensor(str(mebibytes), np.zeros(mebibytes << 17))
    for mebibytes in (40, 50, 60):
        client.get_tensor(str(mebibytes))
    assert allocated_by(lambda: client.get_tensor("40")) >= 40 << 20, "150 MiB were kept"


def test_nothing_is_kept_where_the_environment_says_so(face, engine, monkeypatch):
    monkeypatch.setenv("SSA_KEEP_BYTES", "0")
    client = face.open(engine.unix, password=engine.password, timeout=20)
    client.put_tensor("t", FIELD)
    for _ in range(3):
        assert allocated_by(lambda: client.get_tensor("t")) >= FIELD.nbytes


def test_threads_may_free_and_take_at_once(engine):
    """Each thread frees what others got."""
    wrong: list[int] = []
    given: list[np.ndarray] = []

    def work(client: BlockingClient, number: int) -> None:
        for _ in range(20):
            tensor = client.get_tensor("t", timeout=60)
            tensor += number
            if tensor[0] != number or tensor[-1] != number + ELEMENTS - 1:
                wrong.append(number)
            given.append(tensor)
            del tensor
            if len(given) > 4:
                given.pop(0)

    with BlockingClient(engine.unix, password=engine.password) as client:
        client.put_tensor("t", FIELD)
        threads = [threading.Thread(target=work, args=(client, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert not wrong
    assert given
    assert not any(thread.is_alive() for thread in threads)


def test_what_operations_need_again_and_again_is_kept(face, engine):
    """Values stay each other's, whatever the requests had that went before: short after long, a failure between, batches."""
    client = face.open(engine.unix, password=engine.password, timeout=20)
    for turn in range(30):
        sizes = [1 + (turn * 7 + place * place) % 900 for place in range(150)]
        batch = client.batch()
        for place, size in enumerate(sizes):
            batch.put_tensor(f"recycled_{place}" + "n" * (turn % 5 * 100), np.full(size, turn * 1000.0 + place))
        face.execute(batch)
        with pytest.raises(TensorNotFound, match="'recycled_none'"):
            client.get_tensor("recycled_none")
        batch = client.batch()
        values = [batch.get_tensor(f"recycled_{place}" + "n" * (turn % 5 * 100)) for place in range(len(sizes))]
        face.execute(batch)
        for place, size in enumerate(sizes):
            np.testing.assert_array_equal(values[place].value, np.full(size, turn * 1000.0 + place))
