"""Which TCP ports the shards get."""

import random
from pathlib import Path

__all__ = ["automatic_port", "highest_automatic_port"]

#: A cluster's bus takes the port 10,000 above; both must lie below the ports that the kernel gives to clients.
BUS_OFFSET = 10_000
_LOWEST = 12_000
_USUAL_EPHEMERAL = 32_768


def highest_automatic_port() -> int:
    """The last port whose bus port is below the ephemeral range of this machine (22767 where Linux is not tuned)."""
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        first = _USUAL_EPHEMERAL
    # Where somebody widened the range downwards nothing is safe; then collide as seldom as may be.
    return min(_USUAL_EPHEMERAL, max(first, _LOWEST + BUS_OFFSET + 1000)) - BUS_OFFSET - 1


def automatic_port(choose: random.Random | None = None) -> int:
    """A port to try. Nobody reserves it: the engine binds it, and when it is taken another one is tried."""
    return (choose or random.SystemRandom()).randint(_LOWEST, highest_automatic_port())
