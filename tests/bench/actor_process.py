"""A subject of the actor benchmark as a process: within its time and memory, and with nothing left of it afterwards."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

#: Seconds beyond those of the work: for imports, for daemons that start and stop.
OVERHEAD = 15.0
#: Seconds between two looks, at least. A daemon lives longer before its parent is gone.
PERIOD = 0.2
#: Longer if a look at very many processes takes long: it shall not take more of the machine than this.
LOOK_SHARE = 0.05
_TOKEN = "SSA_BENCH_TOKEN"  # noqa: S105 -- marks the environment of all that a subject starts


@dataclass(slots=True)
class Outcome:
    """What a subject printed, and why it did not end by itself, if it did not."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None


def memory_of_subject() -> int:
    """Bytes of this process and all that it has started, see `_own_memory`."""
    tree = _Tree(os.getpid(), os.environ.get(_TOKEN, ""))
    tree.find_strays()
    return _memory(tree.look())


def run_alone(arguments: Sequence[str], *, seconds: float, memory: int) -> Outcome:
    """Run `python -m ARGUMENTS` for at most `seconds` of work and `memory` bytes; ends all it has started."""
    token = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="ssa-") as name:
        directory = Path(name)
        with (directory / "out").open("wb") as out, (directory / "err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,  # a Ctrl-C is for the benchmark, which then ends its subject
                env={**os.environ, _TOKEN: token, "TMPDIR": name},
            )
            tree = _Tree(process.pid, token)
            try:
                error = _watch(process, tree, seconds=seconds + OVERHEAD, memory=memory)
            finally:
                left = tree.end()
                process.wait()
        outcome = Outcome(_json_lines((directory / "out").read_text()), error)
        if error is None and process.returncode:
            said = (directory / "err").read_text(errors="replace").strip().splitlines()
            outcome.error = f"exit code {process.returncode}: {said[-1] if said else 'no word'}"
        elif error is None and left:
            outcome.error = f"left {len(left)} processes behind ({', '.join(sorted(set(left)))})"
    return outcome


def _watch(process: subprocess.Popen[bytes], tree: "_Tree", *, seconds: float, memory: int) -> str | None:
    """Until the process has ended or must be ended; why, if it must."""
    deadline = time.monotonic() + seconds
    period = PERIOD
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(period)
            return None
        begin = time.monotonic()
        members = tree.look()
        period = max(PERIOD, (time.monotonic() - begin) / LOOK_SHARE)
        if time.monotonic() > deadline:
            return f"not over after {seconds:.0f} s"
        # The resident size is more, but costs nothing to ask: the true one only when that is near.
        if _resident(members) > memory and (used := _memory(members)) > memory:
            return f"{used / 2**30:.1f} GiB of memory"


class _Tree:
    """A process and all that ever was below it, by pid and start time.

    A daemon may leave its parent, or write over its environment (setproctitle does): hardly one does both at once.
    """

    def __init__(self, pid: int, token: str) -> None:
        self._root = psutil.Process(pid)
        self._token = token
        self._known: set[psutil.Process] = {self._root}

    def look(self) -> list[psutil.Process]:
        """All that live; finds new ones below the known ones."""
        self._known = {process for process in self._known if process.is_running()}
        pids = {process.pid for process in self._known}
        # One pass over all processes, however many are ours. A child mostly follows its parent, so that is mostly all.
        found = True
        while found:
            found = False
            for process in psutil.process_iter(["ppid"]):
                if process.info["ppid"] in pids and process.pid not in pids:
                    self._known.add(process)
                    pids.add(process.pid)
                    found = True
        return [process for process in self._known if _lives(process)]

    def find_strays(self) -> None:
        """Find those who left their parent, by their environment."""
        for process in psutil.process_iter() if self._token else ():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(_TOKEN) == self._token:
                    self._known.add(process)

    def end(self) -> list[str]:
        """Kill them all; the names of those that were alive, but for the root."""
        found: list[str] = []
        while True:
            self.find_strays()
            alive = self.look()
            if not alive:
                return found
            for process in alive:
                with contextlib.suppress(psutil.Error):
                    if process != self._root:
                        found.append(process.name())
                    process.kill()
            psutil.wait_procs([process for process in alive if process != self._root], timeout=5.0)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _resident(processes: Iterable[psutil.Process]) -> int:
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def _memory(processes: Iterable[psutil.Process]) -> int:
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):
            total += _own_memory(process)
    return total


def _own_memory(process: psutil.Process) -> int:
    """Bytes of memory that is no mapped file; what several processes share is divided between them.

    Pages of libraries are shared with whatever else runs on the machine, and so change with it. Linux 5.9, smaps_rollup.
    """
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")
    if not rollup.exists():
        return int(process.memory_info().rss)
    fields = {key: value.split() for key, _, value in (line.partition(":") for line in rollup.read_text().splitlines())}
    return sum(int(fields[key][0]) << 10 for key in ("Pss_Anon", "Pss_Shmem"))


def _json_lines(text: str) -> list[dict[str, Any]]:
    lines = []
    for line in text.splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            said = json.loads(line)
            if isinstance(said, dict):
                lines.append(said)
    return lines
