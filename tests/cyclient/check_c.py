"""The C tests under every checker: `python -m tests.cyclient.check_c [program...]`.

sanitizers: AddressSanitizer and UBSan. threads: ThreadSanitizer, for programs that use threads. valgrind: memcheck of a
plain build, leaks included. Each program runs its tests, and once for every allocation that is refused. Then those that talk
to an engine, under valgrind (check_c_engine.py).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cyclient.c_builder import CBuilder
from tests.cyclient.check_c_engine import PROGRAMS, check_with_engine

FOLDER = Path(__file__).parent / "c"
#: Seconds for one run of a program; valgrind makes it some thirty times as long.
DEADLINE = 600
VALGRIND = (
    "valgrind",
    "--quiet",
    "--error-exitcode=99",
    "--leak-check=full",
    "--show-leak-kinds=all",
    "--errors-for-leak-kinds=all",
    "--track-fds=no",
    "--fair-sched=yes",
)


@dataclass(frozen=True)
class Checker:
    """One way to build and to run a program."""

    name: str
    flags: tuple[str, ...]
    prefix: tuple[str, ...] = ()
    only_threads: bool = False

    def wants(self, source: Path) -> bool:
        return not self.only_threads or "#include <pthread.h>" in source.read_text(encoding="utf-8")

    def run(self, program: Path, *words: str, folder: Path) -> str:
        """What is wrong; empty: nothing."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SS", "SR_"))}
        command = [*self.prefix, str(program), *words]
        output: dict[str, Any] = {"capture_output": True, "text": True, "errors": "replace"}
        done = subprocess.run(command, check=False, cwd=folder, env=environment, timeout=DEADLINE, **output)
        if done.returncode or done.stderr:
            return f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        return "" if done.stdout else f"{' '.join(command)} checked nothing"


CHECKERS = (
    Checker("sanitizers", ("-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover")),
    Checker("threads", ("-O1", "-fno-omit-frame-pointer", "-fsanitize=thread"), only_threads=True),
    Checker("valgrind", ("-O1",), VALGRIND),
)


def check(checker: Checker, sources: Sequence[Path], out: Path) -> list[str]:
    """Build and run all of them; prints a line for each and returns what is wrong."""
    builder = CBuilder(out / checker.name, "cc", checker.flags)
    wrong = []
    for source in filter(checker.wants, sources):
        program = builder.program(source)
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            said = [text for words in ((), ("--fail",)) if (text := checker.run(program, *words, folder=Path(folder)))]
            said += [f"{source.name} left {path.name}" for path in Path(folder).iterdir()]
        wrong += said
        verdict = "WRONG" if said else "ok"
        print(f"{checker.name:12} {source.stem:24} {time.monotonic() - start:6.1f} s  {verdict}", flush=True)
    return wrong


def main() -> int:
    """Run every program under every checker."""
    parser = argparse.ArgumentParser(prog="python -m tests.cyclient.check_c", description=__doc__)
    which = "as test_address, or c_face/values; all of them if none is named"
    parser.add_argument("programs", nargs="*", metavar="program", help=which)
    names = parser.parse_args().programs or [*sorted(path.stem for path in FOLDER.glob("test_*.c")), *PROGRAMS]
    with_engine = [name for name in names if name in PROGRAMS]
    sources = [FOLDER / f"{name}.c" for name in names if name not in PROGRAMS]
    if not all(source.exists() for source in sources) or not names:
        parser.error(f"no such program in {FOLDER}, nor among {', '.join(PROGRAMS)}")
    if shutil.which("valgrind") is None:
        sys.exit("the check of the C code needs valgrind: install it (Debian: apt-get install valgrind).")
    with tempfile.TemporaryDirectory() as out:
        wrong = [text for checker in CHECKERS for text in check(checker, sources, Path(out))]
        if with_engine:
            wrong += check_with_engine(with_engine, VALGRIND, Path(out))
    print("\n".join(wrong) or "nothing is wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
