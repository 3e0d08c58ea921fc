"""One local process under a launcher: start it, hear of its changes, stop it.

`start_process_nowait` hands the launcher a locked lock file and one end of a socket pair. Over it come single bytes,
each a `State` that the status record has just got; frames of 8 bytes go back. No thread, no polling: the loop hears the
channel, and the end of the launcher itself (`platform.py`).
"""

import asyncio
import contextlib
import errno
import fcntl
import math
import os
import signal
import socket
import struct
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ssasync.wlm import platform, status_record
from ssasync.wlm.errors import (
    BadStatusRecord,
    ExecutableNotFound,
    ExecutableRefused,
    LauncherBroken,
    LaunchError,
    OutputFileError,
    ProcessStuck,
    SettingsError,
    WorkingDirectoryError,
)
from ssasync.wlm.job import Job, Reason, grace_mistakes
from ssasync.wlm.log_files import LogFiles
from ssasync.wlm.runtime_directory import AttemptFiles, RuntimeDirectory
from ssasync.wlm.status_record import Cause, State, StatusRecord, Step

LAUNCHER = Path(__file__).with_name("_launcher")

_FRAME = struct.Struct("<cB2xI")
_LOCK_FD, _CHANNEL_FD = 3, 4
#: Seconds from SIGKILL to the verdict that a process hangs inside the system.
_KILL_SECONDS = 10.0
#: SIGTERM follows a stop signal of another kind for this long (TERM_SECONDS in launcher.c).
_TERM_SECONDS = 1.0
#: What `LocalProcess.stop` may take beyond the grace, until nothing is left or it raises ProcessStuck.
STOP_SECONDS = _TERM_SECONDS + _KILL_SECONDS
_NOT_FOUND = (errno.ENOENT, errno.ENOTDIR)


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """How a process ended. With `lost` nothing could record it: exit code and signal are unknown."""

    exit_code: int | None
    signal: int | None
    lost: bool
    cause: Cause  #: who asked for it
    started: float  #: wall clock, seconds since 1970
    ended: float
    user_seconds: float = 0.0
    system_seconds: float = 0.0
    maxrss: int = 0  #: bytes
    leftovers: int = 0  #: processes that had to be ended after the main one
    core_dumped: bool = False

    @property
    def duration(self) -> float:
        """Seconds from start to end."""
        return self.ended - self.started

    @property
    def reason(self) -> Reason:
        """Why; an end that we asked for is CANCELLED whatever the exit code."""
        if self.lost:
            return Reason.LOST
        if self.cause in (Cause.DRIVER, Cause.ORPHAN):
            return Reason.CANCELLED
        if self.signal is not None:
            return Reason.SIGNAL
        return Reason.COMPLETED if self.exit_code == 0 else Reason.EXIT_CODE


