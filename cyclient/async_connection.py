"""One connection of the asyncio face: a non-blocking socket of its own, driven by the loop's reader and writer callbacks.

A transport would hide its send buffer (a cancelled put could not take the caller's array back) and, on plain asyncio,
copy it; so the C core writes and reads the socket itself. Nothing here is a task: connecting, the handshake and the
watch for silence are callbacks of the connection, so that they belong to no caller and survive a caller's cancellation.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from ssasync.cyclient import _core
from ssasync.cyclient.address import Address
from ssasync.cyclient.errors import ConnectionFailed, Disconnected, OperationTimeout, StoreError
from ssasync.cyclient.handshake import HandshakeSteps
from ssasync.cyclient.silence import NOTHING, progress_of, was_silent

Handshake = Callable[[_core.Connection], HandshakeSteps]

_CONNECT_REMEDY = "Is it running, and is the address right?"


class AsyncConnection:
    """Open it with `open()`; then queue commands on `core` and await `perform`.

    on_push: called with each push; on_lost: called once when an open connection is lost, after all commands have failed.
    silence: seconds without a byte, while something is unanswered, after which the other side counts as lost; None: never.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        address: Address,
        *,
        on_push: Callable[[list[Any]], None] | None = None,
        on_lost: Callable[[AsyncConnection], None] | None = None,
        silence: float | None = None,
    ) -> None:
        self._loop = loop
        self.address = address
        self._on_push = on_push
        self._on_lost = on_lost
        self._silence = silence
        self._silence_timer: asyncio.TimerHandle | None = None
        self._seen = NOTHING  # had moved when silence was last looked for
        self._socket: socket.socket | None = None
        self._opened: asyncio.Future[None] | None = None
        self._handshake: HandshakeSteps | None = None
        self._sending = False  # a send is due in this turn of the loop
        self._writing = False  # the loop tells us when the socket takes more
        self.open_ = False
        self.core: _core.Connection

    # ---- opening

    def open(self, handshake: Handshake) -> asyncio.Future[None]:
        """Start to connect. The future ends when the handshake is over; with ConnectionFailed when it fails."""
        self._opened = self._loop.create_future()
        try:
            self._socket, target = self.address.socket_and_target()
            self._socket.setblocking(False)
            code = self._socket.connect_ex(target)
        except OSError as error:
            self._opening_failed(ConnectionFailed(str(self.address), error.strerror or str(error), _CONNECT_REMEDY))
            return self._opened
        if self._silence is not None:
            self._silence_timer = self._loop.call_later(self._silence, self._check_silence)
        if code == errno.EINPROGRESS:
            self._loop.add_writer(self._socket.fileno(), self._connected, handshake)
        else:
            self._continue_opening(code, handshake)
        return self._opened

    def _connected(self, handshake: Handshake) -> None:
        if self._socket is None:
            return
        self._loop.remove_writer(self._socket.fileno())
        self._continue_opening(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), handshake)

    def _continue_opening(self, code: int, handshake: Handshake) -> None:
        if code:
            self._opening_failed(ConnectionFailed(str(self.address), os.strerror(code), _CONNECT_REMEDY))
            return
        assert self._socket is not None  # noqa: S101 - set by open()
        try:
            self.core = _core.Connection(self._socket.fileno(), str(self.address))
        except MemoryError as error:
            self._opening_failed(error)
            return
        self._loop.add_reader(self._socket.fileno(), self._on_readable)
        self._handshake = handshake(self.core)
        self._step(None)

    def _step(self, done: asyncio.Future[Any] | None) -> None:
        """Give the handshake the reply it waited for and queue what it asks next."""
        if self._handshake is None:
            if done is not None and not done.cancelled():
                done.exception()  # seen: the opening has failed already, with this very loss
            return
        try:
            if done is None:
                command = next(self._handshake)
            elif (error := done.exception()) is not None:
                command = self._handshake.throw(error)
            else:
                command = self._handshake.send(done.result())
        except StopIteration:
            self._handshake = None
            self.open_ = True
            self._stop_silence_timer()  # it counts anew from the first request
            if self._opened is not None and not self._opened.done():
                self._opened.set_result(None)
        except (StoreError, MemoryError) as error:
            self._opening_failed(error)
        else:
            self.start(command).add_done_callback(self._step)

    def _opening_failed(self, error: StoreError | MemoryError) -> None:
        self._handshake = None
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(error)
            self._opened.exception()  # somebody may have stopped waiting: that is no error of its own
        self.close()

    # ---- commands

    def start(self, command: _core.Command, *, at_once: bool = False) -> asyncio.Future[Any]:
        """Let the command just queued leave at the end of this turn of the loop; what its reply says, later.

        at_once: now, if the connection is idle. It costs a turn of the loop less; commands that follow leave together.
        """
        waiter: asyncio.Future[Any] = self._loop.create_future()
        if not command.done:
            command.waiter = waiter
            if at_once and self.core.unanswered == 1 and not self._sending:
                self._send()
            else:
                self.schedule_send()
        elif command.error is not None:  # queued on a connection that had been lost
            waiter.set_exception(command.error)
        else:
            waiter.set_result(command.value)
        return waiter

    async def perform(self, command: _core.Command, operation: str, deadline: float) -> Any:
        """The command's value. `deadline`: in the loop's time.

        Raises OperationTimeout, Disconnected, and what the reply says. Cancelled or late, the caller's memory is given back
        before this raises: nothing is awaited after a cancellation.
        """
        waiter = self.start(command, at_once=True)
        started = self._loop.time()
        timer = self._loop.call_at(deadline, self._late, waiter, operation, command.subject, deadline - started)
        try:
            return await waiter
        finally:
            timer.cancel()
            if not command.done:
                self.core.abandon(command)

    async def perform_all(self, flight: _core.Flight, operation: str, subject: str, deadline: float) -> None:
        """Wait until all commands of the flight are done; each has its own value or error. Raises OperationTimeout."""
        if not flight.unanswered:
            return
        waiter = flight.waiter = self._loop.create_future()
        self.schedule_send()
        started = self._loop.time()
        timer = self._loop.call_at(deadline, self._late, waiter, operation, subject, deadline - started)
        try:
            await waiter
        finally:
            timer.cancel()
            for command in flight.commands:
                if not command.done:
                    self.core.abandon(command)

    def _late(self, waiter: asyncio.Future[Any], operation: str, subject: str, seconds: float) -> None:
        if not waiter.done():
            waiter.set_exception(OperationTimeout(operation, subject, str(self.address), max(seconds, 0.0)))

    def schedule_send(self) -> None:
        """Send what is queued at the end of this turn of the loop: all its commands leave in one write."""
        if not self._sending and not self._writing:
            self._sending = True
            self._loop.call_soon(self._send)

    # ---- the loop's callbacks

    def _send(self) -> None:
        self._sending = False
        if self._socket is None:
            return
        try:
            all_sent = self.core.send()
        except Disconnected as error:
            self._lost(error)
            return
        if all_sent == self._writing:
            self._writing = not all_sent
            if self._writing:
                self._loop.add_writer(self._socket.fileno(), self._send)
            else:
                self._loop.remove_writer(self._socket.fileno())
        if self._silence is not None and self._silence_timer is None:
            self._seen = progress_of(self.core)
            self._silence_timer = self._loop.call_later(self._silence, self._check_silence)

    def _on_readable(self) -> bool:
        """Take what came. Returns whether the connection still stands."""
        try:
            self.core.receive()
        except Disconnected as error:
            self._deliver_pushes()
            self._lost(error)
            return False
        self._deliver_pushes()
        return True

    def _deliver_pushes(self) -> None:
        for push in self.core.pushes():
            if self._on_push is not None:
                self._on_push(push)

    def _stop_silence_timer(self) -> None:
        if self._silence_timer is not None:
            self._silence_timer.cancel()
            self._silence_timer = None

    def _check_silence(self) -> None:
        self._silence_timer = None
        if self._silence is None or self._socket is None:
            return
        if not self.open_:
            self._opening_failed(
                ConnectionFailed(str(self.address), f"silent for {self._silence:g} s", _CONNECT_REMEDY)
            )
            return
        if not self.core.unanswered:
            return
        # A loop that was held up sees its own silence: look into the socket before judging the other side.
        if not self._on_readable():
            return
        now = progress_of(self.core)
        if was_silent(self._seen, now):
            text = f"silent for {self._silence:g} s with a request unanswered"
            self.core.fail(text)
            self._lost(Disconnected(str(self.address), text))
            return
        self._seen = now
        self._silence_timer = self._loop.call_later(self._silence, self._check_silence)

    # ---- ending

    def _lost(self, error: Disconnected) -> None:
        was_open = self.open_
        if self._handshake is not None:
            self._opening_failed(ConnectionFailed(str(self.address), error.reason, _CONNECT_REMEDY))
        self.close()
        if was_open and self._on_lost is not None:
            self._on_lost(self)

    def close(self) -> None:
        """Close the socket; whatever is unanswered ends with Disconnected. Safe to repeat."""
        self.open_ = False
        self._stop_silence_timer()
        stream, self._socket = self._socket, None
        if stream is None:
            return
        if not self._loop.is_closed():
            self._loop.remove_reader(stream.fileno())
            self._loop.remove_writer(stream.fileno())
        if hasattr(self, "core"):
            self.core.fail("the client was closed")
        stream.close()
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(ConnectionFailed(str(self.address), "the client was closed", ""))
            self._opened.exception()
