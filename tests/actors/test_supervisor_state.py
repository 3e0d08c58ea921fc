"""The machine with plain values: no loop, no clock, no task.

`World` plays the actor around it: it keeps the incarnations that were started and not yet over, answers what the test
tells it to, and checks the machine's invariants after every step.
"""

import gc
import random
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import pytest

from ssasync.actors import (
    AutoShutdown,
    Backoff,
    Blame,
    ExitReason,
    Intensity,
    InternalError,
    Phase,
    Restart,
    RestartPolicy,
    Strategy,
)
from ssasync.actors.supervisor_events import (
    Added,
    Begin,
    Event,
    Exited,
    Fate,
    Finish,
    Forget,
    Instruction,
    Note,
    Quiesce,
    RemoveAsked,
    RestartAsked,
    Shutdown,
    Start,
    Started,
    Stop,
    StopAsked,
    TimeUp,
    Wake,
)
from ssasync.actors.supervisor_state import SupervisorState

BUG = ExitReason("exception", Blame.APPLICATION)
NODE = ExitReason("node_failure", Blame.INFRASTRUCTURE)
ASKED = ExitReason.shutdown()
AT_ONCE = RestartPolicy(application=Intensity(1000, 60.0), backoff=Backoff(0.0))
LATER = RestartPolicy(application=Intensity(1000, 60.0), backoff=Backoff(1.0, jitter=False))

ALL, REST, ONE = Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE, Strategy.ONE_FOR_ONE
NEVER, ANY, LAST = AutoShutdown.NEVER, AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT


@dataclass
class World:
    strategy: Strategy = ONE
    ordered: bool = True
    escalate: bool = True
    policy: RestartPolicy | None = None
    auto_shutdown: AutoShutdown = NEVER
    keep_over: bool = True
    luck: float = 1.0
    now: float = 0.0
    alive: dict[str, int] = field(default_factory=dict)
    stopping: list[str] = field(default_factory=list)
    timers: dict[str, int] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    finished: ExitReason | None = None

    def __post_init__(self) -> None:
        self.machine = SupervisorState(
            strategy=self.strategy,
            ordered=self.ordered,
            escalate=self.escalate,
            policy=self.policy,
            draw=lambda: self.luck,
            auto_shutdown=self.auto_shutdown,
            keep_over=self.keep_over,
        )

    def send(self, event: Event) -> list[str]:
        """Hand in an event; returns what the machine did, shortly."""
        assert self.finished is None or not isinstance(event, Exited)
        before = len(self.log)
        for instruction in self.machine.handle(event, self.now):
            self._obey(instruction)
        self._check()
        return self.log[before:]

    def _obey(self, instruction: Instruction) -> None:
        assert self.finished is None, "an instruction after Finish"
        match instruction:
            case Start(name, attempt):
                assert name not in self.alive, f"two incarnations of {name}"
                assert not any(child.doomed for child in self.machine.children.values())
                if self.ordered and self.machine.children[name].in_line:
                    for other in self.machine.children.values():
                        if other.name == name:
                            break
                        assert other.phase is Phase.RUNNING or other.phase.over
                self.alive[name] = attempt
                self.log.append(f"start {name}")
            case Stop(name, attempt):
                assert self.alive[name] == attempt
                assert name not in self.stopping, f"{name} asked twice"
                self.stopping.append(name)
                self.log.append(f"stop {name}")
            case Wake(name, attempt, delay):
                self.timers[name] = attempt
                self.log.append(f"wake {name} {delay:g}")
            case Note(name, _, _, fate):
                self.notes.append(instruction)
                self.log.append(f"{fate.value} {name}")
            case Forget(name):
                assert name not in self.alive
                assert name not in self.machine.children
                self.log.append(f"forget {name}")
            case Finish(reason):
                assert not self.alive
                self.finished = reason
                self.log.append("finish")

    def _check(self) -> None:
        children = self.machine.children
        for child in children.values():
            assert child.phase.alive == (child.name in self.alive), f"{child.name} is {child.phase}"
            assert (child.phase is Phase.STOPPING) == (child.name in self.stopping)
            assert not child.doomed or child.phase.alive
            assert self.keep_over or not child.phase.over
        doomed = [child for child in children.values() if child.doomed]
        assert self.machine._doomed_alive == len(doomed)
        if self.ordered:
            assert sum(child.phase is Phase.STOPPING for child in doomed) <= max(1, len(self.stopping))
            if doomed:
                assert doomed[-1].phase is Phase.STOPPING
        self._check_books()
        if self.machine.ending and self.finished is None:
            assert doomed
        if self.finished is not None:
            assert all(child.phase.over for child in children.values())

    def _check_books(self) -> None:
        """What the machine keeps up step by step is what counting afresh gives."""
        machine, children = self.machine, self.machine.children
        phases = Counter(child.phase for child in children.values())
        assert {phase: number for phase, number in machine.phases.items() if number} == phases
        coming_up = phases[Phase.WAITING] + phases[Phase.STARTING] + phases[Phase.BACKOFF]
        assert machine.ready == (machine._begun and not coming_up)
        assert machine._significant == sum(child.significant and not child.phase.over for child in children.values())
        waiting = [child for child in children.values() if child.phase is Phase.WAITING]
        assert set(machine._out_of_line) == {child.name for child in waiting if not child.in_line}
        places = [place for place, _ in machine._unsettled]
        assert len(set(places)) == len(places) <= 2 * len(children) + 9
        if self.ordered:
            assert {child.place for child in children.values() if child.phase.unsettled} <= set(places)
            assert {child.place for child in children.values() if child.unsettled} <= set(places)
        else:
            assert not places
        counted = {child.name for child in children.values() if child.count is not None}
        assert counted == set(machine._counted)

    def add(
        self,
        *names: str,
        restart: Restart = Restart.PERMANENT,
        policy: RestartPolicy = AT_ONCE,
        significant: bool = False,
    ) -> None:
        for name in names:
            self.send(Added(name, restart, policy, in_line=self.ordered, significant=significant))

    def up(self, *names: str) -> list[str]:
        return [did for name in names for did in self.send(Started(name, self.alive[name]))]

    def exit(self, name: str, reason: ExitReason = BUG) -> list[str]:
        attempt = self.alive.pop(name)
        if name in self.stopping:
            self.stopping.remove(name)
        return self.send(Exited(name, attempt, reason))

    def ring(self, name: str) -> list[str]:
        return self.send(TimeUp(name, self.timers.pop(name)))

    def running(self, *names: str, restart: Restart = Restart.PERMANENT, policy: RestartPolicy = AT_ONCE) -> "World":
        self.add(*names, restart=restart, policy=policy)
        self.send(Begin())
        self.up(*names)
        return self


