"""What a peer may say: in any pieces, and wrong in any way. Each gives a clear error, none a hang or a crash."""

import time

import numpy as np
import pytest

from ssasync.cyclient import (
    ConnectionFailed,
    Disconnected,
    NotATensor,
    NotPermitted,
    OperationTimeout,
    ServerError,
    StoreFull,
    TensorNotFound,
)
from tests.cyclient.scripted_peer import ScriptedPeer
from tests.cyclient.wire_format import bulk, encode_header, encode_tensor

SENT = np.arange(24.0).reshape(4, 6)
VALUE = encode_tensor(SENT)
REPLY = bulk(VALUE)


def answers(*replies, then="stalls", piece=0):
    """A script: handshake, then a reply to each request in turn; at the end it stalls or closes."""

    def script(peer):
        peer.handshake()
        for reply in replies:
            peer.request()
            peer.say(reply, piece=piece)
        if then == "stalls":
            peer.stall()

    return script


def get_alone(face, client, **options):
    """A get that is not tried again: a batch is not."""
    batch = client.batch()
    handle = batch.get_tensor("t")
    face.execute(batch, **options)
    return handle.value


INFO = bulk(b"# Memory\r\nused_memory:2560000000\r\nmaxmemory:3221225472\r\n")


def test_a_full_store_that_does_not_say_how_full_is_told_all_the_same(face, tmp_path):
    with ScriptedPeer(tmp_path / "s", answers(b"-OOM used\r\n")) as peer:
        client = face.open(peer.address, timeout=0.1)
        with pytest.raises(StoreFull, match=r"refused 't' \(OOM used\).*It needs \d+ bytes\.$"):
            client.put_tensor("t", SENT)
    with ScriptedPeer(tmp_path / "t", answers(b"-OOM used\r\n", bulk(b"# Memory\r\n"), b"-OOM used\r\n")) as peer:
        client = face.open(peer.address, timeout=20)
        for _ in range(2):
            with pytest.raises(StoreFull, match=r"It needs \d+ bytes\.$"):
                client.put_tensor("t", SENT)


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 1000])
def test_replies_may_come_in_any_pieces(face, tmp_path, piece):
    pushes = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nx\r\n"
    replies = (REPLY, b"$-1\r\n", pushes + b":1\r\n", b"-OOM used\r\n", INFO, pushes + REPLY)
    with ScriptedPeer(tmp_path / "s", answers(*replies, piece=piece)) as peer:
        client = face.open(peer.address, timeout=20)
        np.testing.assert_array_equal(client.get_tensor("t"), SENT)
        with pytest.raises(TensorNotFound):
            client.get_tensor("t")
        assert client.tensor_exists("t")
        with pytest.raises(StoreFull, match=r"The shard uses 2\.38 GiB of 3\.00 GiB \(maxmemory\)"):
            client.put_tensor("t", SENT)
        out = np.empty_like(SENT)
        client.unpack_tensor("t", out)
        np.testing.assert_array_equal(out, SENT)
        assert peer.connections == 1


def test_a_large_reply_may_come_in_any_pieces(face, tmp_path):
    sent = np.arange(50_000.0)
    with ScriptedPeer(tmp_path / "s", answers(*[bulk(encode_tensor(sent))] * 2, piece=4999)) as peer:
        client = face.open(peer.address, timeout=20)
        np.testing.assert_array_equal(client.get_tensor("t"), sent)
        out = np.empty_like(sent)
        np.testing.assert_array_equal(client.unpack_tensor("t", out), sent)


GOOD_ANSWERS = {
    b"_\r\n": TensorNotFound,
    b"$-1\r\n": TensorNotFound,
    b"*-1\r\n": TensorNotFound,
    b"|1\r\n+ttl\r\n:9\r\n_\r\n": TensorNotFound,
    b"|0\r\n_\r\n": TensorNotFound,
    b"|1\r\n|1\r\n+a\r\n:1\r\n+b\r\n*2\r\n:1\r\n:2\r\n_\r\n": TensorNotFound,
    b">0\r\n>1\r\n+x\r\n>2\r\n+invalidate\r\n:1\r\n>2\r\n+invalidate\r\n_\r\n_\r\n": TensorNotFound,
    b">2\r\n+invalidate\r\n*2\r\n*0\r\n%1\r\n*0\r\n:1\r\n_\r\n": TensorNotFound,
    b"-ERR what\r\n": ServerError,
    b"!8\r\nERR what\r\n": ServerError,
    b"-\r\n": ServerError,
    b"-NOPERM no\r\n": NotPermitted,
    b"-OOM used\r\n": StoreFull,
    b"-WRONGTYPE no\r\n": NotATensor,
    b":5\r\n": NotATensor,
    b"+OK\r\n": NotATensor,
    b"*0\r\n": NotATensor,
    b"%1\r\n*1\r\n:1\r\n,1.5\r\n": NotATensor,
    b"~1\r\n(12345678901234567890\r\n": NotATensor,
    b"=8\r\ntxt:SSAT\r\n": NotATensor,
    b"#t\r\n": NotATensor,
    b"|1\r\n+ttl\r\n:9\r\n" + REPLY: NotATensor,
    bulk(b""): NotATensor,
    bulk(b"SSAT"): NotATensor,
    bulk(b"X" * 100_000): NotATensor,
}


