"""Every test of the kernel that has a loop runs twice: on plain asyncio and on uvloop. No task may outlive a test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from ssasync.actors import ActorSystem, Backoff, Event, Intensity, RestartPolicy, Subscription

#: Restarts at once, and often enough for any test.
AT_ONCE = RestartPolicy(application=Intensity(1000, 60.0), backoff=Backoff(0.0))

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    """An open system. Fixtures are set up and torn down in different tasks: so is it."""
    system = ActorSystem("test")
    await system.open()
    yield system
    await system.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    statistics = system.statistics()
    assert (statistics.tasks, statistics.abandoned, statistics.deadlines.pending) == (0, 0, 0)


async def wait_for(events: Subscription, kind: type[Event], path: str) -> Event:
    """The next event of that kind from that actor."""
    async with asyncio.timeout(10):
        async for event in events:
            if isinstance(event, kind) and event.path == path:
                return event
    raise AssertionError(f"the bus was closed before any {kind.__name__} of {path}")


@pytest.fixture
def next_event() -> Callable[..., object]:
    return wait_for


@pytest.fixture
def at_once() -> RestartPolicy:
    return AT_ONCE
