"""The bus: every event goes to every subscription at once; no subscriber can make the kernel wait."""

import asyncio
from collections import deque
from dataclasses import dataclass
from types import TracebackType

from ssasync.actors.errors import EventsOverflow
from ssasync.actors.events import Event


@dataclass(frozen=True, slots=True)
class BusStatistics:
    """Counts since the bus was made; `dropped` is the sum over all lossy subscriptions."""

    published: int
    subscriptions: int
    dropped: int


@dataclass(frozen=True, slots=True)
class SubscriptionStatistics:
    """waiting: events that are not read yet, of at most `limit`. dropped: since it was made; none of a lossless one."""

    waiting: int
    limit: int
    dropped: int
    lossless: bool


class Subscription:
    """The events since it was made, as an async iterator; to be closed by `async with` or `aclose()`.

    A lossy one that holds `limit` events drops its oldest and counts them in `dropped`. A lossless one ends with
    EventsOverflow once its reader took what had fitted. Ends by itself when the system is closed and all is read.
    """

    def __init__(self, bus: "EventBus", limit: int, lossless: bool) -> None:
        self._bus = bus
        self._limit = limit
        self._lossless = lossless
        self._events: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self._overflowed = False
        self.dropped = 0

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Event:
        # No deadline: how long nothing happens is the subject's affair, and aclose() or the system's end wake us.
        while not self._events:
            if self._overflowed:
                raise EventsOverflow(self._limit)
            if self._closed:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._events.popleft()

    def statistics(self) -> SubscriptionStatistics:
        """How far its reader is behind."""
        return SubscriptionStatistics(len(self._events), self._limit, self.dropped, self._lossless)

    async def aclose(self) -> None:
        """Take no more events and forget those not read."""
        self._events.clear()
        self._bus._subscriptions.discard(self)
        self._end()

    async def __aenter__(self) -> "Subscription":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _push(self, event: Event) -> None:
        if len(self._events) < self._limit:
            self._events.append(event)
        elif self._lossless:
            self._overflowed = True
            self._bus._subscriptions.discard(self)
        else:
            self._events.popleft()
            self._events.append(event)
            self.dropped += 1
            self._bus._dropped += 1
        self._wake()

    def _end(self) -> None:
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class EventBus:
    """Hands events on, synchronously, in the order of publication. Belongs to one loop."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._published = 0
        self._dropped = 0
        self._closed = False

    def subscribe(self, *, lossless: bool = False, limit: int = 10_000) -> Subscription:
        """A new subscription that may hold `limit` unread events."""
        if limit < 1:
            raise ValueError(f"events(limit={limit}): a subscription must hold at least one event")
        subscription = Subscription(self, limit, lossless)
        if self._closed:
            subscription._end()
        else:
            self._subscriptions.add(subscription)
        return subscription

    def publish(self, event: Event) -> None:
        """Give `event` to all subscriptions. Never waits, never fails."""
        self._published += 1
        for subscription in tuple(self._subscriptions):
            subscription._push(event)

    def close(self) -> None:
        """End all subscriptions; their readers still get what they have not read."""
        self._closed = True
        for subscription in tuple(self._subscriptions):
            subscription._end()
        self._subscriptions.clear()

    def statistics(self) -> BusStatistics:
        """Counts of what went through."""
        return BusStatistics(self._published, len(self._subscriptions), self._dropped)