@pytest.mark.parametrize("reply", GOOD_ANSWERS, ids=lambda reply: repr(reply[:30]))
def test_a_reply_that_is_no_tensor_is_an_error_of_its_command_alone(face, tmp_path, reply):
    asked = [INFO] if reply.startswith(b"-OOM") else []
    with ScriptedPeer(tmp_path / "s", answers(reply, *asked, REPLY)) as peer:
        client = face.open(peer.address, timeout=20)
        with pytest.raises(GOOD_ANSWERS[reply]):
            client.get_tensor("t")
        np.testing.assert_array_equal(client.get_tensor("t"), SENT)
        assert peer.connections == 1


BROKEN = {
    b"hello\r\n": "not RESP: 'hello'",
    b"\r\n": "not RESP",
    b"\n": "not RESP",
    b"\0\xff\xfe\r\n": r"not RESP: '\?\?\?'",
    b"HTTP/1.1 400 Bad Request\r\n": "not RESP: 'HTTP/1.1 400 Bad Request'",
    b"$-2\r\n": "not a length",
    b"$\r\n": "not a length",
    b"$1x\r\n": "not a length",
    b"$ 1\r\n": "not a length",
    b"%-1\r\n": "not a length",
    b"$99999999999999999999\r\n": "not a length",
    b"$140737488355328\r\n": "a string longer than allowed",
    b"*9223372036854775807\r\n": "more elements than allowed",
    b"%9223372036854775807\r\n": "more elements than allowed",
    b"*1048577\r\n": "more elements than allowed",
    b"*1\r\n" * 1000: "nested too deeply",
    b"*1048576\r\n*1048576\r\n" + b"*0\r\n" * 1048575 + b"*0\r\n": "too many elements",
    b"|1\r\n" * 1000: "nested too deeply",
    b">1\r\n" * 1000: "nested too deeply",
    b":1.5\r\n": "not an integer",
    b":\r\n": "not an integer",
    b":9223372036854775808\r\n": "not an integer",
    b",nought\r\n": "not a number",
    b"(12a\r\n": "not a number",
    b"(\r\n": "not a number",
    b"#true\r\n": "not a boolean",
    b"_x\r\n": "not a null",
    b"+" + b"x" * 70_000: "a line longer than the buffer",
    b"*2\r\n$3\r\nabcd\r\n:1\r\n": "a string does not end where its length says",
    b"*1\r\n$9999999999999\r\nx": "no memory for a reply|closed the connection",
    b"$3": "closed the connection",
    b"*3\r\n:1\r\n": "closed the connection",
    REPLY[:40]: "closed the connection",
    REPLY[:-3]: "closed the connection",
    b"": "closed the connection",
}


@pytest.mark.parametrize("reply", BROKEN, ids=lambda reply: repr(reply[:24]))
def test_garbage_ends_the_connection_and_says_what_came(face, tmp_path, reply):
    """It is asked again on new connections, until the deadline."""
    mended = False

    def script(peer):
        answers(REPLY if mended else reply, then="stalls" if mended else "closes")(peer)

    with ScriptedPeer(tmp_path / "s", script) as peer:
        client = face.open(peer.address, timeout=20)
        with pytest.raises(OperationTimeout, match=BROKEN[reply]) as failure:
            client.get_tensor("t", timeout=0.1 if len(reply) < 100_000 else 1.0)
        assert f"Last, lost {peer.address}: " in str(failure.value)
        mended = True
        np.testing.assert_array_equal(client.get_tensor("t"), SENT)


@pytest.mark.parametrize("reply", [b"*1\r\n" * 100, REPLY[:40], b""], ids=["garbage", "half a tensor", "nothing"])
def test_what_may_run_twice_is_tried_again_on_a_new_connection(face, tmp_path, reply):
    def script(peer):
        answers(REPLY if peer.number == 3 else reply, then="stalls" if peer.number == 3 else "closes")(peer)

    with ScriptedPeer(tmp_path / "s", script) as peer:
        client = face.open(peer.address, timeout=20)
        np.testing.assert_array_equal(client.unpack_tensor("t", np.zeros_like(SENT)), SENT)
        assert peer.connections == 4


def test_a_peer_that_always_closes_is_not_stormed(face, tmp_path):
    with ScriptedPeer(tmp_path / "s", answers(b"", then="closes")) as peer:
        client = face.open(peer.address)
        with pytest.raises((Disconnected, ConnectionFailed, OperationTimeout)):
            client.get_tensor("t", timeout=0.5)
        assert peer.connections < 15


