import gc
import math
import pickle
import weakref
from typing import Any

import pytest

from ssasync.actors import Backoff, Blame, ExitReason, Intensity, RestartPolicy
from ssasync.actors.restart_policy import RestartCount

BUG = ExitReason("exception", Blame.APPLICATION)
NODE = ExitReason("node_failure", Blame.INFRASTRUCTURE)
LIMIT = ExitReason("time_limit", Blame.INFRASTRUCTURE)
MEMORY = ExitReason("out_of_memory", Blame.APPLICATION)
KINDS = RestartPolicy(
    Intensity(1, 10.0), Intensity(1, 10.0), kinds={"time_limit": Intensity(2, 100.0), "out_of_memory": None}
)


class Oops(Exception):
    """An exception that can be referred to weakly."""


def crash(number: int) -> ExitReason:
    return ExitReason.from_exception(Oops(number))


def test_backoff_grows_to_its_cap() -> None:
    backoff = Backoff(1.0, factor=2.0, maximum=5.0, jitter=False)
    assert [backoff.delay(n, 0.0) for n in (1, 2, 3, 4, 10_000)] == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_full_jitter_draws_from_zero_to_the_bound() -> None:
    backoff = Backoff(1.0, factor=2.0, maximum=100.0)
    assert backoff.delay(3, 0.0) == 0.0
    assert backoff.delay(3, 0.5) == 2.0


def test_backoff_of_zero_restarts_at_once_always() -> None:
    assert Backoff(0.0).delay(50, 0.9) == 0.0


def test_a_steep_backoff_comes_to_its_cap_too() -> None:
    assert Backoff(1.0, factor=1000.0, maximum=5.0, jitter=False).delay(10_000, 0.0) == 5.0
    assert Backoff(1, factor=1000, maximum=5, jitter=False).delay(10_000, 0.0) == 5.0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((-1.0, 2.0, 1.0), "needs initial >= 0"),
        ((1.0, 0.5, 2.0), "needs factor >= 1"),
        ((2.0, 2.0, 1.0), "needs maximum >= initial"),
        ((math.nan,), "needs initial >= 0, a finite number"),
        ((1.0, math.inf), "needs factor >= 1, a finite number"),
        ((1.0, 2.0, math.nan), "needs maximum >= initial, a finite number"),
        (("1", None, "3"), "needs initial .*; factor .*; maximum"),
        ((1.0, 2.0, 3.0, "no"), "needs jitter True or False"),
    ],
)
def test_backoff_that_makes_no_sense_is_refused(arguments: tuple[Any, ...], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Backoff(*arguments)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((-1, 1.0), "needs restarts >= 0"),
        ((1, 0.0), "needs seconds > 0"),
        ((1, math.nan), "needs seconds > 0"),
        ((2.5, "10"), "needs restarts >= 0, a whole number; seconds > 0"),
    ],
)
def test_intensity_that_makes_no_sense_is_refused(arguments: tuple[Any, ...], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Intensity(*arguments)


def test_a_policy_of_wrong_types_is_refused_with_all_mistakes() -> None:
    wrong: Any = {"application": 3, "infrastructure": None, "backoff": 0.5, "kinds": [("time_limit", None)]}
    with pytest.raises(ValueError, match=r"application is 3: .*infrastructure is None: .*backoff is 0.5: .*kinds is "):
        RestartPolicy(**wrong)


def test_restarts_older_than_the_window_do_not_count() -> None:
    count = RestartCount(RestartPolicy(application=Intensity(2, 10.0)))
    assert [count.add(BUG, now) for now in (0.0, 5.0)] == [1, 2]
    assert not count.allows(BUG, 9.9)
    assert count.allows(BUG, 10.0)


def test_failures_of_the_infrastructure_use_up_nothing_of_the_application() -> None:
    count = RestartCount(RestartPolicy(application=Intensity(1, 10.0), infrastructure=Intensity(3, 10.0)))
    for _ in range(3):
        count.add(NODE, 0.0)
    assert not count.allows(NODE, 1.0)
    assert count.allows(BUG, 1.0)


def test_a_budget_of_none_allows_no_restart() -> None:
    assert not RestartCount(RestartPolicy(application=Intensity(0, 10.0))).allows(BUG, 0.0)


def test_a_kind_with_a_budget_of_its_own_uses_up_no_other_and_none_of_it() -> None:
    count = RestartCount(KINDS)
    assert [count.add(LIMIT, now) for now in (0.0, 50.0)] == [1, 2]
    assert not count.allows(LIMIT, 99.0)
    assert count.allows(LIMIT, 100.0)
    assert count.allows(NODE, 99.0)
    count.add(NODE, 99.0)
    assert count.allows(LIMIT, 100.0)


def test_a_kind_without_a_budget_allows_no_restart() -> None:
    assert not RestartCount(KINDS).allows(MEMORY, 0.0)


def test_a_refusal_names_the_budget() -> None:
    assert KINDS.refusal(BUG) == "used up 1 restarts in 10 s"
    assert KINDS.refusal(LIMIT) == "used up 2 restarts in 100 s after 'time_limit'"
    assert KINDS.refusal(MEMORY) == "is not restarted after 'out_of_memory', see RestartPolicy.kinds"


@pytest.mark.parametrize("kinds", [{"": None}, {"time_limit": 3}, {5: None}])
def test_kinds_that_make_no_sense_are_refused(kinds: dict[Any, Any]) -> None:
    with pytest.raises(ValueError, match="give an exit kind an Intensity"):
        RestartPolicy(kinds=kinds)


def test_a_policy_with_kinds_is_a_value() -> None:
    kinds: dict[str, Intensity | None] = {"time_limit": None}
    policy = RestartPolicy(kinds=kinds)
    kinds.clear()
    assert policy.kinds == {"time_limit": None}
    assert policy != RestartPolicy()
    assert hash(policy) == hash(RestartPolicy(kinds={"time_limit": None}))
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert "kinds={'time_limit': None}" in repr(policy)


def test_only_the_last_exceptions_are_kept_and_only_within_their_window() -> None:
    count = RestartCount(RestartPolicy(application=Intensity(100, 10.0)))
    for number in range(8):
        count.add(crash(number), float(number))
    assert [error.args for error in count.exceptions(9.0)] == [(3,), (4,), (5,), (6,), (7,)]
    assert [error.args for error in count.exceptions(15.0)] == [(6,), (7,)]


def test_what_counts_no_longer_is_let_go_of() -> None:
    count = RestartCount(RestartPolicy(application=Intensity(100, 10.0), infrastructure=Intensity(100, 20.0)))
    reason = crash(0)
    assert reason.exception is not None
    exception = weakref.ref(reason.exception)
    count.add(reason, 0.0)
    count.add(NODE, 0.0)
    del reason
    assert not count.expire(10.0)
    gc.collect()
    assert exception() is None
    assert count.expire(20.0)