def test_children_start_in_order_each_when_the_one_before_is_ready() -> None:
    world = World()
    world.add("a", "b", "c")
    assert world.send(Begin()) == ["start a"]
    assert not world.machine.ready
    assert world.up("a") == ["start b"]
    assert world.up("b") == ["start c"]
    world.up("c")
    assert world.machine.ready


def test_peers_start_together() -> None:
    world = World(ordered=False)
    world.add("a", "b", "c")
    assert world.send(Begin()) == ["start a", "start b", "start c"]


def test_a_crash_is_seen_while_another_child_starts() -> None:
    world = World()
    world.add("a", "b")
    world.send(Begin())
    world.up("a")
    assert world.exit("a") == ["restarted a", "start a"]
    assert world.machine.children["b"].phase is Phase.STARTING


def test_a_child_added_later_waits_for_nobody_under_one_for_one() -> None:
    world = World().running("a")
    world.send(Added("b", policy=AT_ONCE))
    assert world.send(Added("c", policy=AT_ONCE)) == ["start c"]
    assert set(world.alive) == {"a", "b", "c"}


def test_a_crash_during_the_start_counts_as_a_crash() -> None:
    world = World(escalate=False)
    world.add("a", policy=RestartPolicy(application=Intensity(1, 10.0), backoff=Backoff(0.0)))
    world.send(Begin())
    assert world.exit("a") == ["restarted a", "start a"]
    assert world.exit("a") == ["gave up a"]


@pytest.mark.parametrize(
    ("restart", "reason", "restarted"),
    [
        (Restart.PERMANENT, BUG, True),
        (Restart.PERMANENT, ExitReason.normal(), True),
        (Restart.TRANSIENT, BUG, True),
        (Restart.TRANSIENT, ExitReason.normal(), False),
        (Restart.TRANSIENT, ExitReason.shutdown(), False),
        (Restart.TRANSIENT, ExitReason("cancelled_job", Blame.REQUESTED), False),
        (Restart.TEMPORARY, BUG, False),
        (Restart.TEMPORARY, ExitReason.normal(), False),
    ],
)
def test_restart_types_are_those_of_otp(restart: Restart, reason: ExitReason, restarted: bool) -> None:
    world = World().running("a", restart=restart)
    did = world.exit("a", reason)
    assert ("start a" in did) == restarted
    assert ("forget a" in did) == (restart is Restart.TEMPORARY)


def test_one_for_one_restarts_nobody_else() -> None:
    assert World().running("a", "b", "c").exit("b") == ["restarted b", "start b"]


