"""Datasets in Python: what they hold, what they refuse, and that they are written as WIRE.md says."""

import gc
import random
import weakref

import numpy as np
import pytest

from ssasync.cyclient import Dataset, DatasetEntryNotFound, InvalidArgument, NotADataset, NotATensor, UnsupportedDtype
from ssasync.cyclient._core import (
    decode_dataset,
    encode_dataset,
    fail_allocation,
    refusals_left,
    stop_counting_allocations,
)
from tests.cyclient import wire_format
from tests.cyclient.write_test_vectors import read

ENTRIES = read("metadata.tsv")
HIDDEN = {b".version": b"0123456789abcdef" * 2, b".COMPLETE": b"1"}
NO_NAMES = {b".tensor_names": b"\x10", b".bytes_names": b"\x10"}


@pytest.fixture(autouse=True)
def allocations_succeed_afterwards():
    yield
    stop_counting_allocations()


def full_dataset() -> Dataset:
    dataset = Dataset("ds")
    dataset.add_tensor("u", np.arange(6.0).reshape(2, 3))
    dataset.add_tensor("v", np.asfortranarray(np.arange(6, dtype="i2").reshape(2, 3)))
    dataset.add_bytes("blob", b"\0\1\2")
    dataset.add_tensor("text", np.array(["wind", "Übergröße"]))
    for step in (1, -2):
        dataset.add_meta_scalar("step", step)
    dataset.add_meta_string("note", "größer")
    dataset.add_meta_string("note", "")
    return dataset


def stored(dataset: Dataset) -> Dataset:
    """What comes from the store after a put."""
    fields, values = encode_dataset(dataset)
    return decode_dataset(dataset.name, fields | HIDDEN, values)


def contents(dataset: Dataset) -> dict[str, object]:
    tensors = {name: dataset.get_tensor(name) for name in dataset.get_tensor_names()}
    fields = dataset.get_metadata_field_names()
    kinds = {name: dataset.get_metadata_field_type(name) for name in fields}
    return {
        "name": dataset.name,
        "tensors": {n: (a.dtype, a.shape, a.flags.f_contiguous, a.tobytes()) for n, a in tensors.items()},
        "bytes": {name: dataset.get_bytes(name) for name in dataset.get_bytes_names()},
        "strings": {name: dataset.get_meta_strings(name) for name in fields if kinds[name] == "str"},
        "scalars": {
            name: (kinds[name], dataset.get_meta_scalars(name).tolist()) for name in fields if kinds[name] != "str"
        },
    }


# ---- what it holds


def test_what_was_added_is_there_in_its_order():
    dataset = full_dataset()
    assert dataset.name == "ds"
    assert dataset.get_tensor_names() == ["u", "v", "text"]
    assert dataset.get_bytes_names() == ["blob"]
    assert dataset.get_metadata_field_names() == ["step", "note"]
    assert dataset.get_tensor_type("v") == "int16"
    assert dataset.get_tensor_dims("v") == (2, 3)
    assert dataset.get_tensor_dims("text") == (2,)
    assert dataset.get_bytes("blob") == b"\0\1\2"
    assert dataset.get_metadata_field_type("step") == "int64"
    assert dataset.get_metadata_field_type("note") == "str"
    assert dataset.get_meta_scalars("step").tolist() == [1, -2]
    assert dataset.get_meta_strings("note") == ["größer", ""]


def test_an_array_is_held_not_copied():
    array = np.arange(4.0)
    dataset = Dataset("ds")
    dataset.add_tensor("u", array)
    assert dataset.get_tensor("u") is array
    alive = weakref.ref(array)
    del array
    assert alive() is not None
    dataset.remove_tensor("u")
    assert alive() is None


def test_strided_arrays_and_lists_are_packed_once():
    dataset = Dataset("ds")
    dataset.add_tensor("strided", np.arange(10)[::2])
    dataset.add_tensor("list", [[1, 2], [3, 4]])
    dataset.add_tensor("scalar", 2.5)
    assert dataset.get_tensor("strided").tolist() == [0, 2, 4, 6, 8]
    assert dataset.get_tensor("strided").flags.c_contiguous
    assert dataset.get_tensor_dims("list") == (2, 2)
    assert dataset.get_tensor_dims("scalar") == ()


