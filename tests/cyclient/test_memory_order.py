"""The order in which the elements of an array lie: as it was put, or as whoever gets it asks for."""

import numpy as np
import pytest

from ssasync.cyclient import Dataset, InvalidArgument, WrongType
from ssasync.cyclient.blocking import Client as BlockingClient

PUT = {
    "row-major": np.arange(24.0).reshape(2, 3, 4),
    "column-major": np.asfortranarray(np.arange(24, dtype="i4").reshape(4, 6)),
    "strided": np.arange(24.0).reshape(4, 6)[::2, ::3],
    "one dimension": np.arange(5.0),
    "a number": np.array(1.5),
    "empty": np.zeros((0, 3)),
    "strings": np.array([["a", "bc"], ["größer", ""], ["", "x"]]),
}


def lies(array, order):
    return array.flags.c_contiguous if order == "C" else array.flags.f_contiguous


def check(got, put, order):
    assert (got.dtype, got.shape) == (put.dtype, put.shape)
    np.testing.assert_array_equal(got, put)
    assert got.flags.writeable
    assert lies(got, order)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("put", PUT.values(), ids=PUT)
def test_a_tensor_comes_in_the_order_that_is_asked_for(client, face, put, order):
    client.put_tensor("t", put)
    check(client.get_tensor("t", order=order), put, order)
    batch = client.batch()
    handle = batch.get_tensor("t", order=order)
    face.execute(batch)
    check(handle.value, put, order)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_future_gives_the_order_that_was_asked_for(engine, order):
    with BlockingClient(engine.unix, password=engine.password) as client:
        client.put_tensor("t", PUT["row-major"])
        check(client.start_get_tensor("t", order=order).result(), PUT["row-major"], order)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("put", PUT.values(), ids=PUT)
def test_a_dataset_gives_a_copy_only_in_another_order(client, put, order):
    dataset = Dataset("ds")
    dataset.add_tensor("t", put)
    client.put_dataset(dataset)
    for each in (dataset, client.get_dataset("ds")):
        held = each.get_tensor("t")
        got = each.get_tensor("t", order=order)
        check(got, put, order)
        assert (got is held) == lies(held, order)
        assert each.get_tensor("t", order="K") is held


def test_another_order_is_refused(client):
    dataset = Dataset("ds")
    dataset.add_tensor("t", np.ones(3))
    client.put_tensor("t", np.ones(3))
    batch = client.batch()
    for get in (client.get_tensor, batch.get_tensor, dataset.get_tensor):
        for order in ("A", "c", "row", ""):
            with pytest.raises(InvalidArgument, match=f'^order cannot be \'{order}\': give "C" \\(row-major\\), "F"'):
                get("t", order=order)
        for order in (None, 1, b"C"):
            with pytest.raises(WrongType, match=r"^order cannot be .*: give \"C\""):
                get("t", order=order)
    assert len(batch) == 0
