"""Run Python files one after another as the cells of a notebook: `await` at the top level, one namespace, one loop.

Behind the output of each file stands a line with the record separator. Called by test_docs.py.
"""

import ast
import asyncio
import inspect
import sys
from pathlib import Path
from typing import Any

SEPARATOR = "\x1e"


async def run(cells: dict[str, str]) -> None:
    """File → its text. They share what they define."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for file, text in cells.items():
        code = compile(text, file, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)  # noqa: S307 - the blocks of our own pages
        if code.co_flags & inspect.CO_COROUTINE:
            await result
        print(SEPARATOR, flush=True)


if __name__ == "__main__":
    asyncio.run(run({file: Path(file).read_text(encoding="utf-8") for file in sys.argv[1:]}))
