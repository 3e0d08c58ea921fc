"""Where the supervisors of this kernel differ from OTP's on purpose, and why. What is the same: test_otp_supervisor.py.

test_difference_start_does_not_block
    OTP's supervisor waits inside each start. Programs take minutes, and jobs queue
    for days: here a start is a state of the child, and crashes elsewhere are handled meanwhile.
test_difference_a_failed_first_start_is_a_crash
    OTP's supervisor fails when a child fails in the first start. Here it
    counts as a restart: a port that is taken or a file server that hiccups at the start should not end the whole.
test_a_first_start_that_fails_for_good_fails_the_supervisor_as_in_otp
    As soon as nothing is left of its restarts, it is as in OTP.
test_difference_budgets_belong_to_the_children
    OTP has one budget a supervisor, which `Supervisor(policy=)` gives.
    Without it each child has its own: hundreds of members may not use up each other's.
test_difference_infrastructure_has_a_budget_of_its_own
    a preempted node never uses up what is meant for bugs.
test_difference_kinds_may_have_budgets_or_none
    nor does a walltime that was to be expected.
test_difference_a_hopeless_exit_gives_up_at_once
    another attempt would end the same way.
test_difference_the_root_does_not_escalate
    a member that gave up is marked as failed and the rest of the experiment
    goes on.
test_difference_a_child_that_gave_up_comes_back_by_hand_with_a_fresh_budget
    In OTP it is gone with its supervisor; here whoever starts it again has mended what was wrong.
test_difference_a_supervisor_that_gave_up_has_failed
    OTP's exits with `shutdown`, so that a transient one is not
    restarted; here it is `gave_up`, a failure.
test_difference_a_significant_child_that_gave_up_fails_its_supervisor
    OTP has no supervisor that survives a child
    that gave up; ours does with `escalate=False`, but not the end of a significant one.
test_difference_backoff_delays_a_restart
    OTP restarts at once.
test_difference_a_child_that_is_over_is_replaced_by_start_child
    OTP says already_present and wants delete_child.
test_difference_restart_child_also_restarts_a_running_one
    OTP says running and wants terminate_child first.
test_difference_remove_child_also_stops
    OTP's delete_child says running and wants terminate_child first.
test_difference_a_child_may_stop_its_own_supervisor
    the manual warns of the deadlock; here the stop interrupts the
    child that waits for it.
"""

import asyncio
import re
from typing import Any

import pytest

from ssasync.actors import (
    Actor,
    ActorStopped,
    ActorSystem,
    AutoShutdown,
    Backoff,
    Blame,
    ChildExited,
    ChildSpec,
    FailedToStart,
    Intensity,
    Restart,
    RestartPolicy,
    Strategy,
    remove_child,
    restart_child,
    start_child,
    stop_child,
)
from tests.actors.otp_model import Crew
from tests.actors.puppets import AT_ONCE, HOUR, PATIENCE, Play, plans, times


@pytest.fixture
def play(system: ActorSystem) -> Play:
    return Play(system)


async def test_difference_start_does_not_block(play: Play) -> None:
    gate = asyncio.Event()

    class Slow(Actor):
        async def started(self) -> None:
            await gate.wait()

    supervisor = await play.begin(Crew(plans("a")))
    slow = asyncio.create_task(start_child(supervisor, ChildSpec("slow", Slow)))
    await play.until("starting", "slow")
    await play.end("a")
    await play.until("started", "a", 2)
    assert not slow.done()
    gate.set()
    await slow


async def test_difference_a_failed_first_start_is_a_crash(play: Play) -> None:
    play.stage.bad_starts["/test/s/b"] = ["bug"]
    await play.begin(Crew(plans("abc", policy=times(1))))
    assert play.acts() == ["+s", "+a", "+b", "-b", "+b", "+c"]


async def test_a_first_start_that_fails_for_good_fails_the_supervisor_as_in_otp(play: Play) -> None:
    play.stage.bad_starts["/test/s/b"] = ["bug"]
    with pytest.raises(FailedToStart, match="child 'b' used up 0 restarts"):
        await play.begin(Crew(plans("abc", policy=times(0))), restart=Restart.TEMPORARY)
    assert play.acts() == ["+s", "+a", "+b", "-b", "-a", "-s"]


async def test_difference_budgets_belong_to_the_children(play: Play) -> None:
    await play.begin(Crew(plans("abc", policy=times(1))))
    for name in "abc":
        await play.end(name)
        await play.until("started", name, 2)


async def test_difference_infrastructure_has_a_budget_of_its_own(play: Play) -> None:
    policy = RestartPolicy(Intensity(1, HOUR), Intensity(2, HOUR), Backoff(0.0))
    supervisor = await play.begin(Crew(plans("a", policy=policy)), restart=Restart.TEMPORARY)
    for attempt, how in enumerate(("node", "bug", "node"), start=2):
        await play.end("a", how)
        await play.until("started", "a", attempt)
    await play.end("a", "node")
    reason = await supervisor.terminated(PATIENCE)
    assert (reason.kind, reason.blame) == ("gave_up", Blame.INFRASTRUCTURE)


