"""What is run, where it is, and why it ended."""

import enum
import math
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ssasync.actors import Blame, ExitReason
from ssasync.wlm.errors import JobFailed, SettingsError
from ssasync.wlm.placement import Placement

JobId = str


class Reason(enum.StrEnum):
    """Why a job ended; the value is the kind of its ExitReason."""

    COMPLETED = "normal"
    CANCELLED = "shutdown"  #: asked for by us
    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    OUT_OF_MEMORY = "out_of_memory"
    TIME_LIMIT = "time_limit"
    NODE_FAILURE = "node_failure"
    PREEMPTED = "preempted"
    LOST = "lost"  #: it is over, and nothing could record how
    LAUNCH_FAILED = "launch_failed"

    @property
    def blame(self) -> Blame:
        """Whose failure it is: decides which restart budget it uses up."""
        return _BLAME[self]


_BLAME = {
    Reason.COMPLETED: Blame.APPLICATION,
    Reason.CANCELLED: Blame.REQUESTED,
    Reason.EXIT_CODE: Blame.APPLICATION,
    Reason.SIGNAL: Blame.APPLICATION,
    Reason.OUT_OF_MEMORY: Blame.APPLICATION,
    Reason.TIME_LIMIT: Blame.INFRASTRUCTURE,
    Reason.NODE_FAILURE: Blame.INFRASTRUCTURE,
    Reason.PREEMPTED: Blame.INFRASTRUCTURE,
    Reason.LOST: Blame.INFRASTRUCTURE,
    Reason.LAUNCH_FAILED: Blame.APPLICATION,
}


@dataclass(frozen=True, slots=True)
class Job:
    """One program to run.

    `env` is added to the environment of the driver and hides from `repr`: it may hold secrets. `stdout` and `stderr`
    name what the user looks at: links to the numbered file of the latest attempt (`run.out` -> `run.3.out`). Default:
    `<name>.out` and `<name>.err` in the working directory; both may be the same path.
    Raises SettingsError: seconds or a signal that the launcher could not work with.
    """

    name: str
    argv: tuple[str, ...]
    cwd: Path = field(default_factory=Path.cwd)
    env: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    stdout: Path | None = None
    stderr: Path | None = None
    grace: float = 5.0  #: seconds between the stop signal and SIGKILL; finite, since every stop must come to an end
    stop_signal: int = signal.SIGTERM  #: what asks the program to end
    #: seconds without any driver after which the launcher ends it; None or inf: it runs to its end
    orphan_timeout: float | None = None
    placement: Placement = field(default_factory=Placement)

    def __post_init__(self) -> None:
        mistakes = grace_mistakes(self.name, self.grace)
        if self.orphan_timeout is not None and not self.orphan_timeout >= 0:
            mistakes.append(
                f"{self.name!r}: orphan_timeout={self.orphan_timeout}: give 0 seconds or more; None for a job that "
                "runs to its end without a driver"
            )
        if not 1 <= self.stop_signal < signal.NSIG:
            mistakes.append(
                f"{self.name!r}: stop_signal={self.stop_signal}: give a signal of this system, 1 to {signal.NSIG - 1}"
            )
        if mistakes:
            raise SettingsError(mistakes)

    def environment(self) -> dict[str, str]:
        """The environment that the program gets."""
        return {**os.environ, **self.env}

    @property
    def output(self) -> Path:
        """Where its stdout can be read."""
        return (self.cwd / f"{self.name}.out" if self.stdout is None else self.stdout).absolute()

    @property
    def error(self) -> Path:
        """Where its stderr can be read."""
        return (self.cwd / f"{self.name}.err" if self.stderr is None else self.stderr).absolute()


@dataclass(frozen=True, slots=True)
class Queued:
    """Accepted, not started. `why` is the scheduler's own word."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """Started and not over."""

    hosts: tuple[str, ...] = ()
    pid: int | None = None  #: of the main process, where the scheduler tells


@dataclass(frozen=True, slots=True)
class Suspended:
    """Alive, but does nothing."""

    signal: int | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """Ended by itself, exit code 0."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Over for another reason; also when it was cancelled."""

    reason: Reason
    exit_code: int | None = None
    signal: int | None = None
    detail: str = ""


JobState = Queued | Running | Suspended | Completed | Failed


def grace_mistakes(name: str, grace: float) -> list[str]:
    """What is wrong with the seconds between a stop signal and SIGKILL."""
    if 0 <= grace < math.inf:  # not a NaN either
        return []
    return [f"{name!r}: grace={grace}: give a finite number of seconds, 0 or more; grace=86400 is a day"]


def exit_reason(reason: Reason, error: JobFailed | None = None) -> ExitReason:
    """The kernel's exit reason for the end of a job; `error` tells the story."""
    detail = "" if error is None else str(error)
    return ExitReason(kind=reason.value, blame=reason.blame, detail=detail, exception=error)
