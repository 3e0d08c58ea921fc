"""The allocators of `make check-malloc` check, and some tests of the client under them; all of them by that command."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.cyclient.check_malloc import MISTAKE, SETTINGS, stops

ROOT = Path(__file__).resolve().parents[2]


def test_each_allocator_stops_what_malloc_lets_pass():
    assert stops({**SETTINGS, "PYTHONMALLOC": "malloc"})
    assert stops({"PYTHONMALLOC": "debug"})
    assert not stops({"PYTHONMALLOC": "malloc"})


def check_malloc(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    command = [sys.executable, "-m", "tests.cyclient.check_malloc", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment, timeout=100)


def test_the_client_is_clean_under_allocators_that_check():
    done = check_malloc("tests/cyclient/test_tensors.py", "tests/cyclient/test_unpack.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


RUIN = """
import os


def test_settings_are_not_inherited():
    assert "LD_PRELOAD" not in os.environ


def test_ruin():
"""


def test_a_test_that_ruins_memory_ends_the_command(tmp_path):
    ruin = tmp_path / "test_ruin.py"
    ruin.write_text(RUIN + textwrap.indent(MISTAKE, "    "))
    assert check_malloc(f"{ruin}::test_settings_are_not_inherited").returncode == 0
    done = check_malloc(str(ruin))
    assert done.returncode
    assert "bad trailing pad byte" in done.stderr
