"""The cluster of the tests is what the tests take it for."""

import contextlib
import os
import socket

import pytest
import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError
from redis.retry import Retry

from tests.cyclient.cluster_process import BUS, SLOTS, ClusterProcess, Node, free_port, key_in, wait_until


def write(node: Node, key: str, value: str = "v") -> None:
    """As soon as the cluster takes it."""

    def written() -> bool:
        with contextlib.suppress(ClusterDownError):
            return bool(node.redis.set(key, value))
        return False

    wait_until(f"{node!r} takes {key}", written)


def test_a_fresh_cluster_has_all_slots_replicas_in_sync_and_takes_writes(cluster):
    primaries = cluster.primaries()
    assert len(primaries) == 3
    assert len(cluster.nodes) == 6
    assert set().union(*(cluster.slots_of(node) for node in primaries)) == set(range(SLOTS))
    for node in primaries:
        (replica,) = cluster.replicas_of(node)
        key = cluster.key_of(node)
        assert node.redis.set(key, "v")
        assert node.redis.execute_command("WAIT", 1, 10000) == 1
        with pytest.raises(MovedError):
            replica.redis.get(key)
        replica.redis.readonly()
        assert replica.redis.get(key) == b"v"
    assert cluster.addresses.count(",") == 5


def test_the_cluster_is_empty_and_whole_again_for_each_test(cluster):
    assert [node.redis.dbsize() for node in cluster.nodes] == [0] * 6
    assert all(node.answers for node in cluster.nodes)


def test_keys_lie_where_the_engine_says(cluster):
    for slot in (0, 5460, 5461, SLOTS - 1):
        key = key_in([slot])
        assert cluster.nodes[0].cluster("KEYSLOT", key) == slot
        assert cluster.primary_of(slot).redis.set(key, "v")


@pytest.mark.parametrize("user", ["default", "workload", "reader"])
@pytest.mark.parametrize("way", ["tcp", "unix"])
def test_every_node_takes_the_users_of_the_single_engine_and_no_other(cluster, user, way):
    for node in cluster.nodes:
        where = (
            {"port": node.port} if way == "tcp" else {"unix_socket_path": str(cluster.sockets / f"{node.port}.sock")}
        )
        options = {"username": user, "retry": Retry(NoBackoff(), 0), **where}
        with contextlib.closing(redis.Redis(password=cluster.password, **options)) as client:
            assert client.ping()
        stranger = contextlib.closing(redis.Redis(password=cluster.password[1:], **options))
        with stranger as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_the_replica_of_a_killed_primary_takes_over_with_all_keys(cluster):
    old = cluster.primaries()[0]
    key = cluster.key_of(old)
    old.redis.set(key, "v")
    assert old.redis.execute_command("WAIT", 1, 10000) == 1
    old.kill()
    new = cluster.wait_failover(old)
    assert new is not old
    assert new.redis.get(key) == b"v"
    write(new, key, "w")
    assert key_slot(key.encode()) in cluster.slots_of(new)


def test_a_killed_primary_that_is_started_again_later_is_a_replica(cluster):
    old = cluster.primaries()[1]
    old.kill()
    new = cluster.wait_failover(old)
    cluster.heal()
    assert cluster.replicas_of(new) == [old]
    assert len(cluster.primaries()) == 3


def test_a_replica_is_promoted_while_its_primary_stands_still(cluster):
    old = cluster.primaries()[2]
    (replica,) = cluster.replicas_of(old)
    key = cluster.key_of(old)
    old.redis.set(key, "v")
    assert old.redis.execute_command("WAIT", 1, 10000) == 1
    old.stop()
    assert not old.answers
    cluster.promote(replica)
    assert replica.redis.get(key) == b"v"
    old.cont()
    cluster.wait_ready()
    assert cluster.replicas_of(replica) == [old]
    with pytest.raises(MovedError):
        old.redis.get(key)


def test_a_half_moved_slot_answers_ask_for_the_keys_that_have_gone(cluster):
    source, to, _ = cluster.primaries()
    slot = min(cluster.slots_of(source))
    tag = key_in([slot])
    keys = [f"{{{tag}}}{i}" for i in range(10)]
    for key in keys:
        source.redis.set(key, key)
    cluster.migrate_slot(slot, to, half=True)
    assert [source.redis.get(key) for key in keys[5:]] == [key.encode() for key in keys[5:]]
    for key in keys[:5]:
        with pytest.raises(AskError, match=f"^{slot} {to.address}$"):
            source.redis.get(key)
        with pytest.raises(MovedError):
            to.redis.get(key)
        with to.redis.pipeline(transaction=False) as both:
            assert both.execute_command("ASKING").get(key).execute()[1] == key.encode()
    assert cluster.primary_of(slot) is source
    cluster.migrate_slot(slot, to)
    assert cluster.primary_of(slot) is to
    assert [to.redis.get(key) for key in keys] == [key.encode() for key in keys]
    with pytest.raises(MovedError, match=f"^{slot} {to.address}$"):
        source.redis.get(keys[0])


def test_a_slot_that_was_left_half_moved_is_whole_for_the_next_test(cluster):
    source, to, _ = cluster.primaries()
    slot = max(cluster.slots_of(source))
    key = key_in([slot])
    source.redis.set(key, "v")
    cluster.migrate_slot(slot, to, half=True)
    cluster.heal()
    cluster.flush()
    assert source.redis.get(key) is None
    assert to.redis.dbsize() == 0


def test_two_shards_fail_over_by_takeover(tmp_path):
    cluster = ClusterProcess(tmp_path, shards=2)
    try:
        old = cluster.primaries()[0]
        (replica,) = cluster.replicas_of(old)
        old.kill()
        cluster.promote(replica, takeover=True)
        write(replica, cluster.key_of(replica))
    finally:
        cluster.close()


def test_settings_reach_the_engine(tmp_path):
    cluster = ClusterProcess(tmp_path, shards=1, replicas=0, settings={"cluster_require_full_coverage": "no"})
    try:
        (node,) = cluster.nodes
        assert node.redis.config_get("cluster-require-full-coverage") == {"cluster-require-full-coverage": "no"}
    finally:
        cluster.close()


def test_nothing_is_left_when_it_is_closed(tmp_path):
    cluster = ClusterProcess(tmp_path)
    pids = [node.process.pid for node in cluster.nodes]
    cluster.nodes[0].stop()
    cluster.nodes[1].kill()
    cluster.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not list(tmp_path.glob("*.sock"))


def test_a_taken_port_is_left_alone(tmp_path, monkeypatch):
    taken = free_port()
    ports = iter([taken])
    monkeypatch.setattr("tests.cyclient.cluster_process.free_port", lambda: next(ports, None) or free_port())
    with socket.create_server(("127.0.0.1", taken + BUS)):
        cluster = ClusterProcess(tmp_path, shards=1, replicas=0)
        try:
            assert cluster.nodes[0].port != taken
        finally:
            cluster.close()


def test_a_cluster_that_does_not_come_up_leaves_nothing_and_shows_why(tmp_path):
    with pytest.raises(AssertionError, match="argument must be a memory value"):
        ClusterProcess(tmp_path, shards=1, replicas=0, settings={"maxmemory": "nonsense"})
    assert not list(tmp_path.glob("*.sock"))
