"""Every launcher test runs twice: with what Linux has, and with the portable fallback forced."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from ssasync.wlm import Job, Local, LocalProcess, RuntimeDirectory

#: In the environment of all that a test starts: finds what has escaped.
MARK = "SSA_TEST_MARK"

Launch = Callable[..., Awaitable[LocalProcess]]


@pytest.fixture(params=[False, True], ids=["linux", "portable"])
def portable(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def mark() -> Iterator[str]:
    """The test fails if a process that carries the mark outlives it."""
    value = uuid.uuid4().hex
    yield value
    left = carriers(value)
    assert not left, f"left running: {left}"


@pytest.fixture
def runtime() -> Iterator[RuntimeDirectory]:
    directory = RuntimeDirectory.create()
    yield directory
    directory.close()
    assert not directory.path.exists()


@pytest.fixture
def local(runtime: RuntimeDirectory, portable: bool) -> Local:
    return Local(runtime, portable=portable)


@pytest.fixture
def make_job(tmp_path: Path, mark: str) -> Callable[..., Job]:
    def make(*argv: str | Path, name: str = "job", **settings: object) -> Job:
        settings["env"] = {MARK: mark, **settings.get("env", {})}  # type: ignore[dict-item]
        settings.setdefault("cwd", tmp_path)
        return Job(name, tuple(map(str, argv)), **settings)  # type: ignore[arg-type]

    return make


@pytest.fixture
async def launch(local: Local, make_job: Callable[..., Job]) -> AsyncIterator[Launch]:
    """Start a command, wait until its program is reached; what still runs after the test is killed."""
    started: list[LocalProcess] = []

    async def start(*argv: str | Path, **settings: object) -> LocalProcess:
        process = local.start_nowait(make_job(*argv, **settings))
        started.append(process)
        await process.running()
        return process

    yield start
    for process in started:
        process.kill()
    async with asyncio.timeout(20):
        for process in started:
            await process.wait()


@pytest.fixture
def shell(launch: Launch) -> Launch:
    """Start a shell script; every test's own commands are in it."""

    async def start(script: str, **settings: object) -> LocalProcess:
        return await launch("/bin/sh", "-c", script, **settings)

    return start


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    """Look for a fact that nothing announces."""

    async def look(fact: Callable[[], object], seconds: float = 15) -> None:
        async with asyncio.timeout(seconds):
            while not fact():  # noqa: ASYNC110 - nothing sets an event
                await asyncio.sleep(0.005)

    return look


@pytest.fixture
def carriers_of_mark(mark: str) -> Callable[[], list[str]]:
    return lambda: carriers(mark)


def carriers(mark: str) -> list[str]:
    wanted, found = f"{MARK}={mark}".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(f"{entry.name} {(entry / 'cmdline').read_bytes()!r}")
            except OSError:
                continue  # it ended meanwhile
    return found
