"""The supervisor with real actors; what it decides is tested in test_supervisor_state.py."""

import asyncio
import gc
import logging
import re
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ssasync.actors import (
    Actor,
    ActorCrashed,
    ActorRef,
    ActorStopped,
    ActorSystem,
    Backoff,
    Blame,
    ChildExited,
    ChildGaveUp,
    ChildSpec,
    ChildStarted,
    ChildStarting,
    ChildStopped,
    Event,
    ExitReason,
    Intensity,
    NameTaken,
    NotSupervisor,
    Phase,
    Pool,
    Restart,
    RestartPolicy,
    Strategy,
    Supervisor,
    SupervisorCrashed,
    SupervisorStatistics,
    UnknownActor,
    restart_child,
    start_child,
    start_children,
    stop_child,
    supervisor_statistics,
)
from tests.actors.waiting import until

NEVER = RestartPolicy(application=Intensity(0, 60.0))
AT_ONCE = RestartPolicy(application=Intensity(1000, 60.0), backoff=Backoff(0.0))
ONCE = RestartPolicy(application=Intensity(1, 60.0), backoff=Backoff(0.0))


class Troupe:
    """Actors that note their starts and stops in one log, and crash when told so."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def spec(self, name: str, **options: Any) -> ChildSpec:
        options.setdefault("policy", RestartPolicy(Intensity(1000, 60.0), backoff=Backoff(0.0)))
        return ChildSpec(name, lambda: Player(self.log, name), **options)

    def take(self) -> list[str]:
        taken, self.log[:] = list(self.log), []
        return taken


class Player(Actor):
    def __init__(self, log: list[str], name: str) -> None:
        self.log = log
        self.name = name

    async def started(self) -> None:
        self.log.append(f"+{self.name}")

    async def receive(self, message: Any) -> Any:
        if message == "crash":
            raise ValueError(self.name)
        if isinstance(message, ExitReason):
            self.exit(message)
        return self.attempt

    async def stopped(self, reason: ExitReason) -> None:
        self.log.append(f"-{self.name}")


@pytest.fixture
def troupe() -> Troupe:
    return Troupe()


async def started_again(ref: ActorRef, attempt: int) -> None:
    for _ in range(attempt):
        if await ref.ask("attempt", timeout=10) == attempt:
            return
        await ref.ready(10, after=attempt - 1)


def children(system: ActorSystem, *names: str) -> Iterator[ActorRef]:
    return (system.lookup(f"/test/s/{name}") for name in names)


async def test_children_start_in_order_and_stop_in_reverse(system: ActorSystem, troupe: Troupe) -> None:
    specs = [troupe.spec(name) for name in "abc"]
    await system.start_child(ChildSpec("s", lambda: Supervisor(specs)))
    assert troupe.take() == ["+a", "+b", "+c"]
    await system.stop_child("s")
    assert troupe.take() == ["-c", "-b", "-a"]


async def test_a_start_waits_for_the_readiness_of_its_predecessor(system: ActorSystem, troupe: Troupe) -> None:
    gate = asyncio.Event()

    class Slow(Player):
        async def started(self) -> None:
            await gate.wait()
            await super().started()

    specs = [ChildSpec("slow", lambda: Slow(troupe.log, "slow")), troupe.spec("b")]
    ref = system.start_child_nowait(ChildSpec("s", lambda: Supervisor(specs)))
    late = await system.start_child(troupe.spec("elsewhere"))
    assert troupe.take() == ["+elsewhere"]
    assert system.tree().children[0].state == "starting"
    await late.ask("any")
    gate.set()
    await ref.ready(5)
    assert troupe.take() == ["+slow", "+b"]


@pytest.mark.parametrize(
    ("strategy", "log"),
    [
        (Strategy.ONE_FOR_ONE, ["-b", "+b"]),
        (Strategy.ONE_FOR_ALL, ["-b", "-c", "-a", "+a", "+b", "+c"]),
        (Strategy.REST_FOR_ONE, ["-b", "-c", "+b", "+c"]),
    ],
)
async def test_strategies(system: ActorSystem, troupe: Troupe, strategy: Strategy, log: list[str]) -> None:
    specs = [troupe.spec(name) for name in "abc"]
    await system.start_child(ChildSpec("s", lambda: Supervisor(specs, strategy=strategy)))
    troupe.take()
    a, b, c = children(system, "a", "b", "c")
    await b.tell("crash")
    await started_again(b, 2)
    await c.ready(5)
    await a.ready(5)
    assert troupe.take() == log


async def test_references_survive_restarts(system: ActorSystem, troupe: Troupe) -> None:
    ref = await system.start_child(troupe.spec("a"))
    await ref.tell("crash")
    await ref.tell("crash")
    assert await ref.ask("attempt") == 3
    assert system.lookup("/test/a") is ref


async def test_a_transient_child_that_is_done_is_not_restarted(system: ActorSystem, troupe: Troupe) -> None:
    ref = await system.start_child(troupe.spec("a", restart=Restart.TRANSIENT))
    await ref.tell(ExitReason.normal())
    assert (await ref.terminated(5)).kind == "normal"
    assert system.tree().children[0].state == "ended"


async def test_a_temporary_child_is_forgotten(system: ActorSystem, troupe: Troupe) -> None:
    ref = await system.start_child(troupe.spec("a", restart=Restart.TEMPORARY))
    await ref.tell("crash")
    assert (await ref.terminated(5)).failed
    assert system.tree().children == ()


async def test_a_temporary_child_is_over_when_its_supervisor_is_stopped(system: ActorSystem, troupe: Troupe) -> None:
    supervisor = await system.start_child(ChildSpec("s", Supervisor))
    ref = await start_child(supervisor, troupe.spec("a", restart=Restart.TEMPORARY))
    await system.stop_child("s")
    assert (await ref.terminated(5)).kind == "shutdown"


async def test_a_child_of_the_root_that_gave_up_is_failed_and_its_siblings_go_on(
    system: ActorSystem, troupe: Troupe, next_event: Callable[..., Any]
) -> None:
    events = system.events()
    sibling = await system.start_child(troupe.spec("sibling"))
    ref = await system.start_child(troupe.spec("a", policy=ONCE))
    await ref.tell("crash")
    await ref.tell("crash")
    reason = await ref.terminated(5)
    assert (reason.kind, reason.detail) == ("exception", "ValueError: a")
    gave_up = await next_event(events, ChildGaveUp, "/test/a")
    assert "used up 1 restarts in 60 s" in gave_up.story[-1]
    assert [node.state for node in system.tree().children] == ["running", "failed"]
    assert await sibling.ask("attempt") == 1


async def test_escalation_the_parent_restarts_the_supervisor_with_fresh_children(
    system: ActorSystem, troupe: Troupe
) -> None:
    specs = [troupe.spec("a"), troupe.spec("b", policy=ONCE)]
    policy = RestartPolicy(Intensity(5, 60.0), backoff=Backoff(0.0))
    supervisor = await system.start_child(ChildSpec("s", lambda: Supervisor(specs), policy=policy))
    a, b = children(system, "a", "b")
    await b.tell("crash")
    await b.tell("crash")
    await started_again(b, 3)
    assert troupe.take() == ["+a", "+b", "-b", "+b", "-b", "-a", "+a", "+b"]
    assert (await a.ask("attempt"), system.tree().children[0].attempt) == (2, 2)
    reason = system.tree().children[0].last_exit
    assert reason is not None
    assert (reason.kind, reason.blame) == ("gave_up", Blame.APPLICATION)
    assert "child 'b' used up 1 restarts in 60 s; its last exit: exception (ValueError: b)" in reason.detail
    assert supervisor.path == "/test/s"


async def test_when_all_give_up_all_below_is_over(system: ActorSystem, troupe: Troupe) -> None:
    specs = [troupe.spec("a"), troupe.spec("b", policy=NEVER)]
    supervisor = await system.start_child(ChildSpec("s", lambda: Supervisor(specs), policy=NEVER))
    a, b = children(system, "a", "b")
    await b.tell("crash")
    assert (await supervisor.terminated(5)).kind == "gave_up"
    assert (await b.terminated(5)).kind == "exception"
    assert (await a.terminated(5)).kind == "shutdown"
    with pytest.raises(ActorStopped):
        await a.tell("late")


async def test_a_pool_that_does_not_escalate_reports_and_goes_on(system: ActorSystem, troupe: Troupe) -> None:
    specs = [troupe.spec("a", policy=NEVER), troupe.spec("b")]
    await system.start_child(ChildSpec("s", lambda: Supervisor(specs, escalate=False, ordered=False)))
    a, b = children(system, "a", "b")
    await a.tell("crash")
    assert (await a.terminated(5)).kind == "exception"
    assert await b.ask("attempt") == 1


async def test_children_added_later_do_not_come_back_with_a_restarted_supervisor(
    system: ActorSystem, troupe: Troupe
) -> None:
    policy = RestartPolicy(Intensity(5, 60.0), backoff=Backoff(0.0))
    supervisor = await system.start_child(
        ChildSpec("s", lambda: Supervisor([troupe.spec("a", policy=NEVER)]), policy=policy)
    )
    later = await start_child(supervisor, troupe.spec("later"))
    (a,) = children(system, "a")
    await a.tell("crash")
    assert (await later.terminated(5)).kind == "shutdown"
    await started_again(a, 2)
    assert [node.name for node in system.tree().children[0].children] == ["a"]


async def test_stopping_and_restarting_by_hand(system: ActorSystem, troupe: Troupe) -> None:
    supervisor = await system.start_child(ChildSpec("s", Supervisor))
    ref = await start_child(supervisor, troupe.spec("a"))
    assert (await stop_child(supervisor, "a")).kind == "shutdown"
    assert await restart_child(supervisor, "a") is ref
    assert await restart_child(supervisor, "a") is ref
    assert await ref.ask("attempt") == 3
    assert troupe.take() == ["+a", "-a", "+a", "-a", "+a"]


async def test_of_a_stop_and_a_restart_by_hand_the_last_counts_and_nobody_waits_for_ever(
    system: ActorSystem, troupe: Troupe
) -> None:
    supervisor = await system.start_child(ChildSpec("s", Supervisor))
    ref = await start_child(supervisor, troupe.spec("a"))
    async with asyncio.timeout(10):
        reason, again = await asyncio.gather(stop_child(supervisor, "a"), restart_child(supervisor, "a"))
    assert (reason.kind, again, await ref.ask("attempt")) == ("shutdown", ref, 2)


async def test_names_are_unique_among_the_living(system: ActorSystem, troupe: Troupe) -> None:
    await system.start_child(troupe.spec("a"))
    with pytest.raises(NameTaken, match="/test/a exists already and is running"):
        await system.start_child(troupe.spec("a"))
    with pytest.raises(UnknownActor, match="there is no actor /test/b; its supervisor has a"):
        await system.stop_child("b")


def test_a_supervisor_of_wrong_types_is_refused_with_all_mistakes(troupe: Troupe) -> None:
    wrong: Any = {
        "children": [Actor, troupe.spec("a"), troupe.spec("a")],
        "strategy": "one_for_all",
        "ordered": 1,
        "escalate": None,
        "policy": Intensity(),
        "auto_shutdown": "never",
    }
    told = [
        "Supervisor: strategy is 'one_for_all': give a Strategy, such as",
        "ordered is 1: give True or False",
        "escalate is None: give True or False",
        "policy is Intensity(restarts=3, seconds=600.0): give a RestartPolicy, or None",
        "auto_shutdown is 'never': give an AutoShutdown",
        "is no ChildSpec: give ChildSpec('name', Actor)",
        "child 'a' is given twice",
    ]
    with pytest.raises(ValueError, match=".*".join(map(re.escape, told))):
        Supervisor(**wrong)
    children: Any = Actor
    with pytest.raises(ValueError, match=r"children is <class .*>: give a sequence of ChildSpec"):
        Supervisor(children)


async def test_what_is_no_spec_is_not_started(system: ActorSystem) -> None:
    wrong: Any = Player
    with pytest.raises(
        TypeError, match=r"child of /test: .*Player.* is no ChildSpec: give ChildSpec\('name', Player\)"
    ):
        await system.start_child(wrong)


async def test_of_many_children_only_some_are_named(system: ActorSystem, troupe: Troupe) -> None:
    pool = await system.start_child(ChildSpec("s", Pool))
    await start_children(pool, [troupe.spec(f"m{place}") for place in range(1200)])
    with pytest.raises(UnknownActor, match=r"its supervisor has m0, m1, .*, m9 and 1,190 more$"):
        await stop_child(pool, "elsewhere")


async def test_only_supervisors_have_children(system: ActorSystem, troupe: Troupe) -> None:
    ref = await system.start_child(troupe.spec("a"))
    with pytest.raises(NotSupervisor, match="/test/a is Player"):
        await start_child(ref, troupe.spec("b"))


async def test_a_supervisor_that_is_over_takes_no_children(system: ActorSystem, troupe: Troupe) -> None:
    supervisor = await system.start_child(ChildSpec("s", Supervisor))
    await system.stop_child("s")
    with pytest.raises(ActorStopped):
        await start_child(supervisor, troupe.spec("a"))


async def test_a_derived_supervisor_acquires_before_and_releases_after_its_children(
    system: ActorSystem, troupe: Troupe
) -> None:
    class Pool(Supervisor):
        async def started(self) -> None:
            troupe.log.append("+pool")
            self.start_child_nowait(troupe.spec("late"))

        async def stopped(self, reason: ExitReason) -> None:
            troupe.log.append("-pool")

    await system.start_child(ChildSpec("s", lambda: Pool([troupe.spec("a")])))
    await system.stop_child("s")
    assert troupe.take() == ["+pool", "+late", "+a", "-late", "-a", "-pool"]


async def test_events_are_complete_and_in_order(system: ActorSystem, troupe: Troupe) -> None:
    events = system.events(lossless=True)
    specs = [troupe.spec("a"), troupe.spec("b")]
    await system.start_child(ChildSpec("s", lambda: Supervisor(specs, strategy=Strategy.ONE_FOR_ALL)))
    a, b = children(system, "a", "b")
    await a.tell("crash")
    await started_again(b, 2)
    await system.stop_child("s")
    await system.close()
    seen: list[tuple[type[Event], str, int]] = [
        (type(event), event.path.removeprefix("/test/"), getattr(event, "attempt", 0)) async for event in events
    ]
    assert seen == [
        (ChildStarting, "s", 1),
        (ChildStarting, "s/a", 1),
        (ChildStarted, "s/a", 1),
        (ChildStarting, "s/b", 1),
        (ChildStarted, "s/b", 1),
        (ChildStarted, "s", 1),
        (ChildExited, "s/a", 1),
        (ChildStopped, "s/b", 1),
        (ChildStarting, "s/a", 2),
        (ChildStarted, "s/a", 2),
        (ChildStarting, "s/b", 2),
        (ChildStarted, "s/b", 2),
        (ChildStopped, "s/b", 2),
        (ChildStopped, "s/a", 2),
        (ChildStopped, "s", 1),
    ]


async def test_statistics_count_children_and_restarts(system: ActorSystem, troupe: Troupe) -> None:
    specs = [troupe.spec("a"), troupe.spec("b")]
    supervisor = await system.start_child(ChildSpec("s", lambda: Supervisor(specs)))
    (a,) = children(system, "a")
    await a.tell("crash")
    await started_again(a, 2)
    assert supervisor_statistics(supervisor) == SupervisorStatistics({"running": 2}, restarts=1)
    with pytest.raises(NotSupervisor, match="/test/s/a is Player"):
        supervisor_statistics(a)


async def test_a_thousand_members_stop_together(system: ActorSystem, troupe: Troupe) -> None:
    supervisor = await system.start_child(ChildSpec("s", lambda: Supervisor(ordered=False)))
    members = [system.start_child_nowait(troupe.spec(f"m{number}"), parent=supervisor) for number in range(1000)]
    for member in members:
        await member.ready(10)
    await system.stop_child("s")
    assert len(troupe.log) == 2000


@pytest.mark.parametrize("under", [Supervisor, Pool])
async def test_a_crashed_incarnation_is_let_go(
    system: ActorSystem, under: type[Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state may be the largest thing in the process; nobody here has read its events or its crash report yet."""
    monkeypatch.setattr(logging.getLogger("ssasync.actors"), "disabled", True)  # pytest keeps the records

    class Heavy(Actor):
        async def receive(self, message: Any) -> Any:
            if message == "crash":
                raise ExceptionGroup("heavy", [ValueError(self.attempt), OSError(2, "gone")])
            return weakref.ref(self)

    events = system.events()
    supervisor = await system.start_child(ChildSpec("s", lambda: under(policy=RestartPolicy())))
    ref = await start_child(supervisor, ChildSpec("heavy", Heavy, policy=AT_ONCE))
    incarnations = []
    for attempt in range(3):
        incarnations.append(await ref.ask("who"))
        with pytest.raises(ActorCrashed):
            await ref.ask("crash")
        await ref.ready(10, after=attempt + 1)
    await ref.ask("who")
    gc.collect()
    assert [incarnation() for incarnation in incarnations] == [None] * 3
    await events.aclose()


