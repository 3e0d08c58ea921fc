"""Copies and renames take along what they are for and nothing else: on one server as between two."""

import numpy as np
import pytest

from ssasync.blocking import Client
from ssasync.cyclient import Dataset, NotATensor, WrongKind

X = np.arange(3.0)
TARGETS = ("t", "aa", "bb", "cc")  # on a cluster some lie on the shard of the source, others do not


@pytest.fixture(params=["one server", "one server, in pieces", "cluster"])
def client(request, engine, cluster):
    address, password = engine.unix, engine.password
    if request.param == "cluster":
        address, password = cluster.addresses, cluster.password
    with Client(address, password=password, value_limit=1 << 20 if "pieces" in request.param else None) as client:
        client.put_tensor("tensor", X)
        client.append_to_list("list", Dataset("d"))
        yield client


@pytest.mark.parametrize("how", ["copy", "rename"])
@pytest.mark.parametrize("target", [*TARGETS, "the same"])
def test_a_tensor_is_no_list(client, how, target):
    with pytest.raises(WrongKind, match=r"'tensor' in .* is not a list: the key holds another kind of value"):
        getattr(client, f"{how}_list")("tensor", "tensor" if target == "the same" else target)
    np.testing.assert_array_equal(client.get_tensor("tensor"), X)
    assert not client.tensor_exists(target)


@pytest.mark.parametrize("how", ["copy", "rename"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_list_is_no_tensor(client, how, target):
    with pytest.raises((WrongKind, NotATensor), match=r"'list' in .* is not a tensor"):
        getattr(client, f"{how}_tensor")("list", target)
    assert client.get_list_length("list") == 1
    assert not client.tensor_exists(target)


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_at_the_target_is_replaced_whatever_it_is(client, target):
    client.append_to_list(target, Dataset("d"))
    client.rename_tensor("tensor", target)
    np.testing.assert_array_equal(client.get_tensor(target), X)
    client.rename_list("list", target)
    assert client.get_list_length(target) == 1
    assert not client.tensor_exists("list")
