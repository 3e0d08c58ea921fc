"""Which processes run on which cores: a small message costs 9 µs on one core and 52 µs across two, whoever sends it."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Placement:
    """Cores of both ends; None: wherever the kernel likes."""

    name: str
    server: int | None = None
    client: int | None = None


def _first_cores() -> tuple[int, int]:
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[1] if len(cores) > 1 else cores[0]


_FIRST, _SECOND = _first_cores()
ANYWHERE = Placement("")
ONE_CORE = Placement("one core", _FIRST, _FIRST)
TWO_CORES = Placement("two cores", _FIRST, _SECOND)
#: A machine with one core has no TWO_CORES.
PINNED = (ONE_CORE, TWO_CORES) if _FIRST != _SECOND else (ONE_CORE,)


@contextlib.contextmanager
def placed(placement: Placement, *, servers: Iterable[int], clients: Iterable[int]) -> Iterator[None]:
    """Keep all threads of these processes on their cores; afterwards they may run where they could before."""
    before: dict[int, set[int]] = {}
    try:
        for pids, core in ((servers, placement.server), (clients, placement.client)):
            if core is None:
                continue
            for thread in [thread for pid in pids for thread in _threads(pid)]:
                before[thread] = os.sched_getaffinity(thread)
                os.sched_setaffinity(thread, {core})
        yield
    finally:
        for thread, cores in before.items():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(thread, cores)


def _threads(pid: int) -> list[int]:
    return [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]
