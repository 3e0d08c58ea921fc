"""put, get and unpack of tensors against a program that moves the same bytes by bare system calls."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import redis

from tests.bench.c_library import compile_c_client
from tests.bench.client_report import TensorRow
from tests.bench.placement import ANYWHERE, PINNED, Placement, placed
from tests.bench.programs import Program, ProgramError, compile_program
from tests.bench.rounds import Comparison, Timed, compare
from tests.bench.store_process import StoreUnderTest
from tests.bench.tensor_subjects import GET_NAME, SUBJECTS, tensor_of
from tests.cyclient.wire_format import encode_tensor

#: Bytes of elements; times it is measured in a round.
SIZES = {1 << 10: 200, 64 << 10: 50, 1 << 20: 10, 16 << 20: 2, 64 << 20: 1}
#: Tensors in a batch, bytes of each, batches in a round.
BATCH, BATCH_SIZE, BATCH_REPETITIONS = 1000, 1 << 10, 4
#: Up to this size the placement decides, so it is chosen.
PINNED_UP_TO = 64 << 10
#: From this size a round takes long, and the figures vary less.
LARGE = 16 << 20
OPERATIONS = ("put", "get", "unpack")
BATCH_OPERATIONS = ("put_batch", "get_batch")
C_SUBJECT = "ssasync C"
RAW_FRESH = "raw, new memory"
#: The peers' second loop is compared where many tasks wait; for one after the other asyncio's will do.
MEASURED = (C_SUBJECT, *(name for name in SUBJECTS if name != "redis-py uvloop"))


def aim(subject: str, size: int, count: int) -> float | None:
    """The ratio to the limit that is wanted, or the tensors of a batch a second; between 1 KiB and 1 MiB few are set."""
    if count > 1:
        return 500_000.0 if subject == C_SUBJECT else None
    if not subject.startswith("ssasync"):
        return None
    if size >= 1 << 20 or subject == C_SUBJECT:
        return 1.15
    return None if size > 1 << 10 else 1.5 if subject == "ssasync blocking" else 3.0


def measure(store: StoreUnderTest, directory: Path, *, rounds: int, report: Callable[[TensorRow], None]) -> None:
    """Measure all sizes and batches on both transports, in all placements, a row at a time."""
    raw_client = compile_program("raw_client", directory)
    with redis.Redis(unix_socket_path=store.socket, username="admin", password=store.admin_password) as writer:
        for number in range(BATCH):
            writer.set(f"{GET_NAME}_{number}", encode_tensor(tensor_of(BATCH_SIZE, number)))
        for transport, environment in store.environments.items():
            with contextlib.ExitStack() as running:
                raw = running.enter_context(Program(raw_client, environment=environment))
                raw.wait_until_ready()
                subjects, missing = start_subjects(running, environment, directory, MEASURED)
                for name, reason in missing.items():
                    for row in _missing_rows(name, reason, transport):
                        report(row)
                bench = _Bench(store, raw, subjects, transport, report)
                for size, repetitions in SIZES.items():
                    writer.set(GET_NAME, encode_tensor(tensor_of(size)))
                    for placement in PINNED if size <= PINNED_UP_TO else (ANYWHERE,):
                        of_size = rounds if size < LARGE else max(1, rounds * 3 // 5)
                        bench.measure(OPERATIONS, size, 1, placement, of_size, repetitions)
                for placement in PINNED:
                    bench.measure(BATCH_OPERATIONS, BATCH_SIZE, BATCH, placement, rounds, BATCH_REPETITIONS)


def start_subjects(
    running: contextlib.ExitStack, environment: Mapping[str, str], directory: Path, names: tuple[str, ...]
) -> tuple[dict[str, Program], dict[str, str]]:
    """Processes of the subjects that are connected; of the others, why they are not."""
    started: dict[str, Program] = {}
    missing: dict[str, str] = {}
    for name in names:
        try:
            if name == C_SUBJECT:
                program = Program(compile_c_client(directory), environment=environment)
            else:
                program = Program.module("tests.bench.tensor_client", name, environment=environment)
            started[name] = running.enter_context(program)
        except ProgramError as error:
            missing[name] = str(error)
    for name, program in list(started.items()):
        try:
            program.wait_until_ready()
        except ProgramError as error:
            missing[name] = f"did not start: {error}"
            del started[name]
    return started, missing


def _missing_rows(name: str, reason: str, transport: str) -> Iterator[TensorRow]:
    """What cannot be measured at all: a row for each operation, as its goals are missed."""
    cases = [(operation, size, 1) for size in SIZES for operation in OPERATIONS]
    cases += [(operation, BATCH_SIZE, BATCH) for operation in BATCH_OPERATIONS]
    for operation, size, count in cases:
        yield TensorRow(operation, size, count, transport, "", name, 0, aim(name, size, count), error=reason)


class _Bench:
    """Subjects and limit on one transport."""

    def __init__(
        self,
        store: StoreUnderTest,
        raw: Program,
        subjects: Mapping[str, Program],
        transport: str,
        report: Callable[[TensorRow], None],
    ) -> None:
        self._store = store
        self._raw = raw
        self._subjects = subjects
        self._transport = transport
        self._report = report

    def measure(
        self, operations: tuple[str, ...], size: int, count: int, placement: Placement, rounds: int, repetitions: int
    ) -> None:
        """All subjects, round after round, with each of these operations."""
        pids = [program.pid for program in (self._raw, *self._subjects.values())]
        with placed(placement, servers=[self._store.engine_pid], clients=pids):
            for operation in operations:
                comparisons = self._comparisons(operation, size, count)
                compare(list(comparisons.values()), rounds=rounds, repetitions=repetitions)
                for name, comparison in comparisons.items():
                    self._report(self._row(operation, size, count, placement, name, comparison))

    def _comparisons(self, operation: str, size: int, count: int) -> dict[str, Comparison]:
        value_bytes = len(encode_tensor(tensor_of(size)))
        limit = _asking(self._raw, "get" if operation == "unpack" else operation, value_bytes, count)
        comparisons = {
            name: Comparison(_asking(program, operation, size, count), limit)
            for name, program in self._subjects.items()
        }
        if operation == "get" and size > PINNED_UP_TO:
            # No client can give new memory for less: a get into it is to be read beside this and beside unpack.
            comparisons[RAW_FRESH] = Comparison(_asking(self._raw, "fresh", value_bytes, count), limit)
        return comparisons

    def _row(
        self, operation: str, size: int, count: int, placement: Placement, name: str, comparison: Comparison
    ) -> TensorRow:
        measured = bool(comparison.subject_medians) and comparison.error is None
        return TensorRow(
            operation=operation,
            size=size,
            count=count,
            transport=self._transport,
            placement=placement.name,
            subject=name,
            repetitions=len(comparison.subject_times),
            aim=aim(name, size, count),
            time=comparison.time if measured else 0.0,
            limit_time=comparison.limit_time if measured else 0.0,
            ratio=comparison.ratio if measured else None,
            error=comparison.error,
        )


def _asking(program: Program, operation: str, size: int, count: int) -> Timed:
    return lambda repetitions: program.ask(f"{operation} {size} {count} {repetitions}")