@pytest.mark.parametrize("data", [b"abc", bytearray(b"abc"), memoryview(b"aXbXc")[::2], np.frombuffer(b"abc", "u1")])
def test_bytes_come_from_anything_with_a_buffer(data):
    dataset = Dataset("ds")
    dataset.add_bytes("b", data)
    assert dataset.get_bytes("b") == b"abc"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "bool"),
        (np.bool_(False), "bool"),
        (5, "int64"),
        (-(2**63), "int64"),
        (2**63, "uint64"),
        (2**64 - 1, "uint64"),
        (1.5, "float64"),
        (np.float64(1.5), "float64"),
        (np.float32(1.5), "float32"),
        (np.int32(-7), "int32"),
        (np.uint32(7), "uint32"),
        (np.int64(-7), "int64"),
        (np.uint64(7), "uint64"),
        (np.array(1.5, ">f4"), "float32"),
        (np.array([3], ">u8")[0], "uint64"),
    ],
)
def test_a_scalar_keeps_its_type(value, kind):
    dataset = Dataset("ds")
    dataset.add_meta_scalar("f", value)
    assert dataset.get_metadata_field_type("f") == kind
    got = dataset.get_meta_scalars("f")
    assert (got.dtype, got.shape) == (np.dtype(kind), (1,))
    assert got[0] == value
    assert stored(dataset).get_meta_scalars("f")[0] == value


def test_metadata_that_was_read_is_a_copy():
    dataset = full_dataset()
    before = dataset.get_meta_scalars("step")
    for step in range(1000):
        dataset.add_meta_scalar("step", step)
    before[0] = 77
    assert dataset.get_meta_scalars("step")[:3].tolist() == [1, -2, 0]
    dataset.clear_field("step")
    assert before.tolist() == [77, -2]


def test_fields_can_be_looked_for_and_cleared():
    dataset = full_dataset()
    assert dataset.has_field("step")
    dataset.clear_field("step")
    assert not dataset.has_field("step")
    dataset.add_meta_scalar("step", 1.5)
    assert dataset.get_metadata_field_names() == ["note", "step"]


def test_a_dataset_says_what_it_holds():
    dataset = full_dataset()
    assert repr(dataset) == "<Dataset 'ds': 3 tensors, 1 bytes, 2 fields>"
    assert str(dataset) == "\n".join(
        [
            "Dataset 'ds'",
            "  tensor 'u'     float64 (2, 3)",
            "  tensor 'v'     int16 (2, 3)",
            "  tensor 'text'  str288 (2,)",
            "  bytes 'blob'   3 bytes",
            "  field 'step'   int64: 1, -2",
            "  field 'note'   str: 'größer', ''",
        ]
    )
    assert str(Dataset("e")) == "Dataset 'e', empty"
    for number in range(20):
        dataset.add_meta_scalar("many", number)
    assert "  field 'many'   int64: 0, 1, 2, 3, 4, ... (20 in all)" in str(dataset)


# ---- what it refuses


@pytest.mark.parametrize("name", ["", "a{b", "}", "n" * 1025, "a\0b", "\ud800"])
def test_a_name_that_cannot_be_one_is_refused(name):
    dataset = full_dataset()
    before = contents(dataset)
    for attempt in (
        lambda: Dataset(name),
        lambda: dataset.add_tensor(name, np.ones(1)),
        lambda: dataset.add_bytes(name, b""),
        lambda: dataset.add_meta_scalar(name, 1),
        lambda: dataset.add_meta_string(name, ""),
    ):
        with pytest.raises(InvalidArgument, match="cannot be '"):
            attempt()
    assert contents(dataset) == before


def test_names_that_are_our_own_are_refused():
    dataset = Dataset(".anything")
    with pytest.raises(InvalidArgument, match="tensor cannot be 'meta': the key of that name holds the metadata"):
        dataset.add_tensor("meta", np.ones(1))
    with pytest.raises(InvalidArgument, match=r"field cannot be '\.COMPLETE': names that begin with a dot"):
        dataset.add_meta_string(".COMPLETE", "1")
    with pytest.raises(InvalidArgument):
        dataset.add_bytes(".b", b"")
    dataset.add_meta_string("meta", "is only a field")


def test_a_name_is_a_str():
    dataset = Dataset("ds")
    with pytest.raises(TypeError):
        Dataset(b"ds")
    with pytest.raises(TypeError, match=r"tensor cannot be b'u' \(bytes\): give a str"):
        dataset.add_tensor(b"u", np.ones(1))
    with pytest.raises(TypeError, match=r"metadata cannot be 1 \(int\): give a str"):
        dataset.add_meta_string("f", 1)
    with pytest.raises(TypeError):
        dataset.add_bytes("b", 5)


