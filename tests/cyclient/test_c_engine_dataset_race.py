"""Four writers with two schemas, each with several puts under way, and a reader: no mixture, nothing stale."""

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cyclient.c_builder import CBuilder
from tests.cyclient.c_engine_program import FOLDER

SECONDS = float(os.environ.get("SSA_RACE_SECONDS", "2"))
ITEMS = {"a": {"a0", "a1", "both", "long"}, "b": {"b0", "b1", "both", "long"}}


@pytest.fixture(scope="session")
def program(builders: dict[str, CBuilder]) -> Path:
    return builders["address"].core_program(FOLDER / "dataset_race.c")


def race(program: Path, addresses: str, password: str, disturb: Callable[[], object] | None = None) -> list[str]:
    roles = [("read", 0), *(("write", writer) for writer in range(4))]
    processes = [
        subprocess.Popen(
            [program, role, addresses, password, str(SECONDS), str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for role, number in roles
    ]
    said = []
    end = time.monotonic() + SECONDS
    try:
        while disturb and time.monotonic() < end and all(process.poll() is None for process in processes):
            disturb()
        for process in processes:
            output, _ = process.communicate(timeout=SECONDS + 60)
            assert process.returncode == 0, output
            said.append(output)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return said


def check(said: list[str], keys: set[str]) -> None:
    counts = re.fullmatch(r"(\d+) reads, \d+ missing, (\d+) mixtures\n", said[0])
    assert counts
    assert int(counts[1]) > 10
    assert int(counts[2]) == 0
    for dataset in ("race", "own0", "own1", "own2", "own3"):
        left = {key.partition("}.")[2] for key in keys if key.startswith(f"{{{dataset}}}.")}
        assert left - {"meta", ".names"} in ITEMS.values(), left


def test_on_one_server(program, engine):
    said = race(program, engine.unix, engine.password)
    check(said, {key.decode() for key in engine.redis.scan_iter()})


def test_on_a_cluster(program, cluster):
    said = race(program, cluster.addresses, cluster.password)
    check(said, {key.decode() for node in cluster.primaries() for key in node.redis.scan_iter()})


def test_connections_are_lost_again_and_again(program, engine):
    """A put whose answer is lost is carried out twice; a watch goes with its connection."""

    cut_at = 0

    def cut() -> None:
        nonlocal cut_at
        carried_out = engine.redis.info("stats")["total_commands_processed"]
        if carried_out - cut_at > 2000:
            cut_at = carried_out
            engine.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    said = race(program, engine.unix, engine.password, cut)
    check(said, {key.decode() for key in engine.redis.scan_iter()})