def test_one_for_all_stops_in_reverse_and_starts_in_order() -> None:
    world = World(ALL).running("a", "b", "c")
    assert world.exit("b") == ["restarted b", "stop c"]
    assert world.exit("c", ASKED) == ["taken down c", "stop a"]
    assert world.exit("a", ASKED) == ["taken down a", "start a"]
    assert world.up("a") == ["start b"]
    assert world.up("b") == ["start c"]


def test_rest_for_one_takes_only_the_later_ones_along() -> None:
    world = World(REST).running("a", "b", "c", "d")
    assert world.exit("b") == ["restarted b", "stop d"]
    assert world.exit("d", ASKED) == ["taken down d", "stop c"]
    assert world.exit("c", ASKED) == ["taken down c", "start b"]
    assert world.up("b") == ["start c"]
    assert world.up("c") == ["start d"]
    assert world.alive["a"] == 1


def test_peers_of_a_group_stop_and_start_together() -> None:
    world = World(ALL, ordered=False).running("a", "b", "c")
    assert world.exit("a") == ["restarted a", "stop c", "stop b"]
    world.exit("b", ASKED)
    assert world.exit("c", ASKED) == ["taken down c", "start a", "start b", "start c"]


def test_a_temporary_child_is_not_started_again_with_its_group() -> None:
    world = World(ALL).running("a")
    world.add("t", restart=Restart.TEMPORARY)
    world.up("t")
    assert world.exit("a") == ["restarted a", "stop t"]
    assert world.exit("t", ASKED) == ["stopped t", "forget t", "start a"]


def test_a_child_that_had_ended_comes_up_again_with_its_group() -> None:
    world = World(ALL).running("a", "b", restart=Restart.TRANSIENT)
    assert world.exit("b", ExitReason.normal()) == ["ended b"]
    assert world.exit("a") == ["restarted a", "start a"]
    assert world.up("a") == ["start b"]


def test_a_crash_further_up_while_a_group_is_taken_down_widens_it() -> None:
    world = World(REST).running("a", "b", "c", "d")
    world.exit("c")
    assert world.stopping == ["d"]
    assert world.exit("b") == ["restarted b"]
    assert world.exit("d", ASKED) == ["taken down d", "start b"]
    assert world.up("b") == ["start c"]


def test_a_member_of_the_group_that_crashes_before_it_is_asked_counts_once() -> None:
    world = World(ALL).running("a", "b", "c")
    world.exit("b")
    assert world.exit("a") == ["taken down a"]
    assert world.exit("c", ASKED) == ["taken down c", "start a"]
    assert world.machine.children["a"].restarts == 0


def test_a_crash_while_the_group_comes_up_takes_it_down_again() -> None:
    world = World(ALL).running("a", "b", "c")
    for name in ("b", "c", "a"):
        world.exit(name, BUG if name == "b" else ASKED)
    world.up("a")
    assert world.exit("b") == ["restarted b", "stop a"]
    assert world.exit("a", ASKED) == ["taken down a", "start a"]


def test_restart_waits_for_the_backoff() -> None:
    world = World().running("a", policy=LATER)
    assert world.exit("a") == ["restarted a", "wake a 1"]
    assert world.ring("a") == ["start a"]
    assert world.exit("a") == ["restarted a", "wake a 2"]


def test_the_whole_group_waits_for_the_backoff_of_its_origin() -> None:
    world = World(ALL).running("a", "b", policy=LATER)
    assert world.exit("b") == ["restarted b", "wake b 1", "stop a"]
    assert world.exit("a", ASKED) == ["taken down a"]
    assert world.ring("b") == ["start a"]
    assert world.up("a") == ["start b"]


def test_a_stale_timer_starts_nothing() -> None:
    world = World().running("a", policy=LATER)
    world.exit("a")
    world.send(RestartAsked("a"))
    assert world.alive == {"a": 2}
    assert world.ring("a") == []


def test_a_stale_report_is_ignored() -> None:
    world = World().running("a")
    world.exit("a")
    assert world.send(Exited("a", 1, BUG)) == []
    assert world.send(Started("a", 1)) == []
    assert world.machine.children["a"].phase is Phase.STARTING


def test_used_up_restarts_fail_the_supervisor_which_takes_all_down() -> None:
    once = RestartPolicy(application=Intensity(1, 10.0), backoff=Backoff(0.0))
    world = World().running("a", "b", policy=once)
    world.exit("a")
    world.up("a")
    assert world.exit("a") == ["gave up a", "stop b"]
    assert world.exit("b", ASKED) == ["taken down b", "finish"]
    assert world.finished is not None
    assert world.finished.kind == "gave_up"
    assert "'a' used up 1 restarts in 10 s" in world.finished.detail


