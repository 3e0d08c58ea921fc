"""thespian in the actor benchmark, with the system base that calls actors and one that gives each a process."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Its log is a file in the directory for temporary ones, unless told otherwise before the import.
os.environ.setdefault("THESPLOG_FILE", str(Path(tempfile.gettempdir()) / "thespian.log"))

from thespian.actors import Actor, ActorSystem  # type: ignore[import-untyped]

from tests.bench.actor_load import ASK, TELL, CannotError, turns

_PATIENCE = 30.0


class Player(Actor):  # type: ignore[misc]  # has no types
    """Answers what it is asked; an external sender cannot be told apart, so a told message is not answered."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if message == ASK:
            self.send(sender, message)


class SimpleSystem:
    """All in the caller's thread: to tell or to ask is to call."""

    batch = 500
    base = "simpleSystemBase"

    def __init__(self) -> None:
        self._system: Any = None
        self._actors: list[Any] = []

    async def open(self) -> None:
        self._system = ActorSystem(self.base)

    async def spawn(self, count: int) -> None:
        new = [self._system.createActor(Player) for _ in range(count)]
        for actor in new:
            self._ask(actor)  # createActor does not wait until it is there
        self._actors += new

    async def tell(self, count: int, passes: int) -> None:
        for some, message in turns(self._actors[:count], passes):
            for actor in some:
                if message == TELL:
                    self._system.tell(actor, message)
                else:  # that all are handled can only be asked
                    self._ask(actor)

    async def ask(self, actors: Sequence[int]) -> None:
        for actor in actors:
            self._ask(self._actors[actor])

    async def crash(self, actor: int) -> float:
        raise CannotError("after an exception the same instance goes on; no restart")

    async def close(self) -> None:
        if self._system is not None:
            self._system.shutdown()

    def _ask(self, actor: Any) -> None:
        if self._system.ask(actor, ASK, _PATIENCE) != ASK:
            raise TimeoutError(f"no answer within {_PATIENCE:g} s")


class MultiprocQueue(SimpleSystem):
    """A process each, with multiprocessing queues between them."""

    batch = 10
    base = "multiprocQueueBase"
