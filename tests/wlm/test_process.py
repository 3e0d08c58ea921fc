"""The launcher and LocalProcess, against real processes."""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from ssasync.wlm import (
    ExecutableNotFound,
    ExecutableRefused,
    LauncherBroken,
    OutputFileError,
    Reason,
    State,
    WorkingDirectoryError,
    next_log_files,
    start_process_nowait,
)
from ssasync.wlm.status_record import Cause, Rung

# A daemon that leaves session, group and parent, and does not mind SIGTERM; it says when it is there.
DAEMON = """(setsid sh -c 'trap "" TERM; touch daemon; while :; do sleep 0.05; done' </dev/null >/dev/null 2>&1 &)"""


def stat_fields(pid: int) -> list[str]:
    """Fields 3 and following of proc(5) stat: state, parent, group ...; none for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return []


def exists(pid: int) -> bool:
    # A zombie that its new parent has not taken yet is over too.
    return stat_fields(pid)[:1] not in ([], ["Z"])


def text_of(path: str) -> str:
    return Path(path).read_text().strip()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
async def test_exit_code_is_told(shell, code):
    ended = await (await shell(f"exit {code}")).wait()
    assert (ended.exit_code, ended.signal, ended.lost, ended.cause) == (code, None, False, Cause.ITSELF)
    assert ended.reason is (Reason.COMPLETED if code == 0 else Reason.EXIT_CODE)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGHUP])
async def test_signal_is_told(shell, number):
    ended = await (await shell(f"ulimit -c 0; kill -{int(number)} $$")).wait()
    assert (ended.exit_code, ended.signal) == (None, number)
    assert ended.reason is Reason.SIGNAL


async def test_times_and_memory_are_told(launch):
    before = time.time()
    process = await launch(sys.executable, "-c", "x = bytearray(50_000_000)\nwhile sum(x[:20000]) or __import__('time')"
                           ".process_time() < 0.2: pass")  # fmt: skip
    ended = await process.wait()
    assert ended.user_seconds + ended.system_seconds >= 0.15
    assert ended.maxrss > 50_000_000
    assert before <= ended.started <= ended.ended <= time.time()
    assert ended.duration >= 0.15


async def test_workload_gets_cwd_environment_files_and_a_session_of_its_own(shell, tmp_path):
    os.environ["SSA_TEST_INHERITED"] = "from the driver"
    try:
        process = await shell('pwd; echo "$A $SSA_TEST_INHERITED"; cat; echo to stderr >&2; ps -o sid=,pgid= -p $$',
                              env={"A": "b c"})  # fmt: skip
    finally:
        del os.environ["SSA_TEST_INHERITED"]
    ended = await process.wait()
    lines = (tmp_path / "job.out").read_text().splitlines()
    assert ended.exit_code == 0
    assert lines[:2] == [str(tmp_path), "b c from the driver"]
    assert lines[2].split() == [str(process.pid)] * 2
    assert (tmp_path / "job.err").read_text() == "to stderr\n"


async def test_workload_inherits_no_descriptor_and_default_signals(launch, tmp_path):
    leaked = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(leaked, True)
    try:
        process = await launch("/bin/sh", "-c", "ls /proc/self/fd; grep -E 'Sig(Blk|Ign)' /proc/self/status")
        await process.wait()
    finally:
        os.close(leaked)
    *descriptors, _, blocked, _, ignored = (tmp_path / "job.out").read_text().split()
    assert descriptors == ["0", "1", "2", "3"]  # 3 is ls reading the folder
    assert int(blocked, 16) == 0
    libc_own = 1 << 31 | 1 << 32  # 32 and 33: libc lets nobody change them, and a parent may have them ignored
    assert int(ignored, 16) & ~libc_own == 0


async def test_environment_is_on_no_command_line(launch):
    process = await launch("sleep", "60", env={"SSDB_PASSWORD": "s3cr3t-of-the-store"})
    for pid in (process.pid, process.launcher_pid):
        assert "s3cr3t" not in text_of(f"/proc/{pid}/cmdline")
    assert "s3cr3t" not in repr(process.job)


async def test_stdout_and_stderr_may_share_a_file(shell, tmp_path):
    both = tmp_path / "both.log"
    await (await shell("echo a; echo b >&2; echo c", stdout=both, stderr=both)).wait()
    assert both.read_text() == "a\nb\nc\n"


async def test_missing_executable_names_it_and_the_path_searched(launch):
    with pytest.raises(ExecutableNotFound, match=r"'no-such-solver' not found in PATH \(/usr/bin:/opt/x\).*install it"):
        await launch("no-such-solver", env={"PATH": "/usr/bin:/opt/x"})


async def test_missing_path_is_named(launch, tmp_path):
    with pytest.raises(ExecutableNotFound, match=rf"'./solver' does not exist \({tmp_path}/solver\)"):
        await launch("./solver")


async def test_file_without_permission_is_refused(launch, tmp_path):
    (tmp_path / "solver").write_text("#!/bin/sh\n")
    with pytest.raises(ExecutableRefused, match=r"Permission denied.*chmod"):
        await launch("./solver")


async def test_file_that_is_no_program_is_not_given_to_a_shell(launch, tmp_path):
    (tmp_path / "solver").write_text("touch ran\n")
    (tmp_path / "solver").chmod(0o755)
    with pytest.raises(ExecutableRefused, match="Exec format error"):
        await launch("./solver")
    assert not (tmp_path / "ran").exists()


async def test_missing_interpreter_is_told_from_a_missing_file(launch, tmp_path):
    (tmp_path / "solver").write_text("#!/no/such/python\n")
    (tmp_path / "solver").chmod(0o755)
    with pytest.raises(ExecutableNotFound, match=r"is there .* interpreter in its first line"):
        await launch("./solver")


async def test_forbidden_file_in_path_does_not_hide_a_later_one(launch, tmp_path):
    for folder, mode in (("a", 0o644), ("b", 0o755)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "solver").write_text("#!/bin/sh\nexit 7\n")
        (tmp_path / folder / "solver").chmod(mode)
    process = await launch("solver", env={"PATH": f"{tmp_path}/a:{tmp_path}/b:/bin"})
    assert (await process.wait()).exit_code == 7


async def test_missing_working_directory_is_named(launch, tmp_path):
    with pytest.raises(WorkingDirectoryError, match=r"'.*/nowhere' cannot be entered: No such file"):
        await launch("true", cwd=tmp_path / "nowhere", stdout=tmp_path / "o", stderr=tmp_path / "e")
    with pytest.raises(WorkingDirectoryError):
        await launch("true", cwd=tmp_path / "nowhere")


async def test_output_folder_that_is_missing_is_named(launch, tmp_path):
    with pytest.raises(OutputFileError, match=r"stderr cannot go to '.*/logs/x.1.err': No such file"):
        await launch("true", stderr=tmp_path / "logs" / "x.err")


async def test_launcher_that_cannot_write_its_record_starts_nothing(launch, runtime, tmp_path):
    runtime._records = tmp_path / "gone"
    with pytest.raises(LauncherBroken, match="cannot write the status record: No such file or directory"):
        await launch("touch", "ran")
    assert not (tmp_path / "ran").exists()


async def test_launcher_that_is_not_built_is_one_plain_error(launch, monkeypatch, runtime):
    monkeypatch.setattr("ssasync.wlm.process.LAUNCHER", Path("/no/launcher"))
    with pytest.raises(LauncherBroken, match="/no/launcher is not built"):
        await launch("true")
    assert [lock.name for lock in runtime.path.glob("**/*.lock")] == ["driver.lock"]


async def test_daemon_of_a_workload_that_ends_is_ended_and_counted(shell, carriers_of_mark):
    process = await shell(DAEMON + "; while [ ! -e daemon ]; do sleep 0.01; done; exit 5", grace=0.2)
    ended = await process.wait()
    assert (ended.exit_code, ended.cause) == (5, Cause.ITSELF)
    assert ended.leftovers >= 1
    assert carriers_of_mark() == []


async def test_daemon_of_a_workload_that_is_stopped_is_ended(shell, until, tmp_path, carriers_of_mark):
    process = await shell(DAEMON + "; while :; do sleep 0.01; done", grace=0.2)
    await until((tmp_path / "daemon").exists)
    ended = await process.stop()
    assert ended.reason is Reason.CANCELLED
    assert carriers_of_mark() == []


async def test_daemon_without_session_and_environment_of_its_workload_is_ended(runtime, make_job, until, tmp_path):
    """Only the launcher's subreaper finds this one: hence Linux alone, and a launcher that lives (see launcher.c)."""
    daemon = (
        """env -i setsid sh -c 'echo $$ > "$0.new"; mv "$0.new" "$0"; exec sleep 60' "$PWD/daemon" >/dev/null 2>&1 &"""
    )
    process = start_process_nowait(job := make_job("/bin/sh", "-c", f"({daemon}) ; exec sleep 60", grace=0.2),
                                   runtime, next_log_files(job), portable=False)  # fmt: skip
    await until((tmp_path / "daemon").exists)
    pid = int((tmp_path / "daemon").read_text())
    assert exists(pid)
    await process.stop()
    assert not exists(pid)