def test_without_escalation_the_siblings_go_on() -> None:
    once = RestartPolicy(application=Intensity(1, 10.0), backoff=Backoff(0.0))
    world = World(escalate=False).running("a", "b", policy=once)
    world.exit("a")
    assert world.exit("a") == ["gave up a"]
    assert world.machine.children["a"].phase is Phase.FAILED
    assert world.alive == {"b": 1}


def test_after_a_hopeless_exit_nothing_is_tried_again() -> None:
    world = World(escalate=False).running("a", "b", policy=AT_ONCE)
    assert world.exit("a", ExitReason("no_such_program", Blame.APPLICATION, hopeless=True)) == ["gave up a"]
    assert world.machine.children["a"].phase is Phase.FAILED
    assert world.alive == {"b": 1}


def test_restarts_are_counted_within_the_window_only() -> None:
    once = RestartPolicy(application=Intensity(1, 10.0), backoff=Backoff(0.0))
    world = World().running("a", policy=once)
    for world.now in (0.0, 10.0, 20.0):
        assert "start a" in world.exit("a")


def test_infrastructure_has_its_own_budget_and_escalates_as_such() -> None:
    policy = RestartPolicy(Intensity(1, 10.0), Intensity(2, 10.0), Backoff(0.0))
    world = World().running("a", policy=policy)
    for reason in (NODE, BUG, NODE):
        assert "start a" in world.exit("a", reason)
    world.exit("a", NODE)
    assert world.finished is not None
    assert world.finished.blame is Blame.INFRASTRUCTURE


def test_a_supervisors_own_intensity_counts_all_children_together() -> None:
    world = World(policy=RestartPolicy(application=Intensity(2, 10.0))).running("a", "b", "c")
    world.exit("a")
    world.exit("b")
    assert world.exit("c")[0] == "gave up c"
    assert world.machine.ending


def test_a_kind_that_is_not_to_be_restarted_gives_up_at_once() -> None:
    policy = RestartPolicy(kinds={"out_of_memory": None})
    world = World().running("a", policy=policy)
    assert world.exit("a", ExitReason("out_of_memory", Blame.APPLICATION)) == ["gave up a", "finish"]
    assert world.finished is not None
    assert world.finished.detail.startswith("child 'a' is not restarted after 'out_of_memory'")


def failing(world: World, name: str, *errors: Exception) -> BaseException | None:
    """Crash a child with one exception after the other; returns what the supervisor then fails with."""
    for error in errors:
        world.exit(name, ExitReason.from_exception(error))
        world.now += 1.0
    assert world.finished is not None
    assert world.finished.kind == "gave_up"
    return world.finished.exception


def test_a_supervisor_that_gives_up_after_one_exception_fails_with_it() -> None:
    error = ValueError("only")
    assert failing(World().running("a", policy=RestartPolicy(Intensity(0, 60.0))), "a", error) is error


@pytest.mark.parametrize("restarts", [1, 4, 7])
def test_a_supervisor_that_gives_up_after_several_fails_with_the_last_of_them(restarts: int) -> None:
    errors = [ValueError(number) for number in range(restarts + 1)]
    policy = RestartPolicy(Intensity(restarts, 60.0), backoff=Backoff(0.0))
    group = failing(World().running("a", policy=policy), "a", *errors)
    assert isinstance(group, ExceptionGroup)
    assert [repr(error) for error in group.exceptions] == [repr(error) for error in errors[-5:]]


def test_exceptions_out_of_their_window_are_not_reported() -> None:
    world = World().running("a", policy=RestartPolicy(Intensity(1, 10.0), backoff=Backoff(0.0)))
    errors = [ValueError(number) for number in range(3)]
    world.exit("a", ExitReason.from_exception(errors[0]))
    world.now = 10.0
    group = failing(world, "a", *errors[1:])
    assert isinstance(group, ExceptionGroup)
    assert [repr(error) for error in group.exceptions] == [repr(error) for error in errors[1:]]


def test_the_exceptions_of_all_children_lead_to_the_end_by_a_common_budget() -> None:
    world = World(policy=RestartPolicy(application=Intensity(1, 10.0))).running("a", "b")
    errors = [ValueError("in a"), ValueError("in b")]
    world.exit("a", ExitReason.from_exception(errors[0]))
    world.exit("b", ExitReason.from_exception(errors[1]))
    world.exit("a", ASKED)
    assert world.finished is not None
    assert isinstance(world.finished.exception, ExceptionGroup)
    assert [str(error) for error in world.finished.exception.exceptions] == ["in a", "in b"]


def test_restarts_that_count_no_longer_are_let_go_of_at_later_events() -> None:
    world = World().running("a", "b", "c", policy=RestartPolicy(Intensity(1, 10.0), backoff=Backoff(0.0)))
    for name in ("a", "b", "c"):
        world.exit(name)
    children = world.machine.children
    world.now = 9.0
    world.up("a", "b", "c")
    assert [child.count is None for child in children.values()] == [False, False, False]
    world.now = 10.0
    for _ in range(3):
        world.send(TimeUp("nobody", 1))
    assert [child.count is None for child in children.values()] == [True, True, True]


