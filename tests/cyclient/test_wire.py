"""The core against the test vectors, and against random and broken values."""

import hmac
import random
import socket

import numpy as np
import pytest

from ssasync.cyclient import NotATensor
from ssasync.cyclient._core import Connection, decode_tensor, encode_tensor, worker_proof
from ssasync.cyclient.key_names import WORKER_LIST_KEY, KeyNames, ModelKeys
from tests.cyclient import wire_format
from tests.cyclient.write_test_vectors import FOLDER, NONCES, WORKER_ID, files, read

TENSORS = {row[0]: row[1:] for row in read("tensors.tsv")}
REFUSED = {row[0]: row[1:] for row in read("refused.tsv")}
MESSAGES = {name: bytes.fromhex(data) for name, data in read("messages.tsv")}


def test_the_vectors_are_those_that_the_wire_page_gives():
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == files()


def expected_array(dtype, itemsize, order, shape, elements):
    shape = tuple(int(extent) for extent in shape.split(",") if extent)
    texts = elements.split(",") if np.prod(shape) else []
    numpy_dtype = {"string": f"S{itemsize}", "unicode": f"U{int(itemsize) // 4}"}.get(dtype, dtype)
    if dtype.startswith("complex"):
        values = [complex(*map(float, text.split())) for text in texts]
    elif dtype in ("string", "unicode"):
        values = texts
    else:
        values = [(float if dtype.startswith("float") else int)(text) for text in texts]
    if dtype == "unicode" or numpy_dtype.startswith("S"):
        values = [value.encode() for value in values] if dtype == "string" else values
    array = np.array(values, numpy_dtype).reshape(shape)
    return np.asfortranarray(array) if order == "column" else array


