import math
from typing import Any

import pytest

from ssasync.actors import Actor, AutoShutdown, Blame, ChildSpec, ExitReason, Restart, RestartPolicy, Supervisor


async def coroutine_function() -> Actor:
    return Actor()


def test_defaults() -> None:
    spec = ChildSpec("a", Actor)
    assert (spec.restart, spec.grace, spec.start_timeout) == (Restart.PERMANENT, 5.0, 60.0)


@pytest.mark.parametrize("name", ["", "a/b"])
def test_names_that_make_no_path_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="give a name without"):
        ChildSpec(name, Actor)


@pytest.mark.parametrize(
    "options", [{"grace": -1.0}, {"grace": math.nan}, {"start_timeout": 0.0}, {"mailbox_limit": 0}]
)
def test_limits_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="child 'a'"):
        ChildSpec("a", Actor, **options)


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (Actor(), "start is a Actor: give what makes a new one for every incarnation, Actor or lambda: Actor"),
        (None, "start is None: give a class derived from Actor"),
        (int, "start is <class 'int'>: derive the class from Actor"),
        (coroutine_function, "start is the coroutine function coroutine_function: give a plain one"),
    ],
)
def test_what_makes_no_actors_is_refused(start: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ChildSpec("a", start)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": 5}, "child 5: give a name"),
        ({"restart": "permanent"}, "restart is 'permanent': give a Restart, such as"),
        ({"grace": "5"}, "grace is '5': give seconds from 0, or math.inf"),
        ({"start_timeout": None}, "start_timeout is None: give seconds above 0"),
        ({"policy": None}, "policy is None: give a RestartPolicy, or leave it out"),
        ({"mailbox_limit": 1.5}, "mailbox_limit is 1.5: give a whole number"),
        ({"significant": "no"}, "significant is 'no': give True or False"),
    ],
)
def test_wrong_types_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ChildSpec(**{"name": "a", "start": Actor, **options})


def test_all_mistakes_are_told_at_once() -> None:
    wrong: dict[str, Any] = {"restart": "permanent", "policy": RestartPolicy, "mailbox_limit": 0}
    with pytest.raises(ValueError, match=r"restart is 'permanent'.*; policy is <class .*; mailbox_limit is 0: "):
        ChildSpec("a", Actor, **wrong)


def test_seconds_may_be_whole_or_endless() -> None:
    assert ChildSpec("a", Actor, grace=math.inf, start_timeout=3).start_timeout == 3


def test_a_permanent_child_cannot_be_significant() -> None:
    with pytest.raises(ValueError, match="'a': is significant and permanent"):
        ChildSpec("a", Actor, significant=True)


def test_a_significant_child_is_refused_where_it_would_mean_nothing() -> None:
    spec = ChildSpec("a", Actor, Restart.TRANSIENT, significant=True)
    assert not AutoShutdown.ANY_SIGNIFICANT.mistake_of(spec)
    assert not AutoShutdown.ALL_SIGNIFICANT.mistake_of(spec)
    with pytest.raises(ValueError, match="'a' is significant and its supervisor has auto_shutdown=NEVER"):
        Supervisor([spec])


@pytest.mark.parametrize(
    ("reason", "wanted_by"),
    [
        (ExitReason.normal(), {Restart.PERMANENT}),
        (ExitReason.shutdown(), {Restart.PERMANENT}),
        (ExitReason("cancelled_job", Blame.REQUESTED), {Restart.PERMANENT}),
        (ExitReason("exception", Blame.APPLICATION), {Restart.PERMANENT, Restart.TRANSIENT}),
        (ExitReason("node_failure", Blame.INFRASTRUCTURE), {Restart.PERMANENT, Restart.TRANSIENT}),
    ],
)
def test_a_restart_is_wanted_always_after_failures_or_never(reason: ExitReason, wanted_by: set[Restart]) -> None:
    assert {restart for restart in Restart if restart.wanted_after(reason)} == wanted_by