def test_a_name_is_taken_once_and_what_was_there_stays():
    dataset = full_dataset()
    first = dataset.get_tensor("u")
    for attempt in (lambda: dataset.add_tensor("u", np.zeros(9)), lambda: dataset.add_bytes("u", b"x")):
        with pytest.raises(
            InvalidArgument, match="'u': the dataset has a tensor or bytes of this name; remove them first"
        ):
            attempt()
    gc.collect()
    assert dataset.get_tensor("u") is first
    dataset.remove_tensor("u")
    dataset.add_bytes("u", b"x")
    dataset.remove_bytes("u")
    dataset.add_tensor("u", first)
    assert dataset.get_tensor_names() == ["v", "text", "u"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.int8(1), "of type int8: convert it to one of bool, int32"),
        (np.float16(1), "of type float16: convert"),
        (1j, "of type complex: add one bool"),
        (np.ones(3), "of type ndarray: add one bool, int, float or numpy scalar at a time"),
        ("text", "strings with add_meta_string"),
        (None, "of type NoneType"),
        (2**64, "18446744073709551616: an integer has at most 64 bits"),
        (-(2**63) - 1, "an integer has at most 64 bits"),
    ],
)
def test_what_is_no_scalar_is_refused(value, text):
    dataset = Dataset("ds")
    with pytest.raises(InvalidArgument, match=text):
        dataset.add_meta_scalar("f", value)
    assert not dataset.has_field("f")


def test_a_field_holds_one_type():
    dataset = full_dataset()
    with pytest.raises(
        InvalidArgument, match="metadata for field 'step' cannot be of type float64: the field holds int64"
    ):
        dataset.add_meta_scalar("step", 1.5)
    with pytest.raises(InvalidArgument, match="of type str: the field holds int64"):
        dataset.add_meta_string("step", "1")
    with pytest.raises(InvalidArgument, match="of type int64: the field holds str"):
        dataset.add_meta_scalar("note", 1)
    with pytest.raises(InvalidArgument, match="'note': it holds strings; use get_meta_strings"):
        dataset.get_meta_scalars("note")
    with pytest.raises(InvalidArgument, match="'step': it holds int64; use get_meta_scalars"):
        dataset.get_meta_strings("step")


def test_what_is_missing_is_an_error_that_says_what_there_is():
    dataset = full_dataset()
    with pytest.raises(
        DatasetEntryNotFound, match=r"dataset 'ds' has no tensor 'w'. Its tensor names are: 'u', 'v', 'text'\."
    ):
        dataset.get_tensor("w")
    for attempt in (
        lambda: dataset.get_tensor("blob"),
        lambda: dataset.get_bytes("u"),
        lambda: dataset.get_tensor_type("w"),
        lambda: dataset.get_tensor_dims("w"),
        lambda: dataset.remove_tensor("blob"),
        lambda: dataset.remove_bytes("u"),
        lambda: dataset.get_meta_scalars("u"),
        lambda: dataset.get_meta_strings("u"),
        lambda: dataset.get_metadata_field_type("u"),
        lambda: dataset.clear_field("u"),
    ):
        with pytest.raises(KeyError, match="dataset 'ds' has no"):
            attempt()
    with pytest.raises(DatasetEntryNotFound, match="It has no bytes at all"):
        Dataset("ds").get_bytes("b")


def test_a_dtype_without_a_form_on_the_wire_is_refused():
    dataset = Dataset("ds")
    with pytest.raises(UnsupportedDtype):
        dataset.add_tensor("o", np.array([object()]))
    assert dataset.get_tensor_names() == []


def test_an_empty_dataset_cannot_be_put():
    with pytest.raises(
        InvalidArgument, match="dataset cannot be 'ds': it is empty; add a tensor, bytes or metadata first"
    ):
        encode_dataset(Dataset("ds"))


# ---- to the store and back


def test_what_was_put_comes_back():
    dataset = full_dataset()
    assert contents(stored(dataset)) == contents(dataset)


def test_the_fields_are_those_of_the_wire_page():
    fields, values = encode_dataset(full_dataset())
    assert fields == {
        b".tensor_names": wire_format.encode_metadata("string", ["u", "v", "text"]),
        b".bytes_names": wire_format.encode_metadata("string", ["blob"]),
        b"step": wire_format.encode_metadata("int64", [1, -2]),
        b"note": wire_format.encode_metadata("string", ["größer", ""]),
    }
    assert values["blob"] == b"\0\1\2"
    assert values["u"] == wire_format.encode_tensor(np.arange(6.0).reshape(2, 3))


def test_arrays_from_the_store_outlive_their_dataset_and_their_place_in_it():
    dataset = stored(full_dataset())
    u, v = dataset.get_tensor("u"), dataset.get_tensor("v")
    assert dataset.get_tensor("u") is u
    assert u.ctypes.data % 64 == 0
    dataset.remove_tensor("u")
    dataset.add_tensor("u", np.zeros(3))
    del dataset
    gc.collect()
    assert u.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert v.flags.f_contiguous
    u[0, 0] = 9


def test_text_of_other_languages_that_is_not_utf_8_comes_and_goes():
    entry = bytes([16]) + (2).to_bytes(8, "little") + b"\xe9\xff"
    dataset = decode_dataset("ds", HIDDEN | NO_NAMES | {b"caf\xe9": entry}, {})
    (name,) = dataset.get_metadata_field_names()
    (text,) = dataset.get_meta_strings(name)
    dataset.add_meta_string(name, text)
    assert encode_dataset(dataset)[0][b"caf\xe9"] == entry + entry[1:]


