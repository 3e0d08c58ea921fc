"""What depends on the operating system: how the end of a launcher is noticed, and what a lost one left behind.

Linux: a pidfd becomes readable. Elsewhere, and wherever SSASYNC_PORTABLE=1 is set: the launcher's end of its channel
is closed by the system when it dies, since nobody else holds it. Both are events of the loop; nothing is polled.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

#: Names the attempt in the environment of all that belongs to it (SSA_TOKEN_VARIABLE in wlm/c/descendants.h).
TOKEN_VARIABLE = "SSA_ATTEMPT"  # noqa: S105 - a name, not a secret
PORTABLE_VARIABLE = "SSASYNC_PORTABLE"


class ExitWatch(Protocol):
    """Calls back once when a launcher is over."""

    def channel_closed(self) -> None:
        """The other end of the channel is gone."""

    def close(self) -> None:
        """Stop watching; may be repeated."""


class PidfdWatch:
    """Linux 5.3 and later."""

    def __init__(self, pid: int, on_exit: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._fd = os.pidfd_open(pid)
        self._loop.add_reader(self._fd, on_exit)

    def channel_closed(self) -> None:
        """Nothing to do: the pidfd tells, and only when the process can be waited for."""

    def close(self) -> None:
        """Stop watching; may be repeated."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1


class ChannelWatch:
    """Every system: the channel ends when the launcher does."""

    def __init__(self, pid: int, on_exit: Callable[[], None]) -> None:
        self._on_exit = on_exit

    def channel_closed(self) -> None:
        """The launcher is over, or about to be in microseconds: `reap` waits for it."""
        self._on_exit()

    def close(self) -> None:
        """Nothing is held."""


def portable_forced() -> bool:
    """Whether the environment asks for the fallback."""
    return os.environ.get(PORTABLE_VARIABLE, "") not in ("", "0")


def watch_exit(pid: int, on_exit: Callable[[], None], *, portable: bool) -> ExitWatch:
    """Watch the launcher `pid`, a child of ours."""
    if not portable and hasattr(os, "pidfd_open"):
        # Kernels before 5.3 and some sandboxes have no pidfd.
        with contextlib.suppress(OSError):
            return PidfdWatch(pid, on_exit)
    return ChannelWatch(pid, on_exit)


def reap(pid: int) -> None:
    """Take the exit status of a child that is over, so that no zombie stays.

    Waits without a deadline: a process that has closed its descriptors is past the last point where it could wait.
    """
    # Somebody else may have waited for all children, or SIGCHLD may be ignored: the record tells the result anyway.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def kill_carriers(token: str) -> int:
    """Send SIGKILL to every process that carries the token in its environment; returns how many there are.

    Finds what a workload had started before its launcher was killed, double forks included, but not what has dropped
    its environment (`env -i`). Only Linux shows environments; elsewhere the answer is 0.
    """
    if sys.platform != "linux":
        return 0
    mark = f"{TOKEN_VARIABLE}={token}".encode()
    found = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        # Processes come and go; those of other users cannot be read and are not ours.
        with contextlib.suppress(OSError):
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
                found += 1
    return found


def kill_group(group: int) -> None:
    """Send SIGKILL to a process group, if it is there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
