"""Putting, getting, deleting and looking for tensors: every dtype, every layout, every face."""

import struct
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

from ssasync.cyclient import (
    Dataset,
    InvalidArgument,
    NotATensor,
    StoreFull,
    TensorMismatch,
    TensorNotFound,
    UnsupportedDtype,
)
from ssasync.cyclient._core import decode_tensor, encode_tensor

NUMBERS = np.arange(-12, 12).reshape(2, 3, 4)
ARRAYS = {
    **{
        name: NUMBERS.astype(name)
        for name in ("int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64", "complex128")
    },
    **{name: np.abs(NUMBERS).astype(name) for name in ("uint8", "uint16", "uint32", "uint64")},
    "bool": NUMBERS % 3 == 0,
    "special": np.array([np.nan, np.inf, -np.inf, -0.0, np.finfo("f8").tiny, 5e-324]),
    "complex": NUMBERS * (1.5 + 2.25j),
    "bytes": np.array([[b"one", b"three"], [b"", b"fifteen bytes .."]]),
    "text": np.array(["wind", "", "Übergröße", "\U0001f30a"]),
    "0-d": np.array(2.5),
    "0-d bool": np.array(True),
    "0-d text": np.array("salt"),
    "empty": np.empty((0,), "f4"),
    "empty in the middle": np.empty((3, 0, 2), "i2"),
    "one element": np.ones((1, 1, 1)),
    "column-major": np.asfortranarray(NUMBERS.astype("f8")),
    "column-major int8": np.asfortranarray(NUMBERS.astype("i1")),
    "every other": np.arange(40.0).reshape(5, 8)[::2, ::2],
    "backwards": np.arange(10)[::-1],
    "permuted": NUMBERS.transpose(1, 0, 2),
    "broadcast": np.broadcast_to(np.float32(3), (4, 5)),
    "big-endian": NUMBERS.astype(">f8"),
    "big-endian text": np.array(["sea", "ice"]).astype(">U5"),
    "big-endian column-major": np.asfortranarray(NUMBERS.astype(">i4")),
    "32 dimensions": np.arange(4).reshape((1,) * 30 + (2, 2)),
    "read-only": np.frombuffer(b"12345678", "u1"),
    "longer than is copied": np.arange(3000, dtype="f8"),
    "1 MiB": np.arange(131072, dtype="f8"),
    "9 MiB, column-major": np.asfortranarray(np.arange(1179648, dtype="f8").reshape(1024, 1152)),
}


def assert_same(got, sent):
    assert got.dtype == sent.dtype.newbyteorder("=")
    assert got.shape == sent.shape
    np.testing.assert_array_equal(got, sent)


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS.keys())
def test_a_tensor_comes_back_as_it_was_put(client, array):
    before = array.copy()
    client.put_tensor("t", array)
    got = client.get_tensor("t")
    assert_same(got, array)
    assert got.flags.writeable
    assert got.flags.aligned
    assert got.ctypes.data % 64 == 0
    if array.flags.c_contiguous or array.flags.f_contiguous:
        assert got.flags.c_contiguous == array.flags.c_contiguous
        assert got.flags.f_contiguous == array.flags.f_contiguous
    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS.keys())
def test_encoding_alone_is_what_lies_in_the_store(engine, client, array):
    client.put_tensor("t", array)
    assert engine.redis.get("t") == encode_tensor(array)
    assert_same(decode_tensor(encode_tensor(array)), array)


def test_what_is_no_array_is_made_one(client):
    client.put_tensor("t", [[1, 2], [3, 4]])
    assert_same(client.get_tensor("t"), np.array([[1, 2], [3, 4]]))
    client.put_tensor("t", 1.5)
    assert_same(client.get_tensor("t"), np.array(1.5))


def test_zero_width_strings_are_sent_as_empty_ones(client):
    client.put_tensor("t", np.array([(b"", 1)] * 3, dtype=[("a", "S0"), ("b", "i4")])["a"])
    np.testing.assert_array_equal(client.get_tensor("t"), np.array([b"", b"", b""]))


@pytest.mark.parametrize(
    "array",
    [np.array([object()]), np.array(["2024-01-01"], "M8[D]"), np.zeros(2, "f4,i4"), np.zeros(2, "g")],
    ids=["object", "date", "structure", "long double"],
)
def test_a_dtype_without_a_form_on_the_wire_is_refused(client, array):
    with pytest.raises(UnsupportedDtype, match=r"dtype cannot be .*: convert it to one of bool, int8"):
        client.put_tensor("t", array)
    with pytest.raises(UnsupportedDtype):
        client.unpack_tensor("t", array)
    assert not client.tensor_exists("t")


def test_more_than_32_dimensions_are_refused(client):
    with pytest.raises(InvalidArgument, match="33 dimensions: reshape it to at most 32"):
        client.put_tensor("t", np.ones((1,) * 33))


def bfloat16_value():
    header = b"SSAT" + bytes([1, 13, 1, 0]) + struct.pack("<IIQ", 64, 2, 4) + struct.pack("<Q", 2)
    return header.ljust(64, b"\0") + struct.pack("<HH", 0x3F80, 0xC000)


