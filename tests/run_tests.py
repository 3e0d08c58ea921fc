"""Run the test suite as CI does: all of it, with the time by folder, and no skip that is not written down.

A test may be skipped only by a row in tests/allowed_skips.toml (test, condition, reason). Any other skip fails the run:
a test that silently does not run proves nothing. Arguments are passed on to pytest; without any the suite runs in two
processes side by side, those of the client and all others, which takes about as long each.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
LARGEST = HERE / "cyclient"


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


def run_in_two() -> int:
    """The largest folder here, the others beside it, whose report comes when both are over."""
    command = [sys.executable, "-m", "tests.run_tests"]
    with tempfile.TemporaryFile() as said:
        others = subprocess.Popen([*command, str(HERE), f"--ignore={LARGEST}"], stdout=said, stderr=subprocess.STDOUT)
        try:
            largest = subprocess.run([*command, str(LARGEST)], check=False)
            others.wait()
        finally:
            others.terminate()  # of one that has ended: nothing
            others.wait()
        said.seek(0)
        print(said.read().decode(errors="replace"))
    return largest.returncode or others.returncode


def run(arguments: list[str]) -> int:
    """Run pytest and judge the skips."""
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
