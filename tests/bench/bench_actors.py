"""The actor kernel against bare queues and tasks, and against other actor libraries.

Each subject runs at each count in a process of its own, and they take turns, round after round: what the machine does
meanwhile hits all of them. Peers that cannot carry a count within SECONDS and MEMORY are measured at what they carry.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from tests.bench.actor_process import run_alone
from tests.bench.actor_report import MANY, NAMES, OURS, PEERS, ActorRow, Result, rows_of

SECONDS = 60.0
MEMORY = 8 << 30
MEASURES = ("tell", "ask", "spawn", "memory", "traced", "restart")
LOOPS = ("asyncio", "uvloop")
#: A peer that gives each actor a process is not asked for MANY: it carries less than a thousand, or little more.
_PROCESS_EACH = ("thespian-multiproc", "ray")
#: They start within a second, and so can be measured as often as we are.
_FAST_PEERS = ("xoscar", "thespian-simple", "pykka")
#: Members that tracemalloc looks at; it makes everything several times slower.
_TRACED = 10_000


@dataclass(frozen=True, slots=True)
class Case:
    """A subject at a count, and how often it is measured."""

    subject: str
    loop: str
    count: int
    rounds: int
    traced: bool = False
    slice_seconds: float = 0.08  #: that messages are sent for one value of a rate

    @property
    def arguments(self) -> list[str]:
        options = ["--loop", self.loop, "--count", str(self.count), "--seconds", f"{SECONDS:g}"]
        options += [
            "--memory",
            str(MEMORY >> 20),
            "--slice",
            f"{self.slice_seconds:g}",
            *(["--traced"] if self.traced else []),
        ]
        return ["tests.bench.actor_subject", self.subject, *options]


def cases(*, quick: bool) -> list[Case]:
    """What is measured: the shortest first, so that a look at the first lines tells much."""
    mine = [(subject, loop) for loop in LOOPS for subject in ("limit", *OURS)]
    rounds = 2 if quick else 5
    few = [Case(subject, loop, 1, rounds) for subject, loop in mine]
    few += [Case(subject, "uvloop", 1, rounds if subject in _FAST_PEERS else 1) for subject in PEERS]
    if quick:
        few += [Case(subject, loop, 1000, 1) for subject, loop in mine]
        return few + [Case(subject, "uvloop", MANY, 1) for subject in ("limit", "pool")]
    thousand = [Case(subject, loop, 1000, rounds) for subject, loop in mine]
    thousand += [Case(subject, "uvloop", 1000, 2 if subject in _FAST_PEERS else 1) for subject in PEERS]
    many = [Case(subject, loop, MANY, 1 if subject == "supervisor" else 2) for subject, loop in mine]
    many += [Case(subject, "uvloop", MANY, 1) for subject in PEERS if subject not in _PROCESS_EACH]
    traced = [Case(subject, "asyncio", _TRACED, 1, traced=True) for subject in ("limit", *OURS)]
    return few + thousand + many + traced


def measure(chosen: Sequence[Case], *, say: Callable[[str], None]) -> list[ActorRow]:
    """Run all cases in turn; `say` is told each line of the table."""
    for line in _subjects({case.subject for case in chosen}):
        say(line)
    results = {case: Result(case.subject, case.loop, case.count) for case in chosen}
    for number in range(max(case.rounds for case in chosen)):
        for case, result in results.items():
            if number < case.rounds:
                _run(case, result)
    rows = rows_of(list(results.values()), MEASURES)
    for row in rows:
        say(str(row))
    return rows


def _run(case: Case, result: Result) -> None:
    outcome = run_alone(case.arguments, seconds=SECONDS, memory=MEMORY)
    for line in outcome.lines:
        if "error" in line:
            result.errors[line["measure"]] = line["error"]
        else:
            result.rounds.setdefault(line["measure"], []).append(line["values"])
            result.carried = max(result.carried, line["count"])
    if outcome.error is not None:
        # Whatever it had not said by then; what went wrong after the last measure is said with that one.
        wanted = ["traced"] if case.traced else [name for name in MEASURES if name != "traced"]
        missing = [name for name in wanted if name not in result.rounds and name not in result.errors]
        for name in missing or wanted[-1:]:
            result.errors.setdefault(name, outcome.error)


def _subjects(names: set[str]) -> list[str]:
    """What each name in the table stands for."""
    lines = []
    for name, (shown, what) in NAMES.items():
        if name in names:
            package = name.split("-")[0]
            lines.append(
                f"# {f'{shown} {_version(package)}'.strip():<26} {what}" if name in PEERS else f"# {shown:<26} {what}"
            )
    lines.append(
        "# rates and times as their users see them; memory of idle actors: without mapped files, shared pages once"
    )
    lines.append("# ratio = subject / limit; of rates more is better, of memory and times less")
    return lines


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
