"""What the engine is told, and that it does so."""

import os
import resource
from pathlib import Path

import pytest
from redis.exceptions import OutOfMemoryError

from ssasync.store.engine_configuration import (
    configuration_text,
    engine_environment,
    largest_maxclients,
    listen_backlog,
)
from ssasync.store.errors import SocketPathTooLong
from ssasync.wlm.runtime_directory import RuntimeDirectory
from tests.store.engines import options_for, running_engine


async def test_the_engine_runs_as_it_was_told() -> None:
    with RuntimeDirectory.create() as runtime:
        size = 48 << 20
        options = options_for(runtime.path, maxmemory=size, maxclients=500, backlog=100)
        async with running_engine(options) as admin:
            told = await admin.config_get("*")
            mode = options.socket.stat().st_mode & 0o777
    expected = {
        "bind": "127.0.0.1",
        "port": str(options.port),
        "unixsocket": str(options.socket),
        "dir": str(runtime.path),
        "save": "",
        "appendonly": "no",
        "maxmemory": str(size),
        "maxmemory-policy": "noeviction",
        "proto-max-bulk-len": str(size),
        "client-query-buffer-limit": str(size + (1 << 20)),
        "repl-diskless-sync-delay": "0",
        "maxclients": "500",
        "tcp-backlog": "100",
        "io-threads": "1",
        "protected-mode": "yes",
    }
    assert {name: told[name] for name in expected} == expected
    assert "pubsub 67108864 16777216 60" in told["client-output-buffer-limit"]
    assert mode == 0o700


async def test_one_value_may_nearly_fill_the_store_and_a_full_one_refuses() -> None:
    with RuntimeDirectory.create() as runtime:
        async with running_engine(options_for(runtime.path, maxmemory=64 << 20)) as admin:
            assert await admin.set("large", bytes(24 << 20))
            with pytest.raises(OutOfMemoryError):
                await admin.set("larger", bytes(48 << 20))
            assert await admin.strlen("large") == 24 << 20


def test_no_password_stands_in_the_file() -> None:
    options = options_for(Path("/run/ssa"))
    text = configuration_text(options)
    for secret in (options.credentials.workload, options.credentials.read_only, options.credentials.admin):
        assert secret.reveal() not in text + repr(options)
        assert secret.sha256() in text


def test_each_keydb_option_has_its_own_name() -> None:
    text = configuration_text(options_for(Path("/run/ssa"), kind="keydb", io_threads=2))
    assert "server-threads 2" in text
    assert "io-threads" not in text


def test_paths_with_blanks_and_quotes_are_quoted() -> None:
    options = options_for(Path('/run/my "own"'), port=12345)
    assert 'unixsocket "/run/my \\"own\\"/12345.sock"' in configuration_text(options).splitlines()


def test_a_socket_path_that_is_too_long_is_refused_with_the_remedy() -> None:
    with pytest.raises(SocketPathTooLong, match=r"sockets take 107 at most\. Set XDG_RUNTIME_DIR or TMPDIR"):
        configuration_text(options_for(Path("/" + "x" * 110)))


def test_limits_come_from_this_machine() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert 32 <= largest_maxclients() <= (65536 if hard == resource.RLIM_INFINITY else max(32, hard))
    assert listen_backlog() > 0
    assert all(key.startswith("MALLOC_") for key in engine_environment())
    assert os.environ.get("MALLOC_TRIM_THRESHOLD_") is None
