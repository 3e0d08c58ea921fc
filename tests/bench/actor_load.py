"""What the actor benchmark wants of each subject, and the messages it sends."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

TELL, LAST, ASK, CRASH = range(4)

#: Messages a sender sends before it gives the loop a turn; also what a queue or mailbox holds.
TURN = 1000

T = TypeVar("T")


class CrashedOnPurposeError(Exception):
    """What an actor raises that was told to crash."""


class CannotError(Exception):
    """The subject has no such thing; the text says what it has instead."""


class Subject(Protocol):
    """Actors of one kind: told messages they only take, asked ones they answer at once."""

    batch: int  #: actors that one `spawn` starts at best

    async def open(self) -> None:
        """Start what there is besides actors."""

    async def spawn(self, count: int) -> None:
        """Start so many more, ready when this returns."""

    async def tell(self, count: int, passes: int) -> None:
        """Tell the first `count` actors a message each, in turn, `passes` times; returns when all are handled."""

    async def ask(self, actors: Sequence[int]) -> None:
        """Ask these one after the other, each when the one before has answered."""

    async def crash(self, actor: int) -> float:
        """Seconds from the message that crashes it to the first answer of its next incarnation. Raises CannotError."""

    async def close(self) -> None:
        """Leave nothing running."""


class Tally:
    """Counts the actors that have handled their last message."""

    def __init__(self) -> None:
        self._left = 0
        self._done: asyncio.Future[None] | None = None

    def expect(self, count: int) -> "asyncio.Future[None]":
        self._left = count
        self._done = asyncio.get_running_loop().create_future()
        return self._done

    def note(self) -> None:
        self._left -= 1
        if not self._left and self._done is not None:
            self._done.set_result(None)


def turns(targets: Sequence[T], passes: int) -> Iterator[tuple[Sequence[T], int]]:
    """Who is to be told what, TURN messages at a time: all targets in turn, `passes` times, the last time LAST."""
    if len(targets) == 1:
        left = passes - 1
        while left > 0:
            yield [targets[0]] * min(left, TURN), TELL
            left -= TURN
        yield targets, LAST
        return
    for number in range(passes):
        for first in range(0, len(targets), TURN):
            yield targets[first : first + TURN], LAST if number == passes - 1 else TELL
