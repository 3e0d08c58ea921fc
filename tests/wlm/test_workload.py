"""Programs as actors: real processes under a real supervisor."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from ssasync.actors import (
    ActorSystem,
    Backoff,
    Blame,
    ChildExited,
    ChildSpec,
    FailedToStart,
    Intensity,
    Restart,
    RestartPolicy,
)
from ssasync.wlm import (
    ExecutableNotFound,
    JobFailed,
    Local,
    LocalProcess,
    ProcessStuck,
    RuntimeDirectory,
    SendSignal,
    Workload,
    WorkloadContinued,
    WorkloadRunning,
    WorkloadStopped,
    workload_spec,
)

AT_ONCE = RestartPolicy(backoff=Backoff(initial=0))
NEVER = RestartPolicy(application=Intensity(restarts=0), infrastructure=Intensity(restarts=0))


@pytest.fixture
async def system(runtime: RuntimeDirectory, mark: str) -> AsyncIterator[ActorSystem]:
    # The two arguments: closed before what watches over leftovers is.
    async with ActorSystem("test") as system:
        yield system


@pytest.fixture
def spec(local, make_job):
    def make(
        script: str, *, policy: RestartPolicy = AT_ONCE, label: str | None = None, **settings: object
    ) -> ChildSpec:
        job = make_job("/bin/sh", "-c", script, **settings)
        return workload_spec(job, local, policy=policy, label=label)

    return make


async def test_success_is_a_normal_end_and_not_restarted(system, spec):
    ref = await system.start_child(spec("echo done"))
    reason = await ref.terminated(timeout=15)
    assert reason.kind == "normal"


async def test_failure_tells_label_reason_time_and_tail_of_stderr(system, spec, tmp_path):
    script = "for n in $(seq 30); do echo line $n >&2; done; exit 3"
    ref = await system.start_child(spec(script, policy=NEVER, label="member 'ens_7' of 'sweep'"))
    reason = await ref.terminated(timeout=15)
    assert (reason.kind, reason.blame) == ("exit_code", Blame.APPLICATION)
    error = reason.exception
    assert isinstance(error, JobFailed)
    assert (error.exit_code, error.signal, error.reason) == (3, None, "EXIT_CODE")
    assert error.stderr_tail == tuple(f"line {n}" for n in range(11, 31))
    assert str(error).startswith("member 'ens_7' of 'sweep' ended by EXIT_CODE (exit code 3) after 0.")
    assert f"Last lines of {tmp_path}/job.1.err:\n  line 11\n" in reason.detail


async def test_signal_is_told_by_name(system, spec):
    ref = await system.start_child(spec("kill -9 $$", policy=NEVER))
    reason = await ref.terminated(timeout=15)
    assert reason.kind == "signal"
    assert "ended by SIGNAL (SIGKILL)" in reason.detail
    assert "wrote nothing to stderr" in reason.detail


async def test_killed_launcher_is_a_failure_of_the_infrastructure(system, spec, carriers_of_mark):
    async with system.events() as events:
        ref = await system.start_child(spec("while :; do sleep 0.01; done", policy=NEVER))
        running = await _next(events, WorkloadRunning)
        os.kill(int(stat_fields(running.pid)[1]), signal.SIGKILL)
        reason = await ref.terminated(timeout=15)
    assert (reason.kind, reason.blame) == ("lost", Blame.INFRASTRUCTURE)
    assert carriers_of_mark() == []


async def test_member_that_crashes_is_restarted_with_logs_of_its_own(system, spec, tmp_path):
    script = "echo x >> count; echo attempt $(wc -l < count); [ $(wc -l < count) -ge 3 ]"
    ref = await system.start_child(spec(script))
    assert (await ref.terminated(timeout=15)).kind == "normal"
    assert [(tmp_path / f"job.{n}.out").read_text() for n in (1, 2, 3)] == [f"attempt {n}\n" for n in (1, 2, 3)]
    assert (tmp_path / "job.out").read_text() == "attempt 3\n"


async def test_member_that_always_crashes_ends_with_its_story(system, spec):
    policy = RestartPolicy(application=Intensity(restarts=2), backoff=Backoff(initial=0))
    async with system.events() as events:
        ref = await system.start_child(spec("echo no input deck >&2; exit 1", policy=policy))
        reason = await ref.terminated(timeout=15)
        exits = [await _next(events, ChildExited) for _ in range(3)]
    assert "no input deck" in str(reason)
    assert [event.will_restart for event in exits] == [True, True, False]


async def test_missing_program_fails_to_start_and_says_so(system, local, make_job):
    spec = workload_spec(make_job("no-such-solver"), local, policy=NEVER)
    with pytest.raises(FailedToStart, match="'no-such-solver' not found in PATH") as caught:
        await system.start_child(spec)
    assert isinstance(caught.value.reason.exception, ExecutableNotFound)


async def test_stop_gives_the_grace_and_leaves_nothing(system, spec, until, tmp_path, carriers_of_mark):
    await system.start_child(spec("trap 'touch bye; exit' TERM; touch ready; while :; do sleep 0.01; done"))
    await until((tmp_path / "ready").exists)
    await system.stop_child("job")
    assert (tmp_path / "bye").exists()
    assert carriers_of_mark() == []


async def test_program_that_ignores_sigterm_does_not_hold_up_the_stop(system, spec, until, tmp_path, carriers_of_mark):
    await system.start_child(spec("trap '' TERM; touch ready; while :; do sleep 0.01; done", grace=0.2))
    await until((tmp_path / "ready").exists)
    async with asyncio.timeout(4):
        await system.stop_child("job")
    assert carriers_of_mark() == []


async def test_leaving_the_system_stops_all(spec, carriers_of_mark):
    async with ActorSystem("brief") as system:
        for number in range(8):
            await system.start_child(spec("while :; do sleep 0.01; done", name=f"job_{number}"))
    assert carriers_of_mark() == []


async def test_supervisor_lets_the_whole_ladder_happen(system, runtime, make_job, monkeypatch):
    """A launcher that does not act takes the ladder to its end: the supervisor must not cut in before."""
    local = Local(runtime, portable=False)  # once: the ladder in full takes its 11 seconds
    kill, unkilled = LocalProcess.kill, []

    def kill_unless_stuck(process: LocalProcess) -> None:
        unkilled.append(process) if process.job.name == "stuck" else kill(process)

    monkeypatch.setattr(LocalProcess, "kill", kill_unless_stuck)
    try:
        async with system.events() as events, asyncio.TaskGroup() as group:
            for name in ("deaf", "stuck"):
                await system.start_child(workload_spec(make_job("sleep", "60", name=name, grace=0.1), local))
                running = await _next(events, WorkloadRunning)
                os.kill(int(stat_fields(running.pid)[1]), signal.SIGSTOP)
            deaf, stuck = (group.create_task(system.stop_child(name)) for name in ("deaf", "stuck"))
    finally:
        for process in dict.fromkeys(unkilled):
            kill(process)
            async with asyncio.timeout(15):
                await process.wait()
    assert deaf.result().kind == "shutdown"
    assert isinstance(stuck.result().exception, ProcessStuck)
    assert f"(pid {unkilled[0].pid}) is still there 5 s after SIGKILL" in stuck.result().detail


async def test_second_interrupt_kills_at_once(spec, until, tmp_path, carriers_of_mark):
    system = ActorSystem("interrupted")
    await system.open()
    await system.start_child(spec("trap '' TERM; touch ready; while :; do sleep 0.01; done", grace=60))
    await until((tmp_path / "ready").exists)
    system.kill_now()
    await until(lambda: carriers_of_mark() == [], seconds=5)
    async with asyncio.timeout(5):
        await system.close()


async def test_stopped_program_is_an_event(system, spec):
    async with system.events() as events:
        # One process: a shell whose vfork'ed child is stopped before its exec waits for it, unstopped itself.
        ref = await system.start_child(spec("exec sleep 60"))
        await ref.tell(SendSignal(signal.SIGSTOP))
        stopped = await _next(events, WorkloadStopped)
        assert (stopped.path, stopped.signal, stopped.attempt) == ("/test/job", signal.SIGSTOP, 1)
        await ref.tell(SendSignal(signal.SIGCONT))
        assert (await _next(events, WorkloadContinued)).pid == stopped.pid


async def test_program_stopped_past_its_limit_counts_as_dead(system, local, make_job):
    job = make_job("sleep", "60")
    start = lambda: Workload(job, local, stopped_limit=0.1)
    ref = await system.start_child(ChildSpec("job", start, restart=Restart.TRANSIENT, policy=NEVER))
    await ref.tell(SendSignal(signal.SIGSTOP))
    reason = await ref.terminated(timeout=15)
    assert reason.kind == "signal"
    assert "had stopped it for more than 0.1 s" in reason.detail


class Server(Workload):
    """Ready at its first answer."""

    async def started(self) -> None:
        await super().started()
        await self.unless_it_ends(self.first_answer())

    async def first_answer(self) -> None:
        while not (self.job.cwd / "up").exists():  # noqa: ASYNC110 - a file announces nothing
            await anyio.sleep(0.005)


async def test_server_is_ready_at_its_first_answer(system, local, make_job, tmp_path):
    job = make_job("/bin/sh", "-c", "touch up; while :; do sleep 0.01; done")
    await system.start_child(ChildSpec("server", lambda: Server(job, local)))
    assert (tmp_path / "up").exists()


async def test_server_that_ends_before_its_first_answer_says_why(system, local, make_job):
    job = make_job("/bin/sh", "-c", "echo address in use >&2; exit 1")
    with pytest.raises(FailedToStart, match=r"EXIT_CODE \(exit code 1\)[\s\S]*address in use"):
        await system.start_child(ChildSpec("server", lambda: Server(job, local), policy=NEVER))


async def test_error_of_the_first_answer_is_raised_as_it_is(system, local, make_job):
    class Broken(Server):
        async def first_answer(self) -> None:
            raise LookupError("no such thing")

    job = make_job("sleep", "60")
    with pytest.raises(FailedToStart, match="LookupError: no such thing"):
        await system.start_child(ChildSpec("server", lambda: Broken(job, local), policy=NEVER))


def stat_fields(pid: int) -> list[str]:
    """Fields 3 and following of proc(5) stat: state, parent ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


async def _next(events, kind):
    async with asyncio.timeout(15):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"no {kind.__name__}")
