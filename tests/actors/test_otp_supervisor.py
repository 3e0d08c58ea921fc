"""What OTP documents of its supervisors, one test each, against the real ones.

Design Principles, "Supervisor Behaviour" (OTP 27):

Supervision Principles
    test_children_start_in_the_order_of_the_list_and_stop_in_reverse
    test_the_supervisor_keeps_its_children_alive
Supervisor Flags
    test_defaults_are_one_for_one_permanent_and_never
Restart Strategy
    one_for_one          test_one_for_one_restarts_only_the_one_that_ended
    one_for_all          test_one_for_all_restarts_all
    rest_for_one         test_rest_for_one_restarts_the_one_and_those_after_it
    (all)                test_a_group_comes_up_with_those_that_had_ended_or_were_stopped
    (all)                test_a_start_that_fails_in_a_restart_is_tried_again_and_counts
    simple_one_for_one   see Simplified one_for_one Supervisors
Maximum Restart Intensity
    test_more_than_max_r_restarts_end_all_children_and_then_the_supervisor
    test_max_r_restarts_are_tolerated_whoever_of_the_children_takes_them
    test_the_restart_of_a_group_counts_once
    test_the_next_higher_supervisor_restarts_it_or_ends_itself
    (only the last MaxT seconds count: test_restarts_are_counted_within_the_window_only, in test_supervisor_state.py,
    whose clock can be moved)
    Tuning the intensity and period   test_restarts_multiply_along_the_levels
Automatic Shutdown
    never             test_never_refuses_significant_children
    any_significant   test_any_significant_shuts_down_with_the_first
    all_significant   test_all_significant_shuts_down_with_the_last_active_one
    (note)            test_neither_a_siblings_death_nor_a_stop_by_hand_shuts_down
    (warning)         test_a_permanent_supervisor_that_shut_itself_down_is_restarted
Child Specification
    restart       test_restart_types
    restart       test_a_temporary_child_is_not_restarted_with_its_group_either
    significant   test_a_permanent_child_cannot_be_significant
    shutdown      test_a_child_past_its_shutdown_time_is_killed
    shutdown      test_a_supervisor_has_the_time_its_children_need
    type          test_a_child_may_be_a_supervisor
Starting a Supervisor
    test_starting_a_supervisor_returns_when_all_its_children_are_up
Adding a Child Process
    test_an_added_child_behaves_as_the_others_and_is_lost_with_its_supervisor
Stopping a Child Process
    test_a_stopped_child_stays_down_and_known
    test_a_removed_static_child_is_back_when_the_supervisor_restarts
Simplified one_for_one Supervisors
    test_a_pool_starts_empty_and_restarts_only_the_one_that_ended
    test_members_of_a_pool_are_stopped_side_by_side
Stopping
    test_a_supervisor_stops_its_children_in_reverse_and_then_itself

Reference manual, stdlib, supervisor(3):

start_child       test_the_name_of_a_living_child_is_taken
                  test_a_child_that_fails_to_start_is_an_error_of_start_child
terminate_child   test_a_stopped_temporary_child_is_forgotten
                  test_unknown_names_are_refused
restart_child     test_a_stopped_child_is_started_again_by_hand_without_being_counted
delete_child      test_a_removed_child_is_not_known_any_more
which_children, count_children
                  test_children_can_be_listed_and_counted
(implementation)  test_an_unexpected_message_does_no_harm

Where this kernel differs on purpose: test_otp_differences.py. Processes, links, monitors, names and timers:
test_otp_processes.py.
"""

import asyncio
import re
from typing import Any

import anyio
import pytest

from ssasync.actors import (
    Actor,
    ActorStuck,
    ActorSystem,
    AutoShutdown,
    Blame,
    ChildSpec,
    ExitReason,
    FailedToStart,
    NameTaken,
    Pool,
    Restart,
    Strategy,
    Supervisor,
    TakesNoMessages,
    UnknownActor,
    remove_child,
    restart_child,
    start_child,
    stop_child,
)
from tests.actors.otp_model import Crew, Plan
from tests.actors.puppets import AT_ONCE, PATIENCE, End, Play, plans, times
from tests.actors.waiting import until


