"""The core against the test vectors, and against random and broken values."""

import hmac
import random

import numpy as np
import pytest

from ssasync.cyclient import BadInput, NotATensor
from ssasync.cyclient._core import Engine, decode_tensor, encode_tensor, worker_proof
from ssasync.cyclient.key_names import WORKER_LIST_KEY, ModelKeys
from tests.cyclient import wire_format
from tests.cyclient.scripted_peer import ScriptedPeer
from tests.cyclient.scripted_worker import ScriptedWorker, WorkerConversation, doubles, list_workers
from tests.cyclient.write_test_vectors import FOLDER, NONCES, WORKER_ID, files, read
from tests.model_archive import archive_of

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


# Of these the store makes keys in Python; all kinds: test_c_modules.py.
KEYS = {
    "current": lambda keys, _: keys.current,
    "counter": lambda keys, _: keys.counter,
    "blob": lambda keys, version: keys.blob(version),
    "metadata": lambda keys, version: keys.metadata(version),
}


@pytest.mark.parametrize(
    ("kind", "part", "name", "version", "key"),
    [
        (*kind.split("_"), *row)
        for kind, prefix, *row in read("keys.tsv")
        if kind.startswith(("model", "script")) and not prefix
    ],
)
def test_the_keys_of_models_are_those_of_the_vectors(kind, part, name, version, key):
    assert KEYS[part](ModelKeys(name, kind), version) == key.encode()


def test_the_key_of_the_workers_is_that_of_the_vectors():
    assert [row[-1].encode() for row in read("keys.tsv") if row[0] == "worker_list"] == [WORKER_LIST_KEY]


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


# ---- messages: what a client says to a worker, and what it makes of the answers


@pytest.fixture
def core(engine):
    """The engine alone: a run may mix tensors and names of tensors."""
    core = Engine(address=engine.unix, password=engine.password, timeout=20)
    yield core
    core.close()


def list_address(engine, worker_id, address):
    list_workers(engine, f"{worker_id.decode()} 1 CPU {address}")


def without_number(message: bytes, place: int) -> bytes:
    """A request with nothing in this place."""
    parts = message.split(b"\r\n")
    return b"\r\n".join([*parts[: 1 + 2 * place], b"", b"", *parts[3 + 2 * place :]])


TIMEOUT = 3  #: the place of what is left of it in SSA.RUN


def answer_runs(worker, count):
    """So that the next one has a higher number: the vectors are about request 7."""
    for _ in range(count):
        worker.answer(worker.run())


def make_runs(core, count):
    for _ in range(count):
        core.perform(core.run("infer", "other", [], None))


def test_a_client_proves_itself_as_the_vectors_do(core, engine, tmp_path):
    proofs = []

    def script(conversation):
        hello = conversation.read(len(MESSAGES["hello"]))
        nonce = hello[-34:-2]
        assert hello == MESSAGES["hello"].replace(NONCES[0], nonce)
        nonces = (WORKER_ID, nonce, NONCES[1])
        secret = engine.password.encode()
        parts = (b"SSA.CHALLENGE", WORKER_ID, NONCES[1], wire_format.proof("worker", secret, *nonces))
        conversation.say(b"*4\r\n" + b"".join(map(wire_format.bulk, parts)))
        ours = MESSAGES["proof"].replace(
            wire_format.proof("client", b"secret", WORKER_ID, *NONCES), wire_format.proof("client", secret, *nonces)
        )
        proofs.append(conversation.read(len(ours)) == ours)
        conversation.say(b"+OK\r\n")
        doubles(WorkerConversation(conversation))

    with ScriptedPeer(tmp_path / "w", script) as worker:
        list_address(engine, WORKER_ID, worker.address)
        np.testing.assert_array_equal(core.perform(core.run("infer", "m", [np.ones(2)], None))[0], [2, 2])
    assert proofs == [True]


@pytest.mark.parametrize(
    ("inputs", "message"), [([np.array(-2.5), "u"], "run_float64_0d_and_key_u"), ([], "run_without_inputs")]
)
def test_a_request_to_a_worker_is_that_of_the_vectors(core, engine, tmp_path, inputs, message):
    expected, said = MESSAGES[message], []

    def script(worker):
        if worker.number == 0:
            answer_runs(worker, 5)
            return  # the connection is lost with request 6, whose second attempt is request 7
        said.append(worker.read(len(expected)))
        worker.say(MESSAGES["reply_version_3_float64_0d"])

    with ScriptedWorker(tmp_path / "w", engine.password, script) as worker:
        list_workers(engine, worker)
        make_runs(core, 5)
        (output,) = core.perform(core.run("infer", "closure", inputs, None).within(60))
    np.testing.assert_array_equal(output, -2.5)
    assert without_number(said[0], TIMEOUT) == without_number(expected, TIMEOUT)


def test_a_run_of_what_was_set_says_so_as_the_vectors_do(core, engine, tmp_path):
    expected, said = MESSAGES["run_least_version_3"], []

    def script(worker):
        if worker.number == 0:
            answer_runs(worker, 5)
            return
        said.append(worker.read(len(expected)))
        worker.say(MESSAGES["reply_version_3_float64_0d"])

    for _ in range(3):
        core.perform(core.set_model("closure", archive_of(b""), "TORCH", "CPU", 0, 0, 0, "", [], []))
    with ScriptedWorker(tmp_path / "w", engine.password, script) as worker:
        list_workers(engine, worker)
        make_runs(core, 5)
        core.perform(core.run("infer", "closure", [], None).within(60))
    assert without_number(said[0], TIMEOUT) == without_number(expected, TIMEOUT)


def run_answered_with(core, engine, tmp_path, *answers):
    """What request 7 gives when a worker says this."""

    def script(worker):
        answer_runs(worker, 6)
        worker.run()
        worker.say(b"".join(MESSAGES[answer] for answer in answers))
        worker.stall()

    with ScriptedWorker(tmp_path / "w", engine.password, script) as worker:
        list_workers(engine, worker)
        make_runs(core, 6)
        outputs = core.perform(core.run("infer", "closure", [], None))
        core.close()
    return outputs


def test_the_answer_of_the_vectors_is_understood(core, engine, tmp_path):
    (output,) = run_answered_with(core, engine, tmp_path, "reply_version_3_float64_0d")
    np.testing.assert_array_equal(output, -2.5)


def test_the_error_of_the_vectors_is_understood(core, engine, tmp_path):
    with pytest.raises(BadInput, match=r"'closure'.*expected 3 columns, got 2"):
        run_answered_with(core, engine, tmp_path, "reply_error")


def test_that_a_worker_is_alive_is_no_answer(core, engine, tmp_path):
    (output,) = run_answered_with(core, engine, tmp_path, "alive_place_4", "reply_version_3_float64_0d")
    np.testing.assert_array_equal(output, -2.5)


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
