"""A bounded mailbox on a deque and loop futures, with a lane for system messages that overtakes the others.

It belongs to a child, not to an incarnation: what is queued survives a restart. anyio's memory streams would do, at six
times the cost of asyncio.Queue; this does with about the cost of the queue. Messages lie in the deque as they were
sent; only an ask is wrapped, and so is a timer's. One reader at a time, any number of senders, one loop.

The deques are made when they are needed, since an empty one takes 760 bytes and a pool may have 100,000 idle members.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import anyio

from ssasync.actors.errors import MailboxFull
from ssasync.actors.timers import Tick


@dataclass(frozen=True, slots=True)
class MailboxStatistics:
    """depth: queued now. waiting: senders held back now. The rest are counts since the child was made."""

    depth: int
    limit: int
    waiting: int
    taken: int
    dropped_asks: int
    dead_letters: int


class Ask:
    """A message whose sender waits for the answer."""

    __slots__ = ("_scope", "dropped", "message", "reply", "taken_back")

    def __init__(self, message: Any, reply: "asyncio.Future[Any]") -> None:
        self.message = message
        self.reply = reply
        self.dropped = False  # given up while it was queued, or over: nobody handles it
        self.taken_back = False  # given up while it was handled
        self._scope: anyio.CancelScope | None = None  # of the handler, while it runs

    @property
    def running(self) -> bool:
        """Its handler runs."""
        return self._scope is not None

    def begin(self, scope: anyio.CancelScope) -> None:
        """Its handler begins to run inside `scope`, which is used up if the ask is taken back."""
        self._scope = scope

    def take_back(self) -> None:
        """Cancel its handler."""
        if self._scope is not None:
            self.taken_back = True
            self._scope.cancel()

    def answer(self, result: Any) -> None:
        """Give the sender its answer, if it still waits; the handler is over."""
        self._scope = None
        self.dropped = True
        if not self.reply.done():
            self.reply.set_result(result)

    def fail(self, error: Exception) -> None:
        """Give the sender an error, if it still waits; nobody handles it any more."""
        self._scope = None
        self.dropped = True
        if not self.reply.done():
            self.reply.set_exception(error)


class _HeldTell:
    """A told message whose sender waits for room."""

    __slots__ = ("message", "room")

    def __init__(self, message: Any, room: "asyncio.Future[None]") -> None:
        self.message = message
        self.room = room


class Reader(Protocol):
    """Who waits for something to read: a future, or an incarnation that gets a task only then."""

    def done(self) -> bool:
        """Whether it was woken already."""
        ...

    def set_result(self, result: None, /) -> None:
        """Wake it."""
        ...


class Mailbox:
    """First in, first out for each sender; senders beyond the limit wait in line, also first in, first out."""

    __slots__ = (
        "_closed",
        "_dead_letters",
        "_dropped",
        "_dropped_asks",
        "_held",
        "_limit",
        "_path",
        "_reader",
        "_taken",
        "lane",
        "messages",
        "urgent",
    )

    def __init__(self, path: str, limit: int) -> None:
        self._path = path
        self._limit = limit
        self.lane: deque[Any] | None = None  # system messages: unbounded, since the kernel must never wait
        self.messages: deque[Any] | None = None
        self.urgent = False  # the reader must look at the lane, or at its own flags, before the next message
        self._held: OrderedDict[_HeldTell | Ask, None] | None = None
        self._reader: Reader | None = None
        self._closed: Callable[[], Exception] | None = None
        self._dropped = 0  # dropped asks that still lie in `messages`
        self._taken = 0
        self._dropped_asks = 0
        self._dead_letters = 0

    def offer(self, message: Any) -> bool:
        """Queue a message if there is room; False if there is none. Raises what `close` was given."""
        messages = self.messages
        if messages is None:
            if self._closed is not None:
                raise self._closed()
            messages = self.messages = deque()
        if len(messages) - self._dropped >= self._limit:
            return False
        messages.append(message)
        reader = self._reader
        if reader is not None and not reader.done():
            reader.set_result(None)
        return True

    def put_nowait(self, message: Any) -> None:
        """Queue a message. Raises MailboxFull."""
        if not self.offer(message):
            raise MailboxFull(self._path, self._limit)

    async def put(self, message: Any) -> None:
        """Queue a message as soon as there is room. Cancelled while it waits, it takes the message back."""
        if self.offer(message):
            return
        held = _HeldTell(message, asyncio.get_running_loop().create_future())
        self._hold(held)
        try:
            # No deadline: back-pressure lasts as long as the actor is busy, and close() ends it.
            await held.room
        except asyncio.CancelledError:
            if self._held is not None:
                self._held.pop(
                    held, None
                )  # not there if room came in the very turn of the cancellation: then it is sent
            raise

    def put_ask(self, ask: Ask) -> None:
        """Queue an ask, or let it wait in line: its sender waits for the answer in any case."""
        if not self.offer(ask):
            self._hold(ask)

    def put_tick(self, tick: Tick) -> None:
        """Queue the tick of a timer whose time has come, over the limit if need be: a timer has one place at most."""
        if self._closed is None:
            if self.messages is None:
                self.messages = deque()
            self.messages.append(tick)
            self._wake_reader()

    def drop(self, ask: Ask) -> None:
        """Forget an ask that nobody waits for any more. It may be queued, in line, or gone already."""
        if ask.dropped:
            return
        self._dropped_asks += 1
        if self._held is not None and ask in self._held:
            del self._held[ask]
            return
        ask.dropped = True
        self._dropped += 1
        if self._dropped > self._limit:
            self.messages = deque(item for item in self.messages or () if not (type(item) is Ask and item.dropped))
            self._dropped = 0
        self._admit()

    def take(self) -> Any:
        """The oldest message; an Ask for one that was asked, a Tick for a timer's.

        Only for the reader, and only if there are messages.
        """
        assert self.messages is not None  # noqa: S101 -- by contract; for the type checker
        message = self.messages.popleft()
        self._taken += 1
        if type(message) is Ask and message.dropped:
            self._dropped -= 1
        if self._held:
            self._admit()
        return message

    def sleep(self) -> "asyncio.Future[None]":
        """To be awaited by the reader, who then looks again; done when there is something to look at.

        No deadline: an idle actor waits until it is needed; its supervisor wakes it through the lane.
        """
        self._reader = future = asyncio.get_running_loop().create_future()
        if self.urgent:
            future.set_result(None)
        return future

    def park(self, reader: Reader) -> None:
        """Nobody waits; wake `reader` when there is something to read. Only on an empty mailbox."""
        self._reader = reader
        self.messages = self.lane = None

    def unpark(self) -> None:
        """The parked reader was woken, or is gone."""
        self._reader = None

    def post(self, system_message: Any) -> None:
        """Put a message on the system lane; always succeeds."""
        if self.lane is None:
            self.lane = deque()
        self.lane.append(system_message)
        self.wake()

    def wake(self) -> None:
        """Make the reader look at the lane and at its own flags before it takes the next message."""
        self.urgent = True
        self._wake_reader()

    def close(self, error: Callable[[], Exception]) -> list[Any]:
        """Refuse messages from now on and fail all who wait; returns the told messages that nobody will handle."""
        self._closed = error
        lost: list[Any] = []
        for item in self.messages or ():
            if type(item) is Ask:
                item.fail(error())
                item.dropped = True  # its sender may give it up in this very turn: it is counted no more
            elif type(item) is not Tick:
                lost.append(item)
        for held in self._held or ():
            if isinstance(held, Ask):
                held.fail(error())
                held.dropped = True
            elif not held.room.done():
                held.room.set_exception(error())
        self.messages = self._held = None  # without a deque `offer` looks whether it is closed
        self._dropped = 0
        self._dead_letters += len(lost)
        return lost

    def reopen(self) -> None:
        """Accept messages again: the child was started by hand after it was over."""
        self._closed = None

    @property
    def depth(self) -> int:
        """Messages queued now."""
        return len(self.messages or ()) - self._dropped

    def statistics(self) -> MailboxStatistics:
        """What is in it and what went through it."""
        return MailboxStatistics(
            depth=self.depth,
            limit=self._limit,
            waiting=len(self._held or ()),
            taken=self._taken,
            dropped_asks=self._dropped_asks,
            dead_letters=self._dead_letters,
        )

    def _admit(self) -> None:
        messages = self.messages
        while self._held and messages is not None and len(messages) - self._dropped < self._limit:
            held, _ = self._held.popitem(last=False)
            if isinstance(held, Ask):
                messages.append(held)
            elif not held.room.done():
                messages.append(held.message)
                held.room.set_result(None)
        # Only a drop can admit something while the reader sleeps on an empty mailbox.
        if messages:
            self._wake_reader()

    def _hold(self, held: _HeldTell | Ask) -> None:
        if self._held is None:
            self._held = OrderedDict()
        self._held[held] = None

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
