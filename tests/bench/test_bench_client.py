"""The client benchmark in small: that what it measures is right, that it judges, and that it leaves nothing behind."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.bench import client_plot, control, shared_client, tensors, waiting
from tests.bench.client_report import ControlRow, Row, TensorRow, goals_met
from tests.bench.programs import Program, ProgramError, compile_program
from tests.bench.rounds import Comparison, Quartiles, compare
from tests.bench.store_process import StoreUnderTest

#: Those whose packages the tests need anyway: one of each kind, and of each loop.
AT_HAND = ("ssasync blocking", "ssasync uvloop", "redis-py", "redis-py asyncio")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreUnderTest]:
    with StoreUnderTest(tmp_path_factory.mktemp("bench") / "experiment") as running:
        yield running


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before


def test_tensors_and_batches_are_measured_on_both_transports(store, tmp_path, monkeypatch):
    monkeypatch.setattr(tensors, "SIZES", {1 << 10: 2, 128 << 10: 1})
    monkeypatch.setattr(tensors, "BATCH", 10)
    subjects = (tensors.C_SUBJECT, *AT_HAND)
    monkeypatch.setattr(tensors, "MEASURED", subjects)
    rows: list[TensorRow] = []
    tensors.measure(store, tmp_path, rounds=1, report=rows.append)
    measured = {(row.operation, row.transport, row.subject) for row in rows if row.ratio is not None}
    ours = {
        (o, t, s) for o in ("put", "get", "unpack", "put_batch", "get_batch") for t in ("unix", "tcp") for s in subjects
    }
    assert {row for row in ours if row[0] != "unpack" or row[2].startswith("ssasync")} <= measured
    refusals = {row.error for row in rows if row.ratio is None}
    assert refusals == {"CannotError: no unpack: it gives memory of its own"}
    client_plot.draw(rows, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 10_000


def test_tasks_and_gets_beside_puts_are_measured(store, tmp_path, monkeypatch):
    monkeypatch.setattr(shared_client, "TASK_SUBJECTS", AT_HAND)
    monkeypatch.setattr(shared_client, "OPERATIONS", shared_client.TASKS)
    for name, value in {"LARGE": 1 << 20, "ALONE": 5, "BESIDE": 20, "RAW_PUTS": 5}.items():
        monkeypatch.setattr(shared_client, name, value)
    rows: list[Row] = []
    shared_client.measure_tasks(store, tmp_path, rounds=1, report=rows.append)
    shared_client.measure_beside(store, tmp_path, rounds=1, report=rows.append)
    cannot = "CannotError: it has no tasks: its operations block"
    assert {(row.subject, row.error) for row in rows if row.error} == {(AT_HAND[0], cannot), (AT_HAND[2], cannot)}
    assert {row.subject for row in rows} >= {*AT_HAND, "ssasync asyncio"}


def test_what_many_write_one_reads_in_every_way(store, tmp_path):
    command = [sys.executable, "-m", "tests.bench.many_to_one", "4", "4096", "2", tmp_path]
    environment = {**os.environ, **store.environments["unix"]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [(way, len(times)) for way, *times in lines] == [("unpack", 2), ("get", 2), ("np.save", 2), ("tofile", 2)]


def test_writers_end_with_their_reader(store, tmp_path):
    command = [sys.executable, "-m", "tests.bench.many_to_one", "3", "4096", "1000000", tmp_path]
    process = subprocess.Popen(command, env={**os.environ, **store.environments["unix"]})
    reader = psutil.Process(process.pid)
    writers = []
    while len(writers) < 3:
        assert process.poll() is None
        writers = reader.children()
    process.kill()
    process.wait()
    assert psutil.wait_procs(writers, timeout=20)[1] == []


def test_waiters_of_both_kinds_are_woken(store, tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "QUICK_COUNT", 20)
    rows: list[waiting.WaitersRow] = []
    assert waiting.measure(store, tmp_path, quick=True, report=rows.append) == {}
    assert [(row.subject, row.count) for row in rows] == [(waiting.RAW, 20), (waiting.OURS, 20)]
    assert all(row.all_woken.low > 0 and row.one_woken.low > 0 for row in rows)


def test_looks_for_requests_are_timed_through_all_faces(store, tmp_path):
    rows: list[ControlRow] = []
    control.measure(store, tmp_path, rounds=1, report=rows.append)
    assert [row.subject for row in rows] == list(control.SUBJECTS)
    assert all(0 < row.limit_time < row.time.middle for row in rows)


def test_a_subject_that_does_not_start_is_said_to_be_missing(tmp_path):
    nowhere = {
        "SSDB": f"unix://{tmp_path}/none.sock",
        "SSDB_USER": "workload",
        "SSDB_PASSWORD": "wrong",
        "SSA_TIMEOUT": "1",
    }
    with contextlib.ExitStack() as running:
        started, missing = tensors.start_subjects(running, nowhere, tmp_path, ("ssasync asyncio", "redis-py"))
    assert started == {}
    assert missing["ssasync asyncio"].startswith("did not start: ConnectionFailed: ")
    assert missing["redis-py"].startswith("did not start: ConnectionError: ")


def test_a_program_that_cannot_be_compiled_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.bench.programs._SOURCES", tmp_path)
    (tmp_path / "wrong.c").write_text("int main(void) { return nothing; }\n")
    with pytest.raises(ProgramError, match=r"wrong\.c is not compiled: .*nothing"):
        compile_program("wrong", tmp_path)


def test_a_program_that_does_not_answer_is_ended():
    with Program(Path(sys.executable), "-c", "import time; time.sleep(600)") as program:
        with pytest.raises(ProgramError, match=r"gave no answer within 0 s"):
            program.read_line(patience=0.01)
        assert not psutil.pid_exists(program.pid)


def test_a_subject_that_fails_keeps_its_error_and_the_others_go_on():
    def fail(repetitions: int) -> list[int]:
        raise ProgramError("MemoryError: too large")

    failing, other = Comparison(fail, lambda n: [10] * n), Comparison(lambda n: [30] * n, lambda n: [10] * n)
    compare([failing, other], rounds=3, repetitions=2)
    assert failing.error == "MemoryError: too large"
    assert (other.ratio, other.error) == (Quartiles(3.0, 3.0, 3.0), None)


def test_a_goal_is_met_only_in_all_placements():
    def row(placement: str, ratio: float, *, transport: str = "unix") -> TensorRow:
        return TensorRow(
            operation="put",
            size=1 << 10,
            count=1,
            transport=transport,
            placement=placement,
            subject="ssasync blocking",
            repetitions=1,
            aim=1.5,
            time=ratio,
            limit_time=1.0,
            ratio=Quartiles(ratio, ratio, ratio),
        )

    rows = [row("one core", 1.2), row("two cores", 1.6), row("one core", 1.2, transport="tcp")]
    assert goals_met(rows) == {
        "ssasync blocking put 1 KiB unix ≤ 1.50": False,
        "ssasync blocking put 1 KiB tcp ≤ 1.50": True,
    }


def test_what_is_not_measured_misses_its_goal():
    rows = list(tensors._missing_rows("ssasync C", "not built", "unix"))
    assert set(goals_met(rows).values()) == {False}
    assert any(row.count > 1 for row in rows)