async def test_workload_that_ignores_sigterm_is_killed_after_the_grace(shell, until, tmp_path):
    process = await shell("trap '' TERM; touch ready; while :; do sleep 0.01; done", grace=0.3)
    await until((tmp_path / "ready").exists)
    begin = time.monotonic()
    ended = await process.stop()
    assert ended.signal == signal.SIGKILL
    assert 0.3 <= time.monotonic() - begin < 3
    assert process.record.rung is Rung.KILL


async def test_workload_may_use_its_grace_to_end_by_itself(shell, until, tmp_path):
    process = await shell("trap 'echo bye; exit 4' TERM; touch ready; while :; do sleep 0.01; done", grace=10)
    await until((tmp_path / "ready").exists)
    ended = await process.stop()
    assert (ended.exit_code, ended.reason) == (4, Reason.CANCELLED)
    assert (tmp_path / "job.out").read_text() == "bye\n"


async def test_stop_signal_of_the_job_comes_first_then_sigterm(shell, until, tmp_path):
    script = "trap 'echo usr1' USR1; trap 'echo term; exit 0' TERM; touch ready; while :; do sleep 0.01; done"
    process = await shell(script, grace=0.2, stop_signal=signal.SIGUSR1)
    await until((tmp_path / "ready").exists)
    await process.stop()
    assert (tmp_path / "job.out").read_text() == "usr1\nterm\n"
    assert process.record.rung is Rung.TERM


