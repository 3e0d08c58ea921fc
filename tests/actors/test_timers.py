"""send_after and send_interval."""

import asyncio
import time
from typing import Any

import pytest

from ssasync.actors import Actor, ActorSystem, ChildSpec, RestartPolicy, Timer
from tests.actors.waiting import until


class Clockwork(Actor):
    """Keeps the timers it was told to set, and puts what it is sent into a queue."""

    def __init__(self, seen: "asyncio.Queue[Any]") -> None:
        self.seen = seen

    async def receive(self, message: Any) -> Any:
        match message:
            case ("after", seconds, what):
                return self.send_after(seconds, what)
            case ("every", seconds, what):
                return self.send_interval(seconds, what)
            case ("when full", full, gate):
                await full.wait()
                timer = self.send_interval(0.001, "tick")
                await gate.wait()
                return timer
            case ("wait", gate):
                await gate.wait()
            case "crash":
                raise ValueError("told to")
            case _:
                self.seen.put_nowait((self.attempt, message))
        return None


@pytest.fixture
def seen() -> "asyncio.Queue[Any]":
    return asyncio.Queue()


def spec(seen: "asyncio.Queue[Any]", policy: RestartPolicy, **options: Any) -> ChildSpec:
    return ChildSpec("clock", lambda: Clockwork(seen), policy=policy, **options)


async def next_of(seen: "asyncio.Queue[Any]") -> Any:
    async with asyncio.timeout(10):
        return await seen.get()


async def test_messages_come_in_the_order_of_their_times(
    system: ActorSystem, seen: "asyncio.Queue[Any]", at_once: RestartPolicy
) -> None:
    ref = await system.start_child(spec(seen, at_once))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for seconds in (0.03, 0.0, 0.015):
        await ref.ask(("after", seconds, seconds))
    assert [(await next_of(seen))[1] for _ in range(3)] == [0.0, 0.015, 0.03]
    assert loop.time() - begun > 0.029  # uvloop counts milliseconds


async def test_an_interval_goes_on_until_it_is_cancelled(
    system: ActorSystem, seen: "asyncio.Queue[Any]", at_once: RestartPolicy
) -> None:
    ref = await system.start_child(spec(seen, at_once))
    timer: Timer = await ref.ask(("every", 0.002, "tick"))
    for _ in range(5):
        assert await next_of(seen) == (1, "tick")
    assert timer.active
    assert timer.cancel()
    assert not timer.cancel()
    assert not timer.active
    while not seen.empty():
        seen.get_nowait()
    await ref.ask(("after", 0.01, "later"))
    assert await next_of(seen) == (1, "later")


async def test_ticks_do_not_pile_up_behind_a_slow_handler(
    system: ActorSystem, seen: "asyncio.Queue[Any]", at_once: RestartPolicy
) -> None:
    ref = await system.start_child(spec(seen, at_once))
    gate = asyncio.Event()
    timer: Timer = await ref.ask(("every", 0.001, "tick"))
    await ref.tell(("wait", gate))
    await until(lambda: timer.skipped >= 5)
    assert ref.statistics().depth == 1
    gate.set()
    assert await next_of(seen) == (1, "tick")
    timer.cancel()


async def test_a_late_loop_skips_ticks_and_keeps_the_beat(
    system: ActorSystem, seen: "asyncio.Queue[Any]", at_once: RestartPolicy
) -> None:
    ref = await system.start_child(spec(seen, at_once))
    timer: Timer = await ref.ask(("every", 0.01, "tick"))
    due = timer._due
    asyncio.get_running_loop().call_soon(_block, 0.055)
    await next_of(seen)
    await next_of(seen)
    assert timer.skipped >= 4
    beats = (timer._due - due) / 0.01
    assert abs(beats - round(beats)) < 1e-6
    timer.cancel()


def _block(seconds: float) -> None:
    """Keep the loop from turning, as a long computation would."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def test_a_queued_message_of_a_cancelled_timer_is_not_delivered(
    system: ActorSystem, seen: "asyncio.Queue[Any]", at_once: RestartPolicy
) -> None:
    ref = await system.start_child(spec(seen, at_once))
    gate = asyncio.Event()
    timer: Timer = await ref.ask(("after", 0.0, "too late"))
    await ref.tell(("wait", gate))
    await until(lambda: ref.statistics().depth)
    assert timer.cancel()
    gate.set()
    await ref.ask("last")
    assert seen.get_nowait() == (1, "last")
    assert seen.empty()


async def test_timers_die_with_their_incarnation_even_if_they_were_queued(
    system: ActorSystem, seen: "asyncio.Queue[Any]", at_once: RestartPolicy
) -> None:
    ref = await system.start_child(spec(seen, at_once))
    await ref.ask(("every", 0.001, "tick"))
    gate = asyncio.Event()
    pending: Timer = await ref.ask(("after", 60.0, "never"))
    await ref.tell(("wait", gate))
    await until(lambda: ref.statistics().depth)
    await ref.tell("crash")
    gate.set()
    await ref.ready(10, after=1)
    await ref.ask("last")
    told = []
    while not seen.empty():
        told.append(seen.get_nowait())
    assert (2, "last") in told
    assert not [attempt for attempt, message in told if attempt == 2 and message == "tick"]
    assert not pending.active
    assert system.statistics().deadlines.pending == 0


async def test_a_timer_exceeds_a_full_mailbox_by_one_place(
    system: ActorSystem, seen: "asyncio.Queue[Any]", at_once: RestartPolicy
) -> None:
    ref = await system.start_child(spec(seen, at_once, mailbox_limit=1))
    full, gate = asyncio.Event(), asyncio.Event()
    asking = asyncio.ensure_future(ref.ask(("when full", full, gate)))
    await until(lambda: ref.statistics().taken == 1)
    ref.tell_nowait("mine")
    full.set()
    await until(lambda: ref.statistics().depth == 2)
    gate.set()
    assert [await next_of(seen), await next_of(seen)] == [(1, "mine"), (1, "tick")]
    (await asking).cancel()


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
async def test_impossible_times_are_refused(
    system: ActorSystem, seen: "asyncio.Queue[Any]", at_once: RestartPolicy, seconds: float
) -> None:
    ref = await system.start_child(spec(seen, at_once))
    with pytest.raises(Exception, match="crashed on this message") as caught:
        await ref.ask(("after", seconds, "x"))
    assert isinstance(caught.value.__cause__, ValueError)
    assert f"send_after({seconds!r})" in str(caught.value)


async def test_an_interval_of_zero_is_refused(
    system: ActorSystem, seen: "asyncio.Queue[Any]", at_once: RestartPolicy
) -> None:
    ref = await system.start_child(spec(seen, at_once))
    with pytest.raises(Exception, match=r"send_interval\(0\): give a finite number of seconds above 0"):
        await ref.ask(("every", 0, "x"))