def test_exceptions_that_count_for_no_budget_any_more_are_let_go_of() -> None:
    class Oops(Exception):
        """An exception that can be referred to weakly."""

    world = World(policy=RestartPolicy(application=Intensity(5, 20.0))).running("a")
    oops = Oops()
    reference = weakref.ref(oops)
    world.exit("a", ExitReason.from_exception(oops))
    world.notes.clear()
    del oops
    world.now = 60.0  # the window of the child's own budget
    world.up("a")
    gc.collect()
    assert reference() is None


def test_shutdown_stops_one_after_the_other_in_reverse() -> None:
    world = World().running("a", "b", "c")
    assert world.send(Shutdown(ASKED)) == ["stop c"]
    assert world.exit("c", ASKED) == ["taken down c", "stop b"]
    assert world.exit("b", ASKED) == ["taken down b", "stop a"]
    assert world.exit("a", ASKED) == ["taken down a", "finish"]
    assert world.finished == ASKED


def test_peers_shut_down_together() -> None:
    world = World(ordered=False).running("a", "b", "c")
    assert world.send(Shutdown(ASKED)) == ["stop c", "stop b", "stop a"]


def test_shutdown_of_nothing_finishes_at_once() -> None:
    assert World().send(Shutdown(ASKED)) == ["finish"]


def test_shutdown_before_all_were_started() -> None:
    world = World()
    world.add("a", "b")
    world.send(Begin())
    assert world.send(Shutdown(ASKED)) == ["taken down b", "stop a"]
    assert world.exit("a", ASKED) == ["taken down a", "finish"]


def test_stop_by_hand_restarts_nobody_and_stays_known() -> None:
    world = World(ALL).running("a", "b")
    assert world.send(StopAsked("a")) == ["stop a"]
    assert world.exit("a", ASKED) == ["stopped a"]
    assert world.machine.children["a"].phase is Phase.STOPPED
    assert world.send(RestartAsked("a")) == ["start a"]


def test_restart_by_hand_counts_as_none() -> None:
    world = World().running("a")
    assert world.send(RestartAsked("a")) == ["stop a"]
    assert world.exit("a", ASKED) == ["taken down a", "start a"]
    assert world.machine.children["a"].restarts == 0


def test_stop_by_hand_during_the_backoff() -> None:
    world = World(ALL).running("a", "b", policy=LATER)
    world.exit("b")
    world.exit("a", ASKED)
    assert world.send(StopAsked("b")) == ["stopped b", "start a"]
    assert world.ring("b") == []


def test_stop_by_hand_of_one_that_goes_down_with_its_group_keeps_it_down() -> None:
    world = World(ALL).running("a", "b", "c")
    world.exit("a")
    world.send(StopAsked("c"))
    assert world.exit("c", ASKED) == ["stopped c", "stop b"]
    assert world.exit("b", ASKED) == ["taken down b", "start a"]


def test_an_unknown_name_by_hand_is_no_matter() -> None:
    assert World().running("a").send(StopAsked("gone")) == []


@pytest.mark.parametrize("restart", list(Restart))
def test_a_removed_child_is_stopped_and_then_forgotten_whatever_its_restart_type(restart: Restart) -> None:
    world = World().running("a", "b", restart=restart)
    assert world.send(RemoveAsked("a")) == ["stop a"]
    assert world.exit("a", ASKED) == ["stopped a", "forget a"]
    assert world.alive == {"b": 1}


def test_a_child_that_is_over_is_forgotten_at_once_when_it_is_removed() -> None:
    world = World().running("a", restart=Restart.TRANSIENT)
    world.exit("a", ExitReason.normal())
    assert world.send(RemoveAsked("a")) == ["forget a"]
    assert world.send(RemoveAsked("a")) == []


def test_a_child_is_removed_while_it_starts_and_while_it_waits_for_its_turn() -> None:
    world = World()
    world.add("a", "b", "c")
    world.send(Begin())
    assert world.send(RemoveAsked("b")) == ["stopped b", "forget b"]
    assert world.send(RemoveAsked("a")) == ["stop a"]
    assert world.exit("a", ASKED) == ["stopped a", "forget a", "start c"]


def test_a_child_is_removed_in_its_backoff_and_the_group_no_longer_waits_for_it() -> None:
    world = World(ALL).running("a", "b", policy=LATER)
    world.exit("b")
    world.exit("a", ASKED)
    assert world.send(RemoveAsked("b")) == ["stopped b", "forget b", "start a"]
    assert world.ring("b") == []


