"""`make bench`: what ssasync costs, each figure as a ratio to a limit measured in the same run.

`python -m tests.bench [--quick] [--only tensors|inference|actors]` prints a line a measurement and writes them, with
plots, to out/bench.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import actor_plot, bench_actors, inference, tensors
from tests.bench.plot import draw
from tests.bench.report import Row
from tests.bench.store_process import StoreUnderTest

PARTS = ("tensors", "inference", "actors")


class Table:
    """Lines that are printed at once and written at the end."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._begin = time.monotonic()
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        self.say(f"# {os.cpu_count()} cores, load {load}; {sys.platform}, Python {sys.version.split()[0]}")

    def say(self, line: str) -> None:
        print(line, flush=True)
        self.lines.append(line)

    def judge(self, met: list[bool]) -> None:
        self.say(f"# {sum(met)} of {len(met)} aims met, in {time.monotonic() - self._begin:.0f} s")

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(self.lines) + "\n")
        print(f"written: {path}, {path.with_suffix('.png')}", flush=True)


def measure_clients(parts: tuple[str, ...], *, quick: bool, out: Path) -> None:
    """Tensors and inferences, through a store of our own."""
    rounds = 5 if quick else 25
    table = Table()
    table.say("# ratio = subject / limit of the same round: median (quartiles, n repetitions)")
    rows: list[Row] = []

    def report(row: Row) -> None:
        rows.append(row)
        table.say(str(row))

    with tempfile.TemporaryDirectory(prefix="ssa-bench-") as name:
        directory = Path(name)
        with StoreUnderTest(directory / "experiment") as store:
            os.environ.update(store.environment)
            if "tensors" in parts:
                tensors.measure(store, directory, rounds=rounds, report=report)
            if "inference" in parts:
                inference.measure(store, directory, rounds=rounds, report=report)
    table.judge([row.meets_aim for row in rows if row.aim is not None])
    table.write(out / "client.txt")
    draw(rows, out / "client.png")


def measure_actors(*, quick: bool, out: Path) -> None:
    """The actor kernel, alone."""
    table = Table()
    rows = bench_actors.measure(bench_actors.cases(quick=quick), say=table.say)
    table.judge([row.meets_aim for row in rows if row.meets_aim is not None])
    table.write(out / "actors.txt")
    actor_plot.draw(rows, out / "actors.png")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the rounds")
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--out", type=Path, default=Path("out/bench"), help="where tables and plots go")
    options = parser.parse_args()
    parts = (options.only,) if options.only else PARTS
    clients = tuple(part for part in parts if part != "actors")
    if clients:
        measure_clients(clients, quick=options.quick, out=options.out)
    if "actors" in parts:
        measure_actors(quick=options.quick, out=options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
