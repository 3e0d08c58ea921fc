"""The protocol of sd_notify(3), our side."""

import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from ssasync.store.errors import SocketPathTooLong
from ssasync.store.notify_socket import NotifySocket, parse_notification


def test_assignments_are_read_and_the_rest_is_ignored() -> None:
    assert parse_notification(b"READY=1\nSSA_ADDRESS=unix:///a=b,h:1\nnonsense\n\n") == {
        "READY": "1",
        "SSA_ADDRESS": "unix:///a=b,h:1",
    }
    assert parse_notification(b"\xff\xfe") == {}


async def test_datagrams_are_heard_until_it_is_closed(tmp_path: Path) -> None:
    heard: asyncio.Queue[Mapping[str, str]] = asyncio.Queue()
    notify = NotifySocket(tmp_path / "n", heard.put_nowait)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"READY=1", str(notify.path))
        sender.sendto(b"STOPPING=1", str(notify.path))
        async with asyncio.timeout(10):
            assert [await heard.get(), await heard.get()] == [{"READY": "1"}, {"STOPPING": "1"}]
    notify.close()
    notify.close()
    assert not notify.path.exists()


async def test_a_place_where_no_socket_can_lie_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SocketPathTooLong):
        NotifySocket(tmp_path / ("x" * 110), print)
    with pytest.raises(FileNotFoundError):
        NotifySocket(tmp_path / "absent" / "n", print)
