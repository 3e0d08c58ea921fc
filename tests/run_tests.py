"""Run the test suite as CI does: all of it, with the time by folder, and no skip that is not written down.

A test may be skipped only by a row in tests/allowed_skips.toml (test, condition, reason). Any other skip fails the run:
a test that silently does not run proves nothing. Arguments are passed on to pytest; without any the suite runs in two
processes side by side, those of the client and all others, which takes about as long each.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path
from types import FrameType
from typing import IO

import pytest

HERE = Path(__file__).resolve().parent
LARGEST = HERE / "cyclient"
#: Seconds in which an interrupted half takes down what its tests started, until it is terminated, and then killed.
GRACE, LAST_GRACE = 60.0, 60.0


class SkipsAndTimes:
    """A pytest plugin that notes what was skipped and how long each folder took."""

    def __init__(self) -> None:
        self.skipped: dict[str, str] = {}
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.count: defaultdict[str, int] = defaultdict(int)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for set-up, call and teardown of each test."""
        folder = str(Path(report.nodeid.split("::")[0]).parent)
        self.seconds[folder] += report.duration
        self.count[folder] += report.when == "call"
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.skipped[report.nodeid] = reason
        elif report.outcome == "skipped" or hasattr(report, "wasxfail"):
            self.skipped[report.nodeid] = "expected to fail, which is no way to keep a test"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Called for each file; a file can be skipped as a whole."""
        if report.skipped:
            self.skipped[report.nodeid] = str(report.longrepr)


def allowed_skips() -> list[dict[str, str]]:
    """The rows of allowed_skips.toml."""
    rows: list[dict[str, str]] = tomllib.loads((HERE / "allowed_skips.toml").read_text()).get("skip", [])
    for row in rows:
        if set(row) != {"test", "condition", "reason"}:
            sys.exit(f"tests/allowed_skips.toml: a row needs test, condition and reason, not {sorted(row)}")
    return rows


class Halves:
    """Runs of this program side by side. An interrupt ends each by itself: it takes down first what its tests started.

    Ctrl-C reaches all of them without us; SIGTERM, which CI sends when it is cancelled, is passed on.
    """

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []
        self._is_terminated = False
        self._impatience = iter([signal.SIGTERM, signal.SIGKILL])
        signal.signal(signal.SIGINT, self._interrupted)
        signal.signal(signal.SIGTERM, self._interrupted)
        signal.signal(signal.SIGALRM, self._late)

    def start(self, *arguments: str, output: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.run_tests", *arguments]
        half = subprocess.Popen(command, stdout=output, stderr=output and subprocess.STDOUT)
        self._running.append(half)
        if self._is_terminated:  # while it was being started
            half.terminate()
        return half

    # Handlers that raise nothing: a process whose start an exception cut short would be nobody's.
    def _interrupted(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            self._is_terminated = True
            self._send(signal.SIGTERM)
        signal.setitimer(signal.ITIMER_REAL, GRACE, LAST_GRACE)

    def _late(self, _number: int, _frame: FrameType | None) -> None:
        self._send(next(self._impatience, signal.SIGKILL))

    def _send(self, number: int) -> None:
        for half in self._running:
            half.send_signal(number)  # to one that has ended: nothing


def run_in_two() -> int:
    """The largest folder here, the others beside it, whose report comes when both are over."""
    with tempfile.TemporaryFile() as said:
        halves = Halves()
        largest = halves.start(str(LARGEST))
        others = halves.start(str(HERE), f"--ignore={LARGEST}", output=said)
        statuses = largest.wait(), others.wait()
        said.seek(0)
        print(said.read().decode(errors="replace"))
    return statuses[0] or statuses[1]


def interrupt_when_terminated() -> None:
    """Let the first SIGTERM do what Ctrl-C does; later ones do not disturb what is being taken down."""
    first = iter([True])

    def terminated(_number: int, _frame: FrameType | None) -> None:
        if next(first, False):
            signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, terminated)
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))


def run(arguments: list[str]) -> int:
    """Run pytest and judge the skips."""
    interrupt_when_terminated()
    seen = SkipsAndTimes()
    status = int(pytest.main(arguments, plugins=[seen]))
    print("\ntime by folder")
    for folder, seconds in sorted(seen.seconds.items(), key=lambda item: -item[1]):
        print(f"  {folder:24} {seconds:7.1f} s  {seen.count[folder]:5} tests")
    patterns = [row["test"] for row in allowed_skips()]
    wrong = {test: why for test, why in seen.skipped.items() if not any(fnmatch(test, p) for p in patterns)}
    for test, why in wrong.items():
        print(f"skipped, but not in tests/allowed_skips.toml: {test}: {why}")
    return status or (1 if wrong else 0)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]) if sys.argv[1:] else run_in_two())