async def test_asking_again_makes_the_stop_sooner(shell, until, tmp_path):
    process = await shell("trap '' TERM; touch ready; while :; do sleep 0.01; done", grace=60)
    await until((tmp_path / "ready").exists)
    process.stop_nowait()
    ended = await process.stop(grace=0.1)
    assert ended.signal == signal.SIGKILL
    assert ended.duration < 20


async def test_stopped_workload_can_be_ended(shell, until):
    process = await shell("kill -STOP $$")
    await until(lambda: process.state is State.STOPPED)
    ended = await process.stop()
    assert ended.signal == signal.SIGTERM


async def test_kill_is_immediate_and_complete(shell, until, tmp_path, carriers_of_mark):
    process = await shell(DAEMON + "; trap '' TERM; while :; do sleep 0.01; done", grace=60)
    await until((tmp_path / "daemon").exists)
    process.kill()
    async with asyncio.timeout(3):
        ended = await process.wait()
    assert (ended.signal, ended.reason) == (signal.SIGKILL, Reason.CANCELLED)
    assert carriers_of_mark() == []


async def test_sigterm_to_the_launcher_stops_the_workload_gracefully(shell, until, tmp_path):
    process = await shell("trap 'exit 6' TERM; touch ready; while :; do sleep 0.01; done")
    await until((tmp_path / "ready").exists)
    os.kill(process.launcher_pid, signal.SIGTERM)
    ended = await process.wait()
    assert (ended.exit_code, ended.cause, ended.reason) == (6, Cause.SIGNAL, Reason.EXIT_CODE)


async def test_killed_launcher_takes_the_workload_along_and_is_lost(shell, until, tmp_path, carriers_of_mark):
    process = await shell(DAEMON + "; while :; do sleep 0.01; done")
    await until((tmp_path / "daemon").exists)
    os.kill(process.launcher_pid, signal.SIGKILL)
    ended = await process.wait()
    assert (ended.lost, ended.exit_code, ended.signal, ended.reason) == (True, None, None, Reason.LOST)
    assert not exists(process.pid)
    assert carriers_of_mark() == []


