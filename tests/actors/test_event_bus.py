import asyncio

import pytest

from ssasync.actors import Event, EventsOverflow, SubscriptionStatistics
from ssasync.actors.event_bus import EventBus


def event(number: int) -> Event:
    return Event(path=f"/{number}")


async def test_every_subscription_sees_every_event_in_order() -> None:
    bus = EventBus()
    subscriptions = [bus.subscribe(), bus.subscribe(lossless=True)]
    for number in range(5):
        bus.publish(event(number))
    bus.close()
    for subscription in subscriptions:
        assert [seen.path async for seen in subscription] == ["/0", "/1", "/2", "/3", "/4"]


async def test_a_lossy_subscription_drops_its_oldest_and_counts_them() -> None:
    bus = EventBus()
    subscription = bus.subscribe(limit=2)
    for number in range(5):
        bus.publish(event(number))
    bus.close()
    assert [seen.path async for seen in subscription] == ["/3", "/4"]
    assert subscription.dropped == 3
    assert bus.statistics().dropped == 3


async def test_a_subscription_tells_how_far_its_reader_is_behind() -> None:
    bus = EventBus()
    lossy, lossless = bus.subscribe(limit=2), bus.subscribe(lossless=True, limit=9)
    for number in range(5):
        bus.publish(event(number))
    await anext(lossy)
    assert lossy.statistics() == SubscriptionStatistics(waiting=1, limit=2, dropped=3, lossless=False)
    assert lossless.statistics() == SubscriptionStatistics(waiting=5, limit=9, dropped=0, lossless=True)


async def test_a_lossless_subscription_ends_with_an_error_rather_than_a_gap() -> None:
    bus = EventBus()
    subscription = bus.subscribe(lossless=True, limit=2)
    for number in range(5):
        bus.publish(event(number))
    assert [(await anext(subscription)).path for _ in range(2)] == ["/0", "/1"]
    with pytest.raises(EventsOverflow, match="more than 2 events"):
        await anext(subscription)
    assert bus.statistics().subscriptions == 0


async def test_a_waiting_reader_is_woken_by_the_end() -> None:
    bus = EventBus()
    subscription = bus.subscribe()
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(anext(subscription, None))
        await asyncio.sleep(0)
        bus.close()
    assert reader.result() is None


async def test_a_closed_subscription_takes_no_more() -> None:
    bus = EventBus()
    async with bus.subscribe() as subscription:
        bus.publish(event(1))
    bus.publish(event(2))
    assert [seen async for seen in subscription] == []
    assert bus.statistics().subscriptions == 0


async def test_subscribing_after_the_end_ends_at_once() -> None:
    bus = EventBus()
    bus.close()
    assert [seen async for seen in bus.subscribe()] == []


def test_a_subscription_must_hold_something() -> None:
    with pytest.raises(ValueError, match="limit=0"):
        EventBus().subscribe(limit=0)
