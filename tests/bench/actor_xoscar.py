"""xoscar in the actor benchmark: in the caller's process, and in a sub pool, which is a process."""

import asyncio
import os
import time
from collections.abc import Sequence
from typing import Any

import xoscar  # type: ignore[import-untyped]

from tests.bench.actor_load import ASK, LAST, TELL, CannotError, Tally, turns

#: Seconds between two questions whether the actor is there again.
POLL = 0.005

#: For actors in this process; those in a sub pool never tell it anything.
_tally = Tally()


class Player(xoscar.Actor):  # type: ignore[misc]  # has no types
    """One message at a time, as an actor of ours."""

    async def take(self, message: int) -> int:
        if message == LAST:
            _tally.note()
        return message

    async def pid(self) -> int:
        return os.getpid()

    async def crash(self) -> None:
        os._exit(1)


class MainPool:
    """Actors of the pool in the caller's process: its actors are called without a socket between."""

    batch = 1000
    processes = 0

    def __init__(self) -> None:
        self._pool: Any = None
        self._refs: list[Any] = []

    async def open(self) -> None:
        self._pool = await xoscar.create_actor_pool("127.0.0.1", n_process=self.processes)

    async def spawn(self, count: int) -> None:
        first = len(self._refs)
        address = self._address()
        starts = (xoscar.create_actor(Player, address=address, uid=f"player_{first + i}") for i in range(count))
        self._refs += await asyncio.gather(*starts)

    async def tell(self, count: int, passes: int) -> None:
        refs = self._refs[:count]
        handled = _tally.expect(count)
        for some, message in turns(refs, passes):
            for ref in some:
                await ref.take.tell(message)
        await handled

    async def ask(self, actors: Sequence[int]) -> None:
        for actor in actors:
            await self._refs[actor].take(ASK)

    async def crash(self, actor: int) -> float:
        raise CannotError("an exception goes to the caller, the actor goes on; no restart in this process")

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.stop()

    def _address(self) -> str:
        address: str = self._pool.external_address
        return address


class SubPool(MainPool):
    """Actors of one further process, with the recovery that a pool has by default (auto_recover="actor")."""

    batch = 100
    processes = 1

    async def tell(self, count: int, passes: int) -> None:
        refs = self._refs[:count]
        for some, message in turns(refs, passes):
            if message == TELL:
                for ref in some:
                    await ref.take.tell(message)
            else:  # that all are handled can only be asked
                await asyncio.gather(*(ref.take(ASK) for ref in some))

    async def crash(self, actor: int) -> float:
        ref = self._refs[actor]
        # Of an earlier crash: the pool makes all its actors anew, one after the other.
        await xoscar.wait_actor_pool_recovered(self._address(), self._pool.external_address)
        old = await ref.pid()
        begin = time.perf_counter()
        await ref.crash.tell()
        while True:
            try:
                # The pool looks after its processes twice a second.
                if await asyncio.wait_for(ref.pid(), 5.0) != old:
                    return time.perf_counter() - begin
            except (xoscar.ServerClosed, ConnectionError, xoscar.ActorNotExist, TimeoutError):
                await asyncio.sleep(POLL)

    def _address(self) -> str:
        address: str = next(iter(self._pool.sub_processes))
        return address
