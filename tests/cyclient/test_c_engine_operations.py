"""The operations of the C core as programs in C check them (c_engine/): on one server, on a cluster, without memory."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cyclient.c_builder import CBuilder
from tests.cyclient.c_engine_program import FOLDER, run

pytestmark = pytest.mark.timeout(300)  # the first test compiles the core


PROGRAMS = ["values", "lists", "datasets", "chunks", "chunk_races", "dataset_chunks", "asked"]


@pytest.fixture
def built(builders: dict[str, CBuilder]) -> Callable[[str], Path]:
    """The program of a name."""
    return lambda name: builders["address"].core_program(FOLDER / f"{name}.c")


@pytest.mark.parametrize("name", [*PROGRAMS, "opening"])
def test_on_one_server(built, name, engine):
    assert re.search(r"^[1-9]\d* checks in", run(built(name), "run", engine.unix, engine.password), re.MULTILINE)
    assert engine.redis.keys() == []


@pytest.mark.parametrize("name", [*PROGRAMS, "opening"])
def test_on_a_cluster(built, name, cluster):
    assert re.search(r"^[1-9]\d* checks in", run(built(name), "run", cluster.addresses, cluster.password), re.MULTILINE)
    assert [node.redis.keys() for node in cluster.primaries()] == [[], [], []]


@pytest.mark.parametrize("name", [*PROGRAMS, "opening"])
def test_any_allocation_may_be_refused_on_one_server(built, name, engine):
    refused_one_by_one(run(built(name), "fail", engine.unix, engine.password))


@pytest.mark.parametrize("name", PROGRAMS)
def test_any_allocation_may_be_refused_on_a_cluster(built, name, cluster):
    refused_one_by_one(run(built(name), "fail-open", cluster.addresses, cluster.password))


def test_any_allocation_may_be_refused_while_a_cluster_is_opened(built, cluster):
    refused_one_by_one(run(built("opening"), "fail", cluster.addresses, cluster.password))


def refused_one_by_one(said: str) -> None:
    assert re.fullmatch(r"([1-9]\d* allocations refused one by one\n)+", said)