@pytest.fixture
def play(system: ActorSystem) -> Play:
    return Play(system)


# Supervision Principles, Supervisor Flags.


async def test_children_start_in_the_order_of_the_list_and_stop_in_reverse(play: Play) -> None:
    await play.begin(Crew(plans("abc")))
    await stop_child(play.system.root, "s")
    assert play.acts() == ["+s", "+a", "+b", "+c", "-c", "-b", "-a", "-s"]


async def test_the_supervisor_keeps_its_children_alive(play: Play) -> None:
    await play.begin(Crew(plans("a")))
    for attempt in range(2, 10):
        await play.end("a")
        await play.until("started", "a", attempt)
    assert await play.child("a").ask("attempt") == 9


async def test_defaults_are_one_for_one_permanent_and_never(play: Play) -> None:
    specs = [ChildSpec(name, lambda: Worker(), policy=AT_ONCE) for name in "ab"]
    await play.system.start_child(ChildSpec("s", lambda: Supervisor(specs)))
    await play.child("a").tell(ExitReason.normal())
    assert (await play.until("exited", "a")).again
    await play.until("started", "a", 2)
    assert await play.child("b").ask("attempt") == 1
    with pytest.raises(ValueError, match="auto_shutdown=NEVER"):
        await start_child(play.system.lookup("/test/s"), ChildSpec("c", Worker, Restart.TRANSIENT, significant=True))


class Worker(Actor):
    """Ends as it is told, or tells its attempt."""

    async def receive(self, message: Any) -> Any:
        if isinstance(message, ExitReason):
            self.exit(message)
        return self.attempt


# Restart Strategy.


async def test_one_for_one_restarts_only_the_one_that_ended(play: Play) -> None:
    await play.begin(Crew(plans("abc"), Strategy.ONE_FOR_ONE))
    play.acts()
    await play.end("b")
    await play.until("started", "b", 2)
    assert play.acts() == ["-b", "+b"]


async def test_one_for_all_restarts_all(play: Play) -> None:
    await play.begin(Crew(plans("abc"), Strategy.ONE_FOR_ALL))
    play.acts()
    await play.end("b")
    await play.until("started", "c", 2)
    assert play.acts() == ["-b", "-c", "-a", "+a", "+b", "+c"]


async def test_rest_for_one_restarts_the_one_and_those_after_it(play: Play) -> None:
    await play.begin(Crew(plans("abcd"), Strategy.REST_FOR_ONE))
    play.acts()
    await play.end("b")
    await play.until("started", "d", 2)
    assert play.acts() == ["-b", "-d", "-c", "+b", "+c", "+d"]
    assert await play.child("a").ask("attempt") == 1


async def test_a_group_comes_up_with_those_that_had_ended_or_were_stopped(play: Play) -> None:
    supervisor = await play.begin(Crew(plans("abc", restart=Restart.TRANSIENT), Strategy.ONE_FOR_ALL))
    await play.end("a", "normal")
    await play.until("exited", "a")
    await stop_child(supervisor, "c")
    play.acts()
    await play.end("b")
    await play.until("started", "c", 2)
    assert play.acts() == ["-b", "+a", "+b", "+c"]


async def test_a_start_that_fails_in_a_restart_is_tried_again_and_counts(play: Play) -> None:
    await play.begin(Crew(plans("abc"), Strategy.REST_FOR_ONE, policy=times(3)))
    play.acts()
    play.stage.bad_starts["/test/s/b"] = ["bug", "bug"]
    await play.end("a")
    await play.until("started", "c", 2)
    # As in OTP, the second and third try begin with the one that failed: a is up already.
    assert play.acts() == ["-a", "-c", "-b", "+a", "+b", "-b", "+b", "-b", "+b", "+c"]
    await play.end("c")  # a fourth restart
    assert (await play.until("exited", "s")).kind == "gave_up"


# Maximum Restart Intensity.


async def test_more_than_max_r_restarts_end_all_children_and_then_the_supervisor(play: Play) -> None:
    supervisor = await play.begin(Crew(plans("abc"), policy=times(1)), restart=Restart.TEMPORARY)
    play.acts()
    await play.end("b")
    await play.until("started", "b", 2)
    await play.end("b")
    assert (await supervisor.terminated(PATIENCE)).kind == "gave_up"
    assert play.acts() == ["-b", "+b", "-b", "-c", "-a", "-s"]


