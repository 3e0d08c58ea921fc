"""What lasts of a child: its story, its backoff, those who wait for it."""

import asyncio
from typing import Any

import pytest

from ssasync.actors import (
    Actor,
    ActorCrashed,
    ActorError,
    ActorRef,
    ActorStopped,
    ActorSystem,
    Backoff,
    Blame,
    ChildSpec,
    ExitReason,
    FailedToStart,
    Intensity,
    Restart,
    RestartPolicy,
    Supervisor,
    remove_child,
    restart_child,
    stop_child,
)
from ssasync.actors.child import LINE_LIMIT
from ssasync.actors.exit_reason import TEXT_LIMIT
from tests.actors.waiting import until

HOUR = 3600.0
PATIENT = RestartPolicy(Intensity(10, HOUR), backoff=Backoff(HOUR, maximum=HOUR, jitter=False))


class Fragile(Actor):
    async def receive(self, message: Any) -> Any:
        raise ValueError(message)


async def crash(ref: ActorRef, text: str = "told to") -> None:
    with pytest.raises(ActorCrashed):
        await ref.ask(text, timeout=10)


class Brief(Actor):
    async def started(self) -> None:
        self.exit()


async def test_who_waited_is_told_that_it_ran_though_it_was_over_in_the_same_turn(system: ActorSystem) -> None:
    for number in range(100):
        ref = await system.start_child(ChildSpec(f"brief{number}", Brief, restart=Restart.TEMPORARY))
        assert (await ref.terminated(10)).kind == "normal"
        with pytest.raises(ActorStopped):
            await ref.ready(10)


async def test_what_a_crash_says_at_length_is_kept_once(system: ActorSystem) -> None:
    """Crash reports are bounded, but their stories say it again; up to a thousand of them are kept."""
    ref = await system.start_child(
        ChildSpec("a", Fragile, policy=RestartPolicy(Intensity(10, HOUR), backoff=Backoff(0.0)))
    )
    for attempt in (1, 2, 3):
        await ref.ready(10, after=attempt - 1)
        await crash(ref, "x" * 1_000_000)
    await ref.ready(10, after=3)
    longest = max(len(line.detail) for report in system.crashes() for line in report.story)
    assert LINE_LIMIT <= longest < LINE_LIMIT + 100
    assert len(system.crashes()[-1].trace) + len(system.crashes()[-1].reason.detail) < 2 * TEXT_LIMIT + 100
    last = ref._child.last_exit
    assert last is not None
    assert len(last.detail) < TEXT_LIMIT + 100


async def in_backoff(system: ActorSystem, policy: RestartPolicy = PATIENT) -> ActorRef:
    ref = await system.start_child(ChildSpec("a", Fragile, policy=policy))
    await crash(ref)
    await until(lambda: system.tree().children[0].state == "backoff")
    assert system.statistics().deadlines.pending == 1
    return ref


@pytest.mark.parametrize("leave", [stop_child, remove_child, restart_child])
async def test_a_backoff_ends_with_the_wish_that_ends_it(system: ActorSystem, leave: Any) -> None:
    await in_backoff(system)
    await leave(system.root, "a")
    assert system.statistics().deadlines.pending == 0


async def test_a_removed_childs_backoff_does_not_restart_its_namesake(system: ActorSystem) -> None:
    short = 0.1
    await in_backoff(system, RestartPolicy(Intensity(10, HOUR), backoff=Backoff(short, jitter=False)))
    due = asyncio.Event()
    system.deadlines.after(short, due.set)
    await remove_child(system.root, "a")
    namesake = await system.start_child(ChildSpec("a", Fragile, policy=PATIENT))
    await crash(namesake)
    async with asyncio.timeout(10):
        await due.wait()
    await system.start_child(ChildSpec("later", Fragile))  # by then the supervisor has read its lane
    assert [node.state for node in system.tree().children] == ["backoff", "running"]


class Slow(Actor):
    """Starts only when it may."""

    def __init__(self, gate: asyncio.Event) -> None:
        self.gate = gate

    async def started(self) -> None:
        await self.gate.wait()


