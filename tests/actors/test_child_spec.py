import math
from typing import Any

import pytest

from ssasync.actors import Actor, ChildSpec, Restart


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
