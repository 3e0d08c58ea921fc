"""A new client whose first address does not answer, while others of the store would."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ssasync.blocking import Client
from ssasync.cyclient import ConnectionFailed, StoreError
from tests.cyclient.cluster_process import ClusterProcess
from tests.cyclient.scripted_peer import HELLO_REPLY, Conversation, ScriptedPeer
from tests.cyclient.test_futures import until
from tests.cyclient.test_order import CLUSTER_REPLY, SLOTS

ONES = np.ones(3)
DEADLINE = 3.0  #: of operations: less than the 5 s for which a server of a known store is waited for


def silent(conversation: Conversation) -> None:
    conversation.stall()


@pytest.mark.parametrize("count", [1, 3])
def test_servers_that_accept_and_say_nothing_keep_nobody_from_the_next(face, engine, tmp_path, count):
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(ScriptedPeer(tmp_path / f"s{i}", silent)) for i in range(count)]
        addresses = ",".join([*(peer.address for peer in peers), engine.tcp])
        face.open(addresses, password=engine.password).put_tensor("t", ONES, timeout=DEADLINE)


def test_a_stopped_node_that_is_named_first_keeps_nobody_from_the_others(face, cluster):
    victim, healthy = cluster.primaries()[:2]
    key = cluster.key_of(healthy)
    addresses = ",".join([victim.address, *(node.address for node in cluster.nodes if node is not victim)])
    face.open(cluster.addresses, password=cluster.password, timeout=20).put_tensor(key, ONES)
    victim.stop()
    client = face.open(addresses, password=cluster.password)
    np.testing.assert_array_equal(client.get_tensor(key, timeout=DEADLINE), ONES)


def test_a_stopped_node_keeps_no_further_thread_from_healthy_shards(cluster):
    """Each thread that operates at the same time as others has a connection of its own, which learns the topology anew."""
    victim = cluster.nodes[0]
    healthy = next(primary for primary in cluster.primaries() if primary is not victim)
    key, late = cluster.key_of(healthy), cluster.key_of(healthy, "late")
    with Client(cluster.addresses, password=cluster.password, timeout=20) as client, ThreadPoolExecutor(1) as threads:
        client.put_tensor(key, ONES)
        wait = threads.submit(client.wait_for_tensor, late)
        until(lambda: not client._pool.first.is_free)
        victim.stop()
        np.testing.assert_array_equal(client.get_tensor(key, timeout=DEADLINE), ONES)
        assert len(client._pool._members) == 2
        client.put_tensor(late, ONES)
        wait.result()


def test_what_could_not_be_sent_keeps_no_other_operation_waiting(tmp_path):
    """A connection that is not open yet carries nothing that might be overtaken by what goes over another one."""
    settings = {"cluster_node_timeout": "60000"}  # nobody takes the place of the one that is stopped
    with contextlib.closing(ClusterProcess(tmp_path, replicas=0, settings=settings)) as cluster:
        healthy, _, victim = cluster.nodes
        key, late = cluster.key_of(healthy), cluster.key_of(healthy, "late")
        lost = cluster.key_of(victim)
        with (
            Client(cluster.addresses, password=cluster.password, timeout=20) as client,
            ThreadPoolExecutor(1) as threads,
        ):
            client.put_tensor(key, ONES)
            wait = threads.submit(client.wait_for_tensor, late)
            until(lambda: not client._pool.first.is_free)
            victim.stop()
            with pytest.raises(ConnectionFailed, match="accepts, but does not answer"):
                client.put_tensor(lost, ONES, timeout=0.5)
            batch = client.batch()
            found = batch.get_tensor(key)
            batch.execute(timeout=DEADLINE)
            np.testing.assert_array_equal(found.value, ONES)
            client.wait_for_tensor(key, timeout=DEADLINE)
            client.put_tensor(late, ONES)
            wait.result()


def test_a_node_that_falls_silent_before_it_has_named_the_shards_is_left_for_the_next(face):
    """It says that it is of a cluster, and no more."""

    def owner_of_all(conversation: Conversation) -> None:
        while True:
            request = conversation.request()
            if request[:2] == [b"CLUSTER", b"SLOTS"]:
                port = int(owner.address.rpartition(":")[2])
                node = b"*3\r\n$9\r\n127.0.0.1\r\n:%d\r\n$40\r\n%s\r\n" % (port, b"0" * 40)
                conversation.say(b"*1\r\n*3\r\n:0\r\n:%d\r\n" % (SLOTS - 1) + node)
            else:
                conversation.say(CLUSTER_REPLY if request[0] == b"HELLO" else b"+OK\r\n")

    def falls_silent(conversation: Conversation) -> None:
        while (request := conversation.request())[:2] != [b"CLUSTER", b"SLOTS"]:
            conversation.say(CLUSTER_REPLY if request[0] == b"HELLO" else b"+OK\r\n")
        conversation.stall()

    with ScriptedPeer(None, falls_silent) as first, ScriptedPeer(None, owner_of_all) as owner:
        face.open(f"{first.address},{owner.address}").put_bytes("k", b"value", timeout=20)


def test_servers_that_are_all_silent_at_first_are_asked_again(face, tmp_path):
    def answers_the_second_time(conversation: Conversation) -> None:
        while conversation.number:
            conversation.say(HELLO_REPLY if conversation.request()[0] == b"HELLO" else b"+OK\r\n")
        conversation.stall()

    with (
        ScriptedPeer(tmp_path / "s", answers_the_second_time) as one,
        ScriptedPeer(tmp_path / "t", answers_the_second_time) as other,
    ):
        face.open(f"{one.address},{other.address}").put_bytes("k", b"value", timeout=20)


def test_servers_that_are_all_slow_are_given_longer_and_longer(face, tmp_path):
    """250 ms each, then 1 s each: in 2 s two tries at each, at most. One that is always in a hurry never meets them."""
    with ScriptedPeer(tmp_path / "s", silent) as one, ScriptedPeer(tmp_path / "t", silent) as other:
        with pytest.raises(StoreError):
            face.open(f"{one.address},{other.address}").put_bytes("k", b"value", timeout=2)
        assert 2 <= one.connections + other.connections <= 4
