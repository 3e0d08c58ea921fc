"""How far a member is, as the store tells it: nothing asks again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ssasync import Client


@asynccontextmanager
async def steps_of(client: Client, member: str) -> AsyncIterator[AsyncIterator[int]]:
    """An iterator over the steps that `member` has done: one value each time they change."""
    name = f"{member}.progress"
    changed = asyncio.Event()
    stop_watching = client.watch_key(name.encode(), changed.set)

    async def steps() -> AsyncIterator[int]:
        while True:
            await changed.wait()
            changed.clear()
            if await client.tensor_exists(name):
                yield int((await client.get_tensor(name))[0])

    try:
        yield steps()
    finally:
        stop_watching()


async def reaches(client: Client, member: str, step: int) -> None:
    """Return as soon as `member` has done `step` steps."""
    async with steps_of(client, member) as steps:
        async for done in steps:
            if done >= step:
                return
