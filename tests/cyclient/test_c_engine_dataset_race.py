"""Four writers with two schemas, each with several puts under way, and a reader: no mixture, nothing stale."""

import os
import re
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from tests.cyclient.c_builder import CBuilder
from tests.cyclient.c_engine_program import FOLDER

SECONDS = float(os.environ.get("SSA_RACE_SECONDS", "2"))
ITEMS = {"a": {"a0", "a1", "both", "long"}, "b": {"b0", "b1", "both", "long"}}


@pytest.fixture(scope="session")
def program(builders: dict[str, CBuilder]) -> Path:
    return builders["address"].core_program(FOLDER / "dataset_race.c")


#: Without one, and one that cuts the longest item into chunks.
LIMITS = pytest.mark.parametrize("limit", [0, 60000])
CHUNK = re.compile(r"(.+)\.([0-9a-f]{32})\.(\d+)")


def race(
    program: Path, addresses: str, password: str, limit: int, disturb: Callable[[], object] | None = None
) -> list[str]:
    roles = [("read", 0), *(("write", writer) for writer in range(4))]
    processes = [
        subprocess.Popen(
            [program, role, addresses, password, str(SECONDS), str(number), str(limit)],
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


def check(said: list[str], *servers: redis.Redis) -> None:
    counts = re.fullmatch(r"(\d+) reads, \d+ missing, (\d+) mixtures\n", said[0])
    assert counts
    assert int(counts[1]) > 10
    assert int(counts[2]) == 0
    stored = {key.decode(): server for server in servers for key in server.scan_iter()}
    for dataset in ("race", "own0", "own1", "own2", "own3"):
        keys = {key.partition("}.")[2]: server for key, server in stored.items() if key.startswith(f"{{{dataset}}}.")}
        left = {key for key in keys if not CHUNK.fullmatch(key)}
        assert left - {"meta", ".names"} in ITEMS.values(), left
        check_chunks(dataset, keys)


def check_chunks(dataset: str, keys: dict[str, redis.Redis]) -> None:
    """They are those of the items that are there; what a put left that had to begin again has an end."""
    there: dict[tuple[str, str], int] = {}
    for key, server in keys.items():
        if (chunk := CHUNK.fullmatch(key)) and server.ttl(f"{{{dataset}}}.{key}") < 0:
            there[chunk[1], chunk[2]] = there.get((chunk[1], chunk[2]), 0) + 1
    wanted = {}
    for item in {key for key in keys if not CHUNK.fullmatch(key)} - {"meta", ".names"}:
        value = keys[item].get(f"{{{dataset}}}.{item}")
        if value.startswith(b"SSAM"):
            rest, each = struct.unpack_from("<QQ", value, 8)
            wanted[item, value[24:40].hex()] = -(-rest // each)
    assert there == wanted


@LIMITS
def test_on_one_server(program, engine, limit):
    check(race(program, engine.unix, engine.password, limit), engine.redis)


@LIMITS
def test_on_a_cluster(program, cluster, limit):
    said = race(program, cluster.addresses, cluster.password, limit)
    check(said, *(node.redis for node in cluster.primaries()))


@LIMITS
def test_connections_are_lost_again_and_again(program, engine, limit):
    """A put whose answer is lost is carried out twice; a watch goes with its connection."""

    cut_at = 0

    def cut() -> None:
        nonlocal cut_at
        carried_out = engine.redis.info("stats")["total_commands_processed"]
        if carried_out - cut_at > 2000:
            cut_at = carried_out
            engine.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    check(race(program, engine.unix, engine.password, limit, cut), engine.redis)
