"""A proxy that lets bytes through in small portions, so that commands and replies are cut anywhere."""

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Self


class Throttle:
    """Listens on a unix socket and passes everything on to another, in both directions.

    path None: listens on a port of loopback, and `target` is one.
    """

    def __init__(self, path: Path | None, target: str | int) -> None:
        self.address = f"unix://{path}"
        self.connections = 0
        self._path = path
        self._target = target
        self._random = random.Random(5)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        if self._path is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.address = "{}:{}".format(*self._server.sockets[0].getsockname())
        else:
            self._server = await asyncio.start_unix_server(self._serve, self._path)
        return self

    async def __aexit__(self, *_: object) -> None:
        """The clients have closed: what they sent is passed on to its end."""
        self._server.close()
        async with asyncio.timeout(20):
            await asyncio.gather(*self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if isinstance(self._target, int):
                there, back = await asyncio.open_connection("127.0.0.1", self._target)
            else:
                there, back = await asyncio.open_unix_connection(self._target)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, back))
                group.create_task(self._pass_on(there, writer))
        finally:
            for each in (writer, back):
                each.close()
                with contextlib.suppress(OSError):
                    await each.wait_closed()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):  # the other side has gone with bytes on their way
            while data := await reader.read(self._random.choice([1, 50, 5_000, 200_000])):
                writer.write(data)
                await writer.drain()
        writer.close()
