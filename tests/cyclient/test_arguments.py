"""What cannot be meant is refused when it is given, by name, value and remedy; nothing is taken for something else."""

import ast
import asyncio
import contextlib
import copy
import inspect
import pickle
import pydoc
import re
from pathlib import Path

import numpy as np
import pytest

from ssasync.blocking import wait_any
from ssasync.cyclient import BadModel, Batch, Client, Dataset, InvalidArgument, WrongType, _core, arguments
from ssasync.cyclient.blocking import Client as BlockingClient
from ssasync.cyclient.errors import Status
from tests.model_archive import archive_of

X = np.ones(3)
MODEL = archive_of(b"")
NAMES_WANTED = "give names of tensors in the store; infer.. takes arrays"


def overlapping():
    return np.lib.stride_tricks.as_strided(np.zeros(3), (2, 3), (0, 8))


def masked():
    return np.ma.masked_array([1.0, 2.0, 3.0], mask=[0, 1, 0])


class NoArray:
    """As a tensor of torch in bfloat16."""

    def __array__(self, *_, **__):
        raise TypeError("Got unsupported ScalarType BFloat16")


REFUSED = {
    "a length": (lambda c: c.wait_for_list_length("l", 1.5), r"length cannot be 1.5 \(float\): give a whole number"),
    "an index": (lambda c: c.get_dataset_list_range("l", 0.9, 0), r"start_index cannot be 0.9 \(float\)"),
    "the last index": (lambda c: c.get_dataset_list_range("l", 0, "1"), r"end_index cannot be '1' \(str\)"),
    "a large index": (lambda c: c.get_dataset_list_range("l", 0, 1 << 63), "end_index cannot be 9223372036854775808"),
    "a batch size": (lambda c: c.set_model("m", MODEL, "TORCH", batch_size=1.7), r"batch_size cannot be 1.7 \(float\)"),
    "a number of GPUs": (lambda c: c.set_model_multigpu("m", MODEL, "TORCH", 0, 1.5), "num_gpus cannot be 1.5"),
    "a rank": (lambda c: c.run_model_multigpu("m", "x", "y", 0.5, 0, 1), "offset cannot be 0.5"),
    "a frequency": (lambda c: c.poll_tensor("t", 1.5, 2), "poll_frequency_ms cannot be 1.5"),
    "tries": (lambda c: c.poll_list_length("l", 1, 2, None), "num_tries cannot be None"),
    "an array for a name": (
        lambda c: c.run_model("m", np.ones(2), "y"),
        f"a name in inputs cannot be .*{NAMES_WANTED}",
    ),
    "a number for a name": (
        lambda c: c.run_model("m", [3], "y"),
        rf"a name in inputs cannot be 3 \(int\): {NAMES_WANTED}",
    ),
    "nothing for a name": (lambda c: c.run_model("m", None, "y"), f"inputs cannot be None: {NAMES_WANTED}"),
    "outputs": (lambda c: c.run_script("s", "f", "x", 3), "outputs cannot be 3"),
    "names with commas": (
        lambda c: c.set_model("m", MODEL, "TORCH", inputs=["a,b", "c"]),
        "a name in inputs cannot be 'a,b': commas part the names",
    ),
    "outputs with commas": (
        lambda c: c.set_model("m", MODEL, "TORCH", outputs="a,b"),
        "a name in outputs cannot be 'a,b'",
    ),
    "keep": (
        lambda c: c.run_model("m", "x", "y", keep=False),
        "keep cannot be False: without a batch nobody would see",
    ),
    "a switch": (
        lambda c: c.use_tensor_ensemble_prefix("no"),
        r"use_prefix cannot be 'no' \(str\): give True or False",
    ),
    "a mask": (
        lambda c: c.put_tensor("t", masked()),
        r"data cannot be an array with 1 masked element: .*\.filled\(value\)",
    ),
    "a mask of an input": (lambda c: c.infer("m", masked()), "an input cannot be an array with 1 masked element"),
    "what is no array": (
        lambda c: c.put_tensor("t", NoArray()),
        "data cannot be of type NoArray: .*ScalarType BFloat16",
    ),
    "a ragged list": (lambda c: c.put_tensor("t", [[1], [2, 3]]), "data cannot be of type list: .*inhomogeneous"),
    "an overlapping array": (
        lambda c: c.unpack_tensor("t", overlapping()),
        "out cannot be .*lie upon each other; pass a copy",
    ),
    "windows of an array": (
        lambda c: c.unpack_tensor("t", np.lib.stride_tricks.as_strided(np.zeros(4), (3, 2), (8, 8))),
        "out cannot be .*lie upon each other; pass a copy",
    ),
    "a masked array to unpack into": (
        lambda c: c.unpack_tensor("t", np.ma.masked_all(3)),
        "out cannot be an array with 3 masked elements: what is read there would stay masked; pass value.data",
    ),
    "no outputs": (lambda c: c.run_model("m", "x", []), "outputs cannot be empty: name where the outputs are to be"),
    "no outputs of a script": (lambda c: c.run_script("s", "f", "x", ()), "outputs cannot be empty"),
    "a name for an array": (
        lambda c: c.infer("m", "x"),
        r"an input cannot be 'x' \(str\): give arrays; to run on stored tensors use run_model",
    ),
    "bytes for an array": (lambda c: c.infer("m", X, b"x"), r"an input cannot be b'x' \(bytes\): give arrays"),
    "a large GPU": (
        lambda c: c.run_model_multigpu("m", "x", "y", 0, 2**40, 1),
        "first_gpu cannot be 1099511627776: give",
    ),
    "many GPUs": (
        lambda c: c.set_script_multigpu("s", "", 0, 2**40),
        "num_gpus cannot be 1099511627776: give 1 to 1024",
    ),
    "many GPUs to delete from": (lambda c: c.delete_model_multigpu("m", 2**40, 1), "first_gpu cannot be 1099511627776"),
    "a name without a form": (
        lambda c: c.set_model("m", MODEL, "TORCH", inputs=["\ud800"]),
        r"inputs cannot be '\\ud800': it has no form in UTF-8",
    ),
    "a comparison": (
        lambda c: c.wait_for_list_length("l", 1, 5),
        r"comparison cannot be 5 \(int\): write ==, >= or <=",
    ),
    "a time without end": (
        lambda c: c.set_tensor_ttl("t", float("inf")),
        "seconds cannot be inf: give at most 1e12; persist_tensor is for what stays",
    ),
    "a long time": (lambda c: c.set_list_ttl("l", 1e16), r"seconds cannot be 1e\+16: give at most 1e12; persist_list"),
    "a short time": (lambda c: c.set_tensor_ttl("t", 1e-4), "seconds cannot be 0.0001: give at least 0.001"),
    "a script": (
        lambda c: c.set_script("s", "def (:"),
        r"script 's' cannot be stored: line 1 \('def \(:'\): invalid syntax",
    ),
    "a NUL in a script": (lambda c: c.set_script("s", "x = '\0'"), "script 's' cannot be stored: .*null byte"),
    "a timeout": (lambda c: c.get_tensor("t", timeout=-1), "timeout cannot be -1: give seconds from 0 on, or None"),
    "a timeout in words": (
        lambda c: c.get_tensor("t", timeout="5"),
        r"timeout cannot be '5' \(str\): give a number of seconds",
    ),
    "no number": (lambda c: c.get_tensor("t", timeout=float("nan")), "timeout cannot be nan"),
    "a time to live": (
        lambda c: c.set_tensor_ttl("t", "5"),
        r"seconds cannot be '5' \(str\): give a number of seconds",
    ),
    "text for bytes": (lambda c: c.put_bytes("b", "text"), r"data cannot be 'text' \(str\): encode the text first"),
    "gaps": (lambda c: c.put_bytes("b", np.arange(10)[::2]), "data cannot be memory in several pieces: pass a copy"),
    "no bytes": (lambda c: c.put_bytes("b", None), "data cannot be None: give bytes"),
    "a dataset": (lambda c: c.put_dataset("d"), r"dataset cannot be 'd' \(str\): give a Dataset"),
    "an element": (lambda c: c.append_to_list("l", 3), r"dataset cannot be 3 \(int\): give a Dataset, or its name"),
    "a name": (lambda c: c.get_tensor(3), r"tensor cannot be 3 \(int\): give a str"),
    "a model": (lambda c: c.set_model("m", None, "TORCH"), "model cannot be None: serialise it first"),
    "a backend": (lambda c: c.set_model("m", MODEL, None), "backend cannot be None: give a str"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_meant_is_refused(client, what):
    call, says = REFUSED[what]
    with pytest.raises(InvalidArgument, match=says):
        call(client)
    assert client.ping() == 1


def test_numbers_of_numpy_are_numbers(client):
    dataset = Dataset("d")
    dataset.add_tensor("t", X)
    client.put_dataset(dataset)
    client.append_to_list("l", "d")
    assert client.wait_for_list_length("l", np.int32(1), timeout=np.float32(5)) == 1
    assert [each.name for each in client.get_dataset_list_range("l", np.int64(0), np.uint8(0))] == ["d"]
    client.put_tensor("t", X)
    client.set_tensor_ttl("t", np.float64(100))
    client.use_tensor_ensemble_prefix(np.bool_(True))


def test_a_mask_that_masks_nothing_is_no_loss(client):
    client.put_tensor("t", np.ma.masked_array([1.0, 2.0], mask=[0, 0]))
    got = client.get_tensor("t")
    assert type(got) is np.ndarray
    np.testing.assert_array_equal(got, [1, 2])


def test_bytes_may_be_empty_in_any_shape(client):
    client.put_bytes("b", np.zeros((0, 3)))
    assert client.get_bytes("b") == b""


def test_an_indented_script_is_stored_as_it_is(client):
    script = "\n    def f(x):\n        return x\n"
    client.set_script("s", script)
    assert client.get_script("s") == script


def test_what_a_wrong_type_is_can_be_caught_both_ways():
    error = WrongType("length", "x" * 100, "give a whole number")
    assert isinstance(error, InvalidArgument)
    assert isinstance(error, TypeError)
    assert isinstance(error, ValueError)
    assert len(str(error)) < 130
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_parts_of_an_array_can_be_unpacked_into(client):
    client.put_tensor("t", np.arange(6.0).reshape(2, 3))
    whole = np.zeros((3, 4, 5))
    for part in (whole[::2, 1, 1::2][:, :2].T, whole[1, 2::-2, :3], whole[0, ::3, 4:1:-1]):
        out = part.T if part.shape == (2, 2) else part
        client.put_tensor("u", np.arange(float(out.size)).reshape(out.shape))
        np.testing.assert_array_equal(client.unpack_tensor("u", out), np.arange(float(out.size)).reshape(out.shape))
    np.testing.assert_array_equal(client.unpack_tensor("t", np.ma.zeros((2, 3))).data, np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("name", [(), (None,), (5,)])
def test_a_dataset_has_a_name(name):
    with pytest.raises(WrongType, match=r"^name of a dataset cannot be .*: give a str\.$"):
        Dataset(*name)


def test_a_script_that_is_not_utf_8_is_told(client, engine, tmp_path):
    file = tmp_path / "script.py"
    file.write_bytes(b"# \xff")
    with pytest.raises(InvalidArgument, match=r"^script 's' cannot be stored: byte 2 of .*script.py is not UTF-8"):
        client.set_script_from_file("s", file)
    client.set_script("s", "def f(x):\n    return x\n")
    engine.redis.set("{ssa:script:s}1.blob", b"\xff")
    with pytest.raises(BadModel, match=r"'s' .*its source is not UTF-8; get_script_blob gives its bytes"):
        client.get_script("s")
    engine.redis.hset("{ssa:script:s}1.meta", "note", b"\xff")
    assert client.get_script_metadata("s")["note"] == "\ufffd"
    engine.redis.set("{ssa:script:s}current", b"\xff")
    assert client.get_script_version("s") == "\ufffd"


def test_a_batch_that_was_executed_takes_nothing_more(engine):
    with BlockingClient(engine.unix, password=engine.password) as client:
        batch = client.batch()
        batch.execute()
        with pytest.raises(InvalidArgument, match=r"^batch cannot be added to after execute\(\): make a new one"):
            batch.tensor_exists("t")


def test_what_is_no_future_cannot_be_waited_for():
    with pytest.raises(
        WrongType, match=r"a future cannot be 5 \(int\): give what start_put_tensor and its like return"
    ):
        wait_any([5])
    with pytest.raises(WrongType, match=r"^futures cannot be None: give them in a list\.$"):
        wait_any(None)


# ---- options


@pytest.mark.parametrize("make", [Client, BlockingClient])
@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"SSA_BULK_CONNECTION": False},
            "no option 'SSA_BULK_CONNECTION'; did you mean bulk_connection\\? There are: address, ",
        ),
        ({"SSDB_PASSWORD": "x"}, "did you mean password"),
        ({"SSDB": "a:1"}, "did you mean address"),
        ({"bulk": True}, "did you mean bulk_connection"),
        ({"zzz": True}, "no option 'zzz'. There are: address"),
    ],
)
def test_an_unknown_option_is_told_with_the_one_that_may_be_meant(make, given, says):
    with pytest.raises(TypeError, match=says):
        make("a:1", **given)


