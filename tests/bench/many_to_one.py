"""Many writers and one reader of all that they wrote, step after step: through the store, and through files in /dev/shm.

`python -m tests.bench.many_to_one WRITERS SIZE ROUNDS FOLDER`, with SSDB in the environment and an empty FOLDER for the
files, prints a line for each way: its name and the nanoseconds of its steps. A step begins when the reader lets the
writers go and ends when it has all arrays; both are told by eventfds, the same ones for every way, and no file is read
before all are written. The ways take turns.
"""

import contextlib
import os
import select
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from ssasync.blocking import Client

Array = np.ndarray[Any, Any]
#: Seconds that a step may take.
PATIENCE = 60.0
#: The store, read into memory that is used again, and into new memory; files that say what they hold, and files that do not.
WAYS = ("unpack", "get", "np.save", "tofile")
#: Steps of each way that are not counted.
WARM_UP = 2


class Barrier:
    """Lets the writers go and waits until all are done, a step at a time."""

    def __init__(self, writers: int) -> None:
        self._writers = writers
        # By turns: who is fast must not take the place of a slow one in the same step.
        self._go = [os.eventfd(0, os.EFD_SEMAPHORE), os.eventfd(0, os.EFD_SEMAPHORE)]
        self._done = os.eventfd(0)
        self._reader_lives, self._reader = os.pipe()

    def as_writer(self) -> None:
        """Call first in the process of a writer."""
        os.close(self._reader)

    def wait_for_go(self, step: int) -> None:
        """Raises EOFError: there is no reader any more."""
        go = self._go[step % 2]
        if go not in select.select([go, self._reader_lives], [], [])[0]:
            raise EOFError("the reader is gone")
        os.eventfd_read(go)

    def tell_done(self) -> None:
        os.eventfd_write(self._done, 1)

    def let_go_and_wait(self, step: int) -> None:
        """Raises TimeoutError: a writer does not answer."""
        os.eventfd_write(self._go[step % 2], self._writers)
        missing = self._writers
        while missing:
            if not select.select([self._done], [], [], PATIENCE)[0]:
                raise TimeoutError(f"{missing} writers did not finish step {step} within {PATIENCE:.0f} s")
            missing -= os.eventfd_read(self._done)


def _name(writer: int) -> str:
    return f"bench_writer_{writer}"


def write(way: str, client: Client, folder: Path, writer: int, data: Array) -> None:
    """What a writer does in a step."""
    if way in ("unpack", "get"):
        client.put_tensor(_name(writer), data)
    elif way == "np.save":
        np.save(folder / f"{writer}.npy", data)
    else:
        data.tofile(folder / f"{writer}.bin")


def readers(client: Client, folder: Path, writers: int, size: int) -> dict[str, Callable[[], list[Array]]]:
    """What the reader does in a step of each way."""
    everything = np.zeros((writers, size // 8))

    def unpack() -> list[Array]:
        batch = client.batch()
        for writer in range(writers):
            batch.unpack_tensor(_name(writer), everything[writer])
        batch.execute()
        return list(everything)

    def get() -> list[Array]:
        batch = client.batch()
        handles = [batch.get_tensor(_name(writer)) for writer in range(writers)]
        batch.execute()
        return [handle.value for handle in handles]

    return {
        "unpack": unpack,
        "get": get,
        "np.save": lambda: [np.load(folder / f"{writer}.npy") for writer in range(writers)],
        "tofile": lambda: [np.fromfile(folder / f"{writer}.bin") for writer in range(writers)],
    }


def run_writer(barrier: Barrier, folder: Path, writer: int, size: int, steps: int) -> None:
    barrier.as_writer()
    with Client() as client:
        data = np.zeros(size // 8)
        for step in range(steps):
            data[:] = step + writer
            barrier.wait_for_go(step)
            write(WAYS[step % len(WAYS)], client, folder, writer, data)
            barrier.tell_done()


def measure(barrier: Barrier, folder: Path, writers: int, size: int, steps: int) -> dict[str, list[int]]:
    """Nanoseconds of the steps of each way. Raises RuntimeError: what was read is not what was written."""
    times: dict[str, list[int]] = {way: [] for way in WAYS}
    with Client() as client:
        read = readers(client, folder, writers, size)
        for step in range(steps):
            way = WAYS[step % len(WAYS)]
            begin = perf_counter_ns()
            barrier.let_go_and_wait(step)
            arrays = read[way]()
            times[way].append(perf_counter_ns() - begin)
            for writer, array in enumerate(arrays):
                if not (array[0] == array[-1] == step + writer):
                    raise RuntimeError(f"{way}, step {step}: the array of writer {writer} is not of this step")
            del arrays
        for writer in range(writers):
            client.delete_tensor(_name(writer))
    return {way: found[WARM_UP:] for way, found in times.items()}


def _forked(run: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        run()
        status = 0
    except BaseException:  # noqa: BLE001 - it must not get into the code of its parent
        traceback.print_exc()
    finally:
        os._exit(status)


def main(writers: int, size: int, rounds: int, folder: Path) -> None:
    barrier = Barrier(writers)
    steps = len(WAYS) * (rounds + WARM_UP)
    pids: list[int] = []
    try:
        for writer in range(writers):
            # Forked, so that they share what Python and numpy take; none has a client yet.
            pid = _forked(partial(run_writer, barrier, folder, writer, size, steps))
            pids += [pid]
        for way, times in measure(barrier, folder, writers, size, steps).items():
            print(way, *times)
    finally:
        os.close(barrier._reader)
        _end(pids)


def _end(pids: list[int]) -> None:
    """Writers end with the last step, or with their reader; one that hangs is killed."""
    deadline = time.monotonic() + 10
    while pids and time.monotonic() < deadline:
        pids = [pid for pid in pids if os.waitpid(pid, os.WNOHANG) == (0, 0)]
        time.sleep(0.01)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
