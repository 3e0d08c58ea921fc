"""How a worker says that it is ready: the protocol of sd_notify(3), on a socket of our own for every incarnation.

A datagram of lines `NAME=value`; of those we take READY=1, STOPPING=1 and SSA_ADDRESS=<address>[,<address>...].
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from ssasync.store.socket_path import check_socket_path

__all__ = ["NotifySocket", "parse_notification"]

_LARGEST = 64 * 1024


def parse_notification(datagram: bytes) -> dict[str, str]:
    """The assignments of one datagram; lines without `=` mean nothing, as in systemd."""
    lines = datagram.decode(errors="replace").splitlines()
    return {name: value for name, equals, value in (line.partition("=") for line in lines) if equals}


class NotifySocket:
    """Listens at `path` from its making until `close`; gives each datagram to `heard`, in the loop.

    The directory of `path` must be private: whoever can reach the socket can speak for the worker.
    Raises SocketPathTooLong.
    """

    def __init__(self, path: Path, heard: Callable[[Mapping[str, str]], None]) -> None:
        self.path = check_socket_path(path)
        self._heard = heard
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.bind(str(path))
        except BaseException:
            self._socket.close()
            raise
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._read)

    def close(self) -> None:
        """Stop listening and remove the socket; may be repeated."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self.path.unlink(missing_ok=True)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            self._heard(parse_notification(self._socket.recv(_LARGEST)))