async def test_max_r_restarts_are_tolerated_whoever_of_the_children_takes_them(play: Play) -> None:
    await play.begin(Crew(plans("abc"), policy=times(3)))
    for name in "abc":
        await play.end(name)
        await play.until("started", name, 2)
    await play.end("a")
    await play.until("gave up", "a", 2)
    await play.until("exited", "s")


async def test_the_restart_of_a_group_counts_once(play: Play) -> None:
    await play.begin(Crew(plans("abcd"), Strategy.ONE_FOR_ALL, policy=times(2)))
    for attempt in (2, 3):
        await play.end("a")
        await play.until("started", "d", attempt)
    await play.end("a")
    await play.until("gave up", "a", 3)


@pytest.mark.parametrize(("restarts", "outcome"), [(1, "started"), (0, "gave up")])
async def test_the_next_higher_supervisor_restarts_it_or_ends_itself(play: Play, restarts: int, outcome: str) -> None:
    inner = Plan("inner", policy=times(restarts), crew=Crew(plans("a", policy=times(0))))
    outer = await play.begin(Crew((inner, *plans("b"))), restart=Restart.TEMPORARY)
    await play.end("inner/a")
    await play.until("gave up", "inner/a")
    await play.until(outcome, "inner", 1 + restarts)
    if restarts:
        assert await play.child("inner/a").ask("attempt") == 2
    else:
        assert (await outer.terminated(PATIENCE)).kind == "gave_up"


async def test_restarts_multiply_along_the_levels(play: Play) -> None:
    inner = Plan("inner", policy=times(2), crew=Crew(plans("a", policy=times(1))))
    await play.begin(Crew((inner,)), restart=Restart.TEMPORARY)
    for attempt in range(1, 7):
        await play.until("started", "inner/a", attempt)
        await play.end("inner/a")
    await play.until("exited", "s")
    assert play.acts().count("+a") == (1 + 2) * (1 + 1)


# Automatic Shutdown.


def unit(auto_shutdown: AutoShutdown, restart: Restart, **options: Any) -> Crew:
    """a and d are ordinary, b and c are significant."""
    ordinary, significant = plans("ad"), plans("bc", restart=restart, significant=True)
    return Crew((ordinary[0], *significant, ordinary[1]), auto_shutdown=auto_shutdown, **options)


async def test_never_refuses_significant_children(play: Play) -> None:
    significant = ChildSpec("a", Worker, Restart.TRANSIENT, significant=True)
    with pytest.raises(ValueError, match="child 'a' is significant and its supervisor has auto_shutdown=NEVER"):
        Supervisor([significant])
    supervisor = await play.begin(Crew())
    with pytest.raises(ValueError, match="child 'a' is significant"):
        await start_child(supervisor, significant)


@pytest.mark.parametrize(
    ("restart", "how"),
    [(Restart.TRANSIENT, "normal"), (Restart.TEMPORARY, "normal"), (Restart.TEMPORARY, "bug")],
)
async def test_any_significant_shuts_down_with_the_first(play: Play, restart: Restart, how: str) -> None:
    supervisor = await play.begin(unit(AutoShutdown.ANY_SIGNIFICANT, restart), restart=Restart.TEMPORARY)
    if restart is Restart.TRANSIENT:  # a failure is not its end
        await play.end("b")
        await play.until("started", "b", 2)
    play.acts()
    await play.end("b", how)
    reason = await supervisor.terminated(PATIENCE)
    assert reason.kind == "shutdown"
    assert "significant child 'b' ended" in reason.detail
    assert play.acts() == ["-b", "-d", "-c", "-a", "-s"]


async def test_all_significant_shuts_down_with_the_last_active_one(play: Play) -> None:
    supervisor = await play.begin(unit(AutoShutdown.ALL_SIGNIFICANT, Restart.TRANSIENT), restart=Restart.TEMPORARY)
    play.acts()
    await play.end("b", "normal")
    await play.until("exited", "b")
    assert await play.child("c").ask("attempt") == 1
    await play.end("c", "normal")
    assert (await supervisor.terminated(PATIENCE)).kind == "shutdown"
    assert play.acts() == ["-b", "-c", "-d", "-a", "-s"]


