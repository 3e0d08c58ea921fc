"""A client of the C core in a process of its own, which a test tells what to do (c_engine/talk.c)."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cyclient.cluster_process import ClusterProcess
from tests.cyclient.engine_process import EngineProcess


@dataclass(frozen=True)
class Ended:
    """How a request ended."""

    status: str
    number: int
    error: str
    reply: list[bytes] = field(default_factory=list)


class Talk:
    """The program, connected to a store by environment."""

    def __init__(self, program: Path, **environment: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SS", "SR_"))}
        self._process = subprocess.Popen(
            [program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=inherited | environment,
        )
        self._next = 0

    def tell(self, *words: object) -> str:
        """One line, and its answer."""
        assert self._process.stdin
        self._process.stdin.write(" ".join(str(word) if word != "" else "-" for word in words) + "\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, self._process.communicate(timeout=20)
        return line.rstrip("\n")

    def start(self, *words: object, timeout: float = 30) -> int:
        """Begin an operation; returns its number."""
        self._next += 1
        assert self.tell("start", self._next, timeout, *words) == f"{self._next} begun"
        return self._next

    def refused(self, *words: object) -> Ended:
        """An operation that cannot even begin."""
        return _ended(self.tell("start", 0, 1, *words))

    def settle(self) -> None:
        """Return when nothing is on its way: what waits is armed."""
        assert self.tell("settle") == "settled"

    def ended(self, request: int, *, taken: bool = True) -> Ended:
        """Wait for its end. taken: whoever asked has its result from now on."""
        ended = _ended(self.tell("await" if taken else "look", request))
        while (line := self._line()) != ".":
            ended.reply.append(bytes.fromhex(line))
        return ended

    def drop(self, request: int) -> None:
        """Nobody asks for its result any more."""
        assert self.tell("drop", request) == f"{request} dropped"

    def do(self, *words: object, timeout: float = 30) -> Ended:
        """Begin an operation and wait for its end."""
        return self.ended(self.start(*words, timeout=timeout))

    def close(self) -> None:
        """It must end by itself, and find nothing wrong: no leak either."""
        said = self._process.communicate(timeout=60)
        assert (self._process.returncode, *said) == (0, "", "")

    def kill(self) -> None:
        """After a failure."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def _ended(line: str) -> Ended:
    _, status, number, error = line.split(" ", 3)
    return Ended(status, int(number), error)


class Talks:
    """Opens clients of one program; all end together."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._open: list[Talk] = []

    def __call__(self, store: EngineProcess | ClusterProcess, **environment: str) -> Talk:
        addresses = store.unix if isinstance(store, EngineProcess) else store.addresses
        values = {"SSDB": addresses, "SSDB_USER": "default", "SSDB_PASSWORD": store.password}
        self._open.append(Talk(self._program, **values | environment))
        return self._open[-1]


@contextmanager
def talks(program: Path) -> Iterator[Talks]:
    """They must find nothing wrong, and are gone at the end."""
    opened = Talks(program)
    try:
        yield opened
        for talk in opened._open:
            talk.close()
    finally:
        for talk in opened._open:
            talk.kill()
