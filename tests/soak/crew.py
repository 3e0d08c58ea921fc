"""The actors of the soak: what they do, and the ways in which they crash."""

import asyncio
import contextlib
import enum
from dataclasses import dataclass
from typing import Any, ClassVar

from ssasync.actors import (
    Actor,
    ActorError,
    ActorRef,
    Blame,
    Down,
    ExitReason,
    LinkedExit,
    Terminated,
    Timer,
    Up,
)
from tests.soak.ledger import Ledger

BALLAST = 100_000  #: bytes in the frame of every crash: a frame that is kept is seen


class Crash(enum.Enum):
    """How an actor is told to end badly."""

    RAISE = "exception"
    GROUP = "exception group"
    STRAY_CANCEL = "stray cancellation"
    NODE_FAILURE = "node failure"
    IN_STOPPED = "in stopped()"
    IN_STARTED = "in started()"


@dataclass(frozen=True, slots=True)
class Work:
    """Take `seconds`; the answer is the message."""

    seconds: float = 0.0


class SoakError(Exception):
    """A crash by order."""


class NodeFailure(Exception):
    """A crash that says itself who is to blame."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.exit_reason = ExitReason("node_failure", Blame.INFRASTRUCTURE, text)


class Worker(Actor):
    """Works and crashes as it is told. `fails_to_start` holds the paths whose next incarnation does not come up."""

    fails_to_start: ClassVar[set[str]] = set()

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._fails_to_stop = False

    async def started(self) -> None:
        if self.ref.path in self.fails_to_start:
            self.fails_to_start.discard(self.ref.path)
            raise SoakError(self._ledger.crash(Crash.IN_STARTED.value))

    async def receive(self, message: Any) -> Any:
        match message:
            case Work(seconds):
                if seconds:
                    await asyncio.sleep(seconds)
                return message
            case Crash():
                return await self._crash(message)
            case "end":
                self.exit()
        return None

    async def stopped(self, reason: ExitReason) -> None:
        if self._fails_to_stop:
            raise SoakError(self._ledger.crash(Crash.IN_STOPPED.value))

    async def _crash(self, how: Crash) -> None:
        ballast = bytearray(BALLAST)
        ballast[-1] = 1
        if how is Crash.IN_STOPPED:
            self._fails_to_stop = True
        elif how is Crash.IN_STARTED:
            self.fails_to_start.add(self.ref.path)
        text = self._ledger.crash(Crash.RAISE.value if how in (Crash.IN_STOPPED, Crash.IN_STARTED) else how.value)
        match how:
            case Crash.GROUP:
                raise ExceptionGroup(text, [ValueError("one"), OSError("two")])
            case Crash.STRAY_CANCEL:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                future.cancel(text)
                await future
            case Crash.NODE_FAILURE:
                raise NodeFailure(text)
            case _:
                raise SoakError(text)


class Ticker(Worker):
    """Lives on timers: one that repeats, others that are made and cancelled all the time."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._later: Timer | None = None

    async def started(self) -> None:
        self.register(self.ref.path.rpartition("/")[2])
        self.send_interval(0.01, "tick")
        await super().started()

    async def receive(self, message: Any) -> Any:
        if message == "tick":
            if self._later is not None:
                self._later.cancel()
            self._later = self.send_after(0.005 if self._later is None else 0.05, "later")
        elif message == "later":
            self._later = None
        else:
            return await super().receive(message)
        return None


class Watcher(Worker):
    """Watches others through all their incarnations, and keeps its books about them."""

    def __init__(self, ledger: Ledger, paths: tuple[str, ...]) -> None:
        super().__init__(ledger)
        self._paths = paths
        self.running: dict[str, bool] = {}

    async def started(self) -> None:
        for path in self._paths:
            self.watch(self.system.lookup(path))
        await super().started()

    async def receive(self, message: Any) -> Any:
        match message:
            case Up(ref, _):
                if self.running.get(ref.path):
                    raise AssertionError(f"{ref.path} came up twice")
                self.running[ref.path] = True
            case Down(ref, _, _):
                self.running[ref.path] = False
            case Terminated(ref, _):
                self.running.pop(ref.path, None)
            case ActorRef():
                self.watch(message)
            case _:
                return await super().receive(message)
        return None


class Linked(Worker):
    """Is tied to another whenever both run: one's crash takes the other along."""

    def __init__(self, ledger: Ledger, path: str) -> None:
        super().__init__(ledger)
        self._path = path

    async def started(self) -> None:
        self.watch(self.system.lookup(self._path))
        await super().started()

    async def receive(self, message: Any) -> Any:
        match message:
            case Up(ref, _):
                with contextlib.suppress(ActorError):  # it was up when this was sent; the next Up comes
                    self.link(ref)
            case Down() | Terminated() | LinkedExit():
                pass
            case _:
                return await super().receive(message)
        return None


class Trapper(Linked):
    """Is told of the end of what it is linked to, and lives on."""

    traps_exits = True
