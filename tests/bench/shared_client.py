"""What users of one client do to each other: many tasks with small tensors, and a small get beside a large put."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import redis

from tests.bench.client_report import BesideRow, TasksRow
from tests.bench.placement import PINNED, Placement, placed
from tests.bench.programs import Program, ProgramError, compile_program
from tests.bench.rounds import Quartiles
from tests.bench.store_process import StoreUnderTest
from tests.bench.tensor_subjects import GET_NAME, tensor_of
from tests.bench.tensors import start_subjects
from tests.cyclient.wire_format import encode_tensor

TASKS, SMALL, LARGE = 64, 1 << 10, 64 << 20
#: Operations of all tasks in a round.
OPERATIONS = 25 * TASKS
#: What is compared with redis-py on the same loop, and the ratio that is wanted.
PEER, AIM = "redis-py", 5.0
TASK_SUBJECTS = ("ssasync asyncio", "ssasync uvloop", f"{PEER} asyncio", f"{PEER} uvloop", "coredis", "valkey-glide")
BESIDE_SUBJECTS = ("ssasync asyncio", "ssasync uvloop", "ssasync blocking", f"{PEER} asyncio")
RAW = "raw, two processes"
#: Milliseconds of gets in a round; puts for about as long by the raw program.
ALONE, BESIDE, RAW_PUTS = 200, 1000, 40


@dataclass(slots=True)
class _Rates:
    """Operations a second of one subject, round by round, and of the raw program just before it."""

    mine: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)
    error: str | None = None


def measure_tasks(store: StoreUnderTest, directory: Path, *, rounds: int, report: Callable[[TasksRow], None]) -> None:
    """TASKS tasks of one client, each with one tensor after the other."""
    with _prepared(store, directory, TASK_SUBJECTS) as (raw, subjects, missing):
        for placement in PINNED:
            pids = [program.pid for program in (raw, *subjects.values())]
            with placed(placement, servers=[store.engine_pid], clients=pids):
                for operation in ("put", "get"):
                    rates = {name: _Rates(error=missing.get(name)) for name in TASK_SUBJECTS}
                    for number in range(rounds + 1):
                        _one_round(operation, raw, subjects, rates, counted=number > 0)
                    for name in TASK_SUBJECTS:
                        report(_tasks_row(operation, placement, name, rates))


def _one_round(
    operation: str, raw: Program, subjects: Mapping[str, Program], rates: Mapping[str, _Rates], *, counted: bool
) -> None:
    value_bytes = len(encode_tensor(tensor_of(SMALL)))
    for name, program in subjects.items():
        if rates[name].error is not None:
            continue
        raw_times = raw.ask(f"{operation}_batch {value_bytes} {TASKS} {OPERATIONS // TASKS}")
        try:
            (took,) = program.ask(f"tasks_{operation} {SMALL} {TASKS} {OPERATIONS}")
        except ProgramError as error:
            rates[name].error = str(error)
            continue
        if counted:
            rates[name].raw.append(OPERATIONS * 1e9 / sum(raw_times))
            rates[name].mine.append(OPERATIONS * 1e9 / took)


def _tasks_row(operation: str, placement: Placement, name: str, rates: Mapping[str, _Rates]) -> TasksRow:
    mine = rates[name]
    aim = AIM if name.startswith("ssasync") else None
    if mine.error is not None or not mine.mine:
        return TasksRow(operation, TASKS, placement.name, name, aim, error=mine.error)
    peer = rates.get(f"{PEER} uvloop" if name.endswith("uvloop") else f"{PEER} asyncio")
    return TasksRow(
        operation,
        TASKS,
        placement.name,
        name,
        aim,
        rate=float(np.median(mine.mine)),
        ratio=None if peer is None or peer.error or peer is mine else _ratios(mine.mine, peer.mine),
        of_raw=_ratios(mine.mine, mine.raw),
    )


def _ratios(above: list[float], below: list[float]) -> Quartiles:
    return Quartiles.of([a / b for a, b in zip(above, below, strict=True)])


def measure_beside(store: StoreUnderTest, directory: Path, *, rounds: int, report: Callable[[BesideRow], None]) -> None:
    """Gets of SMALL tensors, alone and while one put of a LARGE one follows the other."""
    with _prepared(store, directory, BESIDE_SUBJECTS) as (raw, subjects, missing), contextlib.ExitStack() as running:
        putter = running.enter_context(
            Program(compile_program("raw_client", directory), environment=store.environments["unix"])
        )
        putter.wait_until_ready()
        putter.ask(f"put {LARGE} 1 1")
        names = (RAW, *BESIDE_SUBJECTS)
        alone: dict[str, list[int]] = {name: [] for name in names}
        beside: dict[str, list[list[int]]] = {name: [] for name in names}
        errors = dict(missing)
        for program in subjects.values():
            with contextlib.suppress(ProgramError):  # the same as in the first round
                program.ask(f"beside {SMALL} {LARGE} 1")
        for _ in range(rounds):
            alone[RAW] += _raw_gets(raw, ALONE)
            beside[RAW].append(_raw_gets_beside(raw, putter))
            for name, program in subjects.items():
                if name not in errors:
                    try:
                        alone[name] += program.ask(f"beside {SMALL} 0 {ALONE}")
                        beside[name].append(program.ask(f"beside {SMALL} {LARGE} {BESIDE}"))
                    except ProgramError as error:
                        errors[name] = str(error)
        for name in names:
            report(_beside_row(name, alone[name], beside[name], beside[RAW], errors.get(name)))


def _beside_row(
    name: str, alone: list[int], beside: list[list[int]], raw: list[list[int]], error: str | None
) -> BesideRow:
    if error is not None:
        return BesideRow(name, [], [], error=error)
    lates = [float(np.percentile(times, 99)) for times in beside]
    raw_lates = [float(np.percentile(times, 99)) for times in raw]
    return BesideRow(name, alone, [time for times in beside for time in times], _ratios(lates, raw_lates))


def _raw_gets(raw: Program, milliseconds: float) -> list[int]:
    found = []
    end = time.monotonic() + milliseconds / 1e3
    while time.monotonic() < end:
        found += raw.ask(f"get {len(encode_tensor(tensor_of(SMALL)))} 1 100")
    return found


def _raw_gets_beside(raw: Program, putter: Program) -> list[int]:
    """For as long as the other process puts."""
    found = []
    question = f"get {len(encode_tensor(tensor_of(SMALL)))} 1 20"
    putter.tell(f"put {LARGE} 1 {RAW_PUTS}")
    while not putter.has_answered():
        found += raw.ask(question)
    putter.numbers()
    return found


@contextlib.contextmanager
def _prepared(
    store: StoreUnderTest, directory: Path, names: tuple[str, ...]
) -> Iterator[tuple[Program, dict[str, Program], dict[str, str]]]:
    """The raw program, the subjects that are there, and why others are not; the small tensor is stored."""
    environment = store.environments["unix"]
    value = encode_tensor(tensor_of(SMALL))
    with redis.Redis(unix_socket_path=store.socket, username="admin", password=store.admin_password) as writer:
        writer.set(GET_NAME, value)
        for number in range(TASKS):
            writer.set(f"{GET_NAME}_{number}", encode_tensor(tensor_of(SMALL, number)))
    with contextlib.ExitStack() as running:
        raw = running.enter_context(Program(compile_program("raw_client", directory), environment=environment))
        raw.wait_until_ready()
        subjects, missing = start_subjects(running, environment, directory, names)
        yield raw, subjects, missing