@pytest.mark.parametrize("make", [Client, BlockingClient])
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"timeout": "5"}, r"timeout cannot be '5' \(str\): give a number of seconds"),
        ({"value_limit": "8m"}, r"value_limit cannot be '8m' \(str\): give a whole number"),
        ({"value_limit": 1.5}, r"value_limit cannot be 1.5 \(float\)"),
        ({"bulk_connection": "no"}, r"bulk_connection cannot be 'no' \(str\): give True or False"),
        ({"log_level": -1}, "log_level cannot be -1: write quiet, error, info or debug"),
        ({"log_level": 7}, "log_level cannot be 7"),
        ({"log_level": 1.5}, r"log_level cannot be 1.5 \(float\)"),
        (
            {"address": "unix://relative.sock"},
            "unix://relative.sock': the path of a unix socket begins at the root: unix:///path",
        ),
    ],
)
def test_an_option_of_another_type_is_refused(make, given, says):
    with pytest.raises(InvalidArgument, match=says):
        make(**{"address": "a:1", **given})


def test_the_options_that_are_told_are_those_there_are():
    with pytest.raises(TypeError) as failure:
        Client("a:1", zzz=1)
    told = str(failure.value).rpartition("There are: ")[2].removesuffix(".").split(", ")
    stub = ast.parse((Path(_core.__file__).parent / "_core.pyi").read_text())
    (engine,) = (node for node in stub.body if isinstance(node, ast.ClassDef) and node.name == "Engine")
    (new,) = (node for node in engine.body if isinstance(node, ast.FunctionDef) and node.name == "__new__")
    assert sorted(told) == sorted(argument.arg for argument in new.args.kwonlyargs)
    values = {
        "timeout": 1,
        "value_limit": 1,
        "bulk_connection": True,
        "trust_topology": True,
        "tls": False,
        "log_level": 0,
    }
    values["log_file"] = "/dev/null"
    for name in told:
        with contextlib.suppress(InvalidArgument):  # known, if not to its liking
            _core.Engine(**{"address": "a:1", name: values.get(name, "a:1")})


