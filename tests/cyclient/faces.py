"""The faces of the client behind one form, so that one test runs over all of them."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import uvloop

from ssasync.cyclient import blocking
from ssasync.cyclient.client import Client

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
FACES = (*LOOPS, "blocking")


class BlockingFace:
    """The blocking client as it is."""

    def __init__(self) -> None:
        self._clients: list[blocking.Client] = []

    def open(self, address: str | None = None, **options: Any) -> Any:
        client = blocking.Client(address, **options)
        self._clients.append(client)
        return client

    def execute(self, batch: Any, **options: Any) -> None:
        batch.execute(**options)

    def close(self) -> None:
        for client in self._clients:
            client.close()


class AsyncFace:
    """The asyncio client on a loop of its own: each call runs the loop until the operation is over."""

    def __init__(self, loop: str) -> None:
        self._runner = asyncio.Runner(loop_factory=LOOPS[loop])
        self._clients: list[Client] = []

    def open(self, address: str | None = None, **options: Any) -> Any:
        client = Client(address, **options)
        self._clients.append(client)
        return _CallRuns(self._runner, client)

    def execute(self, batch: Any, **options: Any) -> None:
        self._runner.run(batch.execute(**options))

    def close(self) -> None:
        async def close() -> None:
            for client in self._clients:
                client.close()

        self._runner.run(close())
        self._runner.close()


class _CallRuns:
    def __init__(self, runner: asyncio.Runner, client: Client) -> None:
        self._runner = runner
        self._client = client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if not inspect.iscoroutinefunction(method):
            return method
        return lambda *arguments, **options: self._runner.run(method(*arguments, **options))


def make_face(name: str) -> BlockingFace | AsyncFace:
    return BlockingFace() if name == "blocking" else AsyncFace(name)
