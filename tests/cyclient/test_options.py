"""What a client reads from arguments and from the environment, and what its prefixes do to names.

Each setting by itself, and each way in which one can be wrong: c/test_settings.c, c/test_address.c and c/test_key_names.c.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ssasync.cyclient import Client, InvalidArgument
from ssasync.cyclient.blocking import Client as BlockingClient
from tests.model_archive import archive_of

CLIENTS = {"asyncio": Client, "blocking": BlockingClient}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("SSDB", "SSKEY", "SSA_", "SR_DB")):
            monkeypatch.delenv(name)


@pytest.fixture(params=CLIENTS)
def make(request):
    """Make a client, which does not connect yet."""
    return CLIENTS[request.param]


@pytest.fixture
def environment(monkeypatch):
    """Set what an experiment sets for a workload."""

    def set_environment(**changed):
        for name, value in (ENVIRONMENT | changed).items():
            monkeypatch.setenv(name, value)

    return set_environment


ENVIRONMENT = {
    "SSDB": "unix:///run/1.sock,node:6379",
    "SSDB_USER": "reader",
    "SSDB_PASSWORD": "hush",
    "SSKEYOUT": "ens_3",
    "SSKEYIN": "ens_3,ens_4,",
    "SSA_TIMEOUT": "2.5",
}


def settings_of(client) -> dict[str, tuple[str, str]]:
    """Value and source of each setting, by name, as it describes them."""
    lines = [line.split(maxsplit=3) for line in client.describe().splitlines()]
    # "2.5 s" is the only kind of value with a blank in it.
    lines = [
        [name, f"{value} s", *rest.split()] if unit == "s" else [name, value, unit] for name, value, unit, rest in lines
    ]
    return {name: (value, source) for name, value, source, *_ in lines}


def test_everything_comes_from_the_environment(make, environment):
    environment()
    client = make()
    settings = settings_of(client)
    assert {name for name, (_, source) in settings.items() if source == "environment"} == set(ENVIRONMENT)
    assert settings["SSDB"][0] == ENVIRONMENT["SSDB"]
    assert settings["SSDB_USER"][0] == "reader"
    assert settings["SSDB_PASSWORD"][0] == "(set)"
    assert settings["SSKEYOUT"][0] == "ens_3"
    assert settings["SSKEYIN"][0] == "ens_3,ens_4"
    assert settings["SSA_TIMEOUT"][0] == "2.5 s"
    assert repr(client) == "Client(unix:///run/1.sock, node:6379, user='reader')"
    assert "hush" not in client.describe()


def test_defaults(make):
    settings = settings_of(make("a:1"))
    assert settings.pop("SSDB") == ("a:1", "argument")
    # The blocking client has connections for each thread: it has a further one for large values only if it is asked for.
    assert settings["SSA_BULK_CONNECTION"][0] == ("0" if make is BlockingClient else "1")
    assert {source for _, source in settings.values()} == {"default"}
    expected = {"SSDB_USER": "workload", "SSDB_PASSWORD": "(unset)", "SSKEYIN": "(none)", "SSA_TIMEOUT": "60 s"}
    assert {name: settings[name][0] for name in expected} == expected


@pytest.mark.parametrize("value", ["0", "1"])
def test_the_environment_decides_about_the_bulk_connection_unless_an_argument_does(make, environment, value):
    environment(SSA_BULK_CONNECTION=value)
    assert settings_of(make())["SSA_BULK_CONNECTION"] == (value, "environment")
    assert settings_of(make(bulk_connection=value == "0"))["SSA_BULK_CONNECTION"] == (str(1 - int(value)), "argument")


@pytest.mark.parametrize("value", ["2", "-1", "x"])
def test_a_switch_of_the_environment_is_0_or_1(make, environment, value):
    environment(SSA_BULK_CONNECTION=value)
    with pytest.raises(InvalidArgument, match=f"^SSA_BULK_CONNECTION cannot be '{value}': "):
        make()


def test_a_named_store_has_variables_of_its_own(make, environment):
    environment(SSDB_ocean="b:2", SSDB_PASSWORD_ocean="deep", SSKEYIN_ocean="x")  # noqa: S106
    settings = settings_of(make(identifier="ocean"))
    assert settings["identifier"] == ("ocean", "argument")
    assert settings["SSDB_ocean"] == ("b:2", "environment")
    assert settings["SSDB_USER_ocean"] == ("workload", "default")
    assert settings["SSKEYIN_ocean"] == ("x", "environment")
    assert settings["SSKEYOUT_ocean"] == ("ens_3", "environment")
    with pytest.raises(
        InvalidArgument, match="SSDB_ice cannot be empty or unset: start the program through an Experiment"
    ):
        make(identifier="ice")


GIVEN = [
    ({"user": "admin"}, "SSDB_USER", "admin"),
    ({"password": "other"}, "SSDB_PASSWORD", "(set)"),
    ({"timeout": 7}, "SSA_TIMEOUT", "7 s"),
    ({"timeout": float("inf")}, "SSA_TIMEOUT", "(none)"),
    ({"value_limit": 0}, "SSA_VALUE_LIMIT", "0"),
    ({"value_limit": 1 << 40}, "SSA_VALUE_LIMIT", str(1 << 40)),
    ({"trust_topology": True}, "SSA_TRUST_TOPOLOGY", "1"),
    ({"bulk_connection": True}, "SSA_BULK_CONNECTION", "1"),
    ({"bulk_connection": False}, "SSA_BULK_CONNECTION", "0"),
    ({"log_level": 3}, "SSA_LOG_LEVEL", "debug"),
    ({"log_level": "info"}, "SSA_LOG_LEVEL", "info"),
    ({"tls_ca": "ca.pem"}, "SSA_TLS_CA", "ca.pem"),
    ({"tls_cert": "cert.pem", "tls_key": "key.pem"}, "SSA_TLS_CERT", "cert.pem"),
    ({"tls_cert": "cert.pem", "tls_key": "key.pem"}, "SSA_TLS_KEY", "key.pem"),
    ({"tls_name": "store"}, "SSA_TLS_NAME", "store"),
    ({"write_prefix": "ens_9"}, "SSKEYOUT", "ens_9"),
    ({"write_prefix": ""}, "SSKEYOUT", "(none)"),
    ({"read_prefixes": "a,b"}, "SSKEYIN", "a,b"),
    ({"read_prefixes": ["a", "b"]}, "SSKEYIN", "a,b"),
    ({"read_prefixes": []}, "SSKEYIN", "(none)"),
    ({"server_type": "standalone"}, "SR_DB_TYPE", "standalone"),
    ({"server_type": "any"}, "SR_DB_TYPE", "any"),
]
VARIABLES = {
    "user": "SSDB_USER",
    "password": "SSDB_PASSWORD",
    "write_prefix": "SSKEYOUT",
    "read_prefixes": "SSKEYIN",
    "server_type": "SR_DB_TYPE",
}


@pytest.mark.parametrize(("given", "name", "value"), GIVEN)
def test_an_argument_sets_what_it_names_and_nothing_else(make, environment, given, name, value):
    environment()
    before, after = settings_of(make()), settings_of(make(**given))
    assert after[name] == (value, "argument")
    meant = {VARIABLES.get(each, f"SSA_{each.upper()}") for each in given}
    changed = {each for each in after if after[each] != before[each]}
    assert changed == {each for each in meant if before[each] != (value, "argument")}


def test_the_log_goes_where_an_argument_says(make, tmp_path):
    log = tmp_path / "ssasync.log"
    assert settings_of(make("a:1", log_level=2, log_file=str(log)))["SSA_LOG_FILE"] == (str(log), "argument")


def test_a_log_that_cannot_be_written_is_refused(make, tmp_path):
    with pytest.raises(InvalidArgument, match=rf"log_file cannot be '{tmp_path}': Is a directory; name a file"):
        make("a:1", log_file=str(tmp_path))


def test_only_who_starts_a_store_says_that_it_may_be_emptied(make, environment):
    environment(SSDB_OWNED="1")
    assert settings_of(make())["SSDB_OWNED"] == ("1", "environment")
    assert settings_of(make("c:3"))["SSDB_OWNED"] == ("0", "default")
    with pytest.raises(TypeError, match="owned"):
        make("c:3", owned=True)


def test_an_address_takes_the_rest_from_the_environment(make, environment):
    environment(SSDB="nonsense", SSDB_SOCKETS="/run/of/another")
    settings = settings_of(make("c:3"))
    assert settings["SSDB"] == ("c:3", "argument")
    assert settings["SSDB_SOCKETS"] == ("(none)", "default")
    from_there = {name for name, (_, source) in settings.items() if source == "environment"}
    assert from_there == set(ENVIRONMENT) - {"SSDB"}


@pytest.mark.parametrize("value", [["a,b"], [""], [3], [b"a"]])
def test_read_prefixes_are_names(make, value):
    with pytest.raises(InvalidArgument, match="an element of read_prefixes cannot be"):
        make("a:1", read_prefixes=value)


def test_all_mistakes_are_told_at_once_and_no_password(make, environment):
    environment(SSDB="nonsense", SSA_TIMEOUT="soon", SSKEYOUT="a{b")
    with pytest.raises(InvalidArgument) as failure:
        make()
    assert str(failure.value) == (
        "SSDB cannot be 'nonsense': write host:port, [ipv6]:port or unix:///path.\n"
        "SSKEYOUT cannot be 'a{b': braces decide which shard holds a key; leave them out.\n"
        "SSA_TIMEOUT cannot be 'soon': give seconds as a number."
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"address": ""}, "address cannot be empty: name at least one shard"),
        ({"address": "localhost"}, r"address cannot be 'localhost': write host:port, \[ipv6\]:port or unix:///path"),
        ({"address": "a:1,größe"}, "address cannot be 'größe'"),
        ({"address": "a:99999"}, "address cannot be 'a:99999': a port is a number from 1 to 65535"),
        ({"address": "[::1]:0"}, r"address cannot be '\[::1\]:0': a port is a number from 1 to 65535"),
        ({"address": "a:1", "timeout": 0}, "timeout cannot be 0: give a positive number of seconds"),
        ({"address": "a:1", "timeout": -1.5}, "timeout cannot be -1.5"),
        ({"address": "a:1", "timeout": float("nan")}, "timeout cannot be nan"),
        ({"address": "a:1", "log_level": 4}, "log_level cannot be 4: write quiet, error, info or debug"),
        ({"address": "a:1", "log_level": "loud"}, "log_level cannot be 'loud': write quiet, error, info or debug"),
        ({"address": "a:1", "value_limit": -1}, "value_limit cannot be -1: give bytes, or 0 for none"),
        ({"address": "a:1", "user": "a\0b"}, "user cannot be text with a NUL: leave it out"),
        (
            {"address": "a:1", "tls_key": "k.pem"},
            "SSA_TLS_KEY cannot be set alone: a certificate and its key go together",
        ),
        ({"address": "a:1", "user": "\udc80\ud800"}, "user cannot be .*no form in UTF-8"),
        ({"identifier": "a b"}, "identifier cannot be 'a b': use at most 64 letters"),
        ({}, "SSDB cannot be empty or unset"),
    ],
)
def test_an_argument_that_cannot_be_right_is_refused(make, given, says):
    with pytest.raises(InvalidArgument, match=says):
        make(**given)


@pytest.mark.parametrize(
    "given",
    [{"address": 5}, {"address": b"a:1"}, {"user": 5}, {"timeout": "soon"}, {"value_limit": "1"}, {"colour": 1}],
)
def test_an_argument_of_another_type_is_refused(make, given):
    with pytest.raises(TypeError):
        make(**{"address": "a:1", **given})


# ---- with a store


@pytest.fixture
def workload(face, engine, environment):
    """Open a client of a workload: all it knows comes from the environment."""

    def open_workload(**changed):
        environment(SSDB=engine.unix, SSDB_USER="workload", SSDB_PASSWORD=engine.password, SSA_TIMEOUT="20", **changed)
        return face.open()

    return open_workload


def test_a_client_takes_everything_from_the_environment(workload, engine):
    client = workload(SSKEYOUT="mine", SSKEYIN="mine,other")
    client.put_tensor("t", np.ones(3))
    assert engine.redis.keys() == [b"mine.t"]
    np.testing.assert_array_equal(client.get_tensor("t"), np.ones(3))


@pytest.mark.parametrize("value", ["0", "1"])
def test_large_values_of_a_blocking_client_have_a_connection_where_it_is_asked_for(engine, environment, value):
    environment(SSDB=engine.unix, SSDB_USER="workload", SSDB_PASSWORD=engine.password, SSA_BULK_CONNECTION=value)
    with BlockingClient() as client:
        client.put_tensor("small", np.ones(3))
        client.put_tensor("large", np.ones(100_000))
        assert client.statistics()["connections"] == 1 + int(value)


def test_a_client_is_the_user_that_it_was_told_to_be(face, engine):
    client = face.open(engine.unix, user="reader", password=engine.password)
    assert not client.key_exists("t")
    assert [each["user"] for each in engine.redis.client_list() if each["cmd"] == "exists"] == ["reader"]


def test_a_password_may_have_any_character(face, own_engine):
    password = "größe '\"\\ {}\t$1"  # noqa: S105
    own_engine.redis.acl_setuser("odd", enabled=True, passwords=[f"+{password}"], keys=["*"], categories=["+@all"])
    client = face.open(own_engine.unix, user="odd", password=password)
    assert not client.key_exists("t")


def test_reading_and_writing_have_prefixes_of_their_own(face, workload, engine):
    client = workload(SSKEYOUT="me", SSKEYIN="a,b")
    plain = face.open(engine.unix, password=engine.password, write_prefix="", read_prefixes="")
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
        client.wait_for_tensor("t", timeout=1)
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


def test_each_kind_of_name_has_a_switch_of_its_own(workload, engine):
    client = workload(SSKEYOUT="me", SSKEYIN="me")

    def model_keys():
        return set(engine.redis.keys("*:model:*current"))

    client.use_list_ensemble_prefix(False)
    client.use_dataset_ensemble_prefix(False)
    client.put_tensor("t", np.ones(1))
    client.use_tensor_ensemble_prefix(False)
    client.put_tensor("u", np.ones(1))
    assert sorted(engine.redis.keys()) == [b"me.t", b"u"]
    assert [client.tensor_exists(name) for name in ("t", "u", "me.t")] == [False, True, True]
    client.use_tensor_ensemble_prefix(True)
    assert client.tensor_exists("t")

    engine.redis.hset("{d}.meta", mapping={".COMPLETE": "1"})
    assert client.dataset_exists("d")
    client.use_dataset_ensemble_prefix(True)
    assert not client.dataset_exists("d")
    engine.redis.hset("me.{d}.meta", mapping={".COMPLETE": "1"})
    assert client.dataset_exists("d")

    client.set_model("m", archive_of(b""), "TORCH")
    assert model_keys() == {b"{ssa:model:m}current"}
    client.use_model_ensemble_prefix(True)
    assert not client.model_exists("m")
    client.set_model("m", archive_of(b""), "TORCH")
    assert model_keys() == {b"{ssa:model:m}current", b"{ssa:model:me.m}current"}


def test_threads_of_a_blocking_client_share_its_prefixes(engine, environment):
    """Also those whose connections are opened after a prefix was set."""
    environment(SSDB=engine.unix, SSDB_USER="workload", SSDB_PASSWORD=engine.password, SSKEYOUT="me", SSKEYIN="a,b")
    engine.redis.set("b.t", "")
    with BlockingClient() as client, ThreadPoolExecutor() as pool:
        client.set_data_source("b")
        waits = pool.submit(client.wait_for_tensor, "later", timeout=20)
        while not engine.redis.info("stats")["tracking_total_keys"]:
            assert not waits.done()
        assert client.tensor_exists("t")  # the connections of the other thread are in use
        engine.redis.set("b.later", "")
        waits.result()
