"""The operations of the C core as programs in C check them (c_engine/): on one server, on a cluster, without memory."""

import re
from pathlib import Path

import pytest

from tests.cyclient.c_builder import CBuilder
from tests.cyclient.c_engine_program import FOLDER, run

pytestmark = pytest.mark.timeout(300)  # the first test compiles the core


@pytest.fixture(params=["values", "lists", "datasets", "chunks"])
def program(request: pytest.FixtureRequest, builders: dict[str, CBuilder]) -> Path:
    return builders["address"].core_program(FOLDER / f"{request.param}.c")


def test_on_one_server(program, engine):
    assert re.search(r"^[1-9]\d* checks in", run(program, "run", engine.unix, engine.password), re.MULTILINE)
    assert engine.redis.keys() == []


def test_on_a_cluster(program, cluster):
    assert re.search(r"^[1-9]\d* checks in", run(program, "run", cluster.addresses, cluster.password), re.MULTILINE)
    assert [node.redis.keys() for node in cluster.primaries()] == [[], [], []]


@pytest.mark.parametrize("kind", ["engine", "cluster"])
def test_any_allocation_may_be_refused(program, kind, request):
    store = request.getfixturevalue(kind)
    addresses = store.unix if kind == "engine" else store.addresses
    said = run(program, "fail", addresses, store.password)
    assert re.fullmatch(r"([1-9]\d* allocations refused one by one\n)+", said)