async def test_a_child_that_gave_up_comes_back_by_hand_with_a_fresh_budget(system: ActorSystem, troupe: Troupe) -> None:
    ref = await system.start_child(troupe.spec("a", policy=ONCE))
    for attempt in (1, 2):
        await ref.tell("crash")
        if attempt == 1:
            await ref.ready(10, after=1)
    await ref.terminated(10)
    await restart_child(system.root, "a")
    await ref.tell("crash")
    await ref.ready(10, after=3)
    assert await ref.ask("attempt") == 4


async def test_a_wish_that_a_crash_of_the_supervisor_overtook_is_told(system: ActorSystem) -> None:
    gate = asyncio.Event()

    class Slow(Actor):
        async def stopped(self, reason: ExitReason) -> None:
            await gate.wait()

    class Team(Supervisor):
        async def receive(self, message: Any) -> Any:
            raise ValueError(message)

    team = await system.start_child(ChildSpec("team", lambda: Team([ChildSpec("slow", Slow)]), policy=AT_ONCE))
    stopping = asyncio.ensure_future(stop_child(team, "slow"))
    kid = system.lookup("/test/team/slow")
    await until(lambda: kid.story()[-1].phase is Phase.STOPPING)
    await team.tell("crash")
    await until(lambda: team.statistics().taken == 1)
    gate.set()
    with pytest.raises(
        SupervisorCrashed, match=r"/test/team \(attempt 1\) crashed before it had done this to its child"
    ):
        await stopping
    await kid.ready(10, after=1)
