"""The watch of one key: whoever wants to know is told when it may have changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ssasync.cyclient import _core
from ssasync.cyclient.errors import WrongType
from ssasync.cyclient.operations import Request

# A store that refuses a watch (the password was changed, say) may take it later: it is asked again after so many seconds,
# each time twice as many, up to the longest.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0

_logger = logging.getLogger("ssasync.cyclient")


class KeyWatch:
    """One key, watched again whenever it changed: armed before it is told, so that no change is missed."""

    def __init__(self, engine: _core.Engine, key: bytes, changed: Callable[[], None]) -> None:
        if not isinstance(key, bytes):
            raise WrongType("key", key, "give bytes")
        if not callable(changed):
            raise WrongType("changed", changed, "give a function without arguments")
        self._engine = engine
        self._key = key
        self._changed = changed
        self._request: Request[None] | None = None
        self._pause = 0.0  # after the last failure; 0: it did not fail
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._request = self._engine.watch(self._key).within(float("inf"))
        self._engine.start(self._request).add_done_callback(self._ended)
        self._changed()

    def stop(self) -> None:
        request, self._request = self._request, None
        if self._timer is not None:
            self._timer.cancel()
        if request is not None:
            request.cancel()

    def _ended(self, waiter: asyncio.Future[None]) -> None:
        error = None if waiter.cancelled() else waiter.exception()
        if self._request is None or waiter.cancelled() or self._engine.closed:
            return
        if error is None:
            self._pause = 0.0
            self.begin()
            return
        if not self._pause:
            _logger.error("the watch of key %r failed, and is tried again until it succeeds: %s", self._key, error)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE) or _FIRST_PAUSE
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._again)

    def _again(self) -> None:
        self._timer = None
        if not self._engine.closed:
            self.begin()
