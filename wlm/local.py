"""The scheduler of this machine: every job is a process under a launcher."""

import itertools
import os
from collections.abc import Callable, Mapping, Sequence

from ssasync.wlm.errors import UnknownJob
from ssasync.wlm.job import Completed, Failed, Job, JobId, JobState, Queued, Reason, Running, Suspended
from ssasync.wlm.log_files import next_log_files
from ssasync.wlm.process import LocalProcess, ProcessExit, start_process_nowait
from ssasync.wlm.runtime_directory import RuntimeDirectory
from ssasync.wlm.status_record import State


class Local:
    """Runs jobs here. Many of them need no more than this one object.

    portable: do without what only Linux has; default: as SSASYNC_PORTABLE says.
    """

    name = "local"

    def __init__(self, runtime: RuntimeDirectory, *, portable: bool | None = None) -> None:
        self.runtime = runtime
        self._portable = portable
        self._ids = itertools.count(1)
        self._jobs: dict[JobId, LocalProcess | JobState] = {}

    def start_nowait(self, job: Job) -> LocalProcess:
        """Start a process and give it to the caller, who watches and stops it; `poll` does not know it.

        Raises PlacementError, OutputFileError, WorkingDirectoryError, LauncherBroken; what only the launcher can find
        out is raised by `LocalProcess.running()`.
        """
        job.placement.check(names_of_this_host(), self.name)
        return start_process_nowait(job, self.runtime, next_log_files(job), portable=self._portable)

    async def submit(self, job: Job) -> JobId:
        """Start a job; done when its program was reached. Raises a LaunchError or PlacementError."""
        process = self.start_nowait(job)
        try:
            await process.running()
        except BaseException:
            process.kill()
            raise
        job_id = str(next(self._ids))
        self._jobs[job_id] = process
        process.on_exit(self._forget_process(job_id))
        return job_id

    async def poll(self, ids: Sequence[JobId]) -> Mapping[JobId, JobState]:
        """The states of these jobs. Raises UnknownJob."""
        return {job_id: self._state(job_id) for job_id in ids}

    async def cancel(self, ids: Sequence[JobId]) -> None:
        """Begin the stop ladder of these jobs; jobs that are over are left alone. Raises UnknownJob."""
        known = [self._known(job_id) for job_id in ids]
        for job in known:
            if isinstance(job, LocalProcess):
                job.stop_nowait()

    async def hosts(self) -> tuple[str, ...]:
        """The one host: this machine."""
        return (os.uname().nodename,)

    def _forget_process(self, job_id: JobId) -> Callable[[ProcessExit], None]:
        def forget(ended: ProcessExit) -> None:
            self._jobs[job_id] = _end_state(ended)

        return forget

    def _known(self, job_id: JobId) -> LocalProcess | JobState:
        try:
            return self._jobs[job_id]
        except KeyError:
            raise UnknownJob(job_id, self.name) from None

    def _state(self, job_id: JobId) -> JobState:
        job = self._known(job_id)
        return _live_state(job) if isinstance(job, LocalProcess) else job


def names_of_this_host() -> tuple[str, ...]:
    """What this machine may be called in a placement; no name server is asked."""
    node = os.uname().nodename
    return tuple(dict.fromkeys((node, node.split(".")[0], "localhost", "127.0.0.1", "::1")))


def _live_state(process: LocalProcess) -> JobState:
    match process.state:
        case State.STARTING:
            return Queued("its program has not been reached")
        case State.STOPPED:
            return Suspended(process.record.stop_signal if process.record else None)
        case _:
            return Running((os.uname().nodename,), process.pid)


def _end_state(ended: ProcessExit) -> JobState:
    if ended.reason is Reason.COMPLETED:
        return Completed()
    return Failed(ended.reason, ended.exit_code, ended.signal)
