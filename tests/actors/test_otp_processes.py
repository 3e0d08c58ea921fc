"""What Erlang documents of processes, as far as actors claim it, one test each. Supervisors: test_otp_supervisor.py.

Reference manual, "Processes" (OTP 27):

Process Links         test_links_are_bidirectional
                      test_linking_twice_is_linking_once_and_unlinking_undoes_it
Error Handling
    Sending exit signals     test_a_crash_takes_the_linked_along_with_the_same_reason
                             test_an_exit_signal_goes_on_along_a_chain_of_links
    Receiving exit signals   test_a_normal_exit_takes_nobody_along
                             test_an_asked_for_exit_takes_the_linked_along
                             test_whoever_traps_exits_is_told_instead
Monitors              test_a_monitor_is_told_of_the_end_and_lives_on
                      test_the_end_of_the_monitor_does_not_matter_to_the_monitored
                      test_a_monitor_of_one_that_is_over_is_told_so_at_once
                      test_after_unwatch_nothing_is_told
Signals               test_messages_of_one_sender_arrive_in_their_order
Registered Processes  test_a_registered_name_leads_to_the_actor_until_it_is_over
                      test_a_name_belongs_to_one_only
                      test_a_name_can_be_given_back
erlang:send_after/3, cancel_timer/1
                      test_a_timer_sends_its_message
                      test_a_cancelled_timer_sends_nothing
                      test_timers_end_with_whom_they_were_for

Where actors differ on purpose:

test_difference_linking_to_one_that_is_over_is_an_error
    Erlang sends an exit signal with `noproc`. Here `link` raises: whoever links needs the other one.
test_difference_a_watch_sees_restarts
    A process is gone when it is gone. A reference names a child, so a watch tells of each incarnation, and ends with
    the child. Watching twice is therefore watching once.
test_difference_a_name_survives_restarts
    Erlang's start functions register anew; here the name belongs to the child.
test_difference_a_cancelled_timer_takes_back_what_is_queued
    Erlang's cancel_timer may come too late, with the message in the mailbox.
"""

import asyncio
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from ssasync.actors import (
    Actor,
    ActorCrashed,
    ActorRef,
    ActorStopped,
    ActorSystem,
    Blame,
    ChildSpec,
    Down,
    ExitReason,
    LinkedExit,
    RegisteredName,
    Restart,
    Terminated,
    UnknownName,
    Up,
    stop_child,
)
from tests.actors.puppets import AT_ONCE, PATIENCE

Act = Callable[["Process"], Any]


class Process(Actor):
    """Does what it is sent, if that can be called with it; all else it hears."""

    def __init__(self, heard: "asyncio.Queue[Any]") -> None:
        self.heard = heard

    async def receive(self, message: Any) -> Any:
        if callable(message):
            return message(self)
        self.heard.put_nowait(message)
        return None


class Trapper(Process):
    traps_exits = True


def crash(_: Process) -> None:
    raise ValueError("told to")


def leave(reason: ExitReason) -> Act:
    return lambda self: self.exit(reason)


class World:
    """Processes by name; `heard` is what each of them was sent."""

    def __init__(self, system: ActorSystem) -> None:
        self.system = system
        self._heard: dict[str, asyncio.Queue[Any]] = {}

    async def spawn(self, name: str, kind: type[Process] = Process, restart: Restart = Restart.TEMPORARY) -> ActorRef:
        heard = self._heard.setdefault(name, asyncio.Queue())
        return await self.system.start_child(ChildSpec(name, lambda: kind(heard), restart, policy=AT_ONCE))

    async def heard(self, name: str) -> Any:
        async with asyncio.timeout(PATIENCE):
            return await self._heard[name].get()

    def silent(self, name: str) -> bool:
        return self._heard[name].empty()


@pytest.fixture
def world(system: ActorSystem) -> World:
    return World(system)


# Links and exit signals.


async def test_links_are_bidirectional(world: World) -> None:
    for first in (0, 1):
        pair = [await world.spawn("a"), await world.spawn("b")]
        await pair[0].ask(lambda self, other=pair[1]: self.link(other))
        await pair[first].tell(crash)
        assert (await pair[1 - first].terminated(PATIENCE)).kind == "exception"


