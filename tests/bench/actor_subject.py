"""One subject of the actor benchmark, alone in its process: `python -m tests.bench.actor_subject pool --count 1000`.

Prints a JSON line a measure as soon as it is taken, so that those taken before a limit strikes are not lost. Everything
is measured from outside the actors, by their user: an actor counts as started when it is ready, a told message as
sent when it was handled, a crash as over when the next incarnation has answered.
"""

import argparse
import asyncio
import gc
import importlib
import json
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import uvloop

from tests.bench.actor_load import CannotError, Subject
from tests.bench.actor_process import memory_of_subject

#: Name on the command line: where its class is.
SUBJECTS = {
    "limit": "actor_limit:QueuesAndTasks",
    "supervisor": "actor_ssasync:Children",
    "pool": "actor_ssasync:Members",
    "xoscar": "actor_xoscar:MainPool",
    "xoscar-process": "actor_xoscar:SubPool",
    "thespian-simple": "actor_thespian:SimpleSystem",
    "thespian-multiproc": "actor_thespian:MultiprocQueue",
    "pykka": "actor_pykka:Threads",
    "ray": "actor_ray:AsyncActors",
}

SLICES = 5  #: values a rate is measured by
MEASURE_SECONDS = 2.0  #: then no further slice is begun
STARTS_OF_ONE = 10  #: a single start is too short to be measured once
CRASHES = 40
#: What is left for the messages of the time and the memory a subject is given, once its actors are started.
SPAWN_SHARE, MEMORY_SHARE = 0.5, 0.9
#: Seconds of starting between two looks at the memory: with a thousand processes a look takes its time.
MEMORY_PERIOD = 3.0