@pytest.mark.parametrize("reply", [b"", b"$3", REPLY[:40], REPLY[:-2]], ids=["nothing", "a length", "a head", "no end"])
def test_a_peer_that_stalls_is_a_timeout(face, tmp_path, reply):
    # The value is whole in the last case: it is given, and the end of the string is missed by the next command.
    with ScriptedPeer(tmp_path / "s", answers(reply)) as peer:
        client = face.open(peer.address)
        started = time.monotonic()
        for _ in range(2):
            try:
                client.get_tensor("t", timeout=0.2)  # long enough to connect on a busy machine
            except OperationTimeout as error:
                assert str(error).startswith(f"get_tensor 't': no answer from {peer.address} within 0.2")  # noqa: PT017
        with pytest.raises(OperationTimeout):
            client.unpack_tensor("t", np.zeros(3), timeout=0.2)
        assert time.monotonic() - started < 2


def test_a_tensor_for_which_there_is_no_memory_is_waited_for_no_longer_than_the_deadline(face, tmp_path):
    size = 1 << 45
    reply = b"$%d\r\n" % (64 + size) + encode_header(6, 1, (size,))
    with ScriptedPeer(tmp_path / "s", answers(reply)) as peer:
        client = face.open(peer.address)
        with pytest.raises((OperationTimeout, MemoryError)):
            client.get_tensor("t", timeout=0.2)


def test_a_second_reply_to_one_command_ends_the_connection(face, tmp_path):
    with ScriptedPeer(tmp_path / "s", answers(REPLY + b":1\r\n", REPLY)) as peer:
        client = face.open(peer.address, timeout=20)
        np.testing.assert_array_equal(get_alone(face, client), SENT)
        np.testing.assert_array_equal(client.get_tensor("t"), SENT)
        assert peer.connections == 2


def refuses_half_way(peer):
    peer.handshake()
    assert peer.read(4) == b"*3\r\n"
    peer.read(100_000)
    peer.say(b"-ERR Protocol error: invalid bulk length\r\n")


@pytest.mark.parametrize("then", ["stalls", "closes"])
def test_an_error_before_a_command_is_sent_in_full_is_its_answer(face, tmp_path, then):
    def script(peer):
        if peer.number:
            answers(REPLY)(peer)
        else:
            refuses_half_way(peer)
            if then == "stalls":
                # Not stall(), which would take the rest of the command.
                peer.closed_by_client()

    with ScriptedPeer(tmp_path / "s", script) as peer:
        client = face.open(peer.address, timeout=20)
        with pytest.raises(ServerError, match="Protocol error: invalid bulk length"):
            client.put_tensor("t", np.zeros(4 << 20))
        np.testing.assert_array_equal(client.get_tensor("t"), SENT)
        assert peer.connections == 2


def test_another_answer_before_a_command_is_sent_in_full_ends_the_connection(face, tmp_path):
    def script(peer):
        peer.handshake()
        peer.read(100_000)
        peer.say(b"+OK\r\n")
        peer.closed_by_client()

    with ScriptedPeer(tmp_path / "s", script) as peer:
        client = face.open(peer.address)
        batch = client.batch()
        batch.put_tensor("t", np.zeros(4 << 20))
        with pytest.raises(OperationTimeout, match="a reply to a command that is not sent in full"):
            face.execute(batch, timeout=0.2)


HANDSHAKES = {
    b"-WRONGPASS invalid username-password pair\r\n": r"WRONGPASS.*Check SSDB_USER and SSDB_PASSWORD",
    b"-NOAUTH HELLO must be called\r\n": r"NOAUTH.*set SSDB_USER and SSDB_PASSWORD",
    b"-NOPROTO sorry\r\n": r"NOPROTO.*Redis 6 or later",
    b"-ERR unknown command 'HELLO'\r\n": "unknown command",
    b"220 mail.example.org ESMTP\r\n": "not RESP: '220 mail.example.org ESMTP'",
    b"": "closed the connection",
}


@pytest.mark.parametrize("reply", HANDSHAKES, ids=lambda reply: repr(reply[:12]))
def test_what_is_no_store_is_told_when_connecting(face, tmp_path, reply):
    def script(peer):
        peer.request()
        peer.say(reply)

    with ScriptedPeer(tmp_path / "s", script) as peer:
        client = face.open(peer.address, timeout=0.1)
        started = time.monotonic()
        with pytest.raises(ConnectionFailed, match=HANDSHAKES[reply]) as failure:
            client.get_tensor("t")
        assert str(failure.value).startswith(f"cannot connect to {peer.address}: ")
        assert time.monotonic() - started < 2
        if reply[:7] in (b"-WRONGP", b"-NOAUTH", b"-NOPROT"):
            assert peer.connections == 1


def test_a_peer_that_accepts_and_says_nothing_is_told_at_the_deadline(face, tmp_path):
    with ScriptedPeer(tmp_path / "s", lambda peer: peer.stall()) as peer:
        client = face.open(peer.address)
        with pytest.raises(ConnectionFailed, match="answer"):
            client.get_tensor("t", timeout=0.2)