@pytest.mark.parametrize("row", ENTRIES, ids=[row[0] for row in ENTRIES])
def test_an_entry_of_the_vectors_is_read_and_written(row):
    _, kind, count, text, entry = row
    fields = HIDDEN | NO_NAMES | {b"f": bytes.fromhex(entry)}
    if kind == "refused":
        with pytest.raises(NotADataset, match="'ds' in memory is not a dataset: a field is no metadata entry"):
            decode_dataset("ds", fields, {})
        return
    texts = text.split(",") if int(count) else []
    dataset, written = decode_dataset("ds", fields, {}), Dataset("ds")
    if kind == "string":
        assert dataset.get_meta_strings("f") == texts
        for value in texts:
            written.add_meta_string("f", value)
    else:
        number = float if kind.startswith("float") else int
        expected = np.array([number(value) for value in texts], kind)
        assert dataset.get_meta_scalars("f").dtype == expected.dtype
        assert dataset.get_meta_scalars("f").tobytes() == expected.tobytes()
        for value in expected:
            written.add_meta_scalar("f", value)
    if texts:
        assert encode_dataset(written)[0][b"f"].hex() == entry


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({b".COMPLETE": None}, "it was not stored to the end"),
        ({b".version": None}, "its version is missing"),
        ({b".version": b"x" * 32}, "its version is missing or is not 32 hexadecimal digits"),
        ({b".tensor_names": None}, "the list of its tensors"),
        ({b".bytes_names": b"\x10\5"}, "the list of its tensors or that of its bytes is missing or contradicts itself"),
        ({b".bytes_names": wire_format.encode_metadata("string", ["u"])}, "that comes twice"),
        ({b".tensor_names": wire_format.encode_metadata("string", ["meta"])}, "a name that none can have"),
        ({b"": b"\4"}, "a field has a name that none can have"),
    ],
)
def test_a_hash_that_contradicts_itself_is_no_dataset(change, reason):
    fields, values = encode_dataset(full_dataset())
    fields |= HIDDEN | change
    with pytest.raises(NotADataset, match=reason):
        decode_dataset("ds", {name: value for name, value in fields.items() if value is not None}, values)


def test_a_broken_tensor_names_itself_and_its_dataset():
    fields, values = encode_dataset(full_dataset())
    with pytest.raises(NotATensor, match="'u of ds'"):
        decode_dataset("ds", fields | HIDDEN, values | {"u": b"no tensor"})


def random_dataset(random_: random.Random) -> Dataset:
    dataset = Dataset("ds")
    for number in range(random_.randrange(6)):
        dataset.add_tensor(f"t{number}", np.arange(random_.randrange(5)).astype(random_.choice(["i1", "f4", "c16"])))
    for number in range(random_.randrange(4)):
        dataset.add_bytes(f"b{number}", random_.randbytes(random_.randrange(9)))
    for number in range(random_.randrange(1, 5)):
        for _ in range(random_.randrange(1, 4)):
            dataset.add_meta_string(f"s{number}", "x" * random_.randrange(20))
            dataset.add_meta_scalar(f"f{number}", np.float32(random_.random()))
    return dataset


def test_hashes_with_changed_bytes_are_read_or_refused():
    random_ = random.Random(3)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(3000):
        fields, values = encode_dataset(random_dataset(random_))
        fields |= HIDDEN
        name = random_.choice(list(fields))
        value = bytearray(fields[name])
        value[random_.randrange(len(value))] = random_.choice([0, 1, 4, 16, 255, random_.randrange(256)])
        fields[name] = bytes(value[: random_.randrange(len(value) + 1)] if random_.random() < 0.2 else value)
        try:
            contents(decode_dataset("ds", fields, values))
            outcomes["read"] += 1
        except (NotADataset, KeyError):
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 300, outcomes


def test_any_one_allocation_may_fail():
    """A dataset that found no memory is as it was, and can be used on."""
    for n in range(1000):
        dataset = Dataset("ds")
        fail_allocation(n)
        try:
            dataset.add_tensor("u", np.arange(3))
            dataset.add_bytes("b", b"abc")
            dataset.add_meta_scalar("f", 1)
            dataset.add_meta_string("s", "x")
            again = stored(dataset)
            assert contents(again) == contents(dataset)
        except MemoryError:
            pass
        refused = refusals_left() == 0
        fail_allocation(-1)
        if "v" not in dataset.get_tensor_names():
            dataset.add_tensor("v", np.arange(4))
        for name in dataset.get_tensor_names():
            assert dataset.get_tensor(name)[1] == 1
        assert dataset.get_tensor_dims("v") == (4,)
        if not refused:
            return
    raise AssertionError("there was no end of allocations")
