"""A shard that is not there, dies, comes back, or does not answer."""

import asyncio
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ssasync.cyclient import (
    Client,
    ConnectionFailed,
    Disconnected,
    NotPermitted,
    OperationTimeout,
    StoreError,
    TensorNotFound,
)
from ssasync.cyclient.blocking import Client as BlockingClient
from tests.cyclient.scripted_peer import ScriptedPeer
from tests.cyclient.test_connection import answers
from tests.cyclient.wire_format import bulk, encode_tensor
from tests.model_archive import archive_of

ONES = np.ones(3)
TIMEOUT = 5.0


def open_descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_no_server_is_an_error_that_names_address_and_reason(face, tmp_path):
    with pytest.raises(
        ConnectionFailed, match=rf"cannot connect to unix://{tmp_path}/none: No such file.*Is it running"
    ):
        face.open(f"unix://{tmp_path}/none").put_tensor("t", ONES, timeout=0.1)
    with pytest.raises(ConnectionFailed, match="Connection refused"):
        face.open("127.0.0.1:1").tensor_exists("t", timeout=0.1)


def test_the_next_address_is_tried(face, engine, tmp_path):
    client = face.open(f"unix://{tmp_path}/none,{engine.tcp}", password=engine.password)
    client.put_tensor("t", ONES)
    assert client.tensor_exists("t")


@pytest.mark.parametrize("password", ["wrong", None])
def test_a_wrong_password_is_told_at_once_and_is_in_no_text(face, engine, password):
    client = face.open(engine.unix, password=password, timeout=30)
    started = time.monotonic()
    with pytest.raises(ConnectionFailed, match=r"WRONGPASS|NOAUTH") as failure:
        client.put_tensor("t", ONES)
    assert time.monotonic() - started < 5
    assert "SSDB_PASSWORD" in str(failure.value)
    assert "wrong" not in str(failure.value)
    assert "wrong" not in repr(client)


def test_a_role_that_may_not_is_told(face, engine):
    client = face.open(engine.unix, user="reader", password=engine.password)
    with pytest.raises(NotPermitted, match="NOPERM"):
        client.put_tensor("t", ONES)
    assert not client.tensor_exists("t")


def test_what_may_run_twice_rides_through_a_restart(face, own_engine):
    client = face.open(own_engine.unix, password=own_engine.password, timeout=20)
    client.put_tensor("t", ONES)
    own_engine.kill()
    own_engine.start()
    client.put_tensor("t", 2 * ONES)
    own_engine.kill()
    own_engine.start()
    assert not client.tensor_exists("t")
    own_engine.kill()
    with pytest.raises(StoreError):
        client.delete_tensor("t", timeout=0.1)
    own_engine.start()
    client.put_tensor("t", 3 * ONES)
    np.testing.assert_array_equal(client.get_tensor("t"), 3 * ONES)


async def test_operations_under_way_ride_through_a_restart(own_engine):
    async with Client(own_engine.unix, password=own_engine.password, timeout=20) as client:
        own_engine.signal(signal.SIGSTOP)
        puts = [asyncio.create_task(client.put_tensor(f"t{i}", i * ONES)) for i in range(100)]
        large = asyncio.create_task(client.put_tensor("large", np.arange(1 << 20)))
        exists = asyncio.create_task(client.tensor_exists("none"))
        await asyncio.sleep(0)
        own_engine.kill()
        await asyncio.sleep(0)
        own_engine.start()
        await asyncio.gather(*puts, large)
        assert await exists is False
        for i in range(100):
            np.testing.assert_array_equal(await client.get_tensor(f"t{i}"), i * ONES)
        np.testing.assert_array_equal(await client.get_tensor("large"), np.arange(1 << 20))


#: Behind a long tensor the client reads 1 KiB at a time: answers of that length need as many calls as there are of them.
ANSWERS_OF_A_KIB = [b"-ERR ".ljust(1022, b"x") + b"\r\n"] * 50


