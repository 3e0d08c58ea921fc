"""Four writers with two schemas, each with several puts under way, and a reader: no mixture, nothing stale."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.cyclient.c_engine_program import build

SECONDS = float(os.environ.get("SSA_RACE_SECONDS", "2"))
ITEMS = {"a": {"a0", "a1", "both", "long"}, "b": {"b0", "b1", "both", "long"}}


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("dataset_race", tmp_path_factory)


def race(program: Path, addresses: str, password: str) -> list[str]:
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
    try:
        for process in processes:
            output, _ = process.communicate(timeout=SECONDS + 60)
            assert process.returncode == 0, output
            said.append(output)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    print(said)
    return said


def check(said: list[str], keys: set[str]) -> None:
    counts = re.fullmatch(r"(\d+) reads, \d+ missing, (\d+) mixtures\n", said[0])
    assert counts
    assert int(counts[1]) > 10
    assert int(counts[2]) == 0
    for dataset in ("race", "own0", "own1", "own2", "own3"):
        left = {key.partition("}.")[2] for key in keys if key.startswith(f"{{{dataset}}}.")}
        assert left - {"meta"} in ITEMS.values(), left


def test_on_one_server(program, engine):
    said = race(program, engine.unix, engine.password)
    check(said, {key.decode() for key in engine.redis.scan_iter()})


def test_on_a_cluster(program, cluster):
    said = race(program, cluster.addresses, cluster.password)
    check(said, {key.decode() for node in cluster.primaries() for key in node.redis.scan_iter()})
