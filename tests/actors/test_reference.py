import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest

from ssasync.actors import (
    Actor,
    ActorCrashed,
    ActorStopped,
    ActorSystem,
    AskSelf,
    AskTimeout,
    ChildSpec,
    DeadLetter,
    FailedToStart,
    MailboxFull,
    Restart,
    RestartPolicy,
    WaitTimeout,
    WrongLoop,
)


class Recorder(Actor):
    """Keeps what it was sent; holds the message "hold" until its gate is opened; crashes on "crash"."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.gate = asyncio.Event()
        self.holding = asyncio.Event()
        self.cancelled = 0

    async def receive(self, message: Any) -> Any:
        if message == "hold":
            self.holding.set()
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if message == "crash":
            raise ValueError("as told")
        self.seen.append(message)
        return message


class Shared:
    """A factory that keeps the actors it made."""

    def __init__(self) -> None:
        self.made: list[Recorder] = []

    def __call__(self) -> Recorder:
        self.made.append(Recorder())
        return self.made[-1]

    @property
    def last(self) -> Recorder:
        return self.made[-1]


@pytest.fixture
def recorder() -> Shared:
    return Shared()


async def test_ask_returns_what_receive_returns(system: ActorSystem) -> None:
    ref = await system.start_child(ChildSpec("a", Recorder))
    assert await ref.ask(("any", "thing")) == ("any", "thing")


async def test_messages_of_one_sender_arrive_in_order(system: ActorSystem, recorder: Shared) -> None:
    ref = await system.start_child(ChildSpec("a", recorder, mailbox_limit=3))
    for number in range(100):
        await ref.tell(number)
    assert await ref.ask("last") == "last"
    assert recorder.last.seen == [*range(100), "last"]


async def test_tell_waits_while_the_mailbox_is_full(system: ActorSystem, recorder: Shared) -> None:
    ref = await system.start_child(ChildSpec("a", recorder, mailbox_limit=1))
    await ref.tell("hold")
    await recorder.last.holding.wait()
    await ref.tell(1)
    with pytest.raises(MailboxFull, match="/test/a holds its limit of 1"):
        ref.tell_nowait(2)
    async with asyncio.TaskGroup() as group:
        blocked = group.create_task(ref.tell(2))
        await asyncio.sleep(0)
        assert not blocked.done()
        recorder.last.gate.set()
    await ref.ask("last")
    assert recorder.last.seen == ["hold", 1, 2, "last"]
    statistics = ref.statistics()
    assert (statistics.taken, statistics.depth, statistics.limit, statistics.waiting) == (4, 0, 1, 0)


async def test_an_ask_waits_in_line_behind_tells(system: ActorSystem, recorder: Shared) -> None:
    ref = await system.start_child(ChildSpec("a", recorder, mailbox_limit=1))
    await ref.tell("hold")
    await recorder.last.holding.wait()
    async with asyncio.TaskGroup() as group:
        tells = [group.create_task(ref.tell(number)) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        answer = group.create_task(ref.ask(4))
        await asyncio.sleep(0)
        assert not tells[-1].done()
        recorder.last.gate.set()
    assert answer.result() == 4
    assert recorder.last.seen == ["hold", 1, 2, 3, 4]


async def test_crash_fails_the_ask_and_the_queued_messages_survive(
    system: ActorSystem, recorder: Shared, at_once: RestartPolicy
) -> None:
    ref = await system.start_child(ChildSpec("a", recorder, policy=at_once))
    async with asyncio.TaskGroup() as group:
        group.create_task(ref.tell("hold"))
        await recorder.last.holding.wait()
        crash = group.create_task(crashed(ref.ask("crash")))
        later = group.create_task(ref.ask("later"))
        await asyncio.sleep(0)
        recorder.last.gate.set()
    error = crash.result()
    assert (error.path, error.attempt) == ("/test/a", 1)
    assert isinstance(error.__cause__, ValueError)
    assert later.result() == "later"
    assert [actor.seen for actor in recorder.made] == [["hold"], ["later"]]


async def crashed(ask: Any) -> ActorCrashed:
    with pytest.raises(ActorCrashed, match="will not be repeated") as caught:
        await ask
    return caught.value


async def test_cancelling_an_ask_drops_the_queued_message(system: ActorSystem, recorder: Shared) -> None:
    ref = await system.start_child(ChildSpec("a", recorder))
    await ref.tell("hold")
    await recorder.last.holding.wait()
    async with asyncio.TaskGroup() as group:
        ask = group.create_task(ref.ask("dropped"))
        await asyncio.sleep(0)
        ask.cancel()
    recorder.last.gate.set()
    await ref.ask("next")
    assert recorder.last.seen == ["hold", "next"]


async def test_cancelling_an_ask_cancels_its_handler_and_the_actor_lives_on(
    system: ActorSystem, recorder: Shared
) -> None:
    ref = await system.start_child(ChildSpec("a", recorder))
    async with asyncio.TaskGroup() as group:
        ask = group.create_task(ref.ask("hold"))
        await recorder.last.holding.wait()
        ask.cancel()
    assert await ref.ask("next") == "next"
    assert recorder.last.cancelled == 1
    assert len(recorder.made) == 1


async def test_a_late_answer_is_an_error_and_cancels_the_handler(system: ActorSystem, recorder: Shared) -> None:
    ref = await system.start_child(ChildSpec("a", recorder))
    with pytest.raises(AskTimeout, match=r"/test/a did not answer str within 0.01 s; its handler was cancelled"):
        await ref.ask("hold", timeout=0.01)
    assert await ref.ask("next") == "next"
    assert recorder.last.cancelled == 1


@pytest.mark.parametrize("timeout", [None, math.nan, "5"])
async def test_a_timeout_that_is_no_number_is_refused_before_anything_is_sent(
    system: ActorSystem, recorder: Shared, timeout: Any
) -> None:
    ref = await system.start_child(ChildSpec("a", recorder))
    with pytest.raises(ValueError, match=f"ask of /test/a: timeout is {timeout!r}: give seconds, or math.inf"):
        await ref.ask("not sent", timeout=timeout)
    if timeout is not None:
        with pytest.raises(ValueError, match=f"ready of /test/a: timeout is {timeout!r}"):
            await ref.ready(timeout)
        with pytest.raises(ValueError, match=f"terminated of /test/a: timeout is {timeout!r}"):
            await ref.terminated(timeout)
    assert await ref.ask("next", timeout=math.inf) == "next"
    assert await ref.ask("whole", timeout=10) == "whole"
    assert recorder.last.seen == ["next", "whole"]
    assert system.statistics().deadlines.pending == 0


async def test_who_waits_in_another_loop_is_told_so(system: ActorSystem, recorder: Shared) -> None:
    ref = await system.start_child(ChildSpec("a", recorder, mailbox_limit=1))
    await ref.tell("hold")
    await recorder.last.holding.wait()
    await ref.tell("fills the mailbox")

    async def elsewhere() -> list[str]:
        told: list[str] = []
        for call in (ref.ask("any"), ref.tell("any"), ref.ready(after=1), ref.terminated()):
            with pytest.raises(WrongLoop, match="run_coroutine_threadsafe") as caught:
                await asyncio.wait_for(call, 10)
            told.append(str(caught.value).partition(" outside of the event loop that actor system 'test' was")[0])
        return told

    assert await asyncio.to_thread(asyncio.run, elsewhere()) == [
        "ask of /test/a",
        "tell of /test/a",
        "waiting until /test/a is ready",
        "waiting until /test/a is over",
    ]
    recorder.last.gate.set()
    assert await ref.ask("here") == "here"


async def test_a_late_answer_of_a_queued_ask_drops_it(system: ActorSystem, recorder: Shared) -> None:
    ref = await system.start_child(ChildSpec("a", recorder))
    await ref.tell("hold")
    with pytest.raises(TimeoutError, match="it was still queued and was dropped"):
        await ref.ask("dropped", timeout=0.01)
    recorder.last.gate.set()
    await ref.ask("next")
    assert recorder.last.seen == ["hold", "next"]


class Narcissus(Actor):
    async def receive(self, message: Any) -> Any:
        if message == "ask":
            return await self.ref.ask("echo")
        if message == "tell":
            await self.ref.tell("one")
            await self.ref.tell("two")
        return message


async def test_asking_oneself_is_an_error(system: ActorSystem) -> None:
    ref = await system.start_child(ChildSpec("a", Narcissus))
    with pytest.raises(ActorCrashed) as caught:
        await ref.ask("ask")
    assert isinstance(caught.value.__cause__, AskSelf)


async def test_an_actor_never_waits_for_room_in_its_own_mailbox(system: ActorSystem) -> None:
    ref = await system.start_child(ChildSpec("a", Narcissus, mailbox_limit=1))
    with pytest.raises(ActorCrashed) as caught:
        await ref.ask("tell")
    assert isinstance(caught.value.__cause__, MailboxFull)


async def test_pending_asks_fail_when_the_child_is_over(
    system: ActorSystem, recorder: Shared, next_event: Callable[..., Any]
) -> None:
    ref = await system.start_child(ChildSpec("a", recorder))
    events = system.events()
    await ref.tell("hold")
    await recorder.last.holding.wait()
    await ref.tell("dead letter")
    async with asyncio.TaskGroup() as group:
        pending = group.create_task(over(ref.ask("pending")))
        await asyncio.sleep(0)
        await system.stop_child("a")
    assert pending.result().reason.kind == "shutdown"
    letter = await next_event(events, DeadLetter, "/test/a")
    assert (letter.count, letter.sample) == (1, "str")
    with pytest.raises(ActorStopped, match="/test/a is over: shutdown"):
        await ref.tell("late")


async def over(ask: Any) -> ActorStopped:
    with pytest.raises(ActorStopped) as caught:
        await ask
    return caught.value


async def test_the_ask_that_a_stop_interrupts_fails_as_stopped(system: ActorSystem, recorder: Shared) -> None:
    ref = await system.start_child(ChildSpec("a", recorder))
    async with asyncio.TaskGroup() as group:
        interrupted = group.create_task(over(ref.ask("hold")))
        await recorder.last.holding.wait()
        await system.stop_child("a")
    assert interrupted.result().reason.kind == "shutdown"


class NeverStarts(Actor):
    async def started(self) -> None:
        raise OSError("no such thing")


async def test_ready_tells_the_story_of_a_child_that_never_ran(system: ActorSystem) -> None:
    ref = system.start_child_nowait(ChildSpec("a", NeverStarts, restart=Restart.TEMPORARY))
    with pytest.raises(FailedToStart, match=r"(?s)/test/a failed to start: .*no such thing.*starting.*ended") as caught:
        await ref.ready(5)
    assert isinstance(caught.value.__cause__, OSError)
    assert [line.phase.value for line in caught.value.story] == ["waiting", "starting", "ended"]


async def test_waits_have_deadlines(system: ActorSystem, recorder: Shared) -> None:
    ref = await system.start_child(ChildSpec("a", recorder))
    with pytest.raises(WaitTimeout, match=r"/test/a was not over within 0.01 s: it is running"):
        await ref.terminated(0.01)


async def test_terminated_gives_the_last_exit(system: ActorSystem, recorder: Shared) -> None:
    ref = await system.start_child(ChildSpec("a", recorder, restart=Restart.TEMPORARY))
    await ref.tell("crash")
    reason = await ref.terminated(5)
    assert (reason.kind, reason.detail) == ("exception", "ValueError: as told")
    assert await ref.terminated() is reason
