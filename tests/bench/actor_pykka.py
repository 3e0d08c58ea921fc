"""pykka in the actor benchmark: ThreadingActor, told and asked without a proxy."""

import threading
from collections.abc import Sequence

import pykka

from tests.bench.actor_load import ASK, LAST, CannotError, turns

_PATIENCE = 15.0


class Threads:
    """A thread each."""

    batch = 250

    def __init__(self) -> None:
        self._refs: list[pykka.ActorRef[Player]] = []
        self.handled = threading.Event()
        self.left = 0
        self.lock = threading.Lock()

    async def open(self) -> None:
        pass

    async def spawn(self, count: int) -> None:
        self._refs += [Player.start(self) for _ in range(count)]

    async def tell(self, count: int, passes: int) -> None:
        self.handled.clear()
        self.left = count
        for some, message in turns(self._refs[:count], passes):
            for ref in some:
                ref.tell(message)
        if not self.handled.wait(_PATIENCE):
            raise TimeoutError(f"not all of {count} handled within {_PATIENCE:g} s")

    async def ask(self, actors: Sequence[int]) -> None:
        refs = self._refs
        for actor in actors:
            refs[actor].ask(ASK)

    async def crash(self, actor: int) -> float:
        raise CannotError("an exception in a told message ends the actor; no restart")

    async def close(self) -> None:
        # Does not wait: thousands of threads take minutes to end, and the end of the process ends them, too.
        pykka.ActorRegistry.stop_all(block=False)


class Player(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self, subject: Threads) -> None:
        super().__init__()
        self._subject = subject

    def on_receive(self, message: int) -> int:
        if message == LAST:
            with self._subject.lock:
                self._subject.left -= 1
                if not self._subject.left:
                    self._subject.handled.set()
        return message
