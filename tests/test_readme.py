"""The programs of the READMEs run in an empty directory and print what the READMEs say."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def without_times(text: str) -> str:
    return re.sub(r"\d+\.\d s", "N s", text.strip())


def run(program, directory):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def test_the_first_program_prints_what_the_readme_says(tmp_path):
    program, output = re.findall(r"```python\n(.*?)```.*?```\n(.*?)```", README, re.DOTALL)[0]
    done = run(program, tmp_path)
    assert without_times(done.stdout) == without_times(output)
    assert "lost my node" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_the_program_of_the_actors_prints_what_their_readme_says(tmp_path):
    program = re.findall(r"```python\n(.*?)```", (ROOT / "actors" / "README.md").read_text(), re.DOTALL)[0]
    done = run(program, tmp_path)
    promised = re.findall(r"print\(await .*# ([\d.]+)", program)
    assert promised == ["144.0", "169.0"]
    assert done.stdout.splitlines()[:2] == promised
    assert "squares  Squares     running" in done.stdout
    assert "could not convert string to float: 'twelve'" in done.stderr


def test_nothing_is_left_to_fill_in():
    assert "@@" not in README
