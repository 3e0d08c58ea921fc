"""Storing models: versions, metadata, refusals; the transaction is whole whoever stops waiting."""

import asyncio
import hashlib
import signal
import time

import numpy as np
import pytest

from ssasync.cyclient import (
    BadModel,
    Client,
    InvalidArgument,
    ModelNotFound,
    OperationTimeout,
    StoreError,
)
from tests.cyclient.scripted_peer import ScriptedPeer
from tests.model_archive import archive_of

MODEL = archive_of(bytes(range(256)) * 100)
LARGE = archive_of(bytes(16 << 20))


def stored(engine, name):
    found = {}
    for key in engine.redis.keys(f"{{ssa:model:{name}}}*"):
        part = key.decode().partition("}")[2]
        found[part] = engine.redis.hgetall(key) if part.endswith("meta") else engine.redis.get(key)
    return found


def test_a_model_is_stored_as_the_wire_page_says(engine, client):
    assert client.model_exists("closure") is False
    version = client.set_model(
        "closure", MODEL, "torch", "gpu:1", batch_size=16, min_batch_size=4, min_batch_timeout=10
    )
    assert version == "1"
    assert client.model_exists("closure") is True
    assert stored(engine, "closure") == {
        "counter": b"1",
        "current": b"1",
        "1.blob": MODEL,
        "1.meta": {
            b"backend": b"TORCH",
            b"device": b"GPU:1",
            b"batch_size": b"16",
            b"min_batch_size": b"4",
            b"min_batch_timeout": b"10",
            b"sha256": hashlib.sha256(MODEL).hexdigest().encode(),
        },
    }


def test_the_version_before_stays_for_requests_under_way_and_older_ones_go(engine, client):
    for version in "1234":
        assert client.set_model("m", MODEL + version.encode(), "TORCH") == version
    assert set(stored(engine, "m")) == {"counter", "current", "3.blob", "3.meta", "4.blob", "4.meta"}
    assert stored(engine, "m")["current"] == b"4"


def test_a_model_comes_from_a_file(engine, client, tmp_path):
    file = tmp_path / "model.pt"
    with pytest.raises(FileNotFoundError, match=r"model\.pt"):
        client.set_model_from_file("m", file, "TORCH")
    file.write_bytes(MODEL)
    client.set_model_from_file("m", file, "TORCH", "CPU", batch_size=8)
    assert stored(engine, "m")["1.blob"] == MODEL
    client.set_model_from_file("m", str(file), "TORCH")


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        ((b"", "TORCH"), {}, BadModel, "nothing: no TorchScript archive"),
        ((b"hello, world", "TORCH"), {}, BadModel, r"b'hello, world': no TorchScript archive, as torch.jit.save"),
        (("text", "TORCH"), {}, TypeError, r"model cannot be 'text' \(str\): serialise it first"),
        ((MODEL, "CAFFE"), {}, InvalidArgument, "backend cannot be 'CAFFE': known ones are: TORCH"),
        ((MODEL, "TORCH", "TPU"), {}, InvalidArgument, "device cannot be 'TPU': write CPU, GPU or GPU:<n>"),
        ((MODEL, "TORCH"), {"batch_size": -1}, InvalidArgument, "batch_size cannot be -1"),
        ((MODEL, "TORCH"), {"min_batch_size": 4, "min_batch_timeout": 1}, InvalidArgument, "give a batch_size of at"),
        ((MODEL, "TORCH"), {"batch_size": 4, "min_batch_size": 4}, InvalidArgument, "min_batch_timeout cannot be 0"),
        ((MODEL, "TORCH"), {"batch_size": 4, "min_batch_timeout": 4}, InvalidArgument, "give both or none"),
    ],
)
def test_what_is_no_model_is_refused_before_anything_is_sent(engine, client, arguments, options, error, text):
    with pytest.raises(error, match=text):
        client.set_model("m", *arguments, **options)
    with pytest.raises(InvalidArgument, match="braces"):
        client.set_model("{m}", MODEL, "TORCH")
    assert stored(engine, "m") == {}


async def test_version_and_bytes_are_read_back(engine):
    async with Client(engine.unix, password=engine.password) as client:
        with pytest.raises(ModelNotFound, match=r"no model 'm' in .*set_model\('m', \.\.\.\)"):
            await client.get_model_version("m")
        with pytest.raises(ModelNotFound):
            await client.get_model_blob("m", "1")
        await client.set_model("m", MODEL, "TORCH")
        assert await client.get_model_version("m") == "1"
        blob, metadata = await client.get_model_blob("m", "1")
        assert blob == MODEL
        assert metadata["backend"] == "TORCH"