async def test_neither_a_siblings_death_nor_a_stop_by_hand_shuts_down(play: Play) -> None:
    crew = unit(AutoShutdown.ANY_SIGNIFICANT, Restart.TEMPORARY, strategy=Strategy.ONE_FOR_ALL)
    supervisor = await play.begin(crew)
    await stop_child(supervisor, "c")
    await play.end("a")
    await play.until("stopped", "b")
    await play.until("started", "d", 2)
    assert await supervisor.ask("attempt") == 1


async def test_a_permanent_supervisor_that_shut_itself_down_is_restarted(play: Play) -> None:
    await play.begin(unit(AutoShutdown.ANY_SIGNIFICANT, Restart.TRANSIENT), policy=AT_ONCE)
    await play.end("b", "normal")
    assert (await play.until("exited", "s")).kind == "shutdown"
    await play.until("started", "s", 2)


# Child Specification.


@pytest.mark.parametrize(
    ("restart", "how", "restarted"),
    [
        (Restart.PERMANENT, "bug", True),
        (Restart.PERMANENT, "normal", True),
        (Restart.PERMANENT, "shutdown", True),
        (Restart.TRANSIENT, "bug", True),
        (Restart.TRANSIENT, "normal", False),
        (Restart.TRANSIENT, "shutdown", False),
        (Restart.TEMPORARY, "bug", False),
        (Restart.TEMPORARY, "normal", False),
    ],
)
async def test_restart_types(play: Play, restart: Restart, how: str, restarted: bool) -> None:
    await play.begin(Crew(plans("a", restart=restart)))
    await play.end("a", how)
    assert (await play.until("exited", "a")).again is restarted
    if restarted:
        await play.until("started", "a", 2)


async def test_a_temporary_child_is_not_restarted_with_its_group_either(play: Play) -> None:
    crew = Crew((*plans("a"), *plans("b", restart=Restart.TEMPORARY), *plans("c")), Strategy.ONE_FOR_ALL)
    await play.begin(crew)
    play.acts()
    await play.end("a")
    await play.until("started", "c", 2)
    assert play.acts() == ["-a", "-c", "-b", "+a", "+c"]
    with pytest.raises(UnknownActor):
        play.child("b")


def test_a_permanent_child_cannot_be_significant() -> None:
    with pytest.raises(ValueError, match="child 'a': is significant and permanent"):
        ChildSpec("a", Worker, Restart.PERMANENT, significant=True)


class Slow(Actor):
    """Releases for ever; and before that, if it is `stubborn`, does not even leave its handler until it is killed."""

    def __init__(self, stubborn: bool) -> None:
        self.stubborn = stubborn
        self.busy, self.killed = asyncio.Event(), asyncio.Event()

    async def receive(self, message: Any) -> Any:
        self.busy.set()
        with anyio.CancelScope(shield=True):
            await self.killed.wait()

    async def stopped(self, reason: ExitReason) -> None:
        await asyncio.get_running_loop().create_future()

    def kill(self) -> None:
        self.killed.set()


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_child_past_its_shutdown_time_is_killed(play: Play, stubborn: bool) -> None:
    events = play.system.events()
    slow = Slow(stubborn)
    supervisor = await play.begin(Crew())
    ref = await start_child(supervisor, ChildSpec("slow", lambda: slow, grace=0.0))
    if stubborn:
        await ref.tell("be busy")
        await slow.busy.wait()
    assert (await stop_child(supervisor, "slow")).kind == "stuck"
    assert slow.killed.is_set()
    assert play.system.statistics().abandoned == 0
    await play.system.close()
    stuck = [event async for event in events if isinstance(event, ActorStuck)]
    assert [event.path for event in stuck] == ["/test/s/slow"]


async def test_a_supervisor_has_the_time_its_children_need(play: Play) -> None:
    """OTP's `infinity`: its own grace of nothing is not what its children are cut off by."""
    specs = [play.stage.spec(plan) for plan in plans("abc", turns=50)]
    await play.system.start_child(ChildSpec("s", lambda: Supervisor(specs), grace=0.0))
    assert (await stop_child(play.system.root, "s")).kind == "shutdown"
    assert play.acts() == ["+a", "+b", "+c", "-c", "-b", "-a"]


