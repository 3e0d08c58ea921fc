"""Clients of a real cluster: where commands go, slots that move, shards that die and shards that stop."""

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ssasync.cyclient import Client, Dataset, NoShard, StoreError
from ssasync.cyclient.blocking import Client as BlockingClient
from tests.cyclient.cluster_process import ClusterProcess, key_in
from tests.cyclient.faces import AsyncFace, BlockingFace

NAMES = [f"rank_{i}.u" for i in range(60)]


def array_of(name: str) -> np.ndarray:
    return np.full(5, NAMES.index(name), "f8")


@pytest.fixture
def client(face: AsyncFace | BlockingFace, cluster: ClusterProcess):
    return face.open(cluster.addresses, password=cluster.password, timeout=20)


def keys_by_primary(cluster: ClusterProcess) -> list[int]:
    return [len(list(primary.redis.scan_iter())) for primary in cluster.primaries()]


def test_each_tensor_is_on_the_shard_of_its_slot(client, cluster):
    for name in NAMES:
        client.put_tensor(name, array_of(name))
    counts = keys_by_primary(cluster)
    assert sum(counts) == len(NAMES)
    assert min(counts) > 0
    for name in NAMES:
        np.testing.assert_array_equal(client.get_tensor(name), array_of(name))
    statistics = client.statistics()
    assert statistics["redirections"] == 0
    assert statistics["connections"] <= 4


def test_the_first_command_does_not_pause_once_the_owner_of_its_slot_is_known(cluster):
    """Pauses between two tries begin with 10 ms."""

    def first_command() -> float:
        with BlockingClient(cluster.addresses, password=cluster.password, timeout=20) as client:
            started = time.monotonic()
            client.key_exists("k")
            return time.monotonic() - started

    assert min(first_command() for _ in range(20)) < 0.008


def test_the_first_command_may_be_about_several_slots(cluster):
    """It waits for the owners of the slots, and what asks for them must not wait for it."""
    source, target = (cluster.key_of(primary) for primary in cluster.primaries()[:2])
    with BlockingClient(cluster.addresses, password=cluster.password, timeout=20) as client:
        client.put_tensor(source, np.ones(1))
    for source_now, target_now in ((source, source + "2"), (source + "2", target)):
        with BlockingClient(cluster.addresses, password=cluster.password, timeout=20) as client:
            client.rename_tensor(source_now, target_now)
            np.testing.assert_array_equal(client.get_tensor(target_now), np.ones(1))


def of_environment(monkeypatch, cluster, **settings) -> BlockingClient:
    variables = {"SSDB": cluster.addresses, "SSDB_PASSWORD": cluster.password, "SSDB_SOCKETS": cluster.sockets}
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    return BlockingClient(**settings)


def test_on_its_host_a_shard_is_reached_by_its_socket(cluster, monkeypatch):
    with of_environment(monkeypatch, cluster, timeout=20) as client:
        client.ping()  # all shards; one of them is the way in, by the address that was given
        lists = [primary.redis.client_list() for primary in cluster.primaries()]
    ways = [peer["laddr"] for peers in lists for peer in peers if peer["cmd"] == "ping"]
    assert sum(".sock" in way for way in ways) == 2


def test_the_shard_of_another_host_is_not_looked_for_here(tmp_path, monkeypatch):
    """It may have the port of one of ours."""
    elsewhere = {"cluster_announce_ip": "192.0.2.1"}  # RFC 5737: nobody has it
    with (
        contextlib.closing(ClusterProcess(tmp_path, shards=1, replicas=0, settings=elsewhere)) as cluster,
        of_environment(monkeypatch, cluster, timeout=0.3, trust_topology=True) as client,
    ):
        client.ping()  # by the address that was given; now it knows the one that is announced
        cluster.nodes[0].redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        with pytest.raises(StoreError, match=r"192\.0\.2\.1"):
            client.ping()


def test_a_batch_goes_to_all_shards_and_its_replies_come_in_its_order(face, client, cluster):
    batch = client.batch()
    for name in NAMES:
        batch.put_tensor(name, array_of(name))
    gets = [batch.get_tensor(name) for name in reversed(NAMES)]
    face.execute(batch)
    for name, get in zip(reversed(NAMES), gets, strict=True):
        np.testing.assert_array_equal(get.value, array_of(name))


def test_datasets_and_lists_spread_over_the_shards(client, cluster):
    for i in range(12):
        dataset = Dataset(f"step_{i}")
        dataset.add_tensor("u", np.full(3, i, "f8"))
        dataset.add_meta_scalar("i", i)
        client.put_dataset(dataset)
        client.append_to_list("steps", dataset)
    assert min(keys_by_primary(cluster)) > 0
    found = client.get_datasets_from_list("steps")
    assert [dataset.get_tensor("u")[0] for dataset in found] == list(range(12))
    client.copy_dataset("step_1", "elsewhere")
    client.rename_dataset("elsewhere", "further")
    assert client.get_dataset("further").get_meta_scalars("i")[0] == 1


def test_copies_and_renames_go_from_shard_to_shard(client):
    for name in NAMES[:20]:
        client.put_tensor(name, array_of(name))
        client.copy_tensor(name, f"{name}.copy")
        client.rename_tensor(name, f"{name}.moved")
        np.testing.assert_array_equal(client.get_tensor(f"{name}.copy"), array_of(name))
        np.testing.assert_array_equal(client.get_tensor(f"{name}.moved"), array_of(name))
        assert not client.tensor_exists(name)