@pytest.mark.parametrize("answers", [[b"$-1\r\n"], ANSWERS_OF_A_KIB], ids=["one", "many"])
@pytest.mark.parametrize("family", ["unix", "tcp"])
async def test_a_reset_that_waits_behind_answers_is_seen_with_them(tmp_path, family, answers):
    """uvloop tells of a reset once, be it read or not; other loops tell until it is."""
    asked, gone = threading.Event(), threading.Event()

    def script(peer):
        peer.handshake()
        while peer.number:
            peer.request()
            peer.say(b"$-1\r\n")
        while peer.request() == [b"PING"]:
            peer.say(b"+PONG\r\n")
        peer.say(bulk(encode_tensor(np.zeros(8192))))
        asked.wait(TIMEOUT)
        peer.say(b"".join(answers))
        peer.close()  # what was asked has not been read: a reset
        gone.set()

    with ScriptedPeer(tmp_path / "s" if family == "unix" else None, script) as peer:
        async with Client(peer.address, timeout=TIMEOUT) as client:
            await client.get_tensor("long")
            gets = [asyncio.create_task(client.get_tensor(f"t{n}")) for n in range(len(answers) + 1)]
            for _ in range(5):  # turns of the loop, in which all of them leave
                await asyncio.sleep(0)
            asked.set()
            assert gone.wait(TIMEOUT)  # and meanwhile the loop does not look
            *_, last = await asyncio.gather(*gets, return_exceptions=True)
            assert isinstance(last, TensorNotFound)
            assert peer.connections == 2


def test_a_batch_is_not_sent_again(face, own_engine):
    client = face.open(own_engine.unix, password=own_engine.password, timeout=20)
    client.put_tensor("t", ONES)
    own_engine.signal(signal.SIGSTOP)
    batch = client.batch()
    puts = [batch.put_tensor(f"t{i}", ONES) for i in range(3)]
    with pytest.raises(OperationTimeout, match="execute 'batch': no answer"):
        face.execute(batch, timeout=0.1)
    for put in puts:
        with pytest.raises(StoreError):
            put.value  # noqa: B018
    own_engine.kill()
    own_engine.start()
    assert not client.tensor_exists("t0")


def test_a_stopped_shard_is_a_timeout_and_is_used_again_when_it_goes_on(face, own_engine):
    client = face.open(own_engine.unix, password=own_engine.password, bulk_connection=False)
    client.put_tensor("t", ONES)
    connections = own_engine.redis.info("stats")["total_connections_received"]
    own_engine.signal(signal.SIGSTOP)
    large = np.ones(1 << 20)
    operations = [
        lambda: client.put_tensor("t", large, timeout=0.05),
        lambda: client.get_tensor("t", timeout=0.05),
        lambda: client.unpack_tensor("t", np.zeros(3), timeout=0.05),
        lambda: client.tensor_exists("t", timeout=0.05),
        lambda: client.delete_tensor("u", timeout=0.05),
    ]
    for operation in operations:
        with pytest.raises(OperationTimeout, match=r"no answer from .* within 0\.0\d* s"):
            operation()
    large[:] = 7  # the client has taken what it still has to send
    own_engine.signal(signal.SIGCONT)
    np.testing.assert_array_equal(client.get_tensor("t", timeout=20), np.ones(1 << 20))
    assert own_engine.redis.info("stats")["total_connections_received"] == connections


def test_a_closed_client_says_so(face, engine):
    client = face.open(engine.unix, password=engine.password)
    client.put_tensor("t", ONES)
    client.close()
    client.close()
    with pytest.raises(Disconnected, match="the client is closed"):
        client.get_tensor("t")


async def test_closing_ends_what_is_under_way(own_engine):
    client = await Client.connect(own_engine.unix, password=own_engine.password)
    own_engine.signal(signal.SIGSTOP)
    operations = [
        asyncio.create_task(client.put_tensor("t", np.ones(1 << 20))),
        asyncio.create_task(client.get_tensor("t")),
        asyncio.create_task(client.infer("m", ONES)),
        asyncio.create_task(client.set_model("m", archive_of(b""), "TORCH")),
    ]
    await asyncio.sleep(0)
    client.close()
    async with asyncio.timeout(2):
        for outcome in await asyncio.gather(*operations, return_exceptions=True):
            assert isinstance(outcome, Disconnected)


async def test_a_connect_that_fails_leaves_nothing_open(tmp_path, engine):
    for password in ("wrong", None):
        with pytest.raises(ConnectionFailed):
            await Client.connect(engine.unix, password=password)
    with pytest.raises(ConnectionFailed):
        async with Client(f"unix://{tmp_path}/none", timeout=0.05):
            pass


