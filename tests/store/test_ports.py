"""Ports that shards may take."""

import socket

import pytest

from ssasync.store import ports
from ssasync.store.errors import NoFreePort
from ssasync.store.ports import BUS_OFFSET, automatic_port, free_port, highest_automatic_port, is_free


def test_automatic_ports_keep_their_bus_port_below_those_of_clients() -> None:
    highest = highest_automatic_port()
    assert highest + BUS_OFFSET < 32768
    chosen = {automatic_port() for _ in range(200)}
    assert len(chosen) > 150
    assert all(1024 < port <= highest for port in chosen)


def test_a_port_on_which_somebody_listens_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free("127.0.0.1", port)
    assert is_free("127.0.0.1", port)


def test_a_machine_without_a_free_port_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(ports, "automatic_port", lambda: server.getsockname()[1])
        with pytest.raises(NoFreePort, match=r"no free port on 127\.0\.0\.1 between 12000 and \d+"):
            free_port("127.0.0.1")
