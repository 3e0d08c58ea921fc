"""Programs that measure, asked over their stdin; those in C, which measure limits, are compiled when they are needed."""

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

_SOURCES = Path(__file__).parent
#: Seconds within which a program must answer; the longest question takes a few.
PATIENCE = 60.0


class ProgramError(Exception):
    """A program that said that it cannot do something, that ended, or that does not answer."""


def compile_program(name: str, directory: Path, *flags: str) -> Path:
    """The program made from `<name>.c`. Raises ProgramError with the compiler's first complaint."""
    program = directory / name
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(_SOURCES / f"{name}.c"), *flags]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        complaints = [line for line in done.stderr.splitlines() if "error:" in line or "undefined reference" in line]
        raise ProgramError(f"{name}.c is not compiled: {(complaints or [done.stderr.strip()])[0]}")
    return program


class Program:
    """A running program that answers each line with one line; ends with its stdin."""

    def __init__(self, program: Path, *arguments: object, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            text=True,
        )

    @classmethod
    def module(cls, name: str, *arguments: object, environment: Mapping[str, str] | None = None) -> Self:
        """`python -m NAME ARGUMENTS...`"""
        return cls(Path(sys.executable), "-m", name, *arguments, environment=environment)

    @property
    def pid(self) -> int:
        return self._process.pid

    def read_line(self, patience: float = PATIENCE) -> str:
        """The next line. Raises ProgramError: it ended, or does not answer and was killed."""
        assert self._process.stdout is not None
        # Nothing lies in the buffer of this end: a program says one line, then waits for the next question.
        if not select.select([self._process.stdout], [], [], patience)[0]:
            self._process.kill()
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            why = f"gave no answer within {patience:.0f} s" if status == -9 else f"ended with status {status}"
            raise ProgramError(why)
        return line.strip()

    def ask(self, line: str) -> list[int]:
        """Send a line; the numbers of the answer. Raises ProgramError."""
        self.tell(line)
        return self.numbers()

    def tell(self, line: str) -> None:
        """Send a line, whose answer is read later. Raises ProgramError: it ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ProgramError(f"ended with status {self._process.wait()}") from None

    def has_answered(self) -> bool:
        """Whether the answer to a line that was told can be read."""
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], 0)[0])

    def numbers(self) -> list[int]:
        """The numbers of the next line. Raises ProgramError: it says that it cannot."""
        return [int(word) for word in self._answer().split()]

    def wait_until_ready(self) -> None:
        """Read its first line. Raises ProgramError: it says why it is not ready."""
        if (answer := self._answer()) != "ready":
            raise ProgramError(f"said {answer!r} instead of 'ready'")

    def _answer(self) -> str:
        answer = self.read_line()
        if answer.startswith("error "):
            raise ProgramError(answer.removeprefix("error "))
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