def test_a_child_is_removed_while_its_group_goes_down() -> None:
    world = World(ALL).running("a", "b", "c")
    world.exit("a")
    assert world.send(RemoveAsked("b")) == []
    assert world.send(RemoveAsked("a")) == ["stopped a", "forget a"]
    assert world.exit("c", ASKED) == ["taken down c", "stop b"]
    assert world.exit("b", ASKED) == ["stopped b", "forget b", "start c"]


@pytest.mark.parametrize("wish", [StopAsked, RestartAsked])
def test_a_removal_is_final(wish: type[StopAsked | RestartAsked]) -> None:
    world = World().running("a")
    world.send(RemoveAsked("a"))
    assert world.send(wish("a")) == []
    assert world.exit("a", ASKED) == ["stopped a", "forget a"]


@pytest.mark.parametrize("wish", [StopAsked, RestartAsked])
def test_a_child_that_is_being_stopped_by_hand_may_still_be_removed(wish: type[StopAsked | RestartAsked]) -> None:
    world = World().running("a")
    world.send(wish("a"))
    assert world.send(RemoveAsked("a")) == []
    assert world.exit("a", ASKED) == ["stopped a", "forget a"]


def test_a_removal_holds_though_the_supervisor_goes_down_meanwhile() -> None:
    world = World().running("a", "b")
    world.send(RemoveAsked("a"))
    assert world.send(Shutdown(ASKED)) == ["stop b"]
    assert world.exit("a", ASKED) == ["stopped a", "forget a"]
    assert world.exit("b", ASKED) == ["taken down b", "finish"]


def test_a_pool_forgets_whoever_is_over() -> None:
    world = World(ordered=False, escalate=False, keep_over=False).running("ended", "stopped", restart=Restart.TRANSIENT)
    world.add("failed", policy=RestartPolicy(Intensity(0, 10.0)))
    world.add("waits", "lives")
    world.up("failed")
    assert world.exit("ended", ExitReason.normal()) == ["ended ended", "forget ended"]
    assert world.exit("failed") == ["gave up failed", "forget failed"]
    world.send(StopAsked("stopped"))
    assert world.exit("stopped", ASKED) == ["stopped stopped", "forget stopped"]
    assert list(world.machine.children) == ["waits", "lives"]


def test_a_pool_forgets_its_members_as_it_goes_down() -> None:
    world = World(ordered=False, keep_over=False).running("a", "b", policy=LATER)
    world.exit("a")
    assert world.send(Shutdown(ASKED)) == ["taken down a", "forget a", "stop b"]
    assert world.exit("b", ASKED) == ["taken down b", "forget b", "finish"]


def with_significant(
    auto_shutdown: AutoShutdown, *names: str, restart: Restart = Restart.TRANSIENT, strategy: Strategy = ONE
) -> World:
    """A world of "first", the significant `names`, and "last", all running."""
    world = World(strategy, auto_shutdown=auto_shutdown, escalate=False)
    world.add("first")
    world.add(*names, restart=restart, significant=True, policy=RestartPolicy(Intensity(1, 10.0), backoff=Backoff(0.0)))
    world.add("last")
    world.send(Begin())
    world.up("first", *names, "last")
    return world


@pytest.mark.parametrize(
    ("restart", "reason", "ends"),
    [
        (Restart.TRANSIENT, ExitReason.normal(), True),
        (Restart.TRANSIENT, ExitReason.shutdown("by itself"), True),
        (Restart.TRANSIENT, BUG, False),
        (Restart.TEMPORARY, ExitReason.normal(), True),
        (Restart.TEMPORARY, BUG, True),
    ],
)
def test_the_end_of_any_significant_child_ends_the_supervisor(restart: Restart, reason: ExitReason, ends: bool) -> None:
    world = with_significant(ANY, "a", "b", restart=restart)
    did = world.exit("a", reason)
    assert did[-1] == ("stop last" if ends else "start a")
    assert world.machine.ending == ends
    if ends:
        for name in ("last", "b", "first"):
            world.exit(name, ASKED)
        assert world.finished == ExitReason.shutdown(f"significant child 'a' ended: {reason}")


def test_the_end_of_all_significant_children_ends_the_supervisor() -> None:
    world = with_significant(LAST, "a", "b")
    assert world.exit("b", ExitReason.normal()) == ["ended b"]
    assert world.exit("a", ExitReason.normal()) == ["ended a", "stop last"]


def test_a_significant_child_that_is_to_be_restarted_still_lives() -> None:
    world = World(auto_shutdown=LAST)
    world.add("a", "b", restart=Restart.TRANSIENT, significant=True, policy=LATER)
    world.send(Begin())
    world.up("a", "b")
    assert world.exit("a") == ["restarted a", "wake a 1"]
    assert world.exit("b", ExitReason.normal()) == ["ended b"]
    world.ring("a")
    assert world.exit("a", ExitReason.normal()) == ["ended a", "finish"]


