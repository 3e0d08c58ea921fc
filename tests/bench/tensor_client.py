"""A client of the benchmark as a process: `python -m tests.bench.tensor_client SUBJECT`, with SSDB in the environment.

Prints "ready", or "error" and why it is not; answers each line on stdin with one line of nanoseconds, or "error" and why:
    put|get|unpack SIZE 1 N              one tensor of SIZE bytes of elements, N times
    put_batch|get_batch SIZE COUNT N     COUNT tensors together, N times
    tasks_put|tasks_get SIZE TASKS N     N operations by TASKS tasks that share the client; one number for all of them
    beside SMALL LARGE MS                gets of SMALL bytes for so long, LARGE bytes being put meanwhile (0: nothing)
"""

import asyncio
import inspect
import sys
import threading
import time
from collections.abc import Sequence
from time import perf_counter_ns

from tests.bench.rounds import times, times_awaited
from tests.bench.tensor_subjects import LOOPS, SUBJECTS, Call, CannotError, Subject


class Server:
    """Answers lines for one subject."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._calls: dict[tuple[str, int, int], Call] = {}

    async def answer(self, line: str) -> Sequence[int]:
        """The numbers for a line. Raises what the subject raises."""
        word, *numbers = line.split()
        size, count, repetitions = map(int, numbers)
        if word == "beside":
            return await self._beside(size, count, repetitions)
        if word.startswith("tasks_"):
            return await self._in_tasks(await self._call(word.removeprefix("tasks_"), size, 1), count, repetitions)
        call = await self._call(word, size, count)
        if inspect.isawaitable(result := call()):
            await result
            return await times_awaited(call, repetitions)
        return times(call, repetitions)

    async def _call(self, operation: str, size: int, count: int) -> Call:
        """The call, carried out once; what a get gives must be what was put."""
        key = (operation, size, count)
        if key not in self._calls:
            for old in [old for old in self._calls if old[1] != size]:
                del self._calls[old]  # and its arrays
            call = self._subject.call(operation, size, count)
            result = call()
            if inspect.isawaitable(result):
                result = await result
            if not operation.startswith("put") and not self._subject.same(result, size, count):
                raise RuntimeError(f"{operation} gave something else than was put")
            self._calls[key] = call
        return self._calls[key]

    async def _in_tasks(self, call: Call, tasks: int, repetitions: int) -> list[int]:
        async def some() -> None:
            for _ in range(repetitions // tasks):
                await call()

        result = call()
        if not inspect.isawaitable(result):
            raise CannotError("it has no tasks: its operations block")
        await result
        begin = perf_counter_ns()
        await asyncio.gather(*(some() for _ in range(tasks)))
        return [perf_counter_ns() - begin]

    async def _beside(self, small: int, large: int, milliseconds: int) -> list[int]:
        """The puts follow each other; so do the gets."""
        get = await self._call("get", small, 1)
        put = self._subject.call("put", large, 1) if large else None
        end = time.monotonic() + milliseconds / 1e3
        if not inspect.isawaitable(result := get()):
            return _beside_in_threads(get, put, end)
        await result

        async def keep_putting(put: Call) -> None:
            while time.monotonic() < end:
                await put()

        putting = asyncio.ensure_future(keep_putting(put)) if put else None
        found = []
        while time.monotonic() < end:
            found += await times_awaited(get, 1)
            await asyncio.sleep(0)
        if putting is not None:
            await putting
        return found


def _beside_in_threads(get: Call, put: Call | None, end: float) -> list[int]:
    def keep_putting() -> None:
        while put is not None and time.monotonic() < end:
            put()

    putting = threading.Thread(target=keep_putting)
    putting.start()
    found = []
    while time.monotonic() < end:
        found += times(get, 1)
    putting.join()
    return found


async def _serve(subject: Subject) -> None:
    try:
        await subject.__aenter__()
    except Exception as error:  # noqa: BLE001 - told, whatever it is: not installed, not connected
        return _tell(error)
    try:
        server = Server(subject)
        print("ready", flush=True)
        # Read in the loop itself: while it waits for the next line the client has nothing to do.
        for line in sys.stdin:
            try:
                print(*await server.answer(line), flush=True)
            except Exception as error:  # noqa: BLE001 - told, whatever it is; the next line may work
                _tell(error)
    finally:
        await subject.__aexit__(None, None, None)


def _tell(error: Exception) -> None:
    print("error", " ".join(f"{type(error).__name__}: {error}".split()), flush=True)


def main(name: str) -> None:
    kind, loop = SUBJECTS[name]
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(_serve(kind()))


if __name__ == "__main__":
    main(sys.argv[1])
