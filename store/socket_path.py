"""How long the path of a unix socket may be."""

from pathlib import Path

from ssasync.store.errors import SocketPathTooLong

__all__ = ["LONGEST_SOCKET_PATH", "check_socket_path"]

#: Engines refuse longer ones ("must be under 108"): sun_path of unix(7), less the closing NUL.
LONGEST_SOCKET_PATH = 107


def check_socket_path(path: Path) -> Path:
    """`path`, if a socket can lie there; raises SocketPathTooLong, which says what to change."""
    length = len(str(path).encode())
    if length > LONGEST_SOCKET_PATH:
        raise SocketPathTooLong(path, length, LONGEST_SOCKET_PATH)
    return path
