"""Ctrl-C and SIGTERM while an experiment is open: the first stops it in order, the second kills at once."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_Handler = Callable[[int, FrameType | None], object] | int | None


class Interrupts:
    """Takes both signals of the main thread; gives them back on `release`. Does nothing in notebooks and other threads.

    first: called in the loop at the first signal; again: at every further one.
    """

    def __init__(self, first: Callable[[], None], again: Callable[[], None]) -> None:
        self._first = first
        self._again = again
        self._loop: asyncio.AbstractEventLoop | None = None
        self._former: dict[signal.Signals, _Handler] = {}
        self.caught: signal.Signals | None = None

    def take(self, loop: asyncio.AbstractEventLoop) -> None:
        """Catch the signals from now on."""
        if threading.current_thread() is not threading.main_thread() or "ipykernel" in sys.modules:
            return
        self._loop = loop
        for number in _SIGNALS:
            self._former[number] = signal.getsignal(number)
            loop.add_signal_handler(number, self._on_signal, number)

    def release(self) -> None:
        """Restore what was there before."""
        if self._loop is None:
            return
        loop, self._loop = self._loop, None
        for number, former in self._former.items():
            if not loop.is_closed():
                loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL if former is None else former)

    def _on_signal(self, number: signal.Signals) -> None:
        if self.caught is None:
            self.caught = number
            self._first()
        else:
            self._again()

    def exception(self) -> BaseException | None:
        """What the interrupted program ends with: KeyboardInterrupt, or SystemExit(143) for SIGTERM."""
        if self.caught is None:
            return None
        return KeyboardInterrupt() if self.caught is signal.SIGINT else SystemExit(128 + signal.SIGTERM)
