"""Every crash gets a number when it happens; the events must name all of them."""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Iterator

from ssasync.actors import (
    ChildExited,
    ChildGaveUp,
    ChildStarting,
    ChildStopped,
    Event,
    ExitReason,
    Subscription,
)

_NUMBER = re.compile(r"crash #(\d+)\b")


class Ledger:
    """Crashes that were made, and those no event has told yet."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.untold: set[int] = set()
        self.total = 0

    def crash(self, kind: str) -> str:
        """Number a crash that happens now; the text must be a part of what is raised."""
        self.total += 1
        self.made[kind] += 1
        self.untold.add(self.total)
        return f"crash #{self.total} ({kind})"


class Auditor:
    """Reads a lossless subscription to its end and compares it with the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.kinds: Counter[str] = Counter()
        self.failed_exits = 0
        self.open: dict[str, int] = {}  # incarnations that were started and are not over, by path
        self.mistakes: list[str] = []

    async def read(self, events: Subscription) -> None:
        """Until the system is closed. The task of an observer: it must not wait for anything else."""
        read = 0
        async for event in events:
            self._note(event)
            read += 1
            if read % 256 == 0:
                await asyncio.sleep(0)

    def _note(self, event: Event) -> None:
        self.kinds[type(event).__name__] += 1
        match event:
            case ChildStarting(path=path, attempt=attempt):
                if path in self.open:
                    self.mistakes.append(f"{path}: attempt {attempt} begins while {self.open[path]} is not over")
                self.open[path] = attempt
            case ChildExited(path=path, attempt=attempt, reason=reason):
                self._over(path, attempt, reason)
            case ChildStopped(path=path, attempt=attempt, reason=reason):
                self._over(path, attempt, reason)
            case ChildGaveUp(path=path, story=story):
                if not story:
                    self.mistakes.append(f"{path} gave up without a story")

    def _over(self, path: str, attempt: int, reason: ExitReason) -> None:
        # A child that was waiting for its turn or its backoff is stopped without an incarnation that could be open.
        if path in self.open and self.open.pop(path) != attempt:
            self.mistakes.append(f"{path}: attempt {attempt} is over, which was not the one that ran")
        self.failed_exits += reason.failed
        numbers = set(_numbers(reason))
        self._ledger.untold -= numbers
        if reason.failed and not numbers:
            self.mistakes.append(f"{path}: attempt {attempt} ended by nobody's order: {reason}")


def _numbers(reason: ExitReason) -> Iterator[int]:
    """The crashes that a reason tells of, in its text or in its exceptions."""
    texts = [reason.detail]
    errors = [reason.exception] if reason.exception is not None else []
    while errors:
        error = errors.pop()
        texts.extend(str(argument) for argument in error.args)
        if isinstance(error, BaseExceptionGroup):
            errors.extend(error.exceptions)
    for text in texts:
        yield from (int(number) for number in _NUMBER.findall(text))


class CountingHandler(logging.Handler):
    """Takes the kernel's log, which would be megabytes, and counts it."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count; a formatter that fails would be a mistake, so the text is made."""
        record.getMessage()
        self.levels[record.levelname] += 1
