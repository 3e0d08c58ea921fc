import math
import signal

import pytest

from ssasync.actors import ExitReason
from ssasync.wlm import Job, SettingsError
from ssasync.wlm.job import Reason, exit_reason

NAN = math.nan


@pytest.mark.parametrize("grace", [math.inf, -math.inf, NAN, -0.1])
def test_grace_that_no_stop_could_keep_is_refused(grace):
    with pytest.raises(SettingsError, match=rf"'solver': grace={grace}: give a finite number of seconds, 0 or more"):
        Job("solver", ("true",), grace=grace)


@pytest.mark.parametrize("timeout", [NAN, -1.0, -math.inf])
def test_orphan_timeout_that_is_no_time_is_refused(timeout):
    with pytest.raises(SettingsError, match=rf"'solver': orphan_timeout={timeout}: give 0 seconds or more; None for"):
        Job("solver", ("true",), orphan_timeout=timeout)


@pytest.mark.parametrize("number", [0, -9, signal.NSIG])
def test_stop_signal_that_does_not_exist_is_refused(number):
    with pytest.raises(SettingsError, match=rf"stop_signal={number}: give a signal of this system, 1 to "):
        Job("solver", ("true",), stop_signal=number)


def test_all_mistakes_come_at_once():
    with pytest.raises(SettingsError) as caught:
        Job("solver", ("true",), grace=NAN, orphan_timeout=NAN, stop_signal=0)
    assert len(caught.value.mistakes) == 3


@pytest.mark.parametrize(
    ("reason", "kernels"),
    [
        (Reason.COMPLETED, ExitReason.normal()),
        (Reason.CANCELLED, ExitReason.shutdown()),
        (Reason.EXIT_CODE, ExitReason.exit_code(3)),
        (Reason.SIGNAL, ExitReason.signal(9)),
        (Reason.LOST, ExitReason.lost()),
    ],
)
def test_a_job_ends_in_the_kernels_words_where_it_has_one(reason, kernels):
    assert (exit_reason(reason).kind, exit_reason(reason).blame) == (kernels.kind, kernels.blame)


def test_bounds_are_accepted():
    for orphan_timeout in (None, 0.0, math.inf):
        Job("solver", ("true",), grace=0, orphan_timeout=orphan_timeout, stop_signal=signal.SIGRTMAX)


async def test_any_grace_that_is_accepted_can_be_used(launch):
    process = await launch("sleep", "60", grace=1e300)
    assert (await process.stop()).signal == signal.SIGTERM


@pytest.mark.parametrize("grace", [math.inf, NAN, -1.0])
async def test_stop_with_a_grace_that_it_could_not_keep_is_refused(launch, grace):
    process = await launch("sleep", "60")
    with pytest.raises(SettingsError, match=f"'job': grace={grace}"):
        await process.stop(grace=grace)
    assert (await process.stop()).signal == signal.SIGTERM