async def test_a_child_may_be_a_supervisor(play: Play) -> None:
    inner = Plan("inner", policy=AT_ONCE, crew=Crew(plans("bc")))
    await play.begin(Crew((*plans("a"), inner, *plans("d")), Strategy.REST_FOR_ONE))
    play.acts()
    await play.end("a")
    await play.until("started", "d", 2)
    assert play.acts() == ["-a", "-d", "-c", "-b", "-inner", "+a", "+inner", "+b", "+c", "+d"]


# Starting a Supervisor, Adding and Stopping a Child Process.


async def test_starting_a_supervisor_returns_when_all_its_children_are_up(play: Play) -> None:
    inner = Plan("inner", crew=Crew(plans("ab", turns=5)))
    await play.begin(Crew((inner, *plans("c", turns=5))))
    assert play.acts() == ["+s", "+inner", "+a", "+b", "+c"]


async def test_an_added_child_behaves_as_the_others_and_is_lost_with_its_supervisor(play: Play) -> None:
    supervisor = await play.begin(Crew(plans("ab"), Strategy.REST_FOR_ONE), policy=AT_ONCE)
    added = await start_child(supervisor, play.stage.spec(plans("c")[0]))
    play.acts()
    await play.end("b")
    await play.until("started", "c", 2)
    assert play.acts() == ["-b", "-c", "+b", "+c"]
    await supervisor.tell(End("bug"))
    assert (await added.terminated(PATIENCE)).kind == "shutdown"
    await play.until("started", "s", 2)
    assert play.acts() == ["-c", "-b", "-a", "-s", "+s", "+a", "+b"]


async def test_a_stopped_child_stays_down_and_known(play: Play) -> None:
    supervisor = await play.begin(Crew(plans("ab")))
    reason = await stop_child(supervisor, "a")
    assert (reason.kind, reason.blame) == ("shutdown", Blame.REQUESTED)
    assert play.acts() == ["+s", "+a", "+b", "-a"]
    assert [(node.name, node.state) for node in play.system.tree().children[0].children] == [
        ("a", "stopped"),
        ("b", "running"),
    ]


async def test_a_removed_static_child_is_back_when_the_supervisor_restarts(play: Play) -> None:
    supervisor = await play.begin(Crew(plans("ab")), policy=AT_ONCE)
    await remove_child(supervisor, "a")
    play.acts()
    await supervisor.tell(End("bug"))
    await play.until("started", "s", 2)
    assert play.acts() == ["-b", "-s", "+s", "+a", "+b"]


# Simplified one_for_one Supervisors, Stopping.


async def test_a_pool_starts_empty_and_restarts_only_the_one_that_ended(play: Play) -> None:
    pool = await play.begin(Crew(pool=True))
    assert play.system.tree().children[0].children == ()
    for plan in plans("ab"):
        await start_child(pool, play.stage.spec(plan))
    play.acts()
    await play.end("a")
    await play.until("started", "a", 2)
    assert play.acts() == ["-a", "+a"]
    await stop_child(pool, "a")
    with pytest.raises(UnknownActor):
        play.child("a")


async def test_members_of_a_pool_are_stopped_side_by_side(play: Play) -> None:
    """Each of them ends only when all of them are being stopped."""
    stopping, all_of_them = set[str](), asyncio.Event()

    class Member(Actor):
        async def stopped(self, reason: ExitReason) -> None:
            stopping.add(self.ref.path)
            if len(stopping) == 5:
                all_of_them.set()
            await all_of_them.wait()

    pool = await play.system.start_child(ChildSpec("s", Pool))
    for number in range(5):
        await start_child(pool, ChildSpec(f"m{number}", Member))
    assert (await stop_child(play.system.root, "s")).kind == "shutdown"


async def test_a_supervisor_stops_its_children_in_reverse_and_then_itself(play: Play) -> None:
    inner = Plan("inner", crew=Crew(plans("bc")))
    await play.begin(Crew((*plans("a"), inner, *plans("d"))))
    play.acts()
    await play.system.close()
    assert play.acts() == ["-d", "-c", "-b", "-inner", "-a", "-s"]


