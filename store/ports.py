"""Which TCP ports the shards get."""

import random
import socket
from pathlib import Path

from ssasync.store.errors import NoFreePort

__all__ = ["automatic_port", "free_port", "highest_automatic_port", "is_free"]

#: A cluster's bus takes the port 10,000 above; both must lie below the ports that the kernel gives to clients.
BUS_OFFSET = 10_000
_LOWEST = 12_000
_USUAL_EPHEMERAL = 32_768
_TRIES = 50


def highest_automatic_port() -> int:
    """The last port whose bus port is below the ephemeral range of this machine (22767 where Linux is not tuned)."""
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        first = _USUAL_EPHEMERAL
    # Where somebody widened the range downwards nothing is safe; then collide as seldom as may be.
    return min(_USUAL_EPHEMERAL, max(first, _LOWEST + BUS_OFFSET + 1000)) - BUS_OFFSET - 1


def automatic_port() -> int:
    """A random port to try."""
    return random.SystemRandom().randint(_LOWEST, highest_automatic_port())


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens on `port` of `host` now.

    Nothing is reserved: only the engine's own bind decides, and its refusal is a PortTaken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str) -> int:
    """An automatic port on which nobody listens now. Raises NoFreePort."""
    for _ in range(_TRIES):
        port = automatic_port()
        if is_free(host, port):
            return port
    raise NoFreePort(host, _LOWEST, highest_automatic_port(), _TRIES)