async def test_linking_twice_is_linking_once_and_unlinking_undoes_it(world: World) -> None:
    a, b = await world.spawn("a"), await world.spawn("b")
    await a.ask(lambda self: self.link(b))
    await b.ask(lambda self: self.link(a))
    await b.ask(lambda self: self.unlink(a))
    await a.tell(crash)
    await a.terminated(PATIENCE)
    assert await b.ask(lambda self: self.attempt) == 1


async def test_a_crash_takes_the_linked_along_with_the_same_reason(world: World) -> None:
    a, b = await world.spawn("a"), await world.spawn("b")
    await a.ask(lambda self: self.link(b))
    await a.tell(leave(ExitReason("node_failure", Blame.INFRASTRUCTURE)))
    reason = await b.terminated(PATIENCE)
    assert (reason.kind, reason.blame) == ("node_failure", Blame.INFRASTRUCTURE)
    assert "linked to /test/a (attempt 1), which ended: node_failure" in reason.detail


async def test_an_exit_signal_goes_on_along_a_chain_of_links(world: World) -> None:
    chain = [await world.spawn(f"p{number}") for number in range(20)]
    for one, other in pairwise(chain):
        await one.ask(lambda self, other=other: self.link(other))
    await chain[10].tell(crash)
    for ref in chain:
        assert (await ref.terminated(PATIENCE)).kind == "exception"


async def test_a_normal_exit_takes_nobody_along(world: World) -> None:
    a, b = await world.spawn("a"), await world.spawn("b")
    await a.ask(lambda self: self.link(b))
    await a.tell(leave(ExitReason.normal()))
    await a.terminated(PATIENCE)
    assert await b.ask(lambda self: self.attempt) == 1


async def test_an_asked_for_exit_takes_the_linked_along(world: World) -> None:
    """Not `normal` is enough: also the `shutdown` of one that its supervisor has stopped."""
    a, b = await world.spawn("a"), await world.spawn("b")
    await a.ask(lambda self: self.link(b))
    await stop_child(world.system.root, "a")
    assert (await b.terminated(PATIENCE)).kind == "shutdown"


@pytest.mark.parametrize("reason", [ExitReason.normal(), ExitReason("lost", Blame.INFRASTRUCTURE)])
async def test_whoever_traps_exits_is_told_instead(world: World, reason: ExitReason) -> None:
    a, b = await world.spawn("a"), await world.spawn("b", Trapper)
    await b.ask(lambda self: self.link(a))
    await a.tell(leave(reason))
    assert await world.heard("b") == LinkedExit(a, 1, reason)
    assert await b.ask(lambda self: self.attempt) == 1


async def test_difference_linking_to_one_that_is_over_is_an_error(world: World) -> None:
    a, b = await world.spawn("a"), await world.spawn("b", Trapper)
    await stop_child(world.system.root, "a")
    with pytest.raises(ActorCrashed) as error:
        await b.ask(lambda self: self.link(a))
    assert isinstance(error.value.__cause__, ActorStopped)


# Monitors.


async def test_a_monitor_is_told_of_the_end_and_lives_on(world: World) -> None:
    a, b = await world.spawn("a"), await world.spawn("b")
    await b.ask(lambda self: self.watch(a))
    assert await world.heard("b") == Up(a, 1)
    await a.tell(crash)
    down, terminated = await world.heard("b"), await world.heard("b")
    assert (type(down), down.attempt, down.reason.kind) == (Down, 1, "exception")
    assert (type(terminated), terminated.reason.kind) == (Terminated, "exception")
    assert await b.ask(lambda self: self.attempt) == 1


async def test_the_end_of_the_monitor_does_not_matter_to_the_monitored(world: World) -> None:
    a, b = await world.spawn("a"), await world.spawn("b")
    await b.ask(lambda self: self.watch(a))
    await b.tell(crash)
    await b.terminated(PATIENCE)
    assert await a.ask(lambda self: self.attempt) == 1


async def test_a_monitor_of_one_that_is_over_is_told_so_at_once(world: World) -> None:
    a, b = await world.spawn("a"), await world.spawn("b")
    await stop_child(world.system.root, "a")
    await b.ask(lambda self: self.watch(a))
    assert (await world.heard("b")).reason.kind == "shutdown"


