"""The program that runs the suite, in a small tree: an interrupt leaves nothing behind, and both halves report."""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DEADLINE = 60.0
#: A test that is under way until it is interrupted; its server takes longer to end than subprocess.run() would wait.
TEST = """
import pathlib, subprocess, sys, threading
import pytest

@pytest.fixture
def server():
    yield
    subprocess.run([sys.executable, "-c", "import time; time.sleep(0.5)"], start_new_session=True)
    pathlib.Path(__file__).with_suffix(".taken_down").touch()

def test_of_{folder}(server):
    with open({begun!r}, "w") as begun:
        begun.write("x")
    threading.Event().wait({deadline})
"""
FOLDERS = ("cyclient", "others")
PROGRAM = "import sys, tests.run_tests as r; r.GRACE = float(sys.argv[1]); sys.exit(r.run_in_two())"


class Started:
    """run_in_two() in a group of its own; a test is under way in each half."""

    def __init__(self, root: Path, grace: float) -> None:
        begun = root / "begun"
        os.mkfifo(begun)
        self._tests = root / "tests"
        for folder in FOLDERS:
            (self._tests / folder).mkdir(parents=True)
            text = TEST.format(folder=folder, begun=str(begun), deadline=DEADLINE)
            (self._tests / folder / "test_small.py").write_text(text)
        shutil.copy(Path(__file__).with_name("run_tests.py"), self._tests)
        (self._tests / "__init__.py").touch()
        (self._tests / "allowed_skips.toml").touch()
        command = [sys.executable, "-c", PROGRAM, str(grace)]
        self.process = subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self._wait_until_begun(begun)

    def _wait_until_begun(self, begun: Path) -> None:
        pipe = os.open(begun, os.O_RDWR)
        try:
            for _ in FOLDERS:
                assert select.select([pipe], [], [], DEADLINE)[0], "a half has not begun"
                os.read(pipe, 1)
        finally:
            os.close(pipe)

    def signal_group(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def ended(self) -> str:
        """What it said; both halves have reported, and taken down what they started."""
        said = self.process.communicate(timeout=DEADLINE)[0]
        assert self.process.returncode == pytest.ExitCode.INTERRUPTED, said
        assert said.count("time by folder") == len(FOLDERS)
        for folder in FOLDERS:
            assert f"tests/{folder}" in said
            assert (self._tests / folder / "test_small.taken_down").exists(), f"{folder}: {said}"
        return said


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    started = []

    def start(grace: float = DEADLINE) -> Started:
        started.append(Started(tmp_path, grace))
        return started[-1]

    yield start
    for each in started:
        with contextlib.suppress(ProcessLookupError):
            each.signal_group(signal.SIGKILL)
        each.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_of_all_takes_down_both_halves_and_loses_no_report(start, number):
    """Ctrl-C; a job that is cancelled."""
    running = start()
    running.signal_group(number)
    running.ended()


def test_who_is_terminated_alone_passes_it_on(start):
    running = start()
    running.process.terminate()
    running.ended()


def test_a_half_that_no_interrupt_reached_is_terminated_in_the_end(start):
    running = start(grace=0.1)
    running.process.send_signal(signal.SIGINT)
    running.ended()
