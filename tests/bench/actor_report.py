"""What is said about the actors: the figures of all rounds, one line a subject, measure and count, and the aims."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.bench.rounds import Quartiles

#: What a rate of tells must reach of the limit's.
TELL_SHARE = 0.5
#: Bytes an idle member of a pool may take.
MEMBER_BYTES = 4096
#: Seconds in which MANY members of a pool must have started.
START_SECONDS = 5.0
#: Seconds from a crash to the first answer of the next incarnation.
RESTART_SECONDS = 1e-3
MANY = 100_000

#: Name on the command line of a subject: how it is called in the table, and what it is.
NAMES = {
    "limit": ("queues and tasks", "a bare asyncio.Queue and task each, futures for answers, no supervision: the limit"),
    "supervisor": ("ssasync children", "children of a Supervisor, each with a task; in process"),
    "pool": ("ssasync pool", "members of a Pool, without a task while idle; supervised; in process"),
    "xoscar": ("xoscar main pool", "xoscar.Actor in the main pool, uvloop; in process"),
    "xoscar-process": (
        "xoscar sub pool",
        "xoscar.Actor in one sub pool, uvloop; all in one other process; auto_recover",
    ),
    "thespian-simple": (
        "thespian simple",
        "simpleSystemBase: a call in the caller's thread, no concurrency; in process",
    ),
    "thespian-multiproc": ("thespian multiproc", "multiprocQueueBase: a process each"),
    "pykka": ("pykka", "ThreadingActor, no proxies: a thread each; in process"),
    "ray": ("ray", "async actors, max_restarts=-1, loopback, no dashboard: a process each"),
}
OURS = ("supervisor", "pool")
PEERS = tuple(name for name in NAMES if name not in (*OURS, "limit"))


@dataclass(slots=True)
class Result:
    """What one subject has shown at one count: by measure the values of each round, or why there are none."""

    subject: str
    loop: str
    count: int  #: that was wanted
    carried: int = 0  #: that it got to
    rounds: dict[str, list[list[float]]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return NAMES[self.subject][0] + ("" if self.subject in PEERS else f" {self.loop}")

    def middle(self, measure: str) -> float | None:
        rounds = self.rounds.get(measure)
        return median(median(values) for values in rounds) if rounds else None


@dataclass(frozen=True, slots=True)
class ActorRow:
    """One measure of one subject at one count. ratio: to the limit, of the same round where there is one."""

    measure: str
    subject: str
    name: str
    loop: str
    count: int
    carried: int
    carried_why: str  #: no more
    value: float
    spread: Quartiles
    limit: float | None
    ratio: Quartiles | None
    repetitions: int
    aim: str
    meets_aim: bool | None  #: None: there is no aim
    error: str = ""

    def __str__(self) -> str:
        head = f"{f'{self.measure} × {self.count:,}':<18} {self.name:<26}"
        if self.error:
            return f"{head} – {self.error}"
        show = text_of(self.measure)
        text = f"{head} {show(self.value):>10}"
        if self.limit is not None and self.ratio is not None:
            low, middle, high = (ratio_text(value) for value in (self.ratio.low, self.ratio.middle, self.ratio.high))
            text += f"   limit {show(self.limit):>10}   ratio {middle} ({low}–{high}, n={self.repetitions})"
        else:
            low, high = show(self.spread.low), show(self.spread.high)
            text += f"   ({low}–{high}, n={self.repetitions})"
        if self.carried < self.count:
            text += f"   carried {self.carried:,} ({self.carried_why})"
        if self.meets_aim is not None:
            text += f"   aim {self.aim}  {'ok' if self.meets_aim else 'MISSED'}"
        return text


def rows_of(results: Sequence[Result], measures: Sequence[str]) -> list[ActorRow]:
    """All lines, by measure and count, ours first."""
    counts = sorted({result.count for result in results})
    order = list(NAMES)
    rows = []
    for measure in measures:
        for count in counts:
            here = sorted((r for r in results if r.count == count), key=lambda r: (order.index(r.subject), r.loop))
            rows += [row for result in here if (row := _row(measure, result, here)) is not None]
    return rows


def _row(measure: str, result: Result, here: Sequence[Result]) -> ActorRow | None:
    rounds = result.rounds.get(measure)
    values = [value for some in rounds or () for value in some]
    limit = _limit(result, here)
    middle, error = result.middle(measure), result.errors.get(measure, "")
    if middle is None and not error:
        return None
    limit_rounds = limit.rounds.get(measure) if limit is not None and limit is not result else None
    ratio = None
    if rounds and limit_rounds and limit_rounds[0]:
        limits = [median(some) for some in limit_rounds]
        ratio = Quartiles.of(
            [value / limits[min(number, len(limits) - 1)] for number, some in enumerate(rounds) for value in some]
        )
    aim, met = _judge(measure, result, ratio, here) if middle is not None else ("", None)
    return ActorRow(
        measure=measure,
        subject=result.subject,
        name=result.name,
        loop=result.loop,
        count=result.count,
        carried=result.carried,
        carried_why=result.errors.get("carried", ""),
        value=middle or 0.0,
        spread=Quartiles.of(values) if values else Quartiles(0.0, 0.0, 0.0),
        limit=limit.middle(measure) if limit is not None and ratio is not None else None,
        ratio=ratio,
        repetitions=len(values),
        aim=aim,
        meets_aim=met,
        error=error if middle is None else "",
    )


def _limit(result: Result, here: Iterable[Result]) -> Result | None:
    """The bare loop that the subject runs on; peers without one are held against the faster, uvloop's."""
    loop = "uvloop" if result.subject in PEERS else result.loop
    return next((other for other in here if other.subject == "limit" and other.loop == loop), None)


def _judge(measure: str, result: Result, ratio: Quartiles | None, here: Iterable[Result]) -> tuple[str, bool | None]:
    """The aim as text and whether it is met; None where there is none."""
    value = result.middle(measure)
    if result.subject not in OURS or value is None:
        return "", None
    match measure:
        case "tell" if ratio is not None:
            return f"{TELL_SHARE:.2f}", ratio.middle >= TELL_SHARE
        case "ask":
            peers = [(rate, peer.name) for peer in here if peer.subject in PEERS and (rate := peer.middle("ask"))]
            if peers:
                best, name = max(peers)
                return f"> {text_of('ask')(best)} ({name})", value > best
        case "memory" if result.subject == "pool" and result.count == MANY:
            return f"{MEMBER_BYTES / 1024:g} KiB", value <= MEMBER_BYTES
        case "spawn" if result.subject == "pool" and result.count == MANY:
            return f"{START_SECONDS:g} s, took {MANY / value:.1f} s", MANY / value < START_SECONDS
        case "restart":
            return seconds_text(RESTART_SECONDS), value < RESTART_SECONDS
    return "", None


def text_of(measure: str) -> Callable[[float], str]:
    """How a value of a measure is written."""
    if measure == "restart":
        return seconds_text
    return bytes_text if measure in ("memory", "traced") else rate_text


def ratio_text(ratio: float) -> str:
    """Two figures at least, whether it is a fraction of a percent or in thousands."""
    if ratio >= 100:
        return f"{ratio:,.0f}"
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def rate_text(rate: float) -> str:
    if rate >= 1e6:
        return f"{rate / 1e6:.2f} M/s"
    return f"{rate / 1e3:.1f} k/s" if rate >= 1e3 else f"{rate:.1f} /s"


def bytes_text(size: float) -> str:
    return f"{size / 2**20:.1f} MiB" if size >= 1 << 20 else f"{size / 2**10:.2f} KiB"


def seconds_text(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"
