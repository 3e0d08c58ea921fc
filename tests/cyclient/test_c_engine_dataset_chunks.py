"""Datasets with items in chunks, of the C core, on one server and on a cluster."""

import re
from pathlib import Path

import pytest

from tests.cyclient.c_engine_program import build, run


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("dataset_chunks", tmp_path_factory)


def test_on_one_server(program, engine):
    assert re.search(r"^[1-9]\d* checks in", run(program, "run", engine.unix, engine.password), re.MULTILINE)
    assert engine.redis.keys() == []


def test_on_a_cluster(program, cluster):
    assert re.search(r"^[1-9]\d* checks in", run(program, "run", cluster.addresses, cluster.password), re.MULTILINE)


@pytest.mark.parametrize("kind", ["engine", "cluster"])
def test_any_allocation_may_be_refused(program, kind, request):
    store = request.getfixturevalue(kind)
    addresses = store.unix if kind == "engine" else store.addresses
    said = run(program, "fail", addresses, store.password)
    assert re.fullmatch(r"([1-9]\d* allocations refused one by one\n)+", said)
