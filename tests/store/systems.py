"""What the tests of actors share: events until a certain one, and what is left on the machine."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from ssasync.actors import Event, Subscription

E = TypeVar("E", bound=Event)


async def next_event(
    events: Subscription, kind: type[E], wanted: Callable[[E], bool] = lambda event: True, *, timeout: float = 20.0
) -> E:
    """The next event of a kind, taken from a subscription; what came before it is gone."""
    seen = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            async for event in events:
                seen.append(event)
                if isinstance(event, kind) and wanted(event):
                    return event
    raise AssertionError(f"no such {kind.__name__} in {timeout:g} s, but:\n" + "\n".join(map(str, seen)))


def command_lines(*words: object) -> list[str]:
    """The command lines of all processes that contain one of the words, but of this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if any(str(word) in line for word in words):
                    found.append(line)
    return found


def all_text_under(folder: Path) -> str:
    return "\n".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


def environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text()


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def is_socket(address: str) -> bool:
    return Path(address.removeprefix("unix://")).is_socket()


def pid_of_worker(worker_id: str) -> int:
    """Of the process itself; its launcher has the id on its command line too."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if worker_id.encode() in words and b"--" not in words:
                    return int(entry.name)
    raise AssertionError(f"no process of worker {worker_id}")


async def eventually(condition: Callable[[], Awaitable[object]], *, timeout: float = 10.0) -> None:
    """Ask until the answer is true: for facts that nobody announces."""
    async with asyncio.timeout(timeout):
        while not await condition():  # noqa: ASYNC110 - nothing would set an Event
            await asyncio.sleep(0.01)