class TestAChildThatIsSlowToStart:
    """It keeps its supervisor from being ready, but nobody from having a wish."""

    @pytest.fixture
    async def gate(self, system: ActorSystem) -> asyncio.Event:
        gate = asyncio.Event()
        specs = [ChildSpec("quick", Actor), ChildSpec("slow", lambda: Slow(gate)), ChildSpec("last", Actor)]
        system.start_child_nowait(ChildSpec("s", lambda: Supervisor(specs)))
        await until(lambda: self.states(system) == ["running", "starting", "waiting"])
        return gate

    def states(self, system: ActorSystem) -> list[str]:
        return [node.state for node in system.tree().children[0].children]

    @pytest.mark.parametrize("leave", [stop_child, remove_child])
    async def test_it_can_be_stopped_and_removed(self, system: ActorSystem, gate: asyncio.Event, leave: Any) -> None:
        supervisor, slow = system.lookup("/test/s"), system.lookup("/test/s/slow")
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            waiting = group.create_task(failure_of(slow))
            assert (await leave(supervisor, "slow")).kind == "shutdown"
            await supervisor.ready()
        assert waiting.result() is FailedToStart
        left = ["running", "running"] if leave is remove_child else ["running", "stopped", "running"]
        assert self.states(system) == left

    async def test_it_can_be_restarted(self, system: ActorSystem, gate: asyncio.Event) -> None:
        supervisor, slow = system.lookup("/test/s"), system.lookup("/test/s/slow")
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            again = group.create_task(restart_child(supervisor, "slow"))
            await until(lambda: slow.attempt == 2)
            assert self.states(system) == ["running", "starting", "waiting"]
            gate.set()
            await supervisor.ready()
        assert again.result() is slow

    @pytest.mark.parametrize("name", ["quick", "last"])
    async def test_its_siblings_can_be_stopped_restarted_and_removed(
        self, system: ActorSystem, gate: asyncio.Event, name: str
    ) -> None:
        supervisor, slow = system.lookup("/test/s"), system.lookup("/test/s/slow")
        before = system.lookup(f"/test/s/{name}").attempt
        async with asyncio.timeout(10):
            await system.stop_child(name, parent=supervisor)
            ref = await restart_child(supervisor, name)
            assert ref.attempt == before + 1
            assert (await remove_child(supervisor, name)).kind == "shutdown"
            assert (slow.attempt, self.states(system).count("starting")) == (1, 1)
            gate.set()
            await supervisor.ready()

    async def test_a_wish_waits_for_a_supervisor_in_backoff(self, system: ActorSystem) -> None:
        class Doomed(Supervisor):
            async def started(self) -> None:
                if self.attempt == 1:
                    raise ValueError("the first one fails")

        policy = RestartPolicy(Intensity(10, HOUR), backoff=Backoff(0.05, jitter=False))
        spec = ChildSpec("s", lambda: Doomed([ChildSpec("a", Actor)]), policy=policy)
        supervisor = system.start_child_nowait(spec)
        await until(lambda: system.tree().children[0].state == "backoff")
        async with asyncio.timeout(10):
            await stop_child(supervisor, "a")
        assert (supervisor.attempt, self.states(system)) == (2, ["stopped"])

    async def test_a_wish_to_a_supervisor_that_ends_meanwhile_is_told(self, system: ActorSystem) -> None:
        policy = RestartPolicy(Intensity(10, HOUR), backoff=Backoff(HOUR, maximum=HOUR))
        supervisor = system.start_child_nowait(ChildSpec("s", lambda: Supervisor([NO_START]), policy=policy))
        await until(lambda: system.tree().children[0].state == "backoff")
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            wish = group.create_task(failure_of_wish(supervisor))
            await asyncio.sleep(0)
            await system.stop_child("s")
        assert wish.result() is FailedToStart


async def failure_of(ref: ActorRef) -> type[ActorError]:
    with pytest.raises(ActorError) as caught:
        await ref.ready()
    return caught.type


async def failure_of_wish(supervisor: ActorRef) -> type[ActorError]:
    with pytest.raises(ActorError) as caught:
        await stop_child(supervisor, "never")
    return caught.type


class Unable(Actor):
    async def started(self) -> None:
        raise ValueError("cannot")


NO_START = ChildSpec("never", Unable, policy=RestartPolicy(Intensity(0, HOUR)))


async def test_while_the_system_closes_whoever_is_down_is_over_at_once() -> None:
    """Else an actor that asks it in its stopped() waits until its own grace is over."""
    told: list[type[BaseException]] = []

    class Asker(Actor):
        async def stopped(self, reason: ExitReason) -> None:
            for path in ("/closing/crew/down", "/closing/crew"):
                try:
                    await self.system.lookup(path).ask("hello?", timeout=10)
                except ActorError as error:
                    told.append(type(error))

    class SlowToStop(Actor):
        async def stopped(self, reason: ExitReason) -> None:
            try:
                await self.system.lookup("/closing/crew/down").ask("hello?", timeout=10)
            except ActorError as error:
                told.append(type(error))

    async with ActorSystem("closing") as system:
        await system.start_child(ChildSpec("asker", Asker))
        crew = [ChildSpec("sibling", SlowToStop), ChildSpec("down", Actor)]
        await system.start_child(ChildSpec("crew", lambda: Supervisor(crew)))
    assert told == [ActorStopped, ActorStopped, ActorStopped]


async def test_a_child_taken_down_with_its_supervisor_is_not_over_while_that_comes_back(system: ActorSystem) -> None:
    asked: list[asyncio.Task[Any]] = []

    class Echo(Actor):
        async def receive(self, message: Any) -> Any:
            return message

    class First(Actor):
        async def stopped(self, reason: ExitReason) -> None:
            b = self.system.lookup("/test/s/b")
            assert b._child.phase.over
            if not asked:  # not when the system is closed
                asked.append(asyncio.ensure_future(b.ask("answered by the next", timeout=10)))

    specs = [ChildSpec("a", First), ChildSpec("b", Echo)]
    policy = RestartPolicy(Intensity(10, HOUR), backoff=Backoff(0.0))
    await system.start_child(ChildSpec("s", lambda: Supervisor(specs), policy=policy))
    supervisor = system.lookup("/test/s")
    assert supervisor._child.cell is not None
    supervisor._child.cell.leave(ExitReason("lost", Blame.INFRASTRUCTURE))
    await supervisor.ready(10, after=1)
    assert await asked[0] == "answered by the next"
