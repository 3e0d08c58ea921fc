"""Waiting for facts that nothing announces."""

import asyncio
from collections.abc import Callable

PATIENCE = 10.0  #: seconds after which what must come will not


async def until(fact: Callable[[], object]) -> None:
    """Until `fact` is true. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not fact():  # noqa: ASYNC110 -- nothing sets an event
            await asyncio.sleep(0.0005)