@pytest.mark.parametrize("size", [1000, 100_000, 1 << 24])
async def test_a_cancelled_set_model_leaves_no_transaction_open(own_engine, size):
    """Cut after every turn of the loop: what was sent of MULTI ... EXEC is sent to its end, or nothing is."""
    model = archive_of(bytes(size))
    async with Client(own_engine.unix, password=own_engine.password, bulk_connection=False) as client:
        before = 0
        for turns in range(12):
            storing = asyncio.create_task(client.set_model("m", model, "TORCH"))
            for _ in range(turns):
                await asyncio.sleep(0)
            storing.cancel()
            await asyncio.wait([storing])
            await client.put_tensor("t", np.full(3, turns))
            np.testing.assert_array_equal(await client.get_tensor("t"), np.full(3, turns))
            now = int(own_engine.redis.get("{ssa:model:m}current") or 0)
            assert now in (before, int(own_engine.redis.get("{ssa:model:m}counter") or 0))
            before = now


def test_a_set_model_that_times_out_leaves_no_transaction_open(face, own_engine):
    client = face.open(own_engine.unix, password=own_engine.password)
    client.put_tensor("t", np.ones(3))
    for model in (MODEL, LARGE):
        own_engine.signal(signal.SIGSTOP)
        with pytest.raises(OperationTimeout):
            client.set_model("m", model, "TORCH", timeout=0.05)
        own_engine.signal(signal.SIGCONT)
        np.testing.assert_array_equal(client.get_tensor("t", timeout=20), np.ones(3))
    assert int(client.set_model("m", LARGE, "TORCH", timeout=20)) == 3
    assert client.model_exists("m", timeout=20)


def test_a_number_whose_answer_is_lost_is_asked_for_again(face, tmp_path):
    """Versions may have gaps: taking one more does no harm."""
    counted = []

    def script(peer):
        peer.handshake()
        counted.append(peer.request())
        if peer.number == 0:
            peer.close()
            return
        peer.say(b":7\r\n")
        for _ in range(5):
            peer.request()
        assert peer.request() == [b"EXEC"]
        peer.say(b"+OK\r\n" + 4 * b"+QUEUED\r\n" + b"*4\r\n+OK\r\n:6\r\n+OK\r\n:0\r\n")
        peer.stall()

    with ScriptedPeer(tmp_path / "s", script) as peer:
        assert face.open(peer.address).set_model("m", MODEL, "TORCH", timeout=20) == "7"
    assert counted == 2 * [[b"INCR", b"{ssa:model:m}counter"]]


def replies_to_transaction(*replies):
    def script(peer):
        peer.handshake()
        assert peer.request()[0] == b"INCR"
        peer.say(b":7\r\n")
        names = [peer.request()[0] for _ in range(6)]
        assert names == [b"MULTI", b"SET", b"HSET", b"SET", b"UNLINK", b"EXEC"]
        for reply in replies:
            peer.say(reply)
        asked = peer.request()
        if "-OOM" in str(replies):
            assert asked == [b"INFO", b"memory"]
            peer.say(b"$0\r\n\r\n")
            asked = peer.request()
        assert asked[0] == b"EXISTS"
        peer.say(b":1\r\n")
        peer.stall()

    return script


QUEUED = b"+QUEUED\r\n" * 3


@pytest.mark.parametrize(
    ("replies", "text"),
    [
        ((b"+OK\r\n-OOM used\r\n", QUEUED, b"-EXECABORT because of previous errors\r\n"), "OOM used"),
        ((b"-NOPERM multi\r\n+OK\r\n:6\r\n+OK\r\n:0\r\n-ERR EXEC without MULTI\r\n",), "NOPERM multi"),
        ((b"+OK\r\n+QUEUED\r\n", QUEUED, b"*4\r\n+OK\r\n-WRONGTYPE hash\r\n+OK\r\n:0\r\n"), "another kind of value"),
    ],
)
def test_an_error_inside_the_transaction_is_the_error_of_set_model(face, tmp_path, replies, text):
    with ScriptedPeer(tmp_path / "s", replies_to_transaction(*replies)) as peer:
        client = face.open(peer.address, timeout=20)
        with pytest.raises(StoreError, match=text):
            client.set_model("m", MODEL, "TORCH")
        assert client.model_exists("m")
        assert peer.connections == 1


def test_replies_to_a_transaction_may_come_before_it_is_sent_in_full(face, tmp_path):
    def script(peer):
        peer.handshake()
        assert peer.request()[0] == b"INCR"
        peer.say(b":7\r\n")
        assert peer.request() == [b"MULTI"]
        peer.say(b"+OK\r\n")
        for _ in range(4):
            peer.request()
            peer.say(b"+QUEUED\r\n")
        assert peer.request() == [b"EXEC"]
        peer.say(b"*4\r\n+OK\r\n:6\r\n+OK\r\n:0\r\n")
        peer.stall()

    with ScriptedPeer(tmp_path / "s", script) as peer:
        assert face.open(peer.address, timeout=20, bulk_connection=False).set_model("m", LARGE, "TORCH") == "7"


def test_an_interrupted_wait_is_over_soon(face, own_engine):
    client = face.open(own_engine.unix, password=own_engine.password)
    client.put_tensor("t", np.ones(1))
    own_engine.signal(signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(OperationTimeout):
        client.set_model("m", LARGE, "TORCH", timeout=0.1)
    assert time.monotonic() - started < 2
