import math
from typing import Any

import pytest

from ssasync.actors import Actor, AutoShutdown, ChildSpec, Restart, Supervisor


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
