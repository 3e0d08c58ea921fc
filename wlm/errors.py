"""What can go wrong with workloads.

WorkloadError
├── LaunchError              the program could not be started: nothing runs
│   ├── ExecutableNotFound     no such program, or its interpreter is missing
│   ├── ExecutableRefused      it is there but may not or cannot be executed
│   ├── WorkingDirectoryError  the working directory is missing or closed
│   ├── OutputFileError        the file for stdout or stderr cannot be opened
│   ├── LauncherBroken         the launcher itself did not do its part
│   └── PlacementError         a host that this scheduler cannot place on
├── JobFailed                it ran and ended badly
├── ProcessStuck             it is still there after SIGKILL
├── BadStatusRecord          the file is not what a launcher writes
├── RuntimeDirectoryError    no place for locks and sockets, or another driver holds it
├── SettingsError            settings of a launch or a job that cannot be meant so
└── UnknownJob               the scheduler has no job with this id
"""

import os
import signal as signals
from collections.abc import Mapping, Sequence
from pathlib import Path

from ssasync.actors import Blame, ExitReason


class WorkloadError(Exception):
    """Root of the errors of this folder."""


class LaunchError(WorkloadError):
    """A program that could not be started. Nothing of it runs, and nothing would if it were tried again."""

    @property
    def exit_reason(self) -> ExitReason:
        """What it means for a supervisor (Reason.LAUNCH_FAILED)."""
        return ExitReason("launch_failed", Blame.APPLICATION, str(self), hopeless=True)


class ExecutableNotFound(LaunchError):
    """No program of that name, or the interpreter of its first line is missing."""

    def __init__(self, name: str, executable: str, environment: Mapping[str, str], cwd: Path) -> None:
        path = Path(cwd, executable)
        if "/" not in executable:
            searched = environment.get("PATH", "")
            where = f"not found in PATH ({searched})"
            remedy = "Give its full path, install it, or add its folder to PATH in env_vars"
        elif path.is_file():
            where = f"is there ({path}), but the interpreter in its first line, or its dynamic loader, is not"
            remedy = "Correct the #! line or run it as an argument of its interpreter"
        else:
            where = f"does not exist ({path})"
            remedy = "Correct the path: a relative one counts from the working directory of the job"
        super().__init__(f"{name!r} cannot start: the executable {executable!r} {where}. {remedy}.")


class ExecutableRefused(LaunchError):
    """The program is there, but the system refuses to execute it."""

    def __init__(self, name: str, executable: str, error_number: int) -> None:
        super().__init__(
            f"{name!r} cannot start: executing {executable!r} is refused: {os.strerror(error_number)}. "
            "It must be a program for this machine or a script with a #! line, with the permission to execute "
            "(chmod +x), on a file system that is not mounted noexec."
        )


class WorkingDirectoryError(LaunchError):
    """The working directory cannot be entered."""

    def __init__(self, name: str, cwd: Path, error_number: int) -> None:
        super().__init__(
            f"{name!r} cannot start: its working directory {str(cwd)!r} cannot be entered: "
            f"{os.strerror(error_number)}. Create it, or give another path."
        )


class OutputFileError(LaunchError):
    """The file for stdout or stderr cannot be opened."""

    def __init__(self, name: str, stream: str, path: Path, error_number: int) -> None:
        super().__init__(
            f"{name!r} cannot start: {stream} cannot go to {str(path)!r}: {os.strerror(error_number)}. "
            "The folder must exist and be writable."
        )


class LauncherBroken(LaunchError):
    """The launcher program is missing, ended before its time, or said something that it never says."""

    @property
    def exit_reason(self) -> ExitReason:
        """Another attempt may succeed: a machine out of processes or memory breaks launchers too."""
        return ExitReason("launch_failed", Blame.INFRASTRUCTURE, str(self))

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name!r} cannot start: {what}.")


class JobFailed(WorkloadError):
    """A job that ran and ended badly, with all that is known of why."""

    def __init__(
        self,
        what: str,
        *,
        reason: str,
        exit_code: int | None = None,
        signal: int | None = None,
        duration: float | None = None,
        note: str = "",
        stderr: Path | None = None,
        stderr_tail: Sequence[str] = (),
    ) -> None:
        self.what = what
        self.reason = reason
        self.exit_code = exit_code
        self.signal = signal
        self.duration = duration
        self.stderr = stderr
        self.stderr_tail = tuple(stderr_tail)
        super().__init__(self._text(note))

    def _text(self, note: str) -> str:
        ended = self.reason.upper()
        if self.exit_code is not None:
            ended += f" (exit code {self.exit_code})"
        elif self.signal is not None:
            ended += f" ({signal_name(self.signal)})"
        after = "" if self.duration is None else f" after {_clock(self.duration)}"
        text = f"{self.what} ended by {ended}{after}."
        if note:
            text += f" {note}"
        if self.stderr_tail:
            text += f"\nLast lines of {self.stderr}:\n" + "\n".join(f"  {line}" for line in self.stderr_tail)
        elif self.stderr is not None:
            text += f"\nIt wrote nothing to stderr ({self.stderr})."
        return text


class ProcessStuck(WorkloadError):
    """A workload that is still there after SIGKILL: it waits inside the system, mostly for a dead file system."""

    def __init__(self, name: str, pid: int, seconds: float) -> None:
        super().__init__(
            f"{name!r} (pid {pid}) is still there {seconds:g} s after SIGKILL: it hangs inside the system. "
            f"See /proc/{pid}/stack and the state of its file systems; it will end when they answer."
        )


class BadStatusRecord(WorkloadError):
    """A file that no launcher of this version wrote, or that is being written."""

    def __init__(self, what: str) -> None:
        super().__init__(f"not a status record of this version: {what}. It is written by ssasync's launcher only.")


class RuntimeDirectoryError(WorkloadError):
    """No host-local place for locks, status records and sockets."""


class PlacementError(LaunchError):
    """A host on which this scheduler cannot place anything."""

    def __init__(self, unknown: Sequence[str], known: Sequence[str], scheduler: str) -> None:
        super().__init__(
            f"{scheduler} cannot place on {', '.join(unknown)}: it knows only {', '.join(known)}. "
            "Leave `hosts` out, or use the launcher of the workload manager that owns these hosts."
        )


class SettingsError(WorkloadError, ValueError):
    """Settings of a launch or a job that cannot be meant so. One error lists all mistakes."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(mistakes))


class UnknownJob(WorkloadError):
    """The scheduler has no job with this id."""

    def __init__(self, job_id: str, scheduler: str) -> None:
        super().__init__(f"{scheduler} has no job {job_id!r}: it was not submitted there, or has been forgotten.")


def signal_name(number: int) -> str:
    """`SIGKILL` for 9; `signal 50` for what has no name."""
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _clock(seconds: float) -> str:
    """2:00:03, or 1.24 s for what is short."""
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