async def test_difference_kinds_may_have_budgets_or_none(play: Play) -> None:
    kinds = {"time_limit": Intensity(2, HOUR), "out_of_memory": None}
    policy = RestartPolicy(Intensity(0, HOUR), backoff=Backoff(0.0), kinds=kinds)
    await play.begin(Crew(plans("ab", policy=policy), escalate=False))
    for attempt in (2, 3):
        await play.end("a", "time")
        await play.until("started", "a", attempt)
    await play.end("a", "time")
    await play.until("gave up", "a", 3)
    await play.end("b", "memory")
    await play.until("gave up", "b")


async def test_difference_a_hopeless_exit_gives_up_at_once(play: Play) -> None:
    await play.begin(Crew(plans("ab"), escalate=False))
    await play.end("a", "hopeless")
    await play.until("gave up", "a")
    assert await play.child("b").ask("attempt") == 1


async def test_difference_the_root_does_not_escalate(play: Play) -> None:
    given_up = await play.begin(Crew(plans("a", policy=times(0))), policy=times(0))
    other = await play.system.start_child(play.stage.spec(plans("other")[0]))
    await play.end("a")
    assert (await given_up.terminated(PATIENCE)).kind == "gave_up"
    assert [node.state for node in play.system.tree().children] == ["failed", "running"]
    assert await other.ask("attempt") == 1


async def test_difference_a_child_that_gave_up_comes_back_by_hand_with_a_fresh_budget(play: Play) -> None:
    supervisor = await play.begin(Crew(plans("a", policy=times(1)), escalate=False))
    await play.end("a")
    await play.until("started", "a", 2)
    await play.end("a")
    await play.until("gave up", "a", 2)
    await restart_child(supervisor, "a")
    await play.end("a")
    await play.until("started", "a", 4)


async def test_difference_a_supervisor_that_gave_up_has_failed(play: Play) -> None:
    await play.begin(Crew(plans("a", policy=times(0))), restart=Restart.TRANSIENT, policy=AT_ONCE)
    await play.end("a")
    step = await play.until("exited", "s")
    assert (step.kind, step.again) == ("gave_up", True)
    await play.until("started", "s", 2)


async def test_difference_a_significant_child_that_gave_up_fails_its_supervisor(play: Play) -> None:
    significant = plans("a", restart=Restart.TRANSIENT, significant=True, policy=times(0))
    crew = Crew((*significant, *plans("b")), escalate=False, auto_shutdown=AutoShutdown.ALL_SIGNIFICANT)
    supervisor = await play.begin(crew, restart=Restart.TEMPORARY)
    await play.end("a")
    assert (await supervisor.terminated(PATIENCE)).kind == "gave_up"


async def test_difference_backoff_delays_a_restart(play: Play) -> None:
    policy = RestartPolicy(Intensity(5, HOUR), backoff=Backoff(initial=HOUR, maximum=HOUR, jitter=False))
    events = play.system.events()
    supervisor = await play.begin(Crew(plans("a", policy=policy)))
    await play.end("a")
    await play.until("exited", "a")
    assert play.system.tree().children[0].children[0].state == "backoff"
    await restart_child(supervisor, "a")  # who waits no longer
    await play.system.close()
    assert [event.delay async for event in events if isinstance(event, ChildExited)] == [HOUR]


async def test_difference_a_child_that_is_over_is_replaced_by_start_child(play: Play) -> None:
    supervisor = await play.begin(Crew(plans("ab")))
    await stop_child(supervisor, "a")
    await start_child(supervisor, play.stage.spec(plans("a")[0]))
    await stop_child(play.system.root, "s")
    assert play.acts() == ["+s", "+a", "+b", "-a", "+a", "-a", "-b", "-s"]  # it has become the last in line


async def test_difference_restart_child_also_restarts_a_running_one(play: Play) -> None:
    supervisor = await play.begin(Crew(plans("ab"), Strategy.ONE_FOR_ALL))
    await restart_child(supervisor, "a")
    assert play.acts() == ["+s", "+a", "+b", "-a", "+a"]


async def test_difference_remove_child_also_stops(play: Play) -> None:
    supervisor = await play.begin(Crew(plans("ab")))
    await remove_child(supervisor, "b")
    assert play.acts() == ["+s", "+a", "+b", "-b"]
    assert [node.name for node in play.system.tree().children[0].children] == ["a"]


async def test_difference_a_child_may_stop_its_own_supervisor(play: Play) -> None:
    class Child(Actor):
        async def receive(self, message: Any) -> Any:
            await stop_child(self.system.root, "s")

    supervisor = await play.begin(Crew())
    child = await start_child(supervisor, ChildSpec("a", Child))
    with pytest.raises(ActorStopped):
        await child.ask("stop the supervisor")
    assert (await supervisor.terminated(PATIENCE)).kind == "shutdown"


def test_the_list_above_is_complete() -> None:
    tests = {name for name in globals() if name.startswith("test_")} - {"test_the_list_above_is_complete"}
    assert set(re.findall(r"\btest_\w+\b(?!\.py)", __doc__ or "")) == tests
