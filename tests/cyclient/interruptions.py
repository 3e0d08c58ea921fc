"""Ctrl-C at random moments of operations."""

import contextlib
import random
import signal
from collections.abc import Callable, Iterator


class Interruptions:
    """By an alarm that does what Ctrl-C does: it can be set to the microsecond."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0

    def during(self, operation: Callable[[], object]) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            try:
                signal.setitimer(signal.ITIMER_REAL, self.random.uniform(1e-6, 4e-4))
                operation()
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                self.count += 1


@contextlib.contextmanager
def interrupting() -> Iterator[Interruptions]:
    """Afterwards the alarm is off, and what it did before is done again."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        yield Interruptions(7)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