async def test_after_unwatch_nothing_is_told(world: World) -> None:
    a, b = await world.spawn("a"), await world.spawn("b")
    await b.ask(lambda self: (self.watch(a), self.unwatch(a)))  # what watch() has queued already is taken back
    await a.tell(crash)
    await a.terminated(PATIENCE)
    await b.ask(lambda self: None)
    assert world.silent("b")


async def test_difference_a_watch_sees_restarts(world: World) -> None:
    a, b = await world.spawn("a", restart=Restart.PERMANENT), await world.spawn("b")
    await b.ask(lambda self: (self.watch(a), self.watch(a)))
    await a.tell(crash)
    told = [await world.heard("b") for _ in range(3)]
    assert [(type(notice), notice.attempt) for notice in told] == [(Up, 1), (Down, 1), (Up, 2)]
    await stop_child(world.system.root, "a")
    assert [type(await world.heard("b")) for _ in range(2)] == [Down, Terminated]


# Signals, names, timers.


async def test_messages_of_one_sender_arrive_in_their_order(world: World) -> None:
    a = await world.spawn("a")
    for number in range(1000):
        await a.tell(number)
    assert [await world.heard("a") for _ in range(1000)] == list(range(1000))


async def test_a_registered_name_leads_to_the_actor_until_it_is_over(world: World) -> None:
    a = await world.spawn("a")
    await a.ask(lambda self: self.register("store"))
    assert world.system.whereis("store") is a
    assert world.system.registered() == {"store": a}
    await a.tell(crash)
    await a.terminated(PATIENCE)
    with pytest.raises(UnknownName, match="store"):
        world.system.whereis("store")


async def test_a_name_belongs_to_one_only(world: World) -> None:
    a, b = await world.spawn("a"), await world.spawn("b")
    world.system.register("store", a)
    with pytest.raises(RegisteredName, match="store"):
        world.system.register("store", b)
    assert world.system.whereis("store") is a


async def test_a_name_can_be_given_back(world: World) -> None:
    a, b = await world.spawn("a"), await world.spawn("b")
    world.system.register("store", a)
    world.system.unregister("store")
    world.system.register("store", b)
    assert world.system.whereis("store") is b


async def test_difference_a_name_survives_restarts(world: World) -> None:
    a = await world.spawn("a", restart=Restart.PERMANENT)
    await a.ask(lambda self: self.register("store"))
    await a.tell(crash)
    assert await world.system.whereis("store").ask(lambda self: self.attempt) == 2


async def test_a_timer_sends_its_message(world: World) -> None:
    a = await world.spawn("a")
    await a.ask(lambda self: self.send_after(0.0, "time"))
    assert await world.heard("a") == "time"


async def test_a_cancelled_timer_sends_nothing(world: World) -> None:
    a = await world.spawn("a")
    timer = await a.ask(lambda self: self.send_after(3600.0, "time"))
    assert timer.cancel()
    assert not timer.cancel()
    assert world.system.statistics().deadlines.pending == 0


async def test_timers_end_with_whom_they_were_for(world: World) -> None:
    a = await world.spawn("a", restart=Restart.PERMANENT)
    timer = await a.ask(lambda self: self.send_after(3600.0, "time"))
    await a.tell(crash)
    assert await a.ask(lambda self: self.attempt) == 2
    assert not timer.active


async def test_difference_a_cancelled_timer_takes_back_what_is_queued(world: World) -> None:
    busy, go_on = asyncio.Event(), asyncio.Event()

    class Busy(Process):
        async def receive(self, message: Any) -> Any:
            if message != "be busy":
                return await super().receive(message)
            timer = self.send_after(0.0, "too late")
            busy.set()
            await go_on.wait()
            return timer.cancel()

    a = await world.spawn("a", Busy)
    answer = asyncio.create_task(a.ask("be busy"))
    async with asyncio.timeout(PATIENCE):
        await busy.wait()
        while not a.statistics().depth:  # noqa: ASYNC110 -- nothing announces that a timer has fired
            await asyncio.sleep(0)
    go_on.set()
    assert await answer
    await a.ask(lambda self: None)
    assert world.silent("a")


def test_the_list_above_is_complete() -> None:
    tests = {name for name in globals() if name.startswith("test_")} - {"test_the_list_above_is_complete"}
    assert set(re.findall(r"\btest_\w+\b(?!\.py)", __doc__ or "")) == tests
