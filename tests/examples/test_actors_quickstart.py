"""The quick-start of the kernel runs, ends by itself, and tells the truth."""

import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_it_heals_counts_and_ends_by_itself() -> None:
    begin = time.monotonic()
    command = [sys.executable, "-m", "examples.actors_quickstart"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - begin < 20  # about half a second on an idle machine
    lines = done.stdout.splitlines()
    for line in (
        "the square of 12 is 144.0",
        "the caller is told: exception (ValueError: could not convert string to float: 'twelve')",
        "    event: /quickstart/office/squares runs (attempt 1)",
        "    event: /quickstart/office/squares runs (attempt 2)",
        "the same reference, another incarnation: the square of 13 is 169.0",
        "a thousand accounts hold 499500",
    ):
        assert line in lines
    assert re.search(r"event: /quickstart/office/squares crashed \(.*\), to be restarted in 0\.18 s\n", done.stdout)
    assert re.search(r"has seen: up \(attempt 1\), down \(exception\), (still down, )+up \(attempt 2\)\n", done.stdout)
    tree = [re.sub(r"\d+\.\d s", "T", line) for line in lines[lines.index("a thousand accounts hold 499500") + 1 :]]
    assert tree == [
        "quickstart         Supervisor  running  T",
        "├── office         Supervisor  running  T",
        "│   ├── squares    Squares     running  T, 1 restart, crashed T ago (exception)",
        "│   └── monitor    Monitor     running  T",
        "└── accounts       Pool        running  T",
        *(f"    ├── account:{number}  Account     running  T" for number in range(4)),
        "    └── … 996 more: 996 running",
    ]
