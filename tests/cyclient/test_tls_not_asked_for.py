"""A server that speaks TLS and a client that was not told so: which words help."""

import socket
import struct

import numpy as np
import pytest

from ssasync.cyclient import ConnectionFailed
from tests.cyclient.scripted_peer import ScriptedPeer

ONES = np.ones(3)


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
