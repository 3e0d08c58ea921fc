"""What launchers do when their driver is killed: a driver of its own process is killed with SIGKILL each time."""

import asyncio
import fcntl
import os
import signal
import sys
from pathlib import Path

import pytest

from ssasync.wlm import RuntimeDirectory, State, status_record
from ssasync.wlm.status_record import Cause

DRIVER = """
import asyncio, json, os, sys
from pathlib import Path
from ssasync.wlm import Job, Local, RuntimeDirectory

async def main():
    folder, portable, orphan, script = Path(sys.argv[1]), sys.argv[2] == "True", sys.argv[3], sys.argv[4]
    runtime = RuntimeDirectory.create(records=folder / "records")
    local = Local(runtime, portable=portable)
    limit = float(orphan) if orphan else None
    for name in sys.argv[5:]:
        job = Job(name, ("/bin/sh", "-c", script), cwd=folder, grace=1, orphan_timeout=limit)
        await local.start_nowait(job).running()
    print(runtime.path, flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@pytest.fixture
async def orphaned(tmp_path, mark, portable, until, carriers_of_mark):
    """Start a driver with workloads, kill it; gives the runtime directory that it leaves.

    After the test waits for its launchers: the last one removes the directory a moment before it is gone itself.
    """

    async def run(script: str, *names: str, orphan_timeout: float | None = None) -> Path:
        arguments = [
            str(tmp_path),
            str(portable),
            "" if orphan_timeout is None else str(orphan_timeout),
            script,
            *names,
        ]
        environment = {**os.environ, "SSA_TEST_MARK": mark, "PYTHONPATH": str(Path.cwd())}
        driver = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", DRIVER, *arguments), stdout=asyncio.subprocess.PIPE, env=environment
        )
        async with asyncio.timeout(20):
            path = Path((await driver.stdout.readline()).decode().strip())
            driver.kill()
            await driver.wait()
        driver._transport.close()
        return path

    yield run
    await until(lambda: carriers_of_mark() == [], seconds=5)


def record_of(tmp_path: Path, name: str) -> status_record.StatusRecord | None:
    return status_record.read(tmp_path / "records" / f"{name}.1.status")


async def test_workload_outlives_its_driver_and_its_status_is_written(orphaned, until, tmp_path):
    directory = await orphaned("while [ ! -e go ]; do sleep 0.01; done; exit 9", "member")
    assert record_of(tmp_path, "member").state is State.RUNNING
    assert (directory / "attempts" / "member.1.lock").exists()
    (tmp_path / "go").touch()
    await until(lambda: record_of(tmp_path, "member").state is State.EXITED)
    assert record_of(tmp_path, "member").exit_code == 9
    await until(lambda: not directory.exists())


async def test_directory_that_a_living_driver_left_goes_with_the_last_attempt(local, make_job):
    process = local.start_nowait(make_job("sleep", "60"))
    await process.running()
    local.runtime.close()
    assert local.runtime.path.exists()
    await process.stop()
    assert not local.runtime.path.exists()


async def test_last_launcher_removes_the_runtime_directory(orphaned, until, tmp_path):
    script = 'while [ ! -e "go.$$" ] && [ ! -e go ]; do sleep 0.01; done'
    directory = await orphaned(script, "one", "two", "three")
    (tmp_path / f"go.{record_of(tmp_path, 'two').workload_pid}").touch()
    await until(lambda: record_of(tmp_path, "two").state is State.EXITED)
    assert directory.exists()
    (tmp_path / "go").touch()
    await until(lambda: not directory.exists())
    assert record_of(tmp_path, "one").state is record_of(tmp_path, "three").state is State.EXITED


async def test_orphan_is_ended_after_its_timeout(orphaned, until, tmp_path):
    directory = await orphaned("while :; do sleep 0.01; done", "shard", orphan_timeout=0.3)
    await until(lambda: record_of(tmp_path, "shard").state is State.EXITED)
    record = record_of(tmp_path, "shard")
    assert (record.cause, record.signal) == (Cause.ORPHAN, signal.SIGTERM)
    await until(lambda: not directory.exists())


@pytest.mark.parametrize("again", range(3))
async def test_orphans_do_not_take_each_other_for_the_driver(orphaned, until, tmp_path, again):
    """They have lost their driver at the same moment, so all of them look at its lock at the same moments."""
    names = [f"shard_{number}" for number in range(12)]
    directory = await orphaned("exec sleep 600", *names, orphan_timeout=0.2)
    await until(lambda: all(record_of(tmp_path, name).state is State.EXITED for name in names), seconds=5)
    assert {record_of(tmp_path, name).cause for name in names} == {Cause.ORPHAN}
    await until(lambda: not directory.exists())


async def test_launcher_that_looks_is_no_driver_and_delays_no_removal(orphaned, until, tmp_path):
    directory = await orphaned("exec sleep 600", "shard", orphan_timeout=0.2)
    lock = os.open(directory / "driver.lock", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_SH)  # what a look takes, here for long
    try:
        await until(lambda: record_of(tmp_path, "shard").state is State.EXITED, seconds=5)
    finally:
        os.close(lock)
    await until(lambda: not directory.exists())


async def test_orphan_lives_on_under_another_driver_and_ends_with_it(orphaned, until, tmp_path):
    directory = await orphaned("while :; do sleep 0.01; done", "shard", orphan_timeout=0.5)
    runtime = RuntimeDirectory(directory, records=tmp_path / "records")
    with pytest.raises(TimeoutError):
        await until(lambda: record_of(tmp_path, "shard").state is State.EXITED, seconds=1.0)
    runtime.close()
    assert directory.exists()  # an attempt lives in it
    await until(lambda: record_of(tmp_path, "shard").state is State.EXITED)
    await until(lambda: not directory.exists())
