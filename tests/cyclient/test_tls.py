"""TLS, against a Redis that speaks it: what goes through, what is refused and with which words."""

import asyncio
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import numpy as np
import pytest
import redis

from ssasync.cyclient import ConnectionFailed, Disconnected, InvalidArgument, OperationTimeout, TensorNotFound, blocking
from ssasync.cyclient.client import Client
from tests.cyclient.c_engine_program import FOLDER as C_ENGINE
from tests.cyclient.c_engine_talk import talks
from tests.cyclient.certificates import Authority
from tests.cyclient.cluster_process import free_port, wait_until
from tests.cyclient.scripted_peer import ScriptedPeer
from tests.cyclient.throttle import Throttle
from tests.cyclient.tls_engine import TlsEngine
from tests.cyclient.wire_format import bulk, encode_tensor

ONES = np.ones(3)
SIZES = [1 << 10, 1 << 20, 1 << 26]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder):
    return Authority(folder)


def context_of(pair, *, wants_certificate_of=None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if wants_certificate_of:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(wants_certificate_of)
    return context


def stall(peer):
    peer.stall()


# ---- what goes through


@pytest.mark.parametrize("size", SIZES)
def test_tensors_come_back_as_they_were(face, tls_engine, size):
    client = face.open(tls_engine.tcp, **tls_engine.options)
    array = np.random.default_rng(size).random(size // 8)
    out = np.zeros_like(array)
    client.put_tensor("t", array)
    np.testing.assert_array_equal(client.get_tensor("t"), array)
    client.unpack_tensor("t", out)
    np.testing.assert_array_equal(out, array)
    with pytest.raises(TensorNotFound):
        client.get_tensor("missing")


def test_a_batch_of_many_goes_through(face, tls_engine):
    client = face.open(tls_engine.tcp, **tls_engine.options)
    batch = client.batch()
    arrays = [np.full(1 + 37 * n % 4001, float(n)) for n in range(1000)]
    for n, array in enumerate(arrays):
        batch.put_tensor(f"t{n}", array)
    handles = [batch.get_tensor(f"t{n}") for n in range(1000)]
    face.execute(batch)
    for array, handle in zip(arrays, handles, strict=True):
        np.testing.assert_array_equal(handle.value, array)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_server_is_known_by_name_and_by_address(face, tls_engine, host):
    client = face.open(f"{host}:{tls_engine.port}", **tls_engine.options)
    client.put_tensor("t", ONES)
    np.testing.assert_array_equal(client.get_tensor("t"), ONES)


def test_a_wait_is_ended_by_the_shard(face, tls_engine):
    client = face.open(tls_engine.tcp, **tls_engine.options)
    client.put_tensor("other", ONES)
    writer = threading.Timer(0.05, lambda: tls_engine.redis.set("awaited", encode_tensor(ONES)))
    writer.start()
    client.wait_for_tensor("awaited", timeout=20)
    writer.join()


def test_what_cuts_records_anywhere_does_no_harm(tls_engine, tmp_path):
    """One byte at a time in places: of the handshake too."""

    async def main():
        throttle = Throttle(None, tls_engine.port)
        async with throttle, Client(throttle.address, **tls_engine.options) as client:
            for n in range(30):
                array = np.full(1 << (n % 18), float(n))
                await client.put_tensor("t", array)
                np.testing.assert_array_equal(await client.get_tensor("t"), array)

    asyncio.run(main())


@pytest.mark.parametrize("piece", [1, 7, 0])
def test_replies_come_in_records_of_any_length(face, authority, piece):
    def script(peer):
        peer.handshake()
        while True:
            peer.request()
            peer.say(bulk(encode_tensor(np.arange(500.0))), piece=piece)

    with ScriptedPeer(None, script, context_of(authority.issue("127.0.0.1"))) as peer:
        client = face.open(peer.address, tls=True, tls_ca=str(authority.ca), timeout=20)
        for _ in range(3):
            np.testing.assert_array_equal(client.get_tensor("t"), np.arange(500.0))


def test_a_short_get_is_answered_beside_a_long_put(tls_engine):
    async def main():
        async with Client(tls_engine.tcp, **tls_engine.options) as client:
            await client.put_tensor("small", ONES)
            await client.put_tensor("large", np.ones(1 << 20))
            long = asyncio.ensure_future(client.put_tensor("large", np.ones(32 << 17)))
            answered = 0
            while not long.done():
                await client.get_tensor("small")
                answered += 1
            await long
            return answered

    assert asyncio.run(main()) >= 5


def test_the_store_is_a_cluster(face, tls_cluster):
    addresses = ",".join(node.tcp for node in tls_cluster)
    client = face.open(addresses, **tls_cluster[0].options)
    for n in range(50):
        client.put_tensor(f"t{n}", np.full(n, float(n)))
    for n in range(50):
        np.testing.assert_array_equal(client.get_tensor(f"t{n}"), np.full(n, float(n)))
    assert client.statistics()["connections"] >= 3


@pytest.fixture
def tls_cluster(tmp_path_factory):
    """Three shards; what they say to each other goes through TLS too."""
    folder = tmp_path_factory.mktemp("k")
    nodes: list[TlsEngine] = []
    try:
        for n in range(3):
            (folder / str(n)).mkdir()
            settings = {"cluster-enabled": "yes", "cluster-port": free_port(), "tls-cluster": "yes"}
            nodes.append(TlsEngine(folder / str(n), like=nodes[0] if nodes else None, **settings))
        form_cluster(nodes)
        yield nodes
    finally:
        for node in nodes:
            node.close()


def form_cluster(nodes: list[TlsEngine]) -> None:
    bounds = [16384 * n // len(nodes) for n in range(len(nodes) + 1)]
    for node, first, end in zip(nodes, bounds[:-1], bounds[1:], strict=True):
        node.redis.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        node.redis.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port, nodes[0].settings["cluster-port"])

    def agreed() -> bool:
        infos = [node.redis.execute_command("CLUSTER", "INFO") for node in nodes]
        return all(b"cluster_state:ok" in info and b"cluster_known_nodes:3" in info for info in infos)

    wait_until("the nodes agree", agreed)


# ---- who the server is


REFUSED = [
    pytest.param(
        lambda good, other: good.issue("elsewhere.example", "10.1.2.3"),
        r"its certificate is not for '127\.0\.0\.1' but for 'elsewhere\.example', 10\.1\.2\.3 \(.*mismatch\)\. "
        "Check the address, or name in SSA_TLS_NAME",
        id="another name",
    ),
    pytest.param(
        lambda good, other: good.issue("127.0.0.1", expired=True),
        r"certificate has expired \(at 2001-02-03 00:00:00 UTC\)\. Renew it",
        id="expired",
    ),
    pytest.param(
        lambda good, other: other.issue("127.0.0.1"),
        r"signed by nobody who is trusted \(.*; trusted is '.*ca\.pem'\)\. Name in SSA_TLS_CA",
        id="another authority",
    ),
]


@pytest.mark.parametrize(("issue", "words"), REFUSED)
def test_a_certificate_that_is_not_right_is_refused_at_once(face, folder, authority, issue, words):
    pair = issue(authority, Authority(folder, "other"))
    with ScriptedPeer(None, stall, context_of(pair)) as peer:
        client = face.open(peer.address, tls=True, tls_ca=str(authority.ca), user="u", timeout=60)
        start = time.monotonic()
        with pytest.raises(ConnectionFailed, match=words) as failure:
            client.put_tensor("t", ONES)
        assert time.monotonic() - start < 20
        assert peer.address in str(failure.value)
        with pytest.raises(ConnectionFailed, match=words):
            client.get_tensor("t")


def test_a_certificate_that_signs_itself_is_refused_unless_it_is_named(face, tmp_path):
    files = ["-keyout", str(tmp_path / "k.pem"), "-out", str(tmp_path / "c.pem")]
    subject = ["-subj", "/CN=self", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject]
    subprocess.run([*command, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")

    def script(peer):
        peer.handshake()
        peer.request()
        peer.say(b"+OK\r\n")
        peer.stall()

    with ScriptedPeer(None, script, context) as peer:
        client = face.open(peer.address, tls=True, timeout=60)
        with pytest.raises(ConnectionFailed, match=r"self.signed certificate; trusted is what the system trusts"):
            client.put_tensor("t", ONES)
        face.open(peer.address, tls=True, tls_ca=str(tmp_path / "c.pem"), timeout=20).put_tensor("t", ONES)


def test_the_name_in_the_certificate_may_be_told(face, authority):
    def script(peer):
        peer.handshake()
        peer.request()
        peer.say(b"+OK\r\n")
        peer.stall()

    asked_for = []
    context = context_of(authority.issue("store.example"))
    context.sni_callback = lambda stream, name, context: asked_for.append(name)
    with ScriptedPeer(None, script, context) as peer:
        options = {"tls": True, "tls_ca": str(authority.ca), "timeout": 20}
        face.open(peer.address, tls_name="store.example", **options).put_tensor("t", ONES)
        with pytest.raises(ConnectionFailed, match=r"is not for 'other\.example' but for 'store\.example'"):
            face.open(peer.address, tls_name="other.example", **options).put_tensor("t", ONES)
        with pytest.raises(ConnectionFailed, match=r"is not for '127\.0\.0\.1' but"):
            face.open(peer.address, **options).put_tensor("t", ONES)
    assert asked_for == ["store.example", "other.example", None]  # an address is no name to be asked for


# ---- who the client is


@pytest.fixture(scope="module")
def strict_engine(tmp_path_factory):
    """It wants a certificate of each client."""
    engine = TlsEngine(tmp_path_factory.mktemp("t"), wants_certificate=True)
    yield engine
    engine.close()


def test_a_client_shows_its_certificate(face, strict_engine):
    own = strict_engine.authority.issue("rank-7")
    files = {"tls_cert": str(own.certificate), "tls_key": str(own.key)}
    client = face.open(strict_engine.tcp, **strict_engine.options, **files)
    client.put_tensor("t", ONES)
    np.testing.assert_array_equal(client.get_tensor("t"), ONES)


def test_a_client_without_a_certificate_is_told_to_have_one(face, strict_engine):
    client = face.open(strict_engine.tcp, **strict_engine.options, timeout=60)
    with pytest.raises(ConnectionFailed, match="set SSA_TLS_CERT and SSA_TLS_KEY"):
        client.put_tensor("t", ONES)


def test_a_client_with_a_certificate_of_somebody_else_is_told_so(face, strict_engine, folder):
    own = Authority(folder, "stranger").issue("rank-7")
    files = {"tls_cert": str(own.certificate), "tls_key": str(own.key)}
    client = face.open(strict_engine.tcp, **strict_engine.options, **files, timeout=60)
    with pytest.raises(
        ConnectionFailed, match=r"Is SSA_TLS_CERT \('.*rank-7\.pem'\) signed by an authority that it trusts"
    ):
        client.put_tensor("t", ONES)


# ---- files


def test_all_that_is_wrong_with_the_files_is_told_when_the_client_is_made(face, authority, tmp_path):
    own, other = authority.issue("one"), authority.issue("two")
    (tmp_path / "empty.pem").write_text("nothing\n")
    secret = tmp_path / "secret.pem"
    command = ["openssl", "pkey", "-in", str(own.key), "-aes256", "-passout", "pass:hush", "-out", str(secret)]
    subprocess.run(command, check=True, capture_output=True)

    def refused(ca=authority.ca, cert=own.certificate, key=own.key) -> str:
        with pytest.raises(InvalidArgument) as failure:
            face.open("127.0.0.1:1", tls=True, tls_ca=str(ca), tls_cert=str(cert), tls_key=str(key))
        return str(failure.value)

    nowhere, empty = tmp_path / "nowhere", tmp_path / "empty.pem"
    assert refused(ca=nowhere) == f"SSA_TLS_CA cannot be '{nowhere}': No such file or directory."
    assert refused(ca=tmp_path) == f"SSA_TLS_CA cannot be '{tmp_path}': Is a directory."
    assert refused(ca=empty).startswith(
        f"SSA_TLS_CA cannot be '{empty}': give a file of certificates in PEM; OpenSSL says"
    )
    assert refused(key=secret) == (
        f"SSA_TLS_KEY cannot be '{secret}': it is encrypted; give a key without a password, which only you can read."
    )
    assert refused(key=other.key) == (
        f"SSA_TLS_KEY cannot be '{other.key}': it is the key of another certificate than SSA_TLS_CERT."
    )
    assert re.fullmatch(
        r"SSA_TLS_CA cannot be '.*/empty\.pem': give a file of certificates in PEM; .*\n"
        r"SSA_TLS_CERT cannot be '.*/nowhere': No such file or directory\.\n"
        r"SSA_TLS_KEY cannot be '.*/empty\.pem': give the key of the client's certificate in PEM; .*",
        refused(ca=empty, cert=nowhere, key=empty),
    )


# ---- bad peers


def test_a_server_that_stalls_in_the_handshake_is_left_at_the_deadline(face):
    with ScriptedPeer(None, stall) as peer:
        client = face.open(peer.address, tls=True, timeout=0.3)
        start = time.monotonic()
        with pytest.raises(
            ConnectionFailed, match=r"does not answer in TLS: is this its port for TLS\? Tried for 0\.3 s"
        ):
            client.put_tensor("t", ONES)
        assert 0.25 < time.monotonic() - start < 10


@pytest.mark.parametrize("said", [b"-ERR unknown command\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(300)])
def test_a_server_without_tls_is_told_from_one_with(face, said):
    def script(peer):
        peer.say(said)
        peer.stall()

    with ScriptedPeer(None, script) as peer:
        client = face.open(peer.address, tls=True, timeout=60)
        with pytest.raises(
            ConnectionFailed, match=r"it does not speak TLS \(.*\)\. Give the address of its port for TLS"
        ):
            client.put_tensor("t", ONES)


def test_nothing_of_a_command_is_ever_said_in_the_clear(face):
    heard = []

    def script(peer):
        heard.append(peer.read(3))

    with ScriptedPeer(None, script) as peer:
        client = face.open(peer.address, tls=True, user="u", timeout=0.3)
        with pytest.raises(ConnectionFailed, match="closed the connection during the TLS handshake"):
            client.put_tensor("t", ONES)
    assert heard
    assert set(heard) == {b"\x16\x03\x01"}  # a record of a handshake


def garbage_after(peer):
    peer.handshake()
    peer.request()
    os.write(peer._stream.fileno(), b"no record of TLS at all")
    peer.closed_by_client()


def test_garbage_in_the_stream_ends_the_connection(face, authority):
    with ScriptedPeer(None, garbage_after, context_of(authority.issue("127.0.0.1"))) as peer:
        client = face.open(peer.address, tls=True, tls_ca=str(authority.ca), timeout=20)
        with pytest.raises(Disconnected, match=r"what it sent is no TLS: .*'t' may or may not have been carried out"):
            client.append_to_list("t", "d")


@pytest.mark.parametrize("farewell", [True, False])
def test_an_end_half_way_through_a_reply_is_a_lost_connection(face, authority, farewell):
    reply = bulk(encode_tensor(np.arange(1000.0)))

    def script(peer):
        if peer.number == 0:
            peer.handshake()
            peer.request()
            peer.say(reply[:5000])
            if farewell:
                peer._stream.unwrap()
            return
        peer.stall()

    with ScriptedPeer(None, script, context_of(authority.issue("127.0.0.1"))) as peer:
        client = face.open(peer.address, tls=True, tls_ca=str(authority.ca), timeout=1)
        out = np.zeros(1000)
        with pytest.raises((Disconnected, ConnectionFailed, OperationTimeout)):
            client.unpack_tensor("t", out)
        assert peer.connections >= 2  # a read is asked again: never is half of a reply taken for all


def test_a_shard_that_is_killed_and_comes_back_is_found_again(face, tmp_path):
    engine = TlsEngine(tmp_path)
    try:
        client = face.open(engine.tcp, **engine.options, timeout=20)
        large = np.ones(1 << 20)
        for _ in range(3):
            client.put_tensor("t", large)
            engine.kill()
            engine.start()
            with pytest.raises(TensorNotFound):
                client.get_tensor("t")
    finally:
        engine.close()


def test_a_stopped_shard_costs_the_deadline_and_no_more(face, tmp_path):
    """Long after the buffers are full: what was not encrypted is the caller's again."""
    engine = TlsEngine(tmp_path)
    try:
        client = face.open(engine.tcp, **engine.options, timeout=0.3)
        client.put_tensor("large", np.zeros(32 << 17), timeout=20)
        engine.signal(signal.SIGSTOP)
        large = np.full(32 << 17, 1.0)
        with pytest.raises(OperationTimeout):
            client.put_tensor("large", large)
        large[:] = -1  # it was taken back, and what is still to be sent is a copy
        engine.signal(signal.SIGCONT)
        stored = client.get_tensor("large", timeout=20)
        assert (stored == 1).all()
    finally:
        engine.close()


def test_a_reset_is_a_lost_connection(face, authority):
    def script(peer):
        peer.handshake()
        peer.request()
        peer._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with ScriptedPeer(None, script, context_of(authority.issue("127.0.0.1"))) as peer:
        client = face.open(peer.address, tls=True, tls_ca=str(authority.ca), timeout=20)
        with pytest.raises(Disconnected, match="may or may not have been carried out"):
            client.append_to_list("t", "d")


# ---- what is beside it


def test_a_unix_socket_needs_no_tls(face, tls_engine):
    client = face.open(tls_engine.unix, **tls_engine.options)
    client.put_tensor("t", ONES)
    np.testing.assert_array_equal(client.get_tensor("t"), ONES)


def test_the_server_is_told_when_a_client_closes(authority):
    ends = []

    def script(peer):
        peer.handshake()
        peer.request()
        peer.say(b"+OK\r\n")
        try:
            ends.append(peer._stream.recv(1))
        except ssl.SSLError as error:
            ends.append(error)

    with ScriptedPeer(None, script, context_of(authority.issue("127.0.0.1"))) as peer:
        client = blocking.Client(peer.address, tls=True, tls_ca=str(authority.ca), timeout=20)
        client.put_tensor("t", ONES)
        client.close()
        wait_until("the server reads the end", lambda: bool(ends))
    assert ends == [b""]


def test_a_client_without_tls_is_refused_by_a_server_with(face, tls_engine):
    client = face.open(tls_engine.tcp, password=tls_engine.password, timeout=1)
    with pytest.raises(ConnectionFailed, match=r"TLS.*SSA_TLS=1, or tls=True"):
        client.put_tensor("t", ONES)


@pytest.mark.parametrize("alert", [b"\2\x46", b"\2\x0a"], ids=["protocol_version", "unexpected_message"])
@pytest.mark.parametrize("closes", [False, True])
def test_an_alert_of_tls_is_told_at_once(face, alert, closes):
    def script(peer):
        peer.request()
        peer.say(b"\x15\3\3\0\2" + alert)
        if not closes:
            peer.stall()

    with ScriptedPeer(None, script) as peer:
        client = face.open(peer.address, timeout=60)
        with pytest.raises(
            ConnectionFailed,
            match=rf"cannot connect to {peer.address}: it speaks TLS\. Ask for it: SSA_TLS=1, or tls=True\.$",
        ):
            client.put_tensor("t", ONES)
        assert peer.connections == 1


def reset(peer):
    peer._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("end", [reset, lambda peer: None], ids=["reset", "closed"])
def test_a_server_that_ends_without_an_answer_may_speak_tls(face, tmp_path, end):
    def script(peer):
        peer.request()
        end(peer)

    question = r"\. Does it speak TLS \(SSA_TLS=1, or tls=True\)\? Tried for 0\.2 s, for it may be starting"
    with ScriptedPeer(None, script) as peer:
        client = face.open(peer.address, timeout=0.2)
        with pytest.raises(ConnectionFailed, match=question):
            client.put_tensor("t", ONES)
    with ScriptedPeer(tmp_path / "s", script) as peer:  # a unix socket never speaks it
        client = face.open(peer.address, timeout=0.2)
        with pytest.raises(ConnectionFailed) as failure:
            client.put_tensor("t", ONES)
    assert "TLS" not in str(failure.value)


def test_redis_py_reads_what_was_put(face, tls_engine):
    client = face.open(tls_engine.tcp, **tls_engine.options)
    client.put_tensor("t", ONES)
    other = redis.Redis(
        port=tls_engine.port, ssl=True, ssl_ca_certs=str(tls_engine.authority.ca), password=tls_engine.password
    )
    assert other.get("t") == encode_tensor(ONES)
    other.close()


def test_without_openssl_a_client_that_asks_for_tls_is_refused(builders, engine):
    program = builders["address"].core_program(C_ENGINE / "talk.c", tls=False)
    with talks(program) as connect:
        ended = connect(engine, SSDB=engine.tcp, SSA_TLS="1").do("exists", "t")
        assert ended.status == "SSA_EUNSUPPORTED"
        assert "TLS was asked for (SSA_TLS), and this build of ssasync has none" in ended.error
        assert connect(engine, SSDB=engine.tcp).do("exists", "t").status == "SSA_OK"
