"""The C modules by themselves: each program of c/ under sanitizers, and with every allocation refused once in turn."""

import os
import random
import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cyclient.c_builder import CBuilder
from tests.cyclient.cluster_process import Node
from tests.cyclient.write_test_vectors import FOLDER as VECTORS

FOLDER = Path(__file__).parent / "c"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("test_*.c"))


@pytest.fixture
def built(builders: dict[str, CBuilder]) -> Callable[[str], Path]:
    """The program of a name."""
    return lambda name: builders["address"].program(FOLDER / f"{name}.c")


def run(program: Path, *words: str, given: str = "", folder: Path, **more: str) -> str:
    """What it says; it must find nothing wrong. more: of its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SS", "SR_"))} | more
    command = [program, *words]
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=100, check=False, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_module_does_what_its_header_says(built, name, tmp_path):
    assert re.search(
        r"^[1-9]\d* checks in [1-9]\d* tests$",
        run(built(name), folder=tmp_path),
        re.MULTILINE,
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_any_allocation_of_a_module_may_be_refused(built, name, tmp_path):
    said = run(built(name), "--fail", folder=tmp_path)
    assert re.fullmatch(r"[1-9]\d* allocations refused one by one\n|nothing allocates\n", said)
    assert list(tmp_path.iterdir()) == []


def test_the_keys_are_those_of_the_vectors(built, tmp_path):
    text = (VECTORS / "keys.tsv").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    said = run(built("test_key_names"), "--vectors", given=text, folder=tmp_path)
    checks = re.search(r"^(\d+) checks in 1 tests$", said, re.MULTILINE)
    assert checks
    assert int(checks[1]) >= len(rows) > 30


def test_numbers_have_a_point_where_the_locale_has_a_comma(built, tmp_path):
    (tmp_path / "comma").write_text('LC_NUMERIC\ndecimal_point ","\nthousands_sep "."\ngrouping 3;3\nEND LC_NUMERIC\n')
    # It warns of all that is not defined there, and then ends with 1.
    subprocess.run(
        ["localedef", "-c", "-i", "./comma", "./xx"], cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert (tmp_path / "xx" / "LC_NUMERIC").exists()
    folder = tmp_path / "empty"
    folder.mkdir()
    locale = {"LOCPATH": str(tmp_path), "LC_ALL": "xx"}
    said = run(built("test_real_text"), "--comma", folder=folder, **locale)
    assert re.search(r"^[1-9]\d* checks in [1-9]\d* tests$", said, re.MULTILINE)


def test_slots_are_those_of_a_real_cluster(built, cluster, tmp_path):
    random_ = random.Random(3)
    keys = [bytes(random_.choices(b"{}{}abc\x00\xff.", k=random_.randrange(1, 12))) for _ in range(2000)]
    said = run(built("test_key_slot"), "--slots", given="\n".join(map(bytes.hex, keys)), folder=tmp_path)
    pipeline = cluster.nodes[0].redis.pipeline(transaction=False)
    for key in keys:
        pipeline.execute_command("CLUSTER", "KEYSLOT", key)
    assert list(map(int, said.split())) == pipeline.execute()


def raw_slots(node: Node, protocol: int) -> str:
    """What the server sends in answer to CLUSTER SLOTS."""
    said = b""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(20)
        stream.connect(str(node.socket))
        stream.sendall(
            f"HELLO {protocol} AUTH default {node.password}\nECHO before\nCLUSTER SLOTS\nECHO after\n".encode()
        )
        while not said.endswith(b"$5\r\nafter\r\n"):
            piece = stream.recv(1 << 16)
            assert piece, said
            said += piece
    return said.split(b"$6\r\nbefore\r\n")[1].removesuffix(b"$5\r\nafter\r\n").decode()


# The last two name no address: then that of whom we asked counts, and the one among the metadata.
@pytest.mark.parametrize("endpoint", ["ip", "unknown-endpoint", "hostname"])
@pytest.mark.parametrize("protocol", [2, 3])
def test_the_shards_are_those_of_a_real_cluster(built, cluster, tmp_path, protocol, endpoint):
    asked = cluster.nodes[0]
    asked.redis.config_set("cluster-preferred-endpoint-type", endpoint)
    try:
        reply = raw_slots(asked, protocol)
    finally:
        asked.redis.config_set("cluster-preferred-endpoint-type", "ip")
    assert ("$-1\r\n" in reply or "_\r\n" in reply) == (endpoint == "unknown-endpoint")
    assert ("$1\r\n?\r\n" in reply) == (endpoint == "hostname")
    said = run(built("test_slot_map"), "--reply", given=reply, folder=tmp_path)
    expected = []
    for primary in cluster.primaries():
        slots, replicas = cluster.slots_of(primary), cluster.replicas_of(primary)
        expected.append(" ".join([primary.address, primary.id, str(len(slots)), *(node.address for node in replicas)]))
    assert said.splitlines() == expected