# supervisor(3).


async def test_the_name_of_a_living_child_is_taken(play: Play) -> None:
    supervisor = await play.begin(Crew(plans("a")))
    with pytest.raises(NameTaken, match="/test/s/a exists already and is running"):
        await start_child(supervisor, ChildSpec("a", Worker))
    assert play.acts() == ["+s", "+a"]


async def test_a_child_that_fails_to_start_is_an_error_of_start_child(play: Play) -> None:
    supervisor = await play.begin(Crew(escalate=False))
    play.stage.bad_starts["/test/s/a"] = ["bug"]
    with pytest.raises(FailedToStart, match="Boom: boom 0") as failure:
        await start_child(supervisor, play.stage.spec(plans("a", policy=times(0))[0]))
    assert failure.value.__cause__ is play.stage.raised[0]


async def test_a_stopped_temporary_child_is_forgotten(play: Play) -> None:
    supervisor = await play.begin(Crew(plans("a", restart=Restart.TEMPORARY)))
    await stop_child(supervisor, "a")
    with pytest.raises(UnknownActor):
        await restart_child(supervisor, "a")


async def test_unknown_names_are_refused(play: Play) -> None:
    supervisor = await play.begin(Crew(plans("a")))
    for act in (stop_child, restart_child, remove_child):
        with pytest.raises(UnknownActor, match="there is no actor /test/s/b; its supervisor has a"):
            await act(supervisor, "b")


async def test_a_stopped_child_is_started_again_by_hand_without_being_counted(play: Play) -> None:
    supervisor = await play.begin(Crew(plans("a", policy=times(1)), escalate=False))
    ref = play.child("a")
    await stop_child(supervisor, "a")
    assert await restart_child(supervisor, "a") is ref
    await play.end("a")
    await play.until("started", "a", 3)


async def test_a_removed_child_is_not_known_any_more(play: Play) -> None:
    supervisor = await play.begin(Crew(plans("ab"), Strategy.ONE_FOR_ALL))
    await stop_child(supervisor, "a")
    assert (await remove_child(supervisor, "a")).kind == "shutdown"
    with pytest.raises(UnknownActor):
        play.child("a")
    play.acts()
    await play.end("b")
    await play.until("started", "b", 2)
    assert play.acts() == ["-b", "+b"]


async def test_children_can_be_listed_and_counted(play: Play) -> None:
    class Counted(Supervisor):
        async def receive(self, message: Any) -> Any:
            return self.statistics()

    specs = [play.stage.spec(plan) for plan in plans("abc", restart=Restart.TRANSIENT)]
    supervisor = await play.system.start_child(ChildSpec("s", lambda: Counted(specs)))
    await play.end("a")
    await play.until("started", "a", 2)
    await play.end("b", "normal")
    await play.until("exited", "b")
    await stop_child(supervisor, "c")
    statistics = await supervisor.ask("count_children")
    assert (statistics.children, statistics.restarts) == ({"running": 1, "ended": 1, "stopped": 1}, 1)
    assert [(node.name, node.state, node.attempt) for node in play.system.tree().children[0].children] == [
        ("a", "running", 2),
        ("b", "ended", 1),
        ("c", "stopped", 1),
    ]


async def test_an_unexpected_message_does_no_harm(play: Play) -> None:
    specs = [play.stage.spec(plan) for plan in plans("a")]
    supervisor = await play.system.start_child(ChildSpec("s", lambda: Supervisor(specs)))
    with pytest.raises(TakesNoMessages):
        await supervisor.ask("unexpected")
    await supervisor.tell("unexpected")
    await until(lambda: play.system.statistics().dead_letters)
    assert play.system.statistics().dead_letters == 1
    assert await play.child("a").ask("attempt") == 1


def test_the_list_above_is_complete() -> None:
    elsewhere = {"test_restarts_are_counted_within_the_window_only"}
    tests = {name for name in globals() if name.startswith("test_")} - {"test_the_list_above_is_complete"}
    assert set(re.findall(r"\btest_\w+\b(?!\.py)", __doc__ or "")) == tests | elsewhere