@pytest.mark.parametrize("auto_shutdown", [ANY, LAST])
@pytest.mark.parametrize("restart", [Restart.TRANSIENT, Restart.TEMPORARY])
@pytest.mark.parametrize("wish", [StopAsked, RemoveAsked])
def test_a_significant_child_that_is_stopped_by_hand_ends_nothing(
    auto_shutdown: AutoShutdown, restart: Restart, wish: type[StopAsked | RemoveAsked]
) -> None:
    world = with_significant(auto_shutdown, "a", restart=restart)
    world.send(wish("a"))
    assert world.exit("a", ExitReason.normal())[0] == "stopped a"
    assert not world.machine.ending


def test_one_that_was_stopped_by_hand_does_not_live_any_more_for_the_others() -> None:
    world = with_significant(LAST, "a", "b")
    world.send(StopAsked("a"))
    world.exit("a", ASKED)
    assert world.exit("b", ExitReason.normal()) == ["ended b", "stop last"]


@pytest.mark.parametrize("auto_shutdown", [ANY, LAST])
@pytest.mark.parametrize("restart", [Restart.TRANSIENT, Restart.TEMPORARY])
def test_a_significant_child_that_is_taken_down_with_its_group_ends_nothing(
    auto_shutdown: AutoShutdown, restart: Restart
) -> None:
    world = with_significant(auto_shutdown, "a", restart=restart, strategy=ALL)
    world.exit("first")
    world.exit("last", ASKED)
    world.exit("a", ExitReason.normal())
    assert "start first" in world.log[-1:]
    assert not world.machine.ending


@pytest.mark.parametrize("auto_shutdown", [ANY, LAST])
def test_a_significant_child_that_gave_up_fails_the_supervisor_even_without_escalation(
    auto_shutdown: AutoShutdown,
) -> None:
    world = with_significant(auto_shutdown, "a", "b")
    world.exit("a")
    assert world.exit("a") == ["gave up a", "stop last"]
    for name in ("last", "b", "first"):
        world.exit(name, ASKED)
    assert world.finished is not None
    assert world.finished.kind == "gave_up"


def test_a_significant_child_of_a_supervisor_that_never_ends_by_itself_is_our_mistake() -> None:
    with pytest.raises(InternalError, match="'a' was added as significant"):
        World().add("a", restart=Restart.TRANSIENT, significant=True)


def test_quiesce_starts_nothing_any_more() -> None:
    world = World().running("a")
    world.send(Quiesce())
    assert world.exit("a") == ["restarted a"]
    assert world.send(Shutdown(ASKED)) == ["taken down a", "finish"]


def test_a_name_may_be_used_again_once_its_child_is_over() -> None:
    world = World().running("a", "b", restart=Restart.TRANSIENT)
    world.exit("a", ExitReason.normal())
    assert world.send(Added("a", attempts=1)) == ["start a"]
    assert world.alive["a"] == 2
    assert list(world.machine.children) == ["b", "a"]


def test_every_exit_is_noted_once() -> None:
    world = World(ALL).running("a", "b")
    world.exit("a")
    world.exit("b", ASKED)
    assert [(note.name, note.attempt, note.fate) for note in world.notes] == [
        ("a", 1, Fate.RESTARTED),
        ("b", 1, Fate.TAKEN_DOWN),
    ]