def test_bfloat16_comes_and_goes_by_ml_dtypes(engine, client):
    engine.redis.set("t", bfloat16_value())
    got = client.get_tensor("t")
    assert got.dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(got.astype("f4"), [1.0, -2.0])
    client.put_tensor("u", got)
    assert engine.redis.get("u") == bfloat16_value()
    out = np.zeros(2, ml_dtypes.bfloat16)
    assert client.unpack_tensor("t", out) is out
    assert_same(out, got)
    with pytest.raises(TensorMismatch, match="bfloat16"):
        client.unpack_tensor("t", np.zeros(2, "f2"))
    dataset = Dataset("ds")
    dataset.add_tensor("t", np.arange(6).astype(ml_dtypes.bfloat16).reshape(2, 3, order="F"))
    client.put_dataset(dataset)
    assert_same(client.get_dataset("ds").get_tensor("t"), dataset.get_tensor("t"))
    with pytest.raises(UnsupportedDtype, match="float8"):
        client.put_tensor("t", np.ones(2, ml_dtypes.float8_e5m2))


def test_without_ml_dtypes_bfloat16_says_what_is_missing():
    program = """
import sys
class Missing:
    def find_spec(self, name, *_):
        if name == "ml_dtypes":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
from ssasync.cyclient import UnsupportedDtype, _core
try:
    _core.decode_tensor(bytes.fromhex(sys.argv[1]))
except UnsupportedDtype as error:
    print(error)
"""
    said = subprocess.run(
        [sys.executable, "-c", program, bfloat16_value().hex()], capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("dtype cannot be bfloat16: numpy has it only through the package ml_dtypes")


def test_a_missing_tensor_is_an_error_that_names_it(engine, client):
    with pytest.raises(
        TensorNotFound, match=rf"no tensor 'rank_3\.u' in {engine.unix}.*wait_for_tensor\('rank_3\.u'\)"
    ):
        client.get_tensor("rank_3.u")
    with pytest.raises(KeyError):
        client.unpack_tensor("rank_3.u", np.zeros(3))


def test_delete_and_exists(client):
    assert client.tensor_exists("t") is False
    client.put_tensor("t", np.ones(3))
    assert client.tensor_exists("t") is True
    client.delete_tensor("t")
    assert client.tensor_exists("t") is False
    client.delete_tensor("t")


@pytest.mark.parametrize("value", [b"", b"x", b"x" * 63, b"y" * 500, b"SSAT", encode_tensor(np.ones(3))[:-1]])
def test_a_value_that_is_no_tensor_is_an_error(engine, client, value):
    engine.redis.set("t", value)
    with pytest.raises(NotATensor, match=rf"'t' in {engine.unix} is not a tensor: its header"):
        client.get_tensor("t")
    with pytest.raises(NotATensor):
        client.unpack_tensor("t", np.ones(3))
    assert client.tensor_exists("t")


def test_another_kind_of_key_is_an_error(engine, client):
    engine.redis.hset("t", "field", "value")
    with pytest.raises(NotATensor, match=r"'t' in .* the key holds another kind of value"):
        client.get_tensor("t")
    client.put_tensor("t", np.ones(3))
    assert_same(client.get_tensor("t"), np.ones(3))


def test_a_full_store_refuses_and_says_what_to_do(face, engine, client):
    client.put_tensor("small", np.ones(4))
    engine.redis.config_set("maxmemory", "1mb")
    try:
        asked = r"is full and refused 'big'.*OOM.*maxmemory.*delete_tensor"
        told = r" It needs 2\.00 MiB\. The shard uses \d+(\.\d+)? [KM]iB of 1\.00 MiB \(maxmemory\)"
        with pytest.raises(StoreFull, match=asked + r".*\." + told):
            client.put_tensor("big", np.ones(1 << 18))
        dataset = Dataset("big")
        dataset.add_tensor("u", np.ones(1 << 18))
        with pytest.raises(StoreFull, match=told):
            client.put_dataset(dataset)
        batch = client.batch()
        handles = [batch.put_tensor("big", np.ones(1 << 18)), batch.put_tensor("bigger", np.ones(1 << 19))]
        with pytest.raises(ExceptionGroup):
            face.execute(batch)
        for handle, needs in zip(handles, ("2.00 MiB", "4.00 MiB"), strict=True):
            assert f"It needs {needs}. The shard uses" in str(handle.error)
        assert_same(client.get_tensor("small"), np.ones(4))
        assert not client.tensor_exists("big")
    finally:
        engine.redis.config_set("maxmemory", "1gb")
    client.put_tensor("big", np.ones(1 << 18))
    assert client.tensor_exists("big")


@pytest.mark.parametrize("name", ["", "a{b", "}"])
def test_a_name_that_cannot_be_a_key_is_refused(client, name):
    for operation in (client.get_tensor, client.tensor_exists, client.delete_tensor, client.wait_for_tensor):
        with pytest.raises(InvalidArgument, match="tensor cannot be"):
            operation(name)
    with pytest.raises(InvalidArgument):
        client.put_tensor(name, np.ones(1))
    with pytest.raises(TypeError, match=r"tensor cannot be b'name' \(bytes\): give a str"):
        client.get_tensor(b"name")


def test_tcp_serves_as_well_as_the_unix_socket(face, engine):
    client = face.open(engine.tcp, password=engine.password)
    client.put_tensor("t", ARRAYS["1 MiB"])
    assert_same(client.get_tensor("t"), ARRAYS["1 MiB"])
    assert engine.tcp in repr(client) or face.__class__.__name__ == "AsyncFace"
