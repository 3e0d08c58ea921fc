"""Reading a tensor into an array of the caller."""

import mmap

import numpy as np
import pytest

from ssasync.cyclient import InvalidArgument, TensorMismatch

SENT = np.arange(24, dtype="f8").reshape(2, 3, 4)
TARGETS = {
    "row-major": np.zeros_like(SENT),
    "column-major": np.zeros((2, 3, 4), order="F"),
    "strided": np.zeros((4, 6, 8))[::2, ::2, ::2],
    "permuted": np.zeros((4, 2, 3)).transpose(1, 2, 0),
    "backwards": np.zeros((2, 3, 4))[::-1],
    "big-endian": np.zeros((2, 3, 4), ">f8"),
    "unaligned": np.zeros(8 * 24 + 1, "u1")[1:].view("f8").reshape(2, 3, 4),
}


@pytest.mark.parametrize("out", TARGETS.values(), ids=TARGETS.keys())
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_tensor_is_read_into_any_layout(client, out, order):
    out[...] = -1
    client.put_tensor("t", np.asarray(SENT, order=order))
    assert client.unpack_tensor("t", out) is out
    np.testing.assert_array_equal(out, SENT)


def test_what_lies_between_the_elements_is_left_alone(client):
    whole = np.full((4, 6, 8), 7.0)
    client.put_tensor("t", SENT)
    client.unpack_tensor("t", whole[::2, ::2, ::2])
    assert (whole[1::2] == 7).all()
    assert (whole[:, 1::2] == 7).all()


@pytest.mark.parametrize("dtype", ["bool", "S7", "U3", "complex64", "i1"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3)])
def test_every_kind_of_dtype_and_shape_is_read_in_place(client, dtype, shape):
    sent = np.ones(shape, dtype)
    out = np.zeros_like(sent)
    client.put_tensor("t", sent)
    client.unpack_tensor("t", out)
    np.testing.assert_array_equal(out, sent)


@pytest.mark.parametrize(
    ("out", "text"),
    [
        (np.zeros((3, 2, 4)), r"is float64 \(2, 3, 4\), the array to unpack into is float64 \(3, 2, 4\)"),
        (np.zeros((2, 3)), r"is float64 \(2, 3, 4\), the array to unpack into is float64 \(2, 3\)"),
        (np.zeros(24), r"into is float64 \(24,\)"),
        (np.zeros((2, 3, 4), "f4"), r"into is float32 \(2, 3, 4\)"),
        (np.zeros((2, 3, 4), "i8"), r"into is int64 \(2, 3, 4\)"),
        (np.zeros((2, 3, 4), "S8"), r"into is \|S8 \(2, 3, 4\)"),
        (np.zeros((4, 3, 2))[::2], r"into is float64 \(2, 3, 2\)"),
        (np.zeros((2, 3, 4), ">f4"), r"into is >f4 \(2, 3, 4\)"),
    ],
    ids=["axes", "dimensions", "flat", "f4", "i8", "S8", "strided", "big-endian"],
)
def test_an_array_that_does_not_fit_stays_as_it_is(client, out, text):
    client.put_tensor("t", SENT)
    before = out.copy()
    with pytest.raises(TensorMismatch, match=text):
        client.unpack_tensor("t", out)
    np.testing.assert_array_equal(out, before)
    np.testing.assert_array_equal(client.get_tensor("t"), SENT)


def test_a_large_tensor_that_does_not_fit_is_skipped_and_the_next_reply_found(client):
    client.put_tensor("t", np.ones(1 << 20))
    with pytest.raises(TensorMismatch):
        client.unpack_tensor("t", np.zeros(3))
    assert client.tensor_exists("t")


@pytest.mark.parametrize("offset", [0, 8, 16, 888])
def test_an_array_at_any_place_of_a_page_is_filled_and_nothing_else(client, offset):
    """Where the kernel copies slowly to the beginning of a page, the bytes go another way."""
    pages = np.frombuffer(mmap.mmap(-1, 1 << 18), "u1")
    for size in (30_000, 33_000, 65_536, 131_072, 131_073, 200_000):
        sent = np.arange(size, dtype="u4").view("u1")[:size]
        client.put_tensor("t", sent)
        pages[:] = 255
        out = pages[offset : offset + size]
        client.unpack_tensor("t", out)
        np.testing.assert_array_equal(out, sent)
        assert (pages[:offset] == 255).all()
        assert (pages[offset + size :] == 255).all()


@pytest.mark.parametrize("name", ["S3", "S9"])
def test_strings_of_another_length_do_not_fit(client, name):
    client.put_tensor("t", np.array([b"sea", b"ice"], "S5"))
    with pytest.raises(TensorMismatch):
        client.unpack_tensor("t", np.zeros(2, name))


def test_a_read_only_array_and_what_is_no_array_are_refused(client):
    client.put_tensor("t", SENT)
    out = np.zeros_like(SENT)
    out.setflags(write=False)
    with pytest.raises(InvalidArgument, match="out cannot be a read-only array"):
        client.unpack_tensor("t", out)
    with pytest.raises(TypeError, match="out cannot be of type list: give a numpy array"):
        client.unpack_tensor("t", [0.0] * 24)
