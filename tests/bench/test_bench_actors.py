"""The actor benchmark in small: that it measures, judges, and leaves nothing behind."""

from pathlib import Path

import psutil
import pytest

from tests.bench.actor_process import run_alone
from tests.bench.actor_report import Result, rows_of
from tests.bench.bench_actors import Case, measure

#: A program that starts a daemon, which leaves its parent and would live on.
LEAVES_A_DAEMON = """
import subprocess, sys
subprocess.run([sys.executable, "-c", '''
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print('{"measure": "daemon", "pid": %d}' % child.pid, flush=True)
'''], check=True)
"""
#: One that takes a gibibyte and waits.
TAKES_MEMORY = """
print('{"measure": "begun"}', flush=True)
taken = b"x" * (1 << 30)
time.sleep(600)
"""


def program(directory: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (directory / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(directory))
    return [name]


def test_limit_and_kernel_are_measured_and_compared():
    chosen = [Case(subject, "asyncio", 20, 1, slice_seconds=0.01) for subject in ("limit", "pool", "supervisor")]
    chosen += [Case(subject, "uvloop", 1, 1, slice_seconds=0.01) for subject in ("limit", "pool")]
    said: list[str] = []
    rows = measure(chosen, say=said.append)
    assert not [row.error for row in rows if row.error]
    assert {(row.measure, row.subject, row.count) for row in rows} == {
        (name, case.subject, case.count)
        for case in chosen
        for name in ("tell", "ask", "spawn", "restart", *(("memory",) if case.count > 1 else ()))
    }
    assert all(row.ratio is not None and row.limit for row in rows if row.subject != "limit")
    assert {row.aim for row in rows if row.measure == "tell" and row.subject == "pool"} == {"0.50"}
    assert len([line for line in said if not line.startswith("#")]) == len(rows)


def test_a_subject_that_is_not_there_is_said_to_be_missing(tmp_path, monkeypatch):
    # A package of that name that cannot be imported, as if the extra `bench` were not installed.
    program(tmp_path, "pykka", "raise ModuleNotFoundError('no pykka here')", monkeypatch)
    rows = measure([Case("pykka", "uvloop", 1, 1)], say=lambda line: None)
    assert {row.error for row in rows} == {"exit code 1: ModuleNotFoundError: no pykka here"}


def test_what_a_subject_leaves_behind_is_ended_and_told(tmp_path, monkeypatch):
    outcome = run_alone(program(tmp_path, "leaves_a_daemon", LEAVES_A_DAEMON, monkeypatch), seconds=0.0, memory=1 << 30)
    assert outcome.error is not None
    assert outcome.error.startswith("left 1 processes behind")
    pid = outcome.lines[0]["pid"]
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_subject_that_takes_too_much_memory_is_ended(tmp_path, monkeypatch):
    outcome = run_alone(program(tmp_path, "takes_memory", TAKES_MEMORY, monkeypatch), seconds=60.0, memory=200 << 20)
    assert outcome.lines == [{"measure": "begun"}]
    assert outcome.error is not None
    assert outcome.error.endswith("GiB of memory")


def test_an_ask_is_held_against_the_best_peer_of_the_same_count():
    def result(subject: str, count: int, rate: float) -> Result:
        return Result(subject, "uvloop", count, carried=count, rounds={"ask": [[rate]]})

    results = [
        result("limit", 1, 200_000.0),
        result("supervisor", 1, 90_000.0),
        result("supervisor", 1000, 90_000.0),
        result("pykka", 1, 40_000.0),
        result("thespian-simple", 1, 95_000.0),
        result("pykka", 1000, 15_000.0),
    ]
    judged = {row.count: (row.aim, row.meets_aim) for row in rows_of(results, ["ask"]) if row.subject == "supervisor"}
    assert judged == {1: ("> 95.0 k/s (thespian simple)", False), 1000: ("> 15.0 k/s (pykka)", True)}
