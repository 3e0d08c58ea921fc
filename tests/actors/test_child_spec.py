import math
from typing import Any

import pytest

from ssasync.actors import Actor, AutoShutdown, Blame, ChildSpec, ExitReason, Restart, Supervisor


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


def test_a_permanent_child_cannot_be_significant() -> None:
    with pytest.raises(ValueError, match="'a' is significant and permanent"):
        ChildSpec("a", Actor, significant=True)


def test_a_significant_child_is_refused_where_it_would_mean_nothing() -> None:
    spec = ChildSpec("a", Actor, Restart.TRANSIENT, significant=True)
    AutoShutdown.ANY_SIGNIFICANT.check(spec)
    AutoShutdown.ALL_SIGNIFICANT.check(spec)
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
