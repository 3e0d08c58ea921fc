"""What is measured, once a second, and whether it is flat."""

import asyncio
import gc
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import psutil  # type: ignore[import-untyped]

from ssasync.actors import ActorSystem
from ssasync.actors.cell import Cell
from ssasync.actors.child import Child
from ssasync.actors.deadlines import Deadline
from ssasync.actors.mailbox import Ask, Mailbox
from ssasync.actors.timers import Timer

#: Classes of which nothing may be left when the system is gone.
KERNEL = (Cell, Child, Deadline, Ask, Mailbox, Timer)
MIB = 1 << 20
#: Seconds from which a soak is left to the garbage collector as it is. The collector's own period is a few seconds, in
#: which garbage adds half to the objects; the quarters of a shorter run would only tell when it happened to run.
LONG = 120.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the process and at the kernel; `at` in seconds since the begin, `rss` in bytes."""

    at: float
    crashes: int
    rss: int
    objects: int
    tasks: int
    descriptors: int
    actors: int = 0
    queued: int = 0
    longest_queue: int = 0
    deadlines: int = 0
    names: int = 0
    dead_letters: int = 0
    events: int = 0
    events_dropped: int = 0


def look(at: float, crashes: int, system: ActorSystem | None = None) -> Sample:
    """Measure now; garbage that is not collected yet counts, as it does for the process."""
    process = psutil.Process()
    sample = {
        "at": at,
        "crashes": crashes,
        "rss": process.memory_info().rss,
        "objects": len(gc.get_objects()),
        "tasks": len(asyncio.all_tasks()),
        "descriptors": process.num_fds(),
    }
    if system is not None:
        facts = system.statistics()
        depths = [kid.mailbox.statistics().depth for kid in _below(system._root)]
        sample |= {
            "actors": len(depths),
            "queued": sum(depths),
            "longest_queue": max(depths),
            "deadlines": facts.deadlines.pending,
            "names": facts.registry.names,
            "dead_letters": facts.dead_letters,
            "events": facts.bus.published,
            "events_dropped": facts.bus.dropped,
        }
    return Sample(**sample)


def _below(child: Child) -> list[Child]:
    return [child] + [below for kid in child.kids.values() for below in _below(kid)]


def kernel_objects() -> dict[str, int]:
    """How many objects of the kernel there are, by class; classes without any stay away."""
    counts = {kind.__name__: sum(type(thing) is kind for thing in gc.get_objects()) for kind in KERNEL}
    return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True, slots=True)
class Flatness:
    """How much a series may grow from the second quarter of a soak to the last, by their medians.

    noise: what comes and goes anyway. per_crash: what a crash may leave behind for ever; a thing per crash is a leak,
    so this is far below one. settling: what a run shorter than LONG may grow besides, since it never gets old.
    """

    series: str
    noise: float
    per_crash: float = 0.0
    settling: float = 0.0

    def allowed(self, crashes: int, seconds: float) -> float:
        """Growth that is still called flat when that many crashes lie between the quarters of such a run."""
        return self.noise + self.per_crash * crashes + (self.settling if seconds < LONG else 0.0)


#: The smallest leak would be one object of 64 bytes for every crash; half of that is allowed. The allocator gives memory
#: back by arenas of 1 MiB, and takes ten seconds or more until the holes that the crashes' frames of 100 kB leave in it
#: are as many as they will be; if all frames were kept, a short run would grow by 100 MB. Pool and traffic go up and
#: down by a few hundred objects.
FLAT = (
    Flatness("rss", noise=MIB, per_crash=32, settling=12 * MIB),
    Flatness("objects", noise=2000, per_crash=0.1, settling=3000),
    Flatness("tasks", noise=20),
    Flatness("descriptors", noise=0),
    Flatness("deadlines", noise=100),
    Flatness("queued", noise=200),
    Flatness("names", noise=5),
)


@dataclass(frozen=True, slots=True)
class Growth:
    """One line of the verdict."""

    series: str
    second: float  # median of the second quarter
    last: float  # median of the last quarter
    allowed: float

    @property
    def flat(self) -> bool:
        """Whether it grew by no more than it may. Shrinking is no leak."""
        return self.last - self.second <= self.allowed


def growth(samples: Sequence[Sample]) -> list[Growth]:
    """Compare the quarters; the first one is for warming up."""
    quarter = len(samples) // 4
    if quarter < 3:
        raise ValueError(f"{len(samples)} samples are too few to compare quarters: soak for longer")
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    crashes = last[len(last) // 2].crashes - second[len(second) // 2].crashes
    return [
        Growth(
            rule.series,
            statistics.median(asdict(sample)[rule.series] for sample in second),
            statistics.median(asdict(sample)[rule.series] for sample in last),
            rule.allowed(crashes, samples[-1].at),
        )
        for rule in FLAT
    ]
