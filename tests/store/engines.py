"""A real engine with our configuration, without the actors around it."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotThere

from ssasync.store.credentials import Credentials, Secret
from ssasync.store.engine import find_engine
from ssasync.store.engine_configuration import EngineOptions, configuration_text, engine_environment
from ssasync.store.ports import automatic_port


def options_for(runtime: Path, **changed: object) -> EngineOptions:
    values = {
        "kind": "valkey",
        "host": "127.0.0.1",
        "port": automatic_port(),
        "runtime": runtime,
        "maxmemory": 64 << 20,
        "credentials": Credentials(),
    }
    return EngineOptions(**(values | changed))  # type: ignore[arg-type]


def connection(options: EngineOptions, user: str, password: Secret) -> Redis:
    return Redis(
        unix_socket_path=str(options.socket),
        username=user,
        password=password.reveal(),
        protocol=3,
        retry=Retry(NoBackoff(), 0),
    )


@contextlib.asynccontextmanager
async def running_engine(options: EngineOptions) -> AsyncIterator[Redis]:
    """The engine, and a connection to it as admin."""
    file = options.runtime / "engine.conf"
    file.write_text(configuration_text(options))
    process = subprocess.Popen(  # noqa: ASYNC220
        [find_engine().path, file],
        env=engine_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    admin = connection(options, "admin", options.credentials.admin)
    deadline = time.monotonic() + 10
    try:
        while True:
            try:
                await admin.ping()
                break
            except NotThere:
                if process.poll() is not None:
                    raise RuntimeError(f"the engine ended: {process.stdout.read()}") from None  # type: ignore[union-attr]
                assert time.monotonic() < deadline
                await asyncio.sleep(0.002)
        yield admin
    finally:
        await admin.aclose()
        process.terminate()
        process.communicate(timeout=10)
