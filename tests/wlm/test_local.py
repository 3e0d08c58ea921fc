import asyncio
import os
import signal

import pytest

from ssasync.wlm import (
    Completed,
    ExecutableNotFound,
    Failed,
    Placement,
    PlacementError,
    Reason,
    Running,
    Scheduler,
    Suspended,
    UnknownJob,
)


@pytest.fixture
def scheduler(local) -> Scheduler:
    return local  # mypy and this line: Local answers all that a scheduler must


async def test_states_of_jobs_from_start_to_end(scheduler, make_job, until, tmp_path):
    waiting = await scheduler.submit(make_job("/bin/sh", "-c", "while [ ! -e go ]; do sleep 0.01; done", name="a"))
    failing = await scheduler.submit(make_job("/bin/sh", "-c", "exit 3", name="b"))
    states = await scheduler.poll([waiting])
    assert states[waiting] == Running((os.uname().nodename,), states[waiting].pid)
    os.kill(states[waiting].pid, signal.SIGSTOP)
    await _until_state(scheduler, waiting, Suspended(signal.SIGSTOP))
    os.kill(states[waiting].pid, signal.SIGCONT)
    await _until_state(scheduler, waiting, states[waiting])
    (tmp_path / "go").touch()
    await _until_state(scheduler, waiting, Completed())
    await _until_state(scheduler, failing, Failed(Reason.EXIT_CODE, exit_code=3))


async def test_cancelled_job_is_told_from_a_failed_one(scheduler, make_job):
    job = await scheduler.submit(make_job("sleep", "60"))
    await scheduler.cancel([job])
    await _until_state(scheduler, job, Failed(Reason.CANCELLED, signal=signal.SIGTERM))
    await scheduler.cancel([job])


async def test_unknown_id_and_missing_program_are_errors(scheduler, make_job):
    with pytest.raises(UnknownJob, match="local has no job '77'"):
        await scheduler.poll(["77"])
    with pytest.raises(ExecutableNotFound):
        await scheduler.submit(make_job("no-such-program"))


async def test_only_names_of_this_machine_are_hosts(scheduler, make_job):
    assert await scheduler.hosts() == (os.uname().nodename,)
    for name in ("localhost", "127.0.0.1", os.uname().nodename):
        job = await scheduler.submit(make_job("true", placement=Placement((name,))))
        await _until_state(scheduler, job, Completed())
    with pytest.raises(PlacementError, match=r"cannot place on node7, node8: it knows only .*localhost"):
        await scheduler.submit(make_job("true", placement=Placement(("node7", "localhost", "node8"))))


async def _until_state(scheduler: Scheduler, job: str, wanted: object) -> None:
    async with asyncio.timeout(15):
        while (await scheduler.poll([job]))[job] != wanted:  # noqa: ASYNC110 - polling is what is tested
            await asyncio.sleep(0.005)