class Run:
    """What is measured of one subject at one count."""

    def __init__(self, subject: Subject, count: int, *, seconds: float, memory: int, slice_seconds: float) -> None:
        self.subject = subject
        self.count = count
        self.spawned = 0
        self._seconds = seconds
        self._memory = memory
        self._slice = slice_seconds

    async def measure(self) -> None:
        """Take all measures; one that fails is said to have failed, and the next is taken."""
        await self.subject.open()
        before = _settled_memory()
        await self._take("spawn", self._spawn)
        if not self.spawned:
            return
        self.count = min(self.count, self.spawned)
        if self.count > 1:
            say("memory", [(_settled_memory() - before) / self.spawned], self.count)
        for name, measure in (("tell", self._tell), ("ask", self._ask), ("restart", self._restart)):
            await self._take(name, measure)

    async def _take(self, name: str, measure: Callable[[], Awaitable[list[float]]]) -> None:
        try:
            values = await measure()
        except Exception as error:  # noqa: BLE001 -- whatever a subject raises is its result
            print(json.dumps({"measure": name, "error": _text(error)}), flush=True)
        else:
            say(name, values, min(self.count, self.spawned))

    async def _spawn(self) -> list[float]:
        """Actors a second: of all together, or of single ones if one is wanted."""
        if self.count == 1:
            single: list[float] = []
            begin = time.perf_counter()
            while len(single) < STARTS_OF_ONE and time.perf_counter() - begin < MEASURE_SECONDS:
                single.append(await _seconds(self.subject.spawn(1)))
                self.spawned += 1
            return [1 / seconds for seconds in single]
        busy = 0.0
        why, looked = "", 0.0
        while self.spawned < self.count and not why:
            more = min(self.subject.batch, self.count - self.spawned)
            try:
                busy += await _seconds(self.subject.spawn(more))
            except Exception as error:
                if not self.spawned:
                    raise
                why = _text(error)
                break
            self.spawned += more
            if busy > self._seconds * SPAWN_SHARE:
                why = f"in {busy:.0f} s"
            elif self.spawned < self.count and busy > looked + MEMORY_PERIOD:
                looked = busy
                if memory_of_subject() > self._memory * MEMORY_SHARE:
                    why = f"in {self._memory * MEMORY_SHARE / 2**30:.1f} GiB"
        if self.spawned < self.count:
            print(json.dumps({"measure": "carried", "error": why}), flush=True)
        return [self.spawned / busy]

    async def _tell(self) -> list[float]:
        async def some(messages: int) -> int:
            passes = max(1, round(messages / self.count))
            await self.subject.tell(self.count, passes)
            return passes * self.count

        return await _rates(some, self._slice)

    async def _ask(self) -> list[float]:
        asked = 0

        async def some(messages: int) -> int:
            nonlocal asked
            await self.subject.ask([actor % self.count for actor in range(asked, asked + messages)])
            asked += messages
            return messages

        return await _rates(some, self._slice)

    async def _restart(self) -> list[float]:
        """Seconds, of actors spread over all."""
        await self.subject.crash(0)  # the first one imports and compiles what tracebacks need
        times: list[float] = []
        begin = time.perf_counter()
        while len(times) < CRASHES and time.perf_counter() - begin < MEASURE_SECONDS:
            times.append(await self.subject.crash(len(times) * self.count // CRASHES))
        return times


async def _rates(some: Callable[[int], Awaitable[int]], slice_seconds: float) -> list[float]:
    """Messages a second, by slices of about that length; what the first use costs is not counted."""
    messages = 100
    while True:
        begin = time.perf_counter()
        done = await some(messages)
        seconds = time.perf_counter() - begin
        if seconds > slice_seconds / 4:
            break
        messages = done * 4
    messages = max(1, round(done * slice_seconds / seconds))
    rates: list[float] = []
    first = time.perf_counter()
    while len(rates) < SLICES and time.perf_counter() - first < MEASURE_SECONDS:
        begin = time.perf_counter()
        done = await some(messages)
        rates.append(done / (time.perf_counter() - begin))
    return rates


def _text(error: Exception) -> str:
    if isinstance(error, CannotError):
        return str(error)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__


async def _seconds(work: Awaitable[None]) -> float:
    begin = time.perf_counter()
    await work
    return time.perf_counter() - begin


def _settled_memory() -> int:
    gc.collect()
    return memory_of_subject()


async def traced_memory(subject: Subject, count: int) -> None:
    """Bytes of Python objects an actor, by tracemalloc: a check of what the system says."""
    await subject.open()
    tracemalloc.start()
    await subject.spawn(count)
    gc.collect()
    say("traced", [tracemalloc.get_traced_memory()[0] / count], count)
    tracemalloc.stop()


def say(measure: str, values: Sequence[float], count: int) -> None:
    print(json.dumps({"measure": measure, "values": list(values), "count": count}), flush=True)


def make_subject(name: str) -> Subject:
    module, _, kind = SUBJECTS[name].partition(":")
    made: Any = getattr(importlib.import_module(f"tests.bench.{module}"), kind)()
    subject: Subject = made
    return subject


async def main(options: argparse.Namespace) -> None:
    subject = make_subject(options.subject)
    try:
        if options.traced:
            await traced_memory(subject, options.count)
        else:
            run = Run(
                subject,
                options.count,
                seconds=options.seconds,
                memory=options.memory << 20,
                slice_seconds=options.slice,
            )
            await run.measure()
    finally:
        await subject.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.actor_subject", description=__doc__)
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="uvloop")
    parser.add_argument("--count", type=int, default=1, help="actors")
    parser.add_argument("--seconds", type=float, default=60.0, help="for everything")
    parser.add_argument("--memory", type=int, default=8 << 10, help="MiB")
    parser.add_argument("--slice", type=float, default=0.08, help="seconds that messages are sent for a value")
    parser.add_argument("--traced", action="store_true", help="only the memory, as tracemalloc sees it")
    arguments = parser.parse_args()
    factory = uvloop.new_event_loop if arguments.loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main(arguments))
    sys.exit(0)
