"""put, get and unpack of tensors against a program that moves the same bytes by bare system calls."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ssasync.blocking import Client as BlockingClient
from ssasync.cyclient._core import encode_tensor
from tests.bench.placement import ANYWHERE, PINNED, Placement, placed
from tests.bench.programs import Program, compile_program
from tests.bench.report import TensorRow
from tests.bench.rounds import Comparison, Timed, compare
from tests.bench.store_process import StoreUnderTest
from tests.bench.tensor_subjects import GET_NAME, Array, Async, Blocking, RedisAsync, RedisBlocking, Subject

#: Bytes of elements; times it is measured in a round.
SIZES = {1 << 10: 200, 64 << 10: 50, 1 << 20: 10, 16 << 20: 2, 64 << 20: 1}
#: Up to this size the placement decides, so it is chosen.
PINNED_UP_TO = 64 << 10
OPERATIONS = ("put", "get", "unpack")
RAW_FRESH = "raw, new memory"


def aim(subject: str, size: int) -> float | None:
    """The ratio to the limit that is wanted; between 1 KiB and 1 MiB none is set."""
    if not subject.startswith("ssasync"):
        return None
    if size >= 1 << 20:
        return 1.15
    return None if size > 1 << 10 else 1.5 if subject == Blocking.name else 3.0


def measure(store: StoreUnderTest, directory: Path, *, rounds: int, report: Callable[[TensorRow], None]) -> None:
    """Measure all sizes in all placements, a row at a time."""
    raw_client = compile_program("raw_client", directory)
    login = (store.socket, store.environment["SSDB_USER"], store.environment["SSDB_PASSWORD"])
    subjects: list[Subject] = [
        Blocking(),
        Async("asyncio"),
        Async("uvloop"),
        RedisBlocking(*login),
        RedisAsync(*login),
    ]
    try:
        with Program(raw_client, store.socket, environment=store.environment) as raw, BlockingClient() as client:
            for size, repetitions in SIZES.items():
                data = np.random.default_rng(size).random(size // 8)
                client.put_tensor(GET_NAME, data)
                for placement in PINNED if size <= PINNED_UP_TO else (ANYWHERE,):
                    with placed(placement, servers=[store.engine_pid], clients=[os.getpid(), raw.pid]):
                        for row in _measure_size(subjects, raw, data, placement, rounds, repetitions):
                            report(row)
    finally:
        for subject in subjects:
            subject.close()


def _measure_size(
    subjects: Sequence[Subject], raw: Program, data: Array, placement: Placement, rounds: int, repetitions: int
) -> Iterator[TensorRow]:
    value_bytes = len(encode_tensor(data))

    def raw_timed(operation: str) -> Timed:
        return lambda repetitions: raw.ask(f"{operation} {value_bytes} {repetitions}")

    for operation in OPERATIONS:
        limit = raw_timed("put" if operation == "put" else "get")
        comparisons = {}
        for subject in subjects:
            timed = subject.operation(operation, data)
            if timed is not None:
                comparisons[subject.name] = Comparison(timed, limit)
        if operation == "get" and data.nbytes > PINNED_UP_TO:
            # No client can give new memory for less: a get into it is to be read beside this and beside unpack.
            comparisons[RAW_FRESH] = Comparison(raw_timed("fresh"), limit)
        compare(list(comparisons.values()), rounds=rounds, repetitions=repetitions)
        for name, comparison in comparisons.items():
            yield TensorRow(
                operation=operation,
                size=data.nbytes,
                placement=placement.name,
                subject=name,
                time=comparison.time,
                limit_time=comparison.limit_time,
                ratio=comparison.ratio,
                repetitions=rounds * repetitions,
                aim=aim(name, data.nbytes),
            )
