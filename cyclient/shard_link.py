"""The asyncio client's way to one shard: a connection that comes back, and the keys that are watched through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from ssasync.cyclient.address import Address
from ssasync.cyclient.async_connection import AsyncConnection
from ssasync.cyclient.errors import ConnectionFailed, Disconnected, InternalError, WaitTimeout
from ssasync.cyclient.handshake import shard_handshake
from ssasync.cyclient.invalidation import invalidated_keys
from ssasync.cyclient.options import Options
from ssasync.cyclient.retry import RECHECK_SECONDS, RetryDelay, is_unwanted

_LAST_LOOK = 1.0  # seconds


class ShardLink:
    """Connects when first asked, again when the connection is known dead; never a second one beside a living one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, options: Options) -> None:
        self._loop = loop
        self._options = options
        self._addresses: Sequence[Address] = options.addresses
        self._next_address = 0
        self._connection: AsyncConnection | None = None
        self._opening = False
        self._delay = RetryDelay()
        self._retry_timer: asyncio.TimerHandle | None = None
        self._last_failure: ConnectionFailed | None = None
        self._waiting: list[asyncio.Future[AsyncConnection]] = []
        self._key_waiters: dict[bytes, list[asyncio.Future[None]]] = {}
        self._watches: dict[bytes, list[Callable[[], None]]] = {}
        self._closed = False

    # ---- the connection

    async def connection(self, deadline: float) -> AsyncConnection:
        """The open connection; waits for one until the deadline. Raises ConnectionFailed."""
        if self._connection is not None and self._connection.open_:
            return self._connection
        if self._closed:
            raise Disconnected(str(self._addresses[0]), "the client is closed")
        waiter: asyncio.Future[AsyncConnection] = self._loop.create_future()
        self._waiting.append(waiter)
        self._start()
        timer = self._loop.call_at(deadline, self._gave_up, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def _gave_up(self, waiter: asyncio.Future[AsyncConnection]) -> None:
        if not waiter.done():
            waiter.set_exception(
                self._last_failure or ConnectionFailed(self._describe(), "no answer", "Is it running, and not stopped?")
            )

    def _describe(self) -> str:
        return ", ".join(str(address) for address in self._addresses)

    def _start(self) -> None:
        if self._opening or self._closed or (self._connection is not None and self._connection.open_):
            return
        if self._retry_timer is not None:
            return
        self._opening = True
        address = self._addresses[self._next_address % len(self._addresses)]
        self._next_address += 1
        self._connection = AsyncConnection(self._loop, address, on_push=self._on_push, on_lost=self._on_lost)
        opened = self._connection.open(lambda core: shard_handshake(core, self._options))
        opened.add_done_callback(self._on_opened)

    def _on_opened(self, opened: asyncio.Future[None]) -> None:
        self._opening = False
        if self._closed or self._connection is None:
            return
        waiting = [waiter for waiter in self._waiting if not waiter.done()]
        error = opened.exception()
        if error is None:
            self._delay.reset()
            for waiter in waiting:
                waiter.set_result(self._connection)
            self._rearm_all()
            return
        self._last_failure = (
            error
            if isinstance(error, ConnectionFailed)
            else ConnectionFailed(str(self._connection.address), str(error) or repr(error), "")
        )
        if is_unwanted(self._last_failure):
            for waiter in waiting:
                waiter.set_exception(self._last_failure)
        elif waiting or self._watches:
            self._retry_timer = self._loop.call_later(self._delay.next(), self._retry_now)

    def _retry_now(self) -> None:
        self._retry_timer = None
        if any(not waiter.done() for waiter in self._waiting) or self._watches:
            self._start()

    def _on_lost(self, connection: AsyncConnection) -> None:
        if connection is not self._connection:
            return
        self._connection = None
        for waiters in self._key_waiters.values():
            _wake(waiters)
        self._key_waiters.clear()
        if self._watches:
            self._start()

    # ---- keys that are waited for

    async def wait_for_key(self, key: bytes, subject: str, seconds: float) -> None:
        """Return when the key exists. Event-driven: the server pushes an invalidation when somebody writes it.

        Raises WaitTimeout, ConnectionFailed.
        """
        deadline = self._loop.time() + seconds
        while True:
            connection = await self.connection(deadline)
            changed: asyncio.Future[None] = self._loop.create_future()
            waiters = self._key_waiters.setdefault(key, [])
            waiters.append(changed)
            try:
                # In one write and next to each other: CACHING YES counts for the next command alone.
                connection.core.command(subject, "CLIENT", "CACHING", "YES")
                exists = connection.core.command(subject, "EXISTS", key)
                # The last look comes when the deadline is over: it has a second of its own.
                if await connection.perform(exists, "wait for", max(deadline, self._loop.time() + _LAST_LOOK)):
                    return
                left = deadline - self._loop.time()
                if left <= 0:
                    raise WaitTimeout(subject, str(connection.address), seconds)
                await asyncio.wait((changed,), timeout=min(RECHECK_SECONDS, left))
            except Disconnected:
                continue
            finally:
                if changed in waiters:
                    waiters.remove(changed)
                if not waiters and self._key_waiters.get(key) is waiters:
                    del self._key_waiters[key]

    def watch(self, key: bytes, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` whenever the key may have changed, beginning now. Returns what ends the watch."""
        self._watches.setdefault(key, []).append(changed)
        if self._connection is not None and self._connection.open_:
            self._rearm(key)
        else:
            self._start()

        def stop() -> None:
            callbacks = self._watches.get(key, [])
            if changed in callbacks:
                callbacks.remove(changed)
            if not callbacks:
                self._watches.pop(key, None)

        return stop

    def _rearm_all(self) -> None:
        for key in list(self._watches):
            self._rearm(key)

    def _rearm(self, key: bytes) -> None:
        """Ask for the next change, then report: what changes from here on causes another push."""
        if self._connection is None:
            raise InternalError("a watch was armed without a connection")
        self._connection.core.command("watch", "CLIENT", "CACHING", "YES")
        self._connection.core.command("watch", "EXISTS", key)
        self._connection.schedule_send()
        for changed in list(self._watches.get(key, ())):
            changed()

    def _on_push(self, push: list[Any]) -> None:
        for key in invalidated_keys(push, {*self._key_waiters, *self._watches}):
            _wake(self._key_waiters.pop(key, []))
            if key in self._watches:
                self._rearm(key)

    # ---- ending

    def close(self) -> None:
        """Close the connection; waiters end with Disconnected."""
        self._closed = True
        if self._retry_timer is not None:
            self._retry_timer.cancel()
        self._watches.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(Disconnected(self._describe(), "the client was closed"))
        for waiters in self._key_waiters.values():
            _wake(waiters)  # they look again, and find the client closed


def _wake(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
