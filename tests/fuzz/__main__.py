"""Fuzz the parsers with libFuzzer: `python -m tests.fuzz [--seconds N] [target...]`.

Results lie in out/fuzz/<target>: the corpus (kept and used by the next run), the log, and each input that failed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.cyclient.c_builder import CBuilder
from tests.fuzz.seeds import HERE, TARGETS, write_seeds

OUT = HERE.parents[1] / "out" / "fuzz"
SANITIZERS = (
    "-O2",
    "-fno-omit-frame-pointer",
    "-fsanitize=fuzzer-no-link,address,undefined",
    "-fno-sanitize-recover=all",
)
MISSING = """fuzzing needs clang with libFuzzer: {}.
Install them (Debian: apt-get install clang libclang-rt-dev, or libclang-rt-<version>-dev for the version of clang)."""


def check_clang(clang: str) -> None:
    """Say plainly what is missing."""
    if shutil.which(clang) is None:
        sys.exit(MISSING.format(f"there is no {clang!r} on PATH"))
    with tempfile.TemporaryDirectory() as folder:
        command = [clang, "-fsanitize=fuzzer,address,undefined", "-x", "c", "-", "-o", f"{folder}/empty"]
        target = "int LLVMFuzzerTestOneInput(const char *data, unsigned long bytes) { return data && bytes ? 0 : 0; }"
        tried = subprocess.run(command, input=target, capture_output=True, text=True, check=False)
    if tried.returncode:
        sys.exit(MISSING.format(f"{clang} cannot link with -fsanitize=fuzzer\n{tried.stderr}"))


def fuzz(target: str, program: Path, seconds: int) -> bool:
    """Run one target; returns whether it found nothing."""
    folder = OUT / target
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    before = set(folder.glob("*-*"))
    log = folder / "log"
    command = [str(program), str(corpus), f"-max_total_time={seconds}", "-max_len=8192", "-len_control=20"]
    command += ["-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1", f"-artifact_prefix={folder}/"]
    with tempfile.TemporaryDirectory() as seeds, log.open("w") as said:
        write_seeds(target, Path(seeds))
        found = HERE / "found" / target
        command += [seeds, *([str(found)] if found.exists() else [])]
        status = subprocess.run(command, stdout=said, stderr=said, check=False).returncode
    text = log.read_text(errors="replace")
    runs = re.search(r"number_of_executed_units: (\d+)", text)
    last = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)
    coverage = "{} edges, {} features, corpus {}".format(*last[-1]) if last else "no coverage"
    new = sorted(set(folder.glob("*-*")) - before)
    print(
        f"{target:16} {runs[1] if runs else '?':>10} executions  {coverage}  {'ok' if not status else 'FAILED'}",
        flush=True,
    )
    for path in new:
        print(f"    {path}")
    if status:
        print(f"    see {log}")
    return status == 0


def main() -> int:
    """Build all targets and run them one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=600, help="for each target (600)")
    parser.add_argument("--clang", default="clang")
    options = parser.parse_args()
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    check_clang(options.clang)
    os.nice(10)
    with tempfile.TemporaryDirectory() as folder:
        builder = CBuilder(Path(folder), options.clang, SANITIZERS)
        names = options.targets or list(TARGETS)
        link = ("-fsanitize=fuzzer",)
        programs = {name: builder.program(HERE / f"{name}_fuzz.c", link_flags=link) for name in names}
        results = [fuzz(name, program, options.seconds) for name, program in programs.items()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