class LocalProcess:
    """A workload and its launcher, as `start_process_nowait` made them.

    Callbacks run in the loop; an exit callback that is added after the end is called at once.
    """

    def __init__(
        self, job: Job, launcher_pid: int, channel: socket.socket, files: AttemptFiles, logs: LogFiles, token: str
    ) -> None:
        self.job = job
        self.launcher_pid = launcher_pid
        self.logs = logs
        self.record: StatusRecord | None = None
        self.exit: ProcessExit | None = None
        self._channel = channel
        self._files = files
        self._token = token
        self._loop = asyncio.get_running_loop()
        self._started_at = time.time()
        self._running: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._on_change: list[Callable[[State], None]] = []
        self._on_exit: list[Callable[[ProcessExit], None]] = []
        self._complaint = b""
        self._kills = 0

    # ---- what may be asked ----

    @property
    def pid(self) -> int:
        """Of the workload's main process; it leads a process group and a session of its own. 0 before the start."""
        return self.record.workload_pid if self.record else 0

    @property
    def state(self) -> State:
        """As of the last wake-up."""
        return self.record.state if self.record else State.STARTING

    def on_exit(self, callback: Callable[[ProcessExit], None]) -> None:
        """Call back once, when nothing of the process is left."""
        if self.exit is not None:
            callback(self.exit)
        else:
            self._on_exit.append(callback)

    def on_change(self, callback: Callable[[State], None]) -> None:
        """Call back for every new state: STOPPED, CONTINUED, ENDING ..."""
        self._on_change.append(callback)

    async def running(self) -> None:
        """Until the program has been reached (exec succeeded); it may be over already.

        Without a deadline of its own: exec may wait for a file system, and whoever starts knows for how long. Raises a
        LaunchError: nothing runs.
        """
        await asyncio.shield(self._running)
        if self.exit is not None and (error := self._launch_error()):
            raise error

    async def wait(self) -> ProcessExit:
        """Until nothing of the process is left. Without a deadline: a workload runs as long as it likes."""
        await asyncio.shield(self._ended)
        assert self.exit is not None  # noqa: S101 - set before the future; for the type checker
        return self.exit

    # ---- what may be done ----

    def stop_nowait(self, stop_signal: int | None = None, grace: float | None = None) -> None:
        """Begin the ladder: its signal, then after `grace` seconds SIGKILL to all that is left. Asked again: sooner.

        Raises SettingsError: a grace that is negative or not finite; nothing is stopped.
        """
        number = self.job.stop_signal if stop_signal is None else stop_signal
        seconds = self.job.grace if grace is None else grace
        if mistakes := grace_mistakes(self.job.name, seconds):
            raise SettingsError(mistakes)
        self._send(b"S", number, min(round(seconds * 1000), 2**32 - 1))

    async def stop(self, stop_signal: int | None = None, grace: float | None = None) -> ProcessExit:
        """Stop it and wait until nothing is left.

        Raises ProcessStuck: something survives SIGKILL. SettingsError: as stop_nowait.
        """
        seconds = self.job.grace if grace is None else grace
        self.stop_nowait(stop_signal, grace)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds + _TERM_SECONDS + _KILL_SECONDS / 2):
                return await self.wait()
        self.kill()  # the launcher itself does not act: it was stopped, or hangs
        self.kill()
        try:
            async with asyncio.timeout(_KILL_SECONDS / 2):
                return await self.wait()
        except TimeoutError:
            raise ProcessStuck(self.job.name, self.pid, _KILL_SECONDS / 2) from None

    def send_signal(self, number: int) -> None:
        """Send a signal to the process group of the workload."""
        self._send(b"N", number)

    def kill(self) -> None:
        """End all of it at once; does not wait, works without a running loop. The second call kills the launcher too.

        The first call leaves the launcher alive for the fraction of a second in which it kills what has left the
        process group and writes the result.
        """
        if self.exit is not None:
            return
        self._kills += 1
        self._send(b"K", signal.SIGKILL)
        with contextlib.suppress(BadStatusRecord, OSError):
            record = status_record.read(self._files.record)
            # Before its end is recorded the launcher has not waited for it, so the pid cannot be another's.
            if record and record.workload_pid and not record.state.end_known:
                platform.kill_group(record.workload_pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.launcher_pid, signal.SIGCONT if self._kills == 1 else signal.SIGKILL)
        if self._kills > 1:
            platform.kill_carriers(self._token)

    # ---- what the loop tells ----

    def _watch(self, *, portable: bool) -> None:
        self._loop.add_reader(self._channel.fileno(), self._hear)
        self._exit_watch = platform.watch_exit(self.launcher_pid, self._launcher_ended, portable=portable)

    def _hear(self) -> None:
        try:
            data = self._channel.recv(4096)
        except (BlockingIOError, InterruptedError):
            return
        except ConnectionError:
            data = b""
        if not data:
            self._loop.remove_reader(self._channel.fileno())
            self._exit_watch.channel_closed()
            return
        if self._complaint or data.startswith(b"E"):
            self._complaint += data
            return
        self._read_record()
        for byte in data:
            state = State(byte)
            if state is State.RUNNING and not self._running.done():
                self._running.set_result(None)
            for callback in self._on_change:
                callback(state)

    def _read_record(self) -> None:
        with contextlib.suppress(BadStatusRecord):  # keep the last good one: judged at the end
            self.record = status_record.read(self._files.record) or self.record

    def _launcher_ended(self) -> None:
        self._exit_watch.close()
        platform.reap(self.launcher_pid)
        with contextlib.suppress(OSError):
            self._complaint += self._rest_of_complaint()
        self._loop.remove_reader(self._channel.fileno())
        self._channel.close()
        self._read_record()
        if self.record is None or not self.record.state.final:
            self._sweep(time.monotonic() + _KILL_SECONDS)
        else:
            self._finish()

    def _rest_of_complaint(self) -> bytes:
        rest = self._channel.recv(4096)
        return rest if self._complaint or rest.startswith(b"E") else b""

    def _sweep(self, deadline: float) -> None:
        """The launcher was killed: end what it had under it before saying so, or a restart would meet its old self.

        These processes are no children of ours, so nothing tells when they are gone: look again until they are.
        """
        if self._kills == 0 and self.record and self.record.workload_pid and not self.record.state.end_known:
            platform.kill_group(self.record.workload_pid)
        if platform.kill_carriers(self._token) and time.monotonic() < deadline:
            self._loop.call_later(0.01, self._sweep, deadline)
        else:
            self._finish()

    def _finish(self) -> None:
        with contextlib.suppress(OSError):
            self._files.lock.unlink()
        self.exit = self._judge()
        if not self._running.done():
            self._running.set_result(None)  # whoever waits for the start looks at `exit`
        self._ended.set_result(None)
        callbacks, self._on_exit = self._on_exit, []
        for callback in callbacks:
            callback(self.exit)

    def _judge(self) -> ProcessExit:
        record = self.record
        if record is None or not record.state.end_known:
            cause = Cause.DRIVER if self._kills else Cause.ITSELF
            started = record.started if record else self._started_at
            # Killed together with its launcher on our word: that is no loss.
            number = signal.SIGKILL if self._kills else None
            return ProcessExit(None, number, not self._kills, cause, started, time.time())
        return ProcessExit(
            exit_code=record.exit_code,
            signal=record.signal,
            lost=False,
            cause=record.cause,
            started=record.started,
            ended=record.ended or time.time(),
            user_seconds=record.user_seconds,
            system_seconds=record.system_seconds,
            maxrss=record.maxrss,
            leftovers=record.leftovers,
            core_dumped=record.core_dumped,
        )

    def _launch_error(self) -> LaunchError | None:
        """Why it never ran; None: it did."""
        record, job = self.record, self.job
        if record is None:
            said = self._complaint[1:].decode(errors="replace") or "it was killed"
            return LauncherBroken(job.name, f"its launcher gave up: {said}")
        if record.state is not State.FAILED_TO_START:
            return None
        match record.error_step:
            case Step.CWD:
                return WorkingDirectoryError(job.name, job.cwd, record.error_number)
            case Step.OUTPUT:
                return OutputFileError(job.name, "stdout", self.logs.output, record.error_number)
            case Step.ERROR:
                return OutputFileError(job.name, "stderr", self.logs.error, record.error_number)
            case Step.EXEC if record.error_number in _NOT_FOUND:
                return ExecutableNotFound(job.name, job.argv[0], job.environment(), job.cwd)
            case Step.EXEC:
                return ExecutableRefused(job.name, job.argv[0], record.error_number)
        text = os.strerror(record.error_number)
        return LauncherBroken(job.name, f"the system refused it ({record.error_step.name.lower()}): {text}")

    def _send(self, operation: bytes, number: int, milliseconds: int = 0) -> None:
        # The channel takes far more frames than anybody sends; a launcher that is gone needs none.
        with contextlib.suppress(OSError):
            self._channel.send(_FRAME.pack(operation, number, milliseconds))


