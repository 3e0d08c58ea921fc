"""The driver's own connection to a shard. Values of users never pass through it."""

from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ssasync.store.acl import ADMIN
from ssasync.store.credentials import Secret

__all__ = ["administrator"]


def administrator(socket: Path, password: Secret, *, timeout: float) -> Redis:
    """A connection as the user `admin`, made at the first command; to be closed by `aclose()`.

    timeout: seconds for connecting and for each answer. Nothing is retried: its users know when to ask again.
    """
    return Redis(
        unix_socket_path=str(socket),
        username=ADMIN.name,
        password=password.reveal(),
        protocol=3,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        client_name="ssasync-driver",
        max_connections=1,
    )
