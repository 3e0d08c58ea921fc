"""The program of the README runs in an empty directory and prints what the README says."""

import os
import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()


def without_times(text: str) -> str:
    return re.sub(r"\d+\.\d s", "N s", text.strip())


def test_the_first_program_prints_what_the_readme_says(tmp_path):
    program, output = re.findall(r"```python\n(.*?)```.*?```\n(.*?)```", README, re.DOTALL)[0]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert without_times(done.stdout) == without_times(output)
    assert "lost my node" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_nothing_is_left_to_fill_in():
    assert "@@" not in README