def start_process_nowait(
    job: Job, runtime: RuntimeDirectory, logs: LogFiles, *, portable: bool | None = None
) -> LocalProcess:
    """Start a launcher for `job`; `LocalProcess.running()` tells whether its program was reached.

    portable: do without what only Linux has; default: as SSASYNC_PORTABLE says. Blocks for the millisecond that
    posix_spawn takes. Raises LauncherBroken: the launcher is not built.
    """
    if portable is None:
        portable = platform.portable_forced()
    token = uuid.uuid4().hex
    files = runtime.new_attempt(job.name)
    ours, theirs = socket.socketpair()
    handed: list[int] = []
    try:
        # posix_spawn renames the descriptors one by one: none of them may lie where another one goes.
        handed += [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (files.lock_fd, theirs.fileno())]
        pid = os.posix_spawn(
            LAUNCHER,
            [str(LAUNCHER), *_launcher_arguments(job, runtime, files, logs, portable), "--", *job.argv],
            {**job.environment(), platform.TOKEN_VARIABLE: token},
            file_actions=[
                *((os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)),
                (os.POSIX_SPAWN_DUP2, handed[0], _LOCK_FD),
                (os.POSIX_SPAWN_DUP2, handed[1], _CHANNEL_FD),
            ],
        )
    except FileNotFoundError:
        ours.close()
        files.lock.unlink()
        raise LauncherBroken(
            job.name, f"the launcher {LAUNCHER} is not built: run `pip install -e .` or `make` in the checkout"
        ) from None
    except BaseException:
        ours.close()
        files.lock.unlink()
        raise
    finally:
        theirs.close()
        for fd in (*handed, files.lock_fd):
            os.close(fd)
    ours.setblocking(False)
    process = LocalProcess(job, pid, ours, files, logs, token)
    process._watch(portable=portable)
    return process


def _launcher_arguments(
    job: Job, runtime: RuntimeDirectory, files: AttemptFiles, logs: LogFiles, portable: bool
) -> list[str]:
    arguments = ["--record", files.record, "--cwd", job.cwd, "--output", logs.output, "--error", logs.error]
    arguments += ["--runtime-directory", runtime.path, "--driver-lock", runtime.driver_lock]
    arguments += ["--grace", job.grace, "--stop-signal", int(job.stop_signal)]
    if job.orphan_timeout is not None and math.isfinite(job.orphan_timeout):
        arguments += ["--orphan-timeout", job.orphan_timeout]
    if portable:
        arguments += ["--portable"]
    return [str(argument) for argument in arguments]
