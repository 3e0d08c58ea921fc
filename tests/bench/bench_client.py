"""The client benchmark: what our clients cost against bare system calls, against other clients, and against files.

Its parts, in turn: one tensor after the other and batches (tensors.py), many tasks and small beside large
(shared_client.py), many writers to one reader (many_to_one.py), thousands of waiters (waiting.py), looks for
requests (control.py).
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from tests.bench import control, shared_client, tensors, waiting
from tests.bench.client_report import ManyToOneRow, Row
from tests.bench.programs import ProgramError
from tests.bench.rounds import Quartiles
from tests.bench.store_process import StoreUnderTest
from tests.bench.tensor_subjects import SUBJECTS

PARTS = ("tensors", "tasks", "beside", "many-to-one", "waiters", "control")
WRITERS = 64
#: Bytes that each writes, and the ratio that is wanted.
MANY_TO_ONE = {64 << 10: 1.0, 4 << 20: 0.5}
#: What the aim is about: the reader that is meant for steps, against the faster kind of file.
STEP_READER, FASTER_FILES = "unpack", "tofile"
#: Seconds for all steps of one size.
PATIENCE = 120.0

Say = Callable[[str], None]


def measure(store: StoreUnderTest, directory: Path, *, quick: bool, parts: tuple[str, ...], say: Say) -> list[Row]:
    """Measure the parts and say each line; returns all rows."""
    rows: list[Row] = []
    complaints: set[tuple[str, str]] = set()

    def report(row: Row) -> None:
        rows.append(row)
        complaint = (row.subject, row.error or "")
        # What a subject cannot do at one size it can do at none: that is said once.
        if row.error is None or complaint not in complaints:
            say(str(row))
            complaints.add(complaint)

    for line in _subjects():
        say(line)
    if "tensors" in parts:
        say("# time / time of the raw program; the aims: largest ratios, and tensors/s of a batch")
        tensors.measure(store, directory, rounds=3 if quick else 25, report=report)
    if "tasks" in parts:
        say(f"# {shared_client.TASKS} tasks share a client; × redis-py: on the same loop, in the same round")
        shared_client.measure_tasks(store, directory, rounds=2 if quick else 15, report=report)
    if "beside" in parts:
        say("# gets follow each other while puts of 64 MiB do, in the same client; raw: a process for each")
        shared_client.measure_beside(store, directory, rounds=2 if quick else 8, report=report)
    if "many-to-one" in parts:
        say(
            "# a step: all write, then one reads all; both told by eventfds. The aim is against the faster kind of file"
        )
        for size in MANY_TO_ONE:
            _measure_many_to_one(store, size, rounds=4 if quick else 20, report=report)
    if "waiters" in parts:
        say(f"# {waiting.limits_text(store)}")
        for subject, reason in waiting.measure(store, directory, quick=quick, report=report).items():
            say(f"# waiters, {subject}: cannot: {reason}")
    if "control" in parts:
        control.measure(store, directory, rounds=3 if quick else 15, report=report)
    return rows


def _measure_many_to_one(
    store: StoreUnderTest, size: int, *, rounds: int, report: Callable[[ManyToOneRow], None]
) -> None:
    """Raises ProgramError: it failed; its words are on stderr."""
    command = [sys.executable, "-m", "tests.bench.many_to_one", *map(str, (WRITERS, size, rounds))]
    with tempfile.TemporaryDirectory(prefix="ssa-bench-", dir="/dev/shm") as folder:
        times = _steps([*command, folder], store)
    for reader in (STEP_READER, "get"):
        for files in (FASTER_FILES, "np.save"):
            report(
                ManyToOneRow(
                    size=size,
                    writers=WRITERS,
                    subject=f"ssasync {reader}",
                    files=files,
                    time=Quartiles.of(times[reader]).middle,
                    files_time=Quartiles.of(times[files]).middle,
                    ratio=Quartiles.of([f / s for f, s in zip(times[files], times[reader], strict=True)]),
                    steps=rounds,
                    aim=MANY_TO_ONE[size] if (reader, files) == (STEP_READER, FASTER_FILES) else None,
                )
            )


def _steps(command: list[str], store: StoreUnderTest) -> dict[str, list[int]]:
    environment = {**os.environ, **store.environments["unix"]}
    try:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise ProgramError(f"many to one: {error}") from error
    return {way: list(map(int, numbers)) for way, *numbers in map(str.split, done.stdout.splitlines())}


def _subjects() -> list[str]:
    """Versions of those that are measured."""
    versions = {}
    for kind, _ in SUBJECTS.values():
        try:
            versions[kind.needs] = kind.version()
        except PackageNotFoundError:
            versions[kind.needs] = "not installed"
    return ["# " + ", ".join(f"{package} {version}" for package, version in versions.items())]