def test_temporary_children_that_come_and_go_behind_a_slow_start_leave_nothing() -> None:
    world = World()
    world.add("slow")
    world.send(Begin())
    for number in range(100):
        world.send(Added(f"t{number}", Restart.TEMPORARY))
        world.up(f"t{number}")
        world.exit(f"t{number}", ExitReason.normal())
    assert len(world.machine._unsettled) < 12


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of Python `work` runs: what it costs, whatever the machine and its load."""
    lines = 0

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


def machine_of(number: int, strategy: Strategy = ONE, *, ordered: bool = True) -> SupervisorState:
    machine = SupervisorState(strategy=strategy, ordered=ordered, escalate=True, policy=None, draw=lambda: 0.5)
    for place in range(number):
        machine.handle(Added(f"c{place}", policy=AT_ONCE, in_line=True), 0.0)
    obey(machine, Begin())
    return machine


def obey(machine: SupervisorState, event: Event) -> None:
    """Hand in an event, then do at once whatever it leads to."""
    todo = machine.handle(event, 0.0)
    while todo:
        match todo.pop():
            case Start(name, attempt):
                todo += machine.handle(Started(name, attempt), 0.0)
            case Stop(name, attempt):
                todo += machine.handle(Exited(name, attempt, ASKED), 0.0)


def start_crash_and_stop(number: int, strategy: Strategy, *, ordered: bool) -> None:
    machine = machine_of(number, strategy, ordered=ordered)
    obey(machine, Exited("c0", 1, BUG))
    assert machine.ready
    assert machine.restarts == 1
    obey(machine, Shutdown(ASKED))
    assert machine.finished


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("strategy", list(Strategy))
def test_ten_times_the_children_cost_about_ten_times_as_much(strategy: Strategy, ordered: bool) -> None:
    few, many = (lines_run(lambda n=n: start_crash_and_stop(n, strategy, ordered=ordered)) for n in (40, 400))
    assert many < 12 * few


def test_one_more_child_costs_the_same_in_a_pool_of_any_size() -> None:
    def add(machine: SupervisorState) -> None:
        machine.handle(Added("new"), 0.0)
        machine.handle(Started("new", 1), 0.0)
        assert machine.ready

    few, many = (machine_of(number, ordered=False) for number in (4, 400))
    assert lines_run(lambda: add(few)) == lines_run(lambda: add(many))


POLICIES: Sequence[RestartPolicy] = (
    AT_ONCE,
    LATER,
    RestartPolicy(Intensity(2, 5.0), Intensity(3, 5.0), Backoff(0.0)),
    RestartPolicy(Intensity(1, 5.0), Intensity(0, 5.0), Backoff(0.5)),
    RestartPolicy(Intensity(1, 5.0), kinds={"node_failure": Intensity(5, 50.0), "normal": None}, backoff=Backoff(0.0)),
)


@pytest.mark.parametrize("decade", range(30))
def test_invariants_hold_on_random_walks(decade: int) -> None:
    for seed in range(10 * decade, 10 * decade + 10):
        walk(random.Random(seed))


def walk(chance: random.Random) -> None:
    world = World(
        strategy=chance.choice(list(Strategy)),
        ordered=chance.random() < 0.7,
        escalate=chance.random() < 0.5,
        policy=chance.choice([None, None, *POLICIES]),
        auto_shutdown=chance.choice([NEVER, NEVER, ANY, LAST]),
        keep_over=chance.random() < 0.7,
        luck=chance.random(),
    )
    for number in range(chance.randrange(6)):
        world.send(random_child(world, chance, f"c{number}"))
    world.send(Begin())
    for step in range(200):
        world.now += chance.random()
        if world.finished is not None:
            break
        random_step(world, chance, step)
    settle(world)
    if world.finished is None and not world.machine.ending:
        world.send(Shutdown(ASKED))
    while world.finished is None:
        assert world.stopping, "going down, but nobody was asked"
        world.exit(chance.choice(world.stopping), ASKED)
    assert not world.alive


def random_child(world: World, chance: random.Random, name: str) -> Added:
    restart = chance.choice(list(Restart))
    significant = world.auto_shutdown is not NEVER and restart is not Restart.PERMANENT and chance.random() < 0.5
    in_line = chance.random() < 0.5
    return Added(name, restart, chance.choice(POLICIES), in_line=in_line, significant=significant)


def settle(world: World) -> None:
    """Let everything that is under way succeed: then nothing may be left waiting."""
    while True:
        starting = [name for name in world.alive if world.machine.children[name].phase is Phase.STARTING]
        if starting:
            world.up(starting[0])
        elif world.stopping:
            world.exit(world.stopping[0], ASKED)
        elif world.timers:
            world.ring(next(iter(world.timers)))
        else:
            break
    phases = {child.phase for child in world.machine.children.values()}
    assert phases <= {Phase.RUNNING, Phase.STOPPED, Phase.ENDED, Phase.FAILED}


def random_step(world: World, chance: random.Random, step: int) -> None:
    """One thing that may happen to a supervisor."""
    reason = chance.choice([BUG, BUG, NODE, ExitReason.normal(), ASKED])
    starting = [name for name in world.alive if world.machine.children[name].phase is Phase.STARTING]
    known = list(world.machine.children)
    match chance.randrange(10):
        case 0 | 1 | 2 if starting:
            world.up(chance.choice(starting))
        case 3 | 4 if world.alive:
            world.exit(chance.choice(list(world.alive)), reason)
        case 5 if world.stopping:
            world.exit(chance.choice(world.stopping), ASKED)
        case 6 if world.timers:
            world.ring(chance.choice(list(world.timers)))
        case 7 if known:
            world.send(chance.choice([StopAsked, RestartAsked, RemoveAsked])(chance.choice(known)))
        case 8 if len(known) < 12:
            world.send(random_child(world, chance, f"n{step}"))
        case 9 if chance.random() < 0.03:
            world.send(Shutdown(ASKED))