def test_statuses_are_those_of_the_header():
    header = (Path(_core.__file__).parent / "include" / "ssasync_types.h").read_text()
    numbers = {name: int(number) for name, number in re.findall(r"\bSSA_(E[A-Z]+) = (-\d+)", header)}
    assert {status.name: status.value for status in Status} == numbers


# ---- what help() and a type checker see


def test_signatures_are_those_of_the_clients():
    assert str(inspect.signature(Client.get_tensor)) == (
        "(self, name: 'str', *, order: 'Order' = 'K', timeout: 'Seconds' = None) -> 'Array'"
    )
    assert inspect.signature(BlockingClient.get_tensor) == inspect.signature(Client.get_tensor)
    assert str(inspect.signature(Batch.get_tensor)) == (
        "(self, name: 'str', *, order: 'Order' = 'K') -> 'Handle[Array]'"
    )
    assert inspect.signature(Client.put_tensor).return_annotation == "None"
    assert Client.get_tensor.__qualname__ == BlockingClient.get_tensor.__qualname__ == "Client.get_tensor"
    for class_ in (Client, BlockingClient, Batch):
        assert " Request[" not in pydoc.plain(pydoc.render_doc(class_)).replace("'", " ")


@pytest.mark.parametrize("make", [Client, BlockingClient])
def test_a_call_that_does_not_fit_names_what_was_called(make):
    client = make("a:1")
    with pytest.raises(TypeError, match=r"^Client.get_tensor\(\) takes 2 positional arguments but 3 were given"):
        outcome = client.get_tensor("x", 3)
        if inspect.iscoroutine(outcome):
            asyncio.run(outcome)
    with pytest.raises(TypeError, match=r"^Client.put_tensor\(\) missing 1 required positional argument: 'data'"):
        client.batch().put_tensor("x")