@pytest.mark.parametrize(
    "error", [b"-LOADING data\r\n", b"-CLUSTERDOWN no\r\n", b"-TRYAGAIN\r\n", b"-MASTERDOWN x\r\n"]
)
def test_a_command_that_was_not_executed_is_sent_again(face, tmp_path, error):
    with ScriptedPeer(tmp_path / "s", answers(error, error, error, b":1\r\n", error)) as peer:
        client = face.open(peer.address, timeout=20)
        assert client.tensor_exists("t")
        with pytest.raises(StoreError):
            client.tensor_exists("t", timeout=0.05)
        assert peer.connections == 1


ROUNDS = int(os.environ.get("SSA_RACES", "20"))


def test_a_late_put_never_overwrites_a_newer_one(face, own_engine):
    """measured: on two connections the old value won in 6 of 30 rounds."""
    client = face.open(own_engine.unix, password=own_engine.password)
    client.put_tensor("k", np.ones(1 << 17))  # over the bulk connection, which is there from now on
    for i in range(ROUNDS):
        size = 1 << (4 + i % 15)  # up to 2 MiB: part of it fits in the socket
        own_engine.signal(signal.SIGSTOP)
        with pytest.raises(OperationTimeout):
            client.put_tensor("k", np.full(size, i, "f8"), timeout=0.01)
        with pytest.raises(OperationTimeout):
            client.put_tensor("k", np.full(3, -1 - i, "f8"), timeout=0.001)
        own_engine.signal(signal.SIGCONT)
        client.put_tensor("k", np.full(3, i, "f8"), timeout=20)
        np.testing.assert_array_equal(client.get_tensor("k", timeout=20), np.full(3, i, "f8"))
        own_engine.redis.ping()
        np.testing.assert_array_equal(client.get_tensor("k", timeout=20), np.full(3, i, "f8"))
    print(f"{2 * ROUNDS:,} late puts, none came after the newer one", flush=True)


def test_no_descriptor_is_lost_by_failing_again_and_again(face, own_engine, tmp_path):
    client = face.open(f"unix://{tmp_path}/none,{own_engine.unix}", password=own_engine.password)
    client.put_tensor("t", ONES)
    before = open_descriptors()
    for _ in range(3):
        own_engine.kill()
        with pytest.raises(StoreError):
            client.put_tensor("t", ONES, timeout=0.03)
        own_engine.start()
        client.put_tensor("t", ONES, timeout=20)
    assert open_descriptors() <= before


def test_a_closed_client_keeps_no_descriptor(face, engine, tmp_path):
    """Nor has the collector of garbage to find it first."""
    client = face.open(engine.unix, password=engine.password)
    client.ping()  # what the loop itself has open is older
    client.close()
    before = open_descriptors()
    client = face.open(engine.unix, password=engine.password)
    client.ping()
    assert open_descriptors() > before
    client.close()
    assert open_descriptors() == before
    client = face.open(f"unix://{tmp_path}/none")
    with pytest.raises(ConnectionFailed):
        client.ping(timeout=0.05)
    client.close()
    assert open_descriptors() == before


def test_a_batch_does_not_overtake_what_another_thread_gave_up_on(own_engine):
    """Threads have connections of their own; a put that timed out on one of them may still be carried out."""
    with (
        BlockingClient(own_engine.unix, password=own_engine.password, timeout=20) as client,
        ThreadPoolExecutor(2) as pool,
    ):
        together = threading.Barrier(2)

        def warm() -> None:
            together.wait(5)
            for _ in range(50):
                client.tensor_exists("k")

        list(pool.map(lambda _: warm(), range(2)))
        for i in range(10):
            own_engine.signal(signal.SIGSTOP)
            late = [pool.submit(client.put_tensor, f"k{n}", np.full(3, -1.0), timeout=0.02) for n in range(2)]
            for put in late:
                with pytest.raises(OperationTimeout):
                    put.result()
            own_engine.signal(signal.SIGCONT)
            batch = client.batch()
            for n in range(2):
                batch.put_tensor(f"k{n}", np.full(3, float(i)))
            batch.execute(timeout=20)
            own_engine.redis.ping()
            for n in range(2):
                np.testing.assert_array_equal(client.get_tensor(f"k{n}"), np.full(3, float(i)))
