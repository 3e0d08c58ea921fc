"""What a client reads from arguments and from the environment; addresses, names and prefixes."""

import os

import numpy as np
import pytest

from ssasync.cyclient import InvalidArgument, Options
from ssasync.cyclient.address import Address
from ssasync.cyclient.key_names import KeyNames
from ssasync.cyclient.options import options_from


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("SSDB", "SSKEY", "SSA_TIMEOUT")):
            monkeypatch.delenv(name)


ADDRESSES = {
    "127.0.0.1:6379": Address(host="127.0.0.1", port=6379),
    "node-07.cluster:1": Address(host="node-07.cluster", port=1),
    "tcp://a:65535": Address(host="a", port=65535),
    "[::1]:6379": Address(host="::1", port=6379),
    "[fe80::1%eth0]:6379": Address(host="fe80::1%eth0", port=6379),
    "unix:///tmp/s x.sock": Address(path="/tmp/s x.sock"),
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_read_and_written(text):
    address = Address.parse(text)
    assert address == ADDRESSES[text]
    assert str(address) == text.removeprefix("tcp://")
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "localhost", ":6379", "a:", "a:0", "a:65536", "a:b", "::1:6379", "unix://", "http://a:1", "a b:1", "a:1/0"],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InvalidArgument, match=r"address cannot be .*host:port"):
        Address.parse(text)


def test_a_list_of_addresses():
    assert Address.parse_list("a:1, unix:///b ,,") == (Address(host="a", port=1), Address(path="/b"))


ENVIRONMENT = {
    "SSDB": "unix:///run/1.sock,node:6379",
    "SSDB_USER": "reader",
    "SSDB_PASSWORD": "hush",
    "SSKEYOUT": "ens_3",
    "SSKEYIN": "ens_3,ens_4,",
    "SSA_TIMEOUT": "2.5",
}


def test_options_come_from_the_environment():
    options = Options.from_environment(environment=ENVIRONMENT)
    assert options == Options(
        addresses=(Address(path="/run/1.sock"), Address(host="node", port=6379)),
        user="reader",
        password="hush",  # noqa: S106
        write_prefix="ens_3",
        read_prefixes=("ens_3", "ens_4"),
        timeout=2.5,
    )
    assert "hush" not in repr(options)


def test_defaults():
    options = Options.from_environment(environment={"SSDB": "a:1"})
    assert (options.user, options.password, options.write_prefix, options.read_prefixes) == ("workload", None, "", ())
    assert options.timeout == 60


def test_a_named_store_has_variables_of_its_own():
    named = {"SSDB_ocean": "b:2", "SSDB_PASSWORD_ocean": "deep", "SSKEYIN_ocean": "x"}
    options = Options.from_environment("ocean", {**ENVIRONMENT, **named})
    assert options.addresses == (Address(host="b", port=2),)
    assert (options.user, options.password) == ("workload", "deep")
    assert (options.write_prefix, options.read_prefixes) == ("ens_3", ("x",))
    with pytest.raises(
        InvalidArgument, match=r"SSDB_ice cannot be empty or unset: start the program through an Experiment"
    ):
        Options.from_environment("ice", ENVIRONMENT)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"SSDB": ""}, "SSDB cannot be empty or unset"),
        ({"SSDB": ","}, "addresses cannot be empty"),
        ({"SSDB": "nonsense"}, "address cannot be 'nonsense'"),
        ({"SSA_TIMEOUT": "soon"}, "SSA_TIMEOUT cannot be 'soon': give seconds as a number"),
        ({"SSA_TIMEOUT": "0"}, "timeout cannot be 0"),
        ({"SSA_TIMEOUT": "-1"}, "timeout cannot be -1"),
        ({"SSA_TIMEOUT": "nan"}, "timeout cannot be nan"),
    ],
)
def test_an_environment_that_cannot_be_right_is_refused(changed, text):
    with pytest.raises(InvalidArgument, match=text):
        Options.from_environment(environment={**ENVIRONMENT, **changed})


def test_arguments_come_before_the_environment(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    options = options_from(None, user="admin", password="other", timeout=7)  # noqa: S106
    assert (options.user, options.password, options.timeout, options.write_prefix) == ("admin", "other", 7, "ens_3")
    # An address of one's own: nothing of the environment is meant for that store.
    options = options_from("c:3")
    assert options == Options(addresses=(Address(host="c", port=3),))


def test_a_client_takes_everything_from_the_environment(face, engine, monkeypatch):
    monkeypatch.setenv("SSDB", engine.unix)
    monkeypatch.setenv("SSDB_PASSWORD", engine.password)
    monkeypatch.setenv("SSKEYOUT", "mine")
    monkeypatch.setenv("SSKEYIN", "mine,other")
    client = face.open()
    client.put_tensor("t", np.ones(3))
    assert engine.redis.keys() == [b"mine.t"]
    np.testing.assert_array_equal(client.get_tensor("t"), np.ones(3))


def test_reading_and_writing_have_prefixes_of_their_own(face, engine, monkeypatch):
    monkeypatch.setenv("SSDB", engine.unix)
    monkeypatch.setenv("SSDB_PASSWORD", engine.password)
    monkeypatch.setenv("SSKEYOUT", "me")
    monkeypatch.setenv("SSKEYIN", "a,b")
    client = face.open()
    plain = face.open(engine.unix, password=engine.password)
    plain.put_tensor("a.t", np.full(1, 1))
    plain.put_tensor("b.t", np.full(1, 2))
    client.put_tensor("t", np.full(1, 3))
    out = np.zeros(1, int)
    for source, number in (("a", 1), ("b", 2), ("me", 3), ("a", 1)):
        client.set_data_source(source)
        assert client.get_tensor("t") == [number]
        assert client.unpack_tensor("t", out) == [number]
        batch = client.batch()
        got = batch.get_tensor("t")
        face.execute(batch)
        assert got.value == [number]
        assert client.tensor_exists("t")
        client.wait_for_tensor("t", timeout=0)
    client.set_data_source("b")
    client.delete_tensor("t")
    assert sorted(engine.redis.keys()) == [b"a.t", b"me.t"]
    # A batch reads where the client reads, also what it has just put elsewhere.
    batch = client.batch()
    batch.put_tensor("t", np.full(1, 9))
    exists = batch.tensor_exists("t")
    face.execute(batch)
    assert exists.value is False
    with pytest.raises(InvalidArgument, match="data source cannot be 'c': known ones are: a, b, me"):
        client.set_data_source("c")


def test_without_prefixes_names_are_keys(face, engine):
    client = face.open(engine.unix, password=engine.password)
    client.put_tensor("ensemble.t", np.ones(1))
    assert engine.redis.keys() == [b"ensemble.t"]
    client.set_data_source("")
    with pytest.raises(InvalidArgument, match="known ones are: none"):
        client.set_data_source("a")


@pytest.mark.parametrize("prefix", ["a{b", "}"])
def test_a_prefix_with_braces_is_refused(prefix):
    with pytest.raises(InvalidArgument, match="prefix cannot be"):
        KeyNames(prefix, ())
    with pytest.raises(InvalidArgument, match="prefix cannot be"):
        KeyNames("", ("a", prefix))