@pytest.mark.parametrize("name", [name for name in TENSORS if not name.startswith("bfloat16")])
def test_a_tensor_of_the_vectors_is_read_and_written(name):
    *description, value = TENSORS[name]
    array = expected_array(*description)
    got = decode_tensor(bytes.fromhex(value))
    assert (got.dtype, got.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(got, array)
    if array.dtype.kind in "fc":
        np.testing.assert_array_equal(np.signbit(got.real), np.signbit(array.real))
    if name != "float64_1d_says_column":
        assert encode_tensor(array).hex() == value


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_value_of_the_vectors_is_refused(client, engine, name):
    reason, value = REFUSED[name]
    text = "of another version" if reason == "version" else "missing or contradicts itself"
    with pytest.raises(NotATensor, match=text):
        decode_tensor(bytes.fromhex(value))
    engine.redis.set("t", bytes.fromhex(value))
    with pytest.raises(NotATensor, match=text):
        client.get_tensor("t")
    with pytest.raises(NotATensor, match=text):
        client.unpack_tensor("t", np.zeros(2))
    assert client.tensor_exists("t")


# The other kinds are known to the C core alone: test_c_modules.py.
KEYS = {
    "tensor": lambda prefix, name, _: KeyNames(prefix, ()).written("tensor", name),
    "model_current": lambda _, name, __: ModelKeys(name).current,
    "model_counter": lambda _, name, __: ModelKeys(name).counter,
    "model_blob": lambda _, name, version: ModelKeys(name).blob(version),
    "model_metadata": lambda _, name, version: ModelKeys(name).metadata(version),
    "worker_list": lambda *_: WORKER_LIST_KEY,
}


@pytest.mark.parametrize(
    ("kind", "prefix", "name", "part", "key"),
    [row for row in read("keys.tsv") if row[0] in KEYS and not (row[0].startswith("model") and row[1])],
)
def test_the_keys_are_those_of_the_vectors(kind, prefix, name, part, key):
    assert KEYS[kind](prefix, name, part) == key.encode()


@pytest.mark.parametrize(
    ("role", "secret", "worker_id", "client_nonce", "worker_nonce", "expected"), read("proofs.tsv")
)
def test_the_proofs_are_those_of_the_vectors(role, secret, worker_id, client_nonce, worker_nonce, expected):
    nonces = bytes.fromhex(client_nonce), bytes.fromhex(worker_nonce)
    assert worker_proof(role, bytes.fromhex(secret), worker_id.encode(), *nonces).hex() == expected


def test_the_hash_is_that_of_the_standard_library():
    """All lengths around the ends of blocks, of the key and of what is hashed."""
    for length in range(200):
        secret, worker_id = bytes(range(length)), b"w" * length
        text = b"ssasync worker 1 client\0" + b"".join(NONCES) + worker_id
        got = worker_proof("client", secret, worker_id, *NONCES)
        assert got == hmac.digest(secret, text, "sha256")


def said_by(say) -> bytes:
    """What a connection sends."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection(ours.fileno(), "test")
        say(connection)
        assert connection.send()
        return theirs.recv(1 << 20)


def test_the_requests_are_those_of_the_vectors():
    array = np.array(-2.5)
    run = (7, 2, 60000, b"closure", b"")
    assert said_by(lambda c: c.run(*run, [array, b"u"])) == MESSAGES["run_float64_0d_and_key_u"]
    assert said_by(lambda c: c.run(*run, [])) == MESSAGES["run_without_inputs"]
    hello = ("SSA.HELLO", "1", WORKER_ID, NONCES[0])
    assert said_by(lambda c: c.command("SSA.HELLO", *hello)) == MESSAGES["hello"]
    proof = worker_proof("client", b"secret", WORKER_ID, *NONCES)
    assert said_by(lambda c: c.command("SSA.PROOF", "SSA.PROOF", proof)) == MESSAGES["proof"]


def replies_to_run(data: bytes):
    """The command of request 7, and the pushes, after a worker has said this."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection(ours.fileno(), "test")
        connection.match_by_id()
        command = connection.run(7, 1, 1000, b"closure", b"", [])
        connection.send()
        theirs.sendall(data)
        connection.receive()
        return command, connection.pushes()


def test_the_replies_of_the_vectors_are_understood():
    command, _ = replies_to_run(MESSAGES["reply_version_3_float64_0d"])
    version, (output,) = command.result()
    assert version == "3"
    np.testing.assert_array_equal(output, -2.5)
    command, _ = replies_to_run(MESSAGES["reply_error"])
    with pytest.raises(Exception, match="expected 3 columns, got 2"):
        command.result()
    command, pushes = replies_to_run(MESSAGES["alive_place_4"])
    assert not command.done
    assert pushes == [["alive", 7, 4]]


# ---- beside the vectors


def random_array(random_):
    dtype = random_.choice([*(name for name in wire_format.CODES if name != "bfloat16"), "S5", "U3"])
    shape = tuple(random_.choice([0, 1, 1, 2, 3, 5]) for _ in range(random_.randrange(7)))
    # From numbers, not from random bytes: a bool or a character has not all of them.
    array = np.array([random_.randrange(100) for _ in range(int(np.prod(shape)))]).astype(dtype).reshape(shape)
    return np.asfortranarray(array) if random_.random() < 0.5 else array


def test_random_arrays_go_there_and_back():
    random_ = random.Random(7)
    for _ in range(2000):
        array = random_array(random_)
        value = encode_tensor(array)
        assert value == wire_format.encode_tensor(array)
        got = decode_tensor(value)
        assert (got.dtype, got.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(got, array)
        np.testing.assert_array_equal(wire_format.decode_tensor(value), array)


def test_values_with_changed_bytes_are_read_or_refused():
    """Never a crash, and never elements from beyond the value."""
    random_ = random.Random(11)
    read_ = refused = 0
    for _ in range(20_000):
        value = bytearray(encode_tensor(random_array(random_)))
        for _ in range(random_.randrange(1, 4)):
            value[random_.randrange(min(len(value), 80))] = random_.choice(
                [0, 1, 2, 16, 64, 255, random_.randrange(256)]
            )
        if random_.random() < 0.3:
            value = value[: random_.randrange(len(value) + 1)]
        try:
            got = decode_tensor(bytes(value))
        except (NotATensor, ImportError, ValueError):
            refused += 1
        else:
            read_ += 1
            assert got.nbytes == len(value) - int.from_bytes(value[8:12], "little")
            got.tobytes()
    assert min(read_, refused) > 1000