async def test_launcher_that_hangs_does_not_hold_up_a_stop(shell, monkeypatch):
    monkeypatch.setattr("ssasync.wlm.process._KILL_SECONDS", 1.0)
    process = await shell("while :; do sleep 0.01; done", grace=0.1)
    os.kill(process.launcher_pid, signal.SIGSTOP)
    async with asyncio.timeout(8):
        ended = await process.stop()
    assert ended.reason is Reason.CANCELLED


async def test_stop_and_continue_are_reported(launch, until):
    process = await launch("sleep", "60")
    changes: list[State] = []
    process.on_change(changes.append)
    os.kill(process.pid, signal.SIGSTOP)
    await until(lambda: changes == [State.STOPPED])
    assert (process.record.stop_signal, process.record.stops) == (signal.SIGSTOP, 1)
    os.kill(process.pid, signal.SIGCONT)
    await until(lambda: changes == [State.STOPPED, State.CONTINUED])


async def test_signal_reaches_the_group(shell, until, tmp_path):
    process = await shell("trap 'echo got it; exit 0' USR2; touch ready; while :; do sleep 0.01; done")
    await until((tmp_path / "ready").exists)
    process.send_signal(signal.SIGUSR2)
    assert (await process.wait()).exit_code == 0
    assert (tmp_path / "job.out").read_text() == "got it\n"


async def test_record_names_host_boot_pids_and_start_times(launch):
    process = await launch("sleep", "60")
    record = process.record
    assert record.host == socket.gethostname()
    assert record.boot_id == text_of("/proc/sys/kernel/random/boot_id")
    for pid, start in ((record.launcher_pid, record.launcher_start), (record.workload_pid, record.workload_start)):
        assert int(stat_fields(pid)[19]) == start
    assert (record.launcher_pid, record.state) == (process.launcher_pid, State.RUNNING)
    assert record.ended is None
    assert process._files.record.stat().st_blocks * 512 >= 512  # preallocated, not sparse


async def test_lock_is_held_while_the_attempt_lives(shell, until, tmp_path):
    process = await shell("while [ ! -e go ]; do sleep 0.01; done")
    with open(process._files.lock) as lock, pytest.raises(BlockingIOError):  # noqa: ASYNC230, PTH123
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (tmp_path / "go").touch()
    await process.wait()
    assert not process._files.lock.exists()


async def test_cancelled_start_leaves_nothing(local, make_job, carriers_of_mark):
    process = local.start_nowait(make_job("sleep", "60"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await process.running()
    process.kill()
    await process.wait()
    assert carriers_of_mark() == []


async def test_exit_callback_that_comes_late_is_called_at_once(shell):
    process = await shell("exit 2")
    early, late = [], []
    process.on_exit(early.append)
    ended = await process.wait()
    process.on_exit(late.append)
    assert early == late == [ended]


async def test_fifty_launches_leak_no_descriptor(shell):
    await (await shell("exit 0")).wait()
    before = descriptors()
    for _ in range(50):
        await (await shell("exit 0")).wait()
    assert descriptors() == before


async def test_many_at_once(local, make_job):
    jobs = [make_job("/bin/sh", "-c", f"exit {number}", name=f"job_{number}") for number in range(64)]
    processes = [local.start_nowait(job) for job in jobs]
    codes = [(await process.wait()).exit_code for process in processes]
    assert codes == list(range(64))


async def test_waiting_wakes_nobody(launch, until):
    """Neither the loop nor the launcher runs while nothing happens."""
    process = await launch("sleep", "60")
    loop = asyncio.get_running_loop()
    turns = 0

    def switches() -> str:
        text = text_of(f"/proc/{process.launcher_pid}/status")
        return text[text.index("voluntary_ctxt_switches") :]

    await until(lambda: stat_fields(process.launcher_pid)[0] == "S")
    before = switches()
    select = loop._selector.select  # type: ignore[attr-defined]

    def counted(timeout: float | None) -> object:
        nonlocal turns
        turns += 1
        return select(timeout)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop._selector, "select", counted)  # type: ignore[attr-defined]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await process.wait()
    assert turns <= 5
    assert switches() == before
