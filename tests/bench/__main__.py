"""`make bench`: what ssasync costs, each figure as a ratio to a limit measured in the same run.

`python -m tests.bench [--quick] [--only client|inference|actors]` prints a line a measurement and writes them, with
plots, to out/bench.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import actor_plot, bench_actors, bench_client, client_plot, inference, inference_plot
from tests.bench.client_report import goals_met
from tests.bench.inference_report import InferenceRow
from tests.bench.store_process import StoreUnderTest

PARTS = ("client", "inference", "actors")


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


def measure_client(*, quick: bool, out: Path, parts: tuple[str, ...]) -> None:
    """The clients, through a store of our own."""
    table = Table()
    with _store() as (store, directory):
        rows = bench_client.measure(store, directory, quick=quick, parts=parts, say=table.say)
    goals = goals_met(rows)
    for goal in [goal for goal, met in goals.items() if not met]:
        table.say(f"# missed: {goal}")
    table.judge(list(goals.values()))
    table.write(out / "client.txt")
    client_plot.draw(rows, out / "client.png")


def measure_inference(*, quick: bool, out: Path) -> None:
    """Model workers, through a store of our own."""
    table = Table()
    rows: list[InferenceRow] = []

    def report(row: InferenceRow) -> None:
        rows.append(row)
        table.say(str(row))

    with _store() as (store, directory):
        os.environ.update(store.environments["unix"])
        inference.measure(store, directory, rounds=5 if quick else 25, report=report)
    table.judge([row.meets_aim for row in rows if row.aim is not None])
    table.write(out / "inference.txt")
    inference_plot.draw(rows, out / "inference.png")


@contextlib.contextmanager
def _store() -> Iterator[tuple[StoreUnderTest, Path]]:
    """A store, and a directory for what the measurements need."""
    with tempfile.TemporaryDirectory(prefix="ssa-bench-") as name:
        directory = Path(name)
        with StoreUnderTest(directory / "experiment") as store:
            yield store, directory


def measure_actors(*, quick: bool, out: Path) -> None:
    """The actor kernel, alone."""
    table = Table()
    rows = bench_actors.measure(bench_actors.cases(quick=quick), say=table.say)
    table.judge([row.meets_aim for row in rows if row.meets_aim is not None])
    table.write(out / "actors.txt")
    actor_plot.draw(rows, out / "actors.png")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, fewer waiters")
    parser.add_argument("--only", choices=(*PARTS, *(f"client:{part}" for part in bench_client.PARTS)), help="one part")
    parser.add_argument("--out", type=Path, default=Path("out/bench"), help="where tables and plots go")
    options = parser.parse_args()
    only, _, part_of_client = (options.only or "").partition(":")
    if only in ("", "client"):
        parts = (part_of_client,) if part_of_client else bench_client.PARTS
        measure_client(quick=options.quick, out=options.out, parts=parts)
    if only in ("", "inference"):
        measure_inference(quick=options.quick, out=options.out)
    if only in ("", "actors"):
        measure_actors(quick=options.quick, out=options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
