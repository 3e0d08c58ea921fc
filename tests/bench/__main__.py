"""`make bench`: what ssasync costs, each figure as a ratio to a limit measured in the same run.

`python -m tests.bench [--quick] [--only tensors|inference]` prints a line a measurement and writes them, with a plot, to
out/bench.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import inference, tensors
from tests.bench.plot import draw
from tests.bench.report import Row
from tests.bench.store_process import StoreUnderTest

PARTS = ("tensors", "inference")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the rounds")
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--out", type=Path, default=Path("out/bench"), help="where table and plot go")
    options = parser.parse_args()
    parts = (options.only,) if options.only else PARTS
    rounds = 5 if options.quick else 25
    lines: list[str] = []
    rows: list[Row] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    def report(row: Row) -> None:
        rows.append(row)
        say(str(row))

    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    say(f"# {os.cpu_count()} cores, load {load}; {sys.platform}, Python {sys.version.split()[0]}")
    say("# ratio = subject / limit of the same round: median (quartiles, n repetitions)")
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ssa-bench-") as name:
        directory = Path(name)
        with StoreUnderTest(directory / "experiment") as store:
            os.environ.update(store.environment)
            if "tensors" in parts:
                tensors.measure(store, directory, rounds=rounds, report=report)
            if "inference" in parts:
                inference.measure(store, directory, rounds=rounds, report=report)
    aimed = [row for row in rows if row.aim is not None]
    missed = [row for row in aimed if not row.meets_aim]
    say(f"# {len(aimed) - len(missed)} of {len(aimed)} aims met, in {time.monotonic() - begin:.0f} s")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "client.txt").write_text("\n".join(lines) + "\n")
    draw(rows, options.out / "client.png")
    print(f"written: {options.out}/client.txt, {options.out}/client.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
