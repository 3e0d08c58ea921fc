"""What the C core asks of servers, not of keys: who they are, their settings, snapshots, and the deletion of all keys."""

import pytest
from redis.crc import key_slot

from tests.cyclient.cluster_process import key_in

LIMITED = "limited"


@pytest.fixture
def limited(engine):
    """Another user of the engine, who may do what workloads may."""
    engine.redis.execute_command("ACL", "SETUSER", LIMITED, "on", ">pw", "~*", "+@all", "-@dangerous", "+info")
    yield {"SSDB_USER": LIMITED, "SSDB_PASSWORD": "pw"}
    engine.redis.execute_command("ACL", "DELUSER", LIMITED)


# ---- who they are


def test_one_server_tells_of_itself(connect, engine):
    talk = connect(engine)
    for address in ("", engine.unix):
        ended = talk.do("info", address)
        assert (ended.status, ended.number, len(ended.reply)) == ("SSA_OK", 1, 2)
        assert ended.reply[0].decode() == engine.unix
        assert ended.reply[1].startswith(b"# Server\r\n")
        assert b"\r\n# Commandstats\r\n" in ended.reply[1]
        assert talk.do("ping", address).number == 1
    ended = talk.do("cluster_info", "")
    assert ended.status == "SSA_EUNSUPPORTED"
    assert ended.error == f"get_db_cluster_info: {engine.unix} is one server, no cluster. Use get_db_node_info."


def test_all_servers_of_a_cluster_tell_of_themselves(connect, cluster):
    talk = connect(cluster)
    addresses = [primary.address for primary in cluster.primaries()]
    ended = talk.do("info", "")
    assert sorted(ended.reply[::2]) == sorted(address.encode() for address in addresses)
    for address, text in zip(ended.reply[::2], ended.reply[1::2], strict=True):
        assert b"\r\ntcp_port:" + address.split(b":")[1] + b"\r\n" in text
    assert talk.do("ping", "").number == 3
    ended = talk.do("cluster_info", addresses[1])
    assert ended.reply[0].decode() == addresses[1]
    assert b"cluster_state:ok" in ended.reply[1]
    replica = next(node for node in cluster.nodes if node.address not in addresses)
    assert b"role:slave" in talk.do("info", replica.address).reply[1]


def test_an_address_means_its_server_whatever_the_way_in_was(connect, cluster):
    cluster.promote(cluster.replicas_of(cluster.primaries()[0])[0])
    for first in cluster.nodes:
        addresses = [first.address, *(node.address for node in cluster.nodes if node is not first)]
        talk = connect(cluster, SSDB=",".join(addresses))
        for node in cluster.nodes:
            text = talk.do("info", node.address).reply[1]
            assert f"\r\ntcp_port:{node.port}\r\n".encode() in text


def test_an_address_that_is_no_server_is_told_which_are(connect, engine, cluster):
    ended = connect(engine).do("ping", "127.0.0.1:1")
    assert ended.status == "SSA_EARGUMENT"
    assert ended.error == f"ping: '127.0.0.1:1' is no server of this store. Its servers are: {engine.unix}."
    ended = connect(cluster).do("save", "127.0.0.1:1")
    assert ended.status == "SSA_EARGUMENT"
    assert all(node.address in ended.error for node in cluster.nodes)
    refused = connect(engine).refused("info", "nowhere")
    assert refused.error.startswith("the address of get_db_node_info cannot be 'nowhere'")


def test_a_dead_server_is_an_error_in_time(connect, cluster):
    talk = connect(cluster)
    owner = cluster.primaries()[0]
    assert talk.do("ping", "").number == 3
    owner.kill()
    assert talk.do("ping", owner.address, timeout=0.3).status in ("SSA_ECONNECT", "SSA_ETIMEOUT")


# ---- settings


def test_settings_are_read_and_written(connect, engine):
    talk = connect(engine)
    before = talk.do("config_get", "maxmemory*", "")
    settings = dict(zip(before.reply[::2], before.reply[1::2], strict=True))
    assert before.number == len(settings) > 1
    assert settings[b"maxmemory"] == str(1 << 30).encode()
    assert talk.do("config_set", "maxmemory", "2gb", engine.unix).number == 1
    assert talk.do("config_get", "maxmemory", "").reply == [b"maxmemory", str(2 << 30).encode()]
    assert talk.do("config_set", "maxmemory", "1gb", "").number == 1


def test_settings_that_are_none(connect, engine):
    talk = connect(engine)
    ended = talk.do("config_get", "maxmemmory", "")
    assert ended.status == "SSA_ENOTFOUND"
    assert ended.error == f"config_get: {engine.unix} has no setting 'maxmemmory'."
    assert talk.do("config_set", "maxmemory", "much", "").status == "SSA_ESERVER"
    assert talk.refused("config_set", "", "1", "").status == "SSA_EARGUMENT"