# ---- pickles and copies


def whole_dataset() -> Dataset:
    dataset = Dataset("größe")
    dataset.add_tensor("t", np.arange(6.0).reshape(2, 3, order="F"))
    dataset.add_bytes("b", b"\0\1")
    dataset.add_tensor("s", np.array(["a", "bcd"]))
    for value in (np.float32(1.5), np.float32(2.5)):
        dataset.add_meta_scalar("f", value)
    dataset.add_meta_string("words", "one")
    dataset.add_meta_string("words", "")
    return dataset


COPIES = {
    "pickle": lambda dataset: pickle.loads(pickle.dumps(dataset)),
    "old pickle": lambda dataset: pickle.loads(pickle.dumps(dataset, protocol=2)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("how", COPIES)
def test_a_dataset_can_be_copied(how):
    dataset = whole_dataset()
    again = COPIES[how](dataset)
    assert _core.encode_dataset(again) == _core.encode_dataset(dataset)
    assert str(again) == str(dataset)
    again.add_meta_string("words", "more")
    assert dataset.get_meta_strings("words") == ["one", ""]
    assert str(COPIES[how](Dataset("empty"))) == str(Dataset("empty"))


def test_a_dataset_from_the_store_can_be_pickled(client):
    client.put_dataset(whole_dataset())
    again = pickle.loads(pickle.dumps(client.get_dataset("größe")))
    np.testing.assert_array_equal(again.get_tensor("t"), whole_dataset().get_tensor("t"))
    client.put_dataset(again)


@pytest.mark.parametrize("make", [Client, BlockingClient])
def test_a_client_says_why_it_cannot_be_pickled(make):
    with pytest.raises(TypeError, match="a client cannot be pickled: it has open connections"):
        pickle.dumps(make("a:1"))


def test_futures_and_batches_say_why_they_cannot_be_pickled(engine):
    with BlockingClient(engine.unix, password=engine.password) as client:
        with pytest.raises(TypeError, match="a batch cannot be pickled: it belongs to its client"):
            pickle.dumps(client.batch())
        with pytest.raises(TypeError, match=r"a handle cannot be pickled: .*Pass its value on"):
            pickle.dumps(client.batch().tensor_exists("t"))
        with pytest.raises(TypeError, match=r"a future cannot be pickled: .*Pass its result on"):
            pickle.dumps(client.start_put_tensor("t", X))


# ---- the border itself


def test_any_whole_number_of_63_bits_passes():
    for value in (0, -(1 << 63), (1 << 63) - 1, np.int8(-1), np.uint64(7), True):
        assert arguments.whole_number("n", value) == int(value)
