"""What is said on a new connection before it is of use: who we are, and proof of it.

A handshake is a generator: it yields commands it has queued on the connection, receives each one's reply, and raises
ConnectionFailed (final: retrying is of no use) or returns when the connection is ready.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Generator
from typing import Any

from ssasync.cyclient import _core
from ssasync.cyclient.errors import ConnectionFailed, ServerError
from ssasync.cyclient.options import Options
from ssasync.cyclient.worker_list import WorkerEntry

HandshakeSteps = Generator[_core.Command, Any, None]


class WrongWorker(ConnectionFailed):
    """Another worker has this address now: the list of workers is out of date."""


def shard_handshake(connection: _core.Connection, options: Options) -> HandshakeSteps:
    """RESP3, the user and password, and tracking by request, for waits. Raises ConnectionFailed."""
    arguments = ["HELLO", "3"]
    if options.password is not None:
        arguments += ["AUTH", options.user, options.password]
    try:
        yield connection.command("HELLO", *arguments)
        yield connection.command("CLIENT TRACKING", "CLIENT", "TRACKING", "ON", "OPTIN")
    except ServerError as error:
        code = error.text.partition(" ")[0]
        remedy = {
            "WRONGPASS": "Check SSDB_USER and SSDB_PASSWORD.",
            "NOAUTH": "The store asks for a password: set SSDB_USER and SSDB_PASSWORD.",
            "NOPROTO": "The server speaks no RESP3: use Redis 6 or later, or Valkey.",
        }.get(code, "")
        raise ConnectionFailed(connection.address, error.text, remedy) from None


def worker_handshake(connection: _core.Connection, options: Options, entry: WorkerEntry) -> HandshakeSteps:
    """Both sides prove that they know the secret (WIRE.md, "Proof"). Raises ConnectionFailed, WrongWorker."""
    secret, worker_id = (options.password or "").encode(), entry.worker_id.encode()
    client_nonce = secrets.token_bytes(32)
    try:
        challenge = yield connection.command("SSA.HELLO", "SSA.HELLO", "1", entry.worker_id, client_nonce)
    except ServerError as error:
        raise WrongWorker(connection.address, error.text, "The list of workers is read again.") from None
    match challenge:
        case ["SSA.CHALLENGE" | b"SSA.CHALLENGE", bytes(answered), bytes(worker_nonce), bytes(proof)] if (
            answered == worker_id and len(worker_nonce) == 32
        ):
            expected = _core.worker_proof("worker", secret, worker_id, client_nonce, worker_nonce)
            if not hmac.compare_digest(proof, expected):
                raise WrongWorker(connection.address, "it does not know the secret", "It is not one of ours.")
        case _:
            raise WrongWorker(connection.address, "it does not speak our protocol", "It is not one of ours.")
    try:
        yield connection.command(
            "SSA.PROOF", "SSA.PROOF", _core.worker_proof("client", secret, worker_id, client_nonce, worker_nonce)
        )
    except ServerError as error:
        raise ConnectionFailed(connection.address, error.text, "Check SSDB_PASSWORD.") from None
    connection.match_by_id()