def test_servers_of_a_cluster_have_settings_of_their_own(connect, cluster):
    talk = connect(cluster)
    assert talk.do("config_set", "hz", "20", "").number == 3
    assert [primary.redis.config_get("hz") for primary in cluster.primaries()] == [{"hz": "20"}] * 3
    address = cluster.primaries()[1].address
    assert talk.do("config_set", "hz", "10", address).number == 1
    assert [primary.redis.config_get("hz")["hz"] for primary in cluster.primaries()] == ["20", "10", "20"]
    assert talk.do("config_get", "hz", address).reply == [b"hz", b"10"]
    ended = talk.do("config_get", "hz", "")
    assert ended.status == "SSA_EARGUMENT"
    assert "has 3 servers, which may have different settings. Name one of them." in ended.error
    assert talk.do("config_set", "hz", "10", "").number == 3


@pytest.mark.parametrize("words", [("config_get", "hz", ""), ("config_set", "hz", "10", ""), ("save", "")])
def test_who_may_not_is_told_who_may(connect, engine, limited, words):
    ended = connect(engine, **limited).do(*words)
    assert ended.status == "SSA_EPERMISSION"
    assert ended.error.startswith(f"user 'limited' may not do {words[0]} on {engine.unix} (NOPERM ")
    assert ended.error.endswith("Connect as the user 'admin': SSDB_USER and SSDB_PASSWORD.")


# ---- snapshots


def test_a_snapshot_is_on_disk_when_the_save_ends(connect, own_engine):
    talk = connect(own_engine)
    own_engine.redis.mset({f"k{i}": "x" for i in range(100)})
    own_engine.redis.config_set("rdb-key-save-delay", 2000)
    ended = talk.do("save", "")
    assert (ended.status, ended.number) == ("SSA_OK", 1)
    assert own_engine.redis.info("persistence")["rdb_saves"] == 1
    assert (own_engine.folder / "dump.rdb").exists()


def test_a_snapshot_begins_after_the_call(connect, own_engine):
    talk = connect(own_engine)
    own_engine.redis.mset({f"k{i}": "x" for i in range(100)})
    own_engine.redis.config_set("rdb-key-save-delay", 2000)
    own_engine.redis.bgsave()
    own_engine.redis.set("late", "x")
    assert talk.do("save", "").status == "SSA_OK"
    assert own_engine.redis.info("persistence")["rdb_changes_since_last_save"] == 0


def test_a_snapshot_that_cannot_be_written_is_an_error(connect, own_engine):
    talk = connect(own_engine)
    assert talk.do("ping", "").number == 1  # it has looked for a snapshot to begin with
    (own_engine.folder / "dump.rdb").mkdir()
    ended = talk.do("save", "")
    assert ended.status == "SSA_ESERVER"
    assert ended.error.startswith(f"save: {own_engine.unix} could not write its snapshot. Its log says why")


def test_a_save_that_takes_too_long_ends_in_time(connect, own_engine):
    talk = connect(own_engine)
    own_engine.redis.set("k", "x")
    own_engine.redis.config_set("rdb-key-save-delay", 10_000_000)
    assert talk.do("save", "", timeout=0.3).status == "SSA_ETIMEOUT"


def test_every_server_of_a_cluster_saves(connect, cluster):
    talk = connect(cluster)
    before = [primary.redis.info("persistence")["rdb_saves"] for primary in cluster.primaries()]
    assert talk.do("save", "").number == 3
    assert talk.do("save", cluster.primaries()[0].address).number == 1
    after = [primary.redis.info("persistence")["rdb_saves"] for primary in cluster.primaries()]
    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 1, 1]


# ---- flush

OWNED = {"SSDB_OWNED": "1"}
OURS = ["{ssa:model:m}current", "{ssa:workers:all}list", "{ssa:control:sim}requests"]


def test_all_keys_go_but_ours(connect, engine):
    talk = connect(engine, **OWNED)
    engine.redis.mset(dict.fromkeys([*(f"k{i}" for i in range(5000)), "{d}.meta", "{ssax", *OURS], "x"))
    ended = talk.do("flush", "")
    assert (ended.status, ended.number) == ("SSA_OK", 5002)
    assert sorted(engine.redis.keys()) == sorted(key.encode() for key in OURS)
    assert talk.do("flush", "").number == 0


def test_what_this_client_has_on_its_way_goes_too(connect, engine):
    talk = connect(engine, **OWNED)
    for i in range(20):
        puts = [talk.start("put", f"long{i}", 4 << 20), talk.start("put", f"short{i}", 10)]
        flush = talk.start("flush", "")
        assert [talk.ended(put).status for put in puts] == ["SSA_OK"] * 2
        assert talk.ended(flush).number == 2
        assert engine.redis.dbsize() == 0


