"""The actor that runs one job: a program under supervision is an actor like any other.

Nothing that SIGKILL can end outlives its actor, double-forked daemons included, with two exceptions. Both are about a
process that has left the program's process group and also dropped its environment (`env -i setsid ...`):

- The launcher was killed with SIGKILL (reason `lost`, or a second interrupt that found it hanging). The kernel ends the
  program itself, we end its group and all that carries the attempt's mark in its environment; such a process survives,
  and a restarted attempt may meet it. If the driver is dead too, only the program itself is ended. The page at the top
  of wlm/c/launcher.c says why this is not cured.
- The portable fallback, where no subreaper keeps the tree together: such a process survives every end.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

import anyio

from ssasync.actors import Actor, ChildSpec, Event, ExitReason, Restart, RestartPolicy
from ssasync.wlm.errors import JobFailed
from ssasync.wlm.job import Job, Reason, exit_reason
from ssasync.wlm.local import Local
from ssasync.wlm.log_files import tail
from ssasync.wlm.process import STOP_SECONDS, LocalProcess, ProcessExit
from ssasync.wlm.status_record import Cause, State

T = TypeVar("T")

#: Seconds a supervisor must allow beyond the job's own grace: the whole ladder, so that a process that cannot be ended
#: is a ProcessStuck with its pid and not an actor that was cut off, and one more for a loop that is busy.
KILL_MARGIN = STOP_SECONDS + 1.0


@dataclass(frozen=True, kw_only=True)
class WorkloadRunning(Event):
    """The program of an attempt was reached."""

    attempt: int
    pid: int
    host: str


@dataclass(frozen=True, kw_only=True)
class WorkloadStopped(Event):
    """A signal stopped the program: it is alive, but does nothing."""

    attempt: int
    pid: int
    signal: int | None


@dataclass(frozen=True, kw_only=True)
class WorkloadContinued(Event):
    """It runs again after a stop."""

    attempt: int
    pid: int


@dataclass(frozen=True, slots=True)
class SendSignal:
    """Message to a workload: send `signal` to its process group."""

    signal: int


class Workload(Actor):
    """Runs one job once; its supervisor decides what follows.

    Ready when the program was reached. When it ends, the actor exits with the true reason: normal, or a kind of
    `Reason` with a JobFailed as its exception. Asked to stop it goes up the ladder: the job's stop signal, its grace,
    SIGKILL.

    label: how errors name it, `member 'member_3' of 'sweep'`; default: `'<name of the job>'`.
    stopped_limit: seconds in which a program stopped by a signal must be continued, or it counts as dead and is killed;
    None: it may stay stopped, which is only published.
    """

    def __init__(self, job: Job, local: Local, *, label: str | None = None, stopped_limit: float | None = None) -> None:
        self.job = job
        self.process: LocalProcess | None = None
        self._local = local
        self._label = label or repr(job.name)
        self._stopped_limit = stopped_limit
        self._stop_timer: asyncio.TimerHandle | None = None
        self._note = ""

    async def started(self) -> None:
        """Launch it; raises a LaunchError or PlacementError."""
        self.process = self._local.start_nowait(self.job)
        self.process.on_change(self._changed)
        self.process.on_exit(self._ended)
        await self.process.running()
        host = self.process.record.host if self.process.record else ""
        self.publish(WorkloadRunning(path=self.ref.path, attempt=self.attempt, pid=self.process.pid, host=host))

    async def receive(self, message: object) -> None:
        """Take a SendSignal."""
        if isinstance(message, SendSignal) and self.process is not None:
            self.process.send_signal(message.signal)
            return
        await super().receive(message)

    async def stopped(self, reason: ExitReason) -> None:
        """End what still runs; raises ProcessStuck."""
        self._cancel_stop_timer()
        if self.process is not None and self.process.exit is None:
            await self.process.stop()

    def kill(self) -> None:
        """End it at once, with all that it has started."""
        if self.process is not None:
            self.process.kill()

    async def unless_it_ends(self, awaitable: Awaitable[T]) -> T:
        """The value of `awaitable`, for instance a first answer of the program; for `started()` of deriving classes.

        Raises JobFailed if the program ends first, whatever its exit code.
        """
        process = self.process
        if process is None:
            raise RuntimeError("unless_it_ends() before Workload.started(): call super().started() first")
        ended: ProcessExit | None = None
        values: list[T] = []
        failure: Exception | None = None

        async def watch() -> None:
            nonlocal ended
            ended = await process.wait()
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            try:
                values.append(await awaitable)
            except Exception as error:  # noqa: BLE001 - raised below: the group would wrap it
                failure = error
            group.cancel_scope.cancel()
        if values:
            return values[0]
        if ended is not None:
            raise self._story(ended) from failure
        raise failure or RuntimeError("neither a value nor an error")

    def _changed(self, state: State) -> None:
        process = self.process
        if process is None:
            return
        if state is State.STOPPED:
            number = process.record.stop_signal if process.record else None
            self.publish(WorkloadStopped(path=self.ref.path, attempt=self.attempt, pid=process.pid, signal=number))
            if self._stopped_limit is not None and self._stop_timer is None:
                loop = asyncio.get_running_loop()
                self._stop_timer = loop.call_later(self._stopped_limit, self._stopped_too_long, process)
        elif state is State.CONTINUED:
            self._cancel_stop_timer()
            self.publish(WorkloadContinued(path=self.ref.path, attempt=self.attempt, pid=process.pid))

    def _stopped_too_long(self, process: LocalProcess) -> None:
        self._note = f"A signal had stopped it for more than {self._stopped_limit:g} s, so it was killed."
        process.kill()

    def _cancel_stop_timer(self) -> None:
        if self._stop_timer is not None:
            self._stop_timer.cancel()
            self._stop_timer = None

    def _ended(self, ended: ProcessExit) -> None:
        self._cancel_stop_timer()
        reason = Reason.SIGNAL if self._note and ended.reason is Reason.CANCELLED else ended.reason
        if reason is Reason.COMPLETED:
            self.exit()
        elif reason is Reason.CANCELLED:
            self.exit(ExitReason.shutdown())
        else:
            self.exit(exit_reason(reason, self._story(ended, reason)))

    def _story(self, ended: ProcessExit, reason: Reason | None = None) -> JobFailed:
        notes = [self._note] if self._note else []
        if ended.lost:
            notes.append("Its launcher was killed before it could record the result.")
        if ended.cause is Cause.SIGNAL:
            notes.append("Its launcher had been told by a signal to end it.")
        if ended.core_dumped:
            notes.append("It dumped core.")
        logs = self.process.logs if self.process else None
        return JobFailed(
            self._label,
            reason=(reason or ended.reason).name,
            exit_code=ended.exit_code,
            signal=ended.signal,
            duration=ended.duration,
            note=" ".join(notes),
            stderr=logs.error if logs else None,
            stderr_tail=tail(logs.error) if logs else (),
        )


def workload_spec(
    job: Job,
    local: Local,
    *,
    label: str | None = None,
    restart: Restart = Restart.TRANSIENT,
    policy: RestartPolicy | None = None,
) -> ChildSpec:
    """The child that runs `job`, with a grace that lets the job have its own."""
    return ChildSpec(
        name=job.name,
        start=lambda: Workload(job, local, label=label),
        restart=restart,
        grace=job.grace + KILL_MARGIN,
        policy=policy or RestartPolicy(),
    )
