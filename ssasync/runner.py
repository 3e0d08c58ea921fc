"""Run an async program from a script."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(program: Coroutine[Any, Any, T]) -> T:
    """Run `program` on uvloop, or on asyncio where uvloop is not installed, and return its result."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(program)
    return uvloop.run(program)
