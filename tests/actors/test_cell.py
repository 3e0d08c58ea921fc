import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from ssasync.actors import (
    Actor,
    ActorAbandoned,
    ActorCrashed,
    ActorStuck,
    ActorSystem,
    ChildExited,
    ChildSpec,
    ExitReason,
    FailedToStart,
    Pool,
    Restart,
    RestartPolicy,
    Supervisor,
    TakesNoMessages,
)
from ssasync.actors.cell import TURN
from tests.actors.waiting import until


class Probe(Actor):
    """Notes what happens to it; told "wait" it awaits a future that the test holds."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.waiting = asyncio.Event()
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def started(self) -> None:
        self.log.append("started")

    async def receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        if message == "wait":
            self.waiting.set()
            await self.future
        return self

    async def stopped(self, reason: ExitReason) -> None:
        self.log.append(f"stopped {reason.kind}")

    def kill(self) -> None:
        self.log.append("killed")


async def start(system: ActorSystem, actor: Actor, **options: Any) -> Any:
    """Start this very actor, once."""
    options.setdefault("restart", Restart.TEMPORARY)
    return await system.start_child(ChildSpec("a", lambda: actor, **options))


async def test_stray_cancellation_is_a_crash_and_siblings_live(system: ActorSystem, at_once: RestartPolicy) -> None:
    sibling = await system.start_child(ChildSpec("sibling", Probe))
    ref = await system.start_child(ChildSpec("a", Probe, policy=at_once))
    first, other = await ref.ask("who"), await sibling.ask("who")
    async with asyncio.TaskGroup() as group:
        ask = group.create_task(crash_of(ref, "wait"))
        await first.waiting.wait()
        first.future.cancel()
    assert ask.result().kind == "cancelled"
    assert first.log == ["started", "stopped cancelled"]
    assert (await ref.ask("who")).attempt == 2
    assert await sibling.ask("who") is other


async def crash_of(ref: Any, message: object) -> ExitReason:
    with pytest.raises(ActorCrashed) as caught:
        await ref.ask(message)
    return caught.value.reason


async def test_stopped_runs_after_a_crash_as_after_a_stop(system: ActorSystem) -> None:
    crashed = Probe()
    ref = await start(system, crashed)
    await crash_of(ref, ValueError("no"))
    await ref.terminated(5)
    assert crashed.log == ["started", "stopped exception"]
    asked = Probe()
    await start(system, asked)
    await system.stop_child("a")
    assert asked.log == ["started", "stopped shutdown"]


async def test_a_child_that_calls_sys_exit_takes_nobody_along(system: ActorSystem) -> None:
    ref = await start(system, Probe())
    assert (await crash_of(ref, SystemExit(3))).kind == "exception"


async def test_stopped_runs_when_started_failed(system: ActorSystem) -> None:
    class HalfStarted(Probe):
        async def started(self) -> None:
            raise OSError("half way")

    actor = HalfStarted()
    with pytest.raises(FailedToStart, match="half way"):
        await start(system, actor)
    assert actor.log == ["stopped exception"]


async def test_a_factory_that_fails_is_a_failure_to_start(system: ActorSystem) -> None:
    def factory() -> Actor:
        raise LookupError("no such model")

    with pytest.raises(FailedToStart, match="LookupError: no such model"):
        await system.start_child(ChildSpec("a", factory, restart=Restart.TEMPORARY))


class Reused:
    """A factory that makes one actor and returns it again and again."""

    def __init__(self) -> None:
        self.actor = Probe()

    def __call__(self) -> Actor:
        return self.actor


async def late() -> Actor:
    return Actor()


@dataclass(frozen=True)
class Frozen(Actor):
    number: int = 1


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (lambda: None, "returned None: return an instance of a class derived from Actor"),
        (lambda: late(), "returned <coroutine object late"),
        (Frozen, "returned a Frozen, a frozen dataclass: an actor changes, leave `frozen` out"),
    ],
)
@pytest.mark.parametrize("parent", [Supervisor, Pool])
async def test_a_factory_that_makes_no_actors_is_given_up_at_once(
    system: ActorSystem, at_once: RestartPolicy, start: Any, told: str, parent: type[Supervisor]
) -> None:
    above = await system.start_child(ChildSpec("s", lambda: parent(escalate=False)))
    ref = system.start_child_nowait(ChildSpec("a", start, policy=at_once), parent=above)
    with pytest.raises(FailedToStart, match=f"ChildSpec.start of /test/s/a {told}"):
        await ref.ready(10)
    assert ref.attempt == 1


async def test_a_factory_that_returns_the_same_actor_again_is_given_up(
    system: ActorSystem, at_once: RestartPolicy
) -> None:
    ref = await system.start_child(ChildSpec("a", Reused(), policy=at_once))
    await crash_of(ref, ValueError("no"))
    reason = await ref.terminated(10)
    assert "returned a Probe that it had returned before: make a new one each time, Probe(...)" in reason.detail
    assert (ref.attempt, reason.hopeless) == (2, True)


async def test_a_start_that_takes_too_long_is_a_failure_that_says_where_it_stood(system: ActorSystem) -> None:
    class Sleepy(Probe):
        async def started(self) -> None:
            await self.fall_asleep()

        async def fall_asleep(self) -> None:
            await self.future

    actor = Sleepy()
    with pytest.raises(FailedToStart, match=r"(?s)start_timeout.*fall_asleep"):
        await start(system, actor, start_timeout=0.02)
    assert actor.log == ["stopped start_timeout"]


async def test_exit_from_a_callback_ends_an_idle_actor_at_once(system: ActorSystem) -> None:
    actor = Probe()
    ref = await start(system, actor)
    reason = ExitReason("exit_code", ExitReason.normal().blame, "3")
    asyncio.get_running_loop().call_soon(actor.exit, reason)
    assert await ref.terminated(5) is reason
    assert actor.log == ["started", "stopped exit_code"]


async def test_exit_overtakes_queued_messages_but_not_the_running_handler(system: ActorSystem) -> None:
    class Leaver(Probe):
        async def receive(self, message: Any) -> Any:
            self.log.append(f"begin {message}")
            await super().receive("wait")
            self.log.append(f"end {message}")

    actor = Leaver()
    ref = await start(system, actor)
    await ref.tell(1)
    await actor.waiting.wait()
    await ref.tell(2)
    actor.exit()
    actor.exit(ExitReason.shutdown("the first call counts"))
    actor.future.set_result(None)
    assert (await ref.terminated(5)).kind == "normal"
    assert actor.log == ["started", "begin 1", "end 1", "stopped normal"]


async def test_exit_within_started(system: ActorSystem) -> None:
    class Brief(Probe):
        async def started(self) -> None:
            self.exit()

    actor = Brief()
    ref = system.start_child_nowait(ChildSpec("a", lambda: actor, restart=Restart.TRANSIENT))
    assert (await ref.terminated(5)).kind == "normal"


async def test_a_stop_interrupts_a_running_handler(system: ActorSystem) -> None:
    actor = Probe()
    ref = await start(system, actor)
    await ref.tell("wait")
    await actor.waiting.wait()
    assert (await system.stop_child("a")).kind == "shutdown"
    assert actor.log == ["started", "stopped shutdown"]


async def test_a_stop_interrupts_a_start(system: ActorSystem) -> None:
    class Slow(Probe):
        async def started(self) -> None:
            self.waiting.set()
            await self.future

    actor = Slow()
    ref = system.start_child_nowait(ChildSpec("a", lambda: actor))
    await actor.waiting.wait()
    await system.stop_child("a")
    with pytest.raises(FailedToStart):
        await ref.ready()
    assert actor.log == ["stopped shutdown"]


async def test_an_actor_that_never_waits_can_be_stopped(system: ActorSystem) -> None:
    class Restless(Probe):
        count = 0

        async def receive(self, message: Any) -> Any:
            self.count += 1
            self.ref.tell_nowait(message)

    actor = Restless()
    ref = await start(system, actor)
    await ref.tell("again")
    await system.stop_child("a")
    assert 0 < actor.count <= 10 * TURN


async def test_a_child_that_swallows_its_cancellation_is_over_all_the_same(system: ActorSystem) -> None:
    class Stubborn(Probe):
        async def receive(self, message: Any) -> Any:
            self.waiting.set()
            try:
                await self.future
            except asyncio.CancelledError:
                self.log.append("swallowed")

    actor = Stubborn()
    ref = await start(system, actor)
    await ref.tell("go")
    await actor.waiting.wait()
    assert (await system.stop_child("a")).kind == "shutdown"
    assert actor.log == ["started", "swallowed", "stopped shutdown"]


class Stuck(Probe):
    """Does not get done with stopped(); cancelled, it gives up unless it is told to be deaf."""

    deaf = False

    async def stopped(self, reason: ExitReason) -> None:
        await super().stopped(reason)
        while not self.future.done():
            try:
                await self.hang()
            except asyncio.CancelledError:
                if not self.deaf:
                    raise

    async def hang(self) -> None:
        await asyncio.shield(self.future)


async def test_an_actor_past_its_grace_is_reported_with_its_stack_and_killed(
    system: ActorSystem, next_event: Callable[..., Any]
) -> None:
    actor = Stuck()
    events = system.events()
    await start(system, actor, grace=0.02)
    assert (await system.stop_child("a")).kind == "stuck"
    assert actor.log == ["started", "stopped shutdown", "killed"]
    report = await next_event(events, ActorStuck, "/test/a")
    assert "in hang" in report.stack
    assert "await asyncio.shield(self.future)" in report.stack


async def test_a_stuck_actor_that_is_deaf_is_abandoned_and_the_system_goes_on(
    system: ActorSystem, next_event: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssasync.actors.cell.AFTERLIFE", 0.02)
    actor = Stuck()
    actor.deaf = True
    events = system.events()
    ref = await start(system, actor, grace=0.02, restart=Restart.PERMANENT)
    reason = await system.stop_child("a")
    assert reason.kind == "stuck"
    assert "in hang" in reason.detail
    await next_event(events, ActorAbandoned, "/test/a")
    assert system.statistics().abandoned == 1
    fresh = Probe()
    again = await system.start_child(ChildSpec("a", lambda: fresh))
    assert again is ref
    assert (await again.ask("who")).attempt == 2
    actor.future.set_result(None)
    async with asyncio.timeout(10):
        while system.statistics().abandoned:  # noqa: ASYNC110 -- nobody is told when an abandoned task ends after all
            await asyncio.sleep(0)


async def test_a_crash_in_stopped_is_not_lost(system: ActorSystem) -> None:
    class Untidy(Probe):
        async def stopped(self, reason: ExitReason) -> None:
            raise OSError("untidy")

    actor = Untidy()
    ref = await start(system, actor)
    await crash_of(ref, ValueError("first"))
    reason = await ref.terminated(5)
    assert isinstance(reason.exception, BaseExceptionGroup)
    assert [str(error) for error in reason.exception.exceptions] == ["first", "untidy"]
    assert actor.log == ["started", "killed"]


async def test_a_crash_only_in_stopped_is_the_reason(system: ActorSystem) -> None:
    class Untidy(Probe):
        async def stopped(self, reason: ExitReason) -> None:
            raise OSError("untidy")

    await start(system, Untidy())
    reason = await system.stop_child("a")
    assert (reason.kind, reason.detail) == ("exception", "in stopped(): OSError: untidy")


async def test_a_failing_kill_is_no_matter(system: ActorSystem) -> None:
    class Unkillable(Stuck):
        def kill(self) -> None:
            raise OSError("no such process")

    await start(system, Unkillable(), grace=0.02)
    assert (await system.stop_child("a")).kind == "stuck"


async def test_a_supervisor_is_not_crashed_by_a_message(system: ActorSystem) -> None:
    ref = await system.start_child(ChildSpec("s", Supervisor))
    await ref.tell("hello?")
    await until(lambda: system.statistics().dead_letters == 1)
    assert ref.attempt == 1


async def test_who_asks_a_supervisor_is_told_that_it_has_no_answers(system: ActorSystem) -> None:
    ref = await system.start_child(ChildSpec("s", Supervisor))
    for _ in range(2):
        with pytest.raises(TakesNoMessages, match="/test/s is a Supervisor, which takes no messages; it was asked str"):
            await ref.ask("hello?")
    await ref.tell("after an ask")
    await until(lambda: system.statistics().dead_letters == 1)
    assert ref.attempt == 1


async def test_every_exit_is_an_event(system: ActorSystem, next_event: Callable[..., Any]) -> None:
    events = system.events()
    ref = await start(system, Probe())
    await crash_of(ref, ValueError("no"))
    exited = await next_event(events, ChildExited, "/test/a")
    assert (exited.attempt, exited.will_restart, exited.reason.kind) == (1, False, "exception")
