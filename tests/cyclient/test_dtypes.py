"""Every dtype in every shape and arrangement is encoded and read again bit by bit, whatever the bits are."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ssasync.cyclient._core import decode_tensor, encode_tensor
from tests.cyclient import wire_format

NUMBERS = [np.dtype(name) for name in wire_format.CODES if name != "bfloat16"]
TEXTS = [np.dtype(text) for text in ("S1", "S3", "S8", "S17", "U1", "U2", "U5")]
SWAPPED = [dtype.newbyteorder(">") for dtype in NUMBERS + TEXTS if dtype.itemsize > 1 and dtype.kind != "S"]


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    """Random bits in any arrangement: axes in any order, steps of any sign, gaps, axes that stand still."""
    dtype = draw(st.sampled_from(NUMBERS + TEXTS + SWAPPED))
    shape = draw(st.lists(st.integers(0, 4), max_size=5))
    steps = [draw(st.sampled_from([1, 1, 2, 3, -1, -2])) for _ in shape]
    base = [max(extent * abs(step), 1) for extent, step in zip(shape, steps, strict=True)]
    seed = draw(st.integers(0, 2**32))
    bits = np.random.default_rng(seed).bytes(math.prod(base) * dtype.itemsize)
    if dtype.kind == "b":
        bits = bytes(byte & 1 for byte in bits)
    whole = np.frombuffer(bits, dtype).reshape(base, order=draw(st.sampled_from("CF")))
    part = whole[(..., *(slice(None, None, step) for step in steps))]
    part = part[(..., *(slice(extent) for extent in shape))]
    for axis in range(part.ndim):
        if part.shape[axis] and draw(st.integers(0, 5)) == 0:
            one = part[(slice(None),) * axis + (slice(1),)]
            part = np.broadcast_to(one, part.shape)
    return part.transpose(draw(st.permutations(range(part.ndim))))


def native_bits(array: np.ndarray) -> bytes:
    """Without any conversion of the elements, which might make another NaN of a NaN."""
    return array.tobytes() if array.dtype.isnative else array.byteswap().tobytes()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(arrays())
@example(np.array([0x7FF0000000000001, 0xFFF8000000000123], "u8").view("f8"))  # a signalling NaN; one with a payload
@example(np.array([0x7F800001], ">u4").view(">f4"))
@example(np.broadcast_to(np.array([0x7C01], "u2").view("f2"), (2, 0, 3, 1)))
def test_an_array_is_read_again_bit_by_bit(array):
    value = encode_tensor(array)
    got = decode_tensor(value)
    assert (got.dtype, got.shape) == (array.dtype.newbyteorder("="), array.shape)
    assert got.tobytes() == native_bits(array)
    assert got.flags.writeable
    assert got.flags.aligned
    if array.flags.c_contiguous or array.flags.f_contiguous:
        assert (got.flags.c_contiguous, got.flags.f_contiguous) == (array.flags.c_contiguous, array.flags.f_contiguous)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(arrays())
def test_the_other_reading_of_the_wire_page_agrees(array):
    value = encode_tensor(array)
    assert wire_format.decode_tensor(value).tobytes() == native_bits(array)
    if array.dtype.isnative:
        packed = array if array.flags.c_contiguous or array.flags.f_contiguous else array.copy("C")
        assert value == wire_format.encode_tensor(packed)


@pytest.mark.parametrize("dtype", NUMBERS + TEXTS, ids=str)
@pytest.mark.parametrize(
    "shape", [(), (0,), (3, 0), (1,), (5,), (2, 3), (2, 1, 3), (2, 3, 1, 2), (2, 2, 2, 2, 2)], ids=str
)
def test_every_dtype_has_every_shape(dtype, shape):
    bits = np.random.default_rng(1).bytes(math.prod(shape) * dtype.itemsize)
    array = np.frombuffer(bytes(byte & 1 for byte in bits) if dtype.kind == "b" else bits, dtype).reshape(shape)
    for arranged in (array, np.asfortranarray(array), array.T, array[..., ::-1] if shape else array):
        got = decode_tensor(encode_tensor(arranged))
        assert (got.dtype, got.shape, got.tobytes()) == (dtype, arranged.shape, arranged.tobytes())
