import pytest

from ssasync.actors import Backoff, Blame, ExitReason, Intensity, RestartPolicy
from ssasync.actors.restart_policy import RestartCount

BUG = ExitReason("exception", Blame.APPLICATION)
NODE = ExitReason("node_failure", Blame.INFRASTRUCTURE)


def test_backoff_grows_to_its_cap() -> None:
    backoff = Backoff(1.0, factor=2.0, maximum=5.0, jitter=False)
    assert [backoff.delay(n, 0.0) for n in (1, 2, 3, 4, 10_000)] == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_full_jitter_draws_from_zero_to_the_bound() -> None:
    backoff = Backoff(1.0, factor=2.0, maximum=100.0)
    assert backoff.delay(3, 0.0) == 0.0
    assert backoff.delay(3, 0.5) == 2.0


def test_backoff_of_zero_restarts_at_once_always() -> None:
    assert Backoff(0.0).delay(50, 0.9) == 0.0


@pytest.mark.parametrize("arguments", [(-1.0, 2.0, 1.0), (1.0, 0.5, 2.0), (2.0, 2.0, 1.0)])
def test_backoff_that_makes_no_sense_is_refused(arguments: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="needs initial"):
        Backoff(*arguments)


@pytest.mark.parametrize("arguments", [(-1, 1.0), (1, 0.0)])
def test_intensity_that_makes_no_sense_is_refused(arguments: tuple[int, float]) -> None:
    with pytest.raises(ValueError, match="needs restarts"):
        Intensity(*arguments)


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