@pytest.mark.parametrize("prefix", ["p", "p*", "a[b]?\\x^"])
def test_a_prefix_limits_it(connect, engine, prefix):
    talk = connect(engine, **OWNED)
    others = [f"{prefix}x", "pp.a", "p.", "a", "ab?x^.k", *OURS]
    others = [key for key in others if not key.startswith(f"{prefix}.")]
    gone = [f"{prefix}.a", f"{prefix}.{{d}}.meta", f"{prefix}.b.c"]
    engine.redis.mset(dict.fromkeys(others + gone, "x"))
    assert talk.do("flush", prefix).number == 3
    assert sorted(engine.redis.keys()) == sorted(key.encode() for key in others)
    assert talk.refused("flush", "a{b").status == "SSA_EARGUMENT"


def test_keys_of_other_kinds_and_strange_names_go(connect, engine):
    talk = connect(engine, **OWNED)
    engine.redis.rpush("list", "a")
    engine.redis.hset("hash", "a", "b")
    engine.redis.set(b"\r\n\x00\xff{", "x")
    engine.redis.set(b"", "x")
    assert talk.do("flush", "").number == 4


def test_a_store_of_others_is_not_emptied(connect, engine, limited):
    engine.redis.set("k", "x")
    ended = connect(engine, **limited).refused("flush", "")
    assert ended.status == "SSA_EPERMISSION"
    assert ended.error == (
        f"flush_db: {engine.unix} was not started by the experiment of this program (SSDB_OWNED), and user 'limited' may "
        "not empty a store of others. Delete keys by name, or connect as the user 'admin'."
    )
    assert engine.redis.dbsize() == 1
    engine.redis.execute_command("ACL", "SETUSER", "admin", "on", ">pw", "~*", "+@all")
    assert connect(engine, **limited | {"SSDB_USER": "admin"}).do("flush", "").number == 1
    engine.redis.execute_command("ACL", "DELUSER", "admin")


def test_every_shard_is_emptied(connect, cluster):
    talk = connect(cluster, **OWNED)
    for primary in cluster.primaries():
        slots = cluster.slots_of(primary)
        for i in range(1500):
            primary.redis.set(key_in(slots, f"k{i}."), "x")
    assert talk.do("flush", "").number == 4500
    assert [primary.redis.dbsize() for primary in cluster.primaries()] == [0] * 3


def test_a_slot_that_is_half_moved_is_emptied(connect, cluster):
    owner, other = cluster.primaries()[:2]
    key = cluster.key_of(owner)
    slot = key_slot(key.encode())
    for i in range(20):
        owner.redis.set(f"{{{key}}}{i}", "x")
    cluster.migrate_slot(slot, other, half=True)
    assert connect(cluster, **OWNED).do("flush", "").status == "SSA_OK"
    assert [primary.redis.dbsize() for primary in cluster.primaries()] == [0] * 3
    cluster.migrate_slot(slot, other)
    cluster.migrate_slot(slot, owner)


def test_a_flush_rides_out_a_failover(connect, cluster):
    talk = connect(cluster, **OWNED)
    owner = cluster.primaries()[0]
    keys = [cluster.key_of(primary) for primary in cluster.primaries()]
    assert talk.do("ping", "").number == 3
    for key, primary in zip(keys, cluster.primaries(), strict=True):
        primary.redis.set(key, "x")
        primary.redis.execute_command("WAIT", 1, 10_000)
    owner.stop()
    flush = talk.start("flush", "")
    heir = cluster.replicas_of(owner)[0]
    cluster.promote(heir)
    ended = talk.ended(flush)
    assert (ended.status, ended.number) == ("SSA_OK", 3)


# ---- cancelling


@pytest.mark.parametrize("kind", ["engine", "cluster"])
def test_what_is_cancelled_leaves_nothing_behind(connect, kind, request, module_engine):
    store = request.getfixturevalue(kind)
    operations = (
        ("info", ""),
        ("config_set", "hz", "10", ""),
        ("save", ""),
        ("flush", ""),
        ("control_poll", "sim"),
        ("control_send", "sim", "stop", "", ""),
        ("wait_for", "tensor", "never"),
        ("wait_for_list_length", "never", "==", "1"),
        ("watch", "never"),
    )
    talk = connect(store, **OWNED)
    for drive in (False, True, True):
        requests = [talk.start(*words) for words in operations]
        if drive:
            talk.settle()
        for number in requests:
            talk.tell("cancel", number)
        assert talk.do("ping", "").status == "SSA_OK"
    for words in operations:  # the client ends with all of them under way
        talk.start(*words)