def test_a_slot_that_moves_is_followed(client, cluster):
    source, target, _ = cluster.primaries()
    slot = min(cluster.slots_of(source))
    key = key_in([slot])
    client.put_tensor(key, np.ones(3))
    cluster.migrate_slot(slot, target)
    np.testing.assert_array_equal(client.get_tensor(key), np.ones(3))
    client.put_tensor(key, np.zeros(3))
    assert client.statistics()["redirections"] >= 1
    before = client.statistics()["redirections"]
    for _ in range(20):
        client.put_tensor(key, np.zeros(3))
    assert client.statistics()["redirections"] == before, "the new owner is known"
    cluster.migrate_slot(slot, source)


def test_a_slot_half_on_its_way_is_asked_for_at_both_ends(client, cluster):
    source, target, _ = cluster.primaries()
    slot = min(cluster.slots_of(source))
    names = [key_in([slot], f"k{i}.") for i in range(8)]
    for i, name in enumerate(names):
        client.put_tensor(name, np.full(3, i, "f8"))
    cluster.migrate_slot(slot, target, half=True)
    for i, name in enumerate(names):
        np.testing.assert_array_equal(client.get_tensor(name), np.full(3, i, "f8"))
        client.put_tensor(name, np.full(3, -i, "f8"))
        np.testing.assert_array_equal(client.get_tensor(name), np.full(3, -i, "f8"))
    cluster.migrate_slot(slot, target)
    for i, name in enumerate(names):
        np.testing.assert_array_equal(client.get_tensor(name), np.full(3, -i, "f8"))
    cluster.migrate_slot(slot, source)


def test_a_dead_shard_is_ridden_out(client, cluster):
    for name in NAMES:
        client.put_tensor(name, array_of(name))
    victim = cluster.primaries()[1]
    (replica,) = cluster.replicas_of(victim)
    victim.redis.execute_command("WAIT", 1, 1000)
    victim.kill()
    with ThreadPoolExecutor() as pool:
        promotion = pool.submit(cluster.promote, replica)
        for name in NAMES:
            client.put_tensor(name, -array_of(name))
        promotion.result()
    for name in NAMES:
        np.testing.assert_array_equal(client.get_tensor(name), -array_of(name))


def test_a_shard_that_stopped_is_left_for_its_replica(client, cluster):
    for name in NAMES:
        client.put_tensor(name, array_of(name))
    victim = cluster.primaries()[0]
    victim.stop()  # the engine's own failover takes its place
    for name in NAMES:
        client.put_tensor(name, -array_of(name), timeout=20)
    victim.cont()
    cluster.wait_agreed()
    for name in NAMES:
        np.testing.assert_array_equal(client.get_tensor(name), -array_of(name))


def test_a_wait_outlives_the_shard_it_was_told_by(cluster):
    victim = cluster.primaries()[2]
    (replica,) = cluster.replicas_of(victim)
    key = cluster.key_of(victim)

    async def wait_and_put() -> None:
        async with (
            Client(cluster.addresses, password=cluster.password, timeout=20) as waiting,
            Client(cluster.addresses, password=cluster.password, timeout=20) as putting,
        ):
            waiter = asyncio.ensure_future(waiting.wait_for_tensor(key))
            await asyncio.wait([waiter], timeout=0.1)
            victim.kill()
            await asyncio.to_thread(cluster.promote, replica)
            await putting.put_tensor(key, np.ones(3))
            async with asyncio.timeout(10):
                await waiter

    asyncio.run(wait_and_put())


def test_one_question_at_a_time_about_the_topology(cluster):
    """Hundreds of commands that fail together ask once, and not again and again."""
    victim = cluster.primaries()[0]
    (replica,) = cluster.replicas_of(victim)
    keys = [key_in(cluster.slots_of(victim), f"k{i}.") for i in range(300)]

    async def use() -> dict[str, int]:
        async with Client(cluster.addresses, password=cluster.password, timeout=20) as client:
            await asyncio.gather(*(client.put_tensor(key, np.ones(3)) for key in keys))
            victim.kill()
            puts = [asyncio.ensure_future(client.put_tensor(key, np.zeros(3))) for key in keys]
            await asyncio.to_thread(cluster.promote, replica)
            started = time.monotonic()
            await asyncio.gather(*puts)
            assert time.monotonic() - started < 5
            return dict(client.statistics())

    assert asyncio.run(use())["refreshes"] < 30


def test_addresses_that_were_not_announced_are_not_followed(face, cluster):
    first = cluster.primaries()[0]
    client = face.open(first.address, password=cluster.password, timeout=1)
    with pytest.raises(StoreError, match=r"not announced.*SSDB.*trust_topology") as refusal:
        for name in NAMES:
            client.put_tensor(name, array_of(name))
    assert isinstance(refusal.value, NoShard | TimeoutError)
    trusting = face.open(first.address, password=cluster.password, timeout=20, trust_topology=True)
    for name in NAMES:
        trusting.put_tensor(name, array_of(name))


def test_threads_share_a_blocking_client_of_a_cluster(cluster):
    with BlockingClient(cluster.addresses, password=cluster.password, timeout=20) as client:

        def use(number: int) -> None:
            for i in range(100):
                client.put_tensor(f"{number}.{i}", np.full(3, i, "f8"))
                np.testing.assert_array_equal(client.get_tensor(f"{number}.{i}"), np.full(3, i, "f8"))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(use, range(8)))
