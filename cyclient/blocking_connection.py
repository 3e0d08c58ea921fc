"""One connection of the blocking face: the same C connection, waited for by poll. No thread, no event loop."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from ssasync.cyclient import _core
from ssasync.cyclient.address import Address
from ssasync.cyclient.errors import ConnectionFailed, Disconnected, OperationTimeout, ServerError
from ssasync.cyclient.handshake import HandshakeSteps
from ssasync.cyclient.silence import progress_of, was_silent

_CONNECT_REMEDY = "Is it running, and is the address right?"
_FULL_BACKLOG_RETRY = 0.005  # seconds; a unix socket whose backlog is full says so instead of waiting


class BlockingConnection:
    """Opened when constructed. `silence`: as for the asyncio connection. Deadlines are in `time.monotonic()`."""

    def __init__(
        self,
        address: Address,
        handshake: Callable[[_core.Connection], HandshakeSteps],
        deadline: float,
        *,
        silence: float | None = None,
    ) -> None:
        self.address = address
        self._silence = silence
        self._socket = _connect(address, deadline)
        try:
            self.core = _core.Connection(self._socket.fileno(), str(address))
            self.core.prepare_waits()
            _carry_out(handshake(self.core), self, deadline)
        except BaseException as error:
            self.close()
            if isinstance(error, Disconnected):
                raise ConnectionFailed(str(address), error.reason, _CONNECT_REMEDY) from None
            if isinstance(error, OperationTimeout):
                raise ConnectionFailed(str(address), "it accepts, but does not answer", _CONNECT_REMEDY) from None
            raise

    @property
    def open_(self) -> bool:
        """Whether it can be used."""
        return self._socket.fileno() >= 0

    def perform(self, command: _core.Command, operation: str, deadline: float) -> Any:
        """The command's value. Raises OperationTimeout, Disconnected, and what the reply says.

        Whatever it raises, KeyboardInterrupt included: the caller's memory has been given back.
        """
        self.perform_all([command], operation, command.subject, deadline)
        return command.result()

    def perform_all(self, commands: Sequence[_core.Command], operation: str, subject: str, deadline: float) -> None:
        """Wait until all are done; each has its own value or error. Raises OperationTimeout."""
        seconds = deadline - time.monotonic()
        try:
            for command in commands:
                while not command.done:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise OperationTimeout(operation, subject, str(self.address), max(seconds, 0.0))
                    self._wait(command, left)
        finally:
            for command in commands:
                if not command.done:
                    self.core.abandon(command)
        for command in commands:
            if isinstance(command.error, Disconnected):
                self.close()

    def _wait(self, command: _core.Command, left: float) -> None:
        """Wait for the command, or until the other side has been silent for too long."""
        if self._silence is None:
            self.core.wait(command, left)
            return
        with contextlib.suppress(Disconnected):  # the command has that error too
            self.core.send()  # so that only what comes after it counts
        before = progress_of(self.core)
        if (
            not self.core.wait(command, min(left, self._silence))
            and self._silence <= left
            and was_silent(before, progress_of(self.core))
        ):
            self.core.fail(f"silent for {self._silence:g} s with a request unanswered")
        self.core.pushes()  # `alive`: that bytes came is all that counts

    def close(self) -> None:
        """Close the socket. Safe to repeat."""
        with contextlib.suppress(OSError):
            self._socket.close()


def _carry_out(steps: HandshakeSteps, connection: BlockingConnection, deadline: float) -> None:
    command = next(steps)
    while True:
        try:
            value = connection.perform(command, "connect", deadline)
        except ServerError as error:  # the handshake decides what it means
            command = steps.throw(error)
        else:
            try:
                command = steps.send(value)
            except StopIteration:
                return


def _connect(address: Address, deadline: float) -> socket.socket:
    """A connected stream socket. Raises ConnectionFailed."""
    while True:
        try:
            stream, target = address.socket_and_target()
        except OSError as error:
            raise ConnectionFailed(str(address), error.strerror or str(error), _CONNECT_REMEDY) from None
        stream.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            stream.connect(target)
        except OSError as error:
            stream.close()
            if error.errno == errno.EAGAIN and time.monotonic() < deadline:
                time.sleep(_FULL_BACKLOG_RETRY)
                continue
            reason = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
            raise ConnectionFailed(str(address), reason, _CONNECT_REMEDY) from None
        stream.setblocking(False)
        return stream
