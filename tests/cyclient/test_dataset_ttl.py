"""How long a dataset stays: all of its keys end together, and copies and renames take the time to live along."""

from pathlib import Path

import numpy as np
import pytest
import redis

from ssasync.cyclient import Dataset, blocking
from tests.cyclient.cluster_process import ClusterProcess, key_in
from tests.cyclient.engine_process import EngineProcess
from tests.cyclient.scripted_peer import Conversation, ScriptedPeer
from tests.cyclient.wire_format import bulk

LIMIT = 200
SECONDS = 3600

#: Fields of a dataset that has metadata alone, but for the version.
NO_ITEMS = {".tensor_names": b"\x10", ".bytes_names": b"\x10", "n": b"\x05" + bytes(8), ".COMPLETE": b"1"}

ttls = pytest.mark.parametrize("seconds", [SECONDS, None], ids=["with an end", "without one"])


def dataset_of(name: str, *tensors: str) -> Dataset:
    """Its tensors are longer than LIMIT: they lie in chunks."""
    dataset = Dataset(name)
    for tensor in tensors:
        dataset.add_tensor(tensor, np.arange(50.0))
    dataset.add_bytes("raw", b"abc")
    dataset.add_meta_scalar("n", 1)
    return dataset


def put_both(client: blocking.Client, source: str, target: str, seconds: float | None) -> None:
    """The target has other items and the other kind of end."""
    client.put_dataset(dataset_of(source, "t", "u"))
    client.put_dataset(dataset_of(target, "old"))
    client.set_dataset_ttl(source if seconds else target, SECONDS)


def check_ends(server: redis.Redis, name: str, seconds: float | None) -> None:
    """Of every key of the dataset there."""
    left = {key: server.pttl(key) for key in server.keys("*") if key.startswith(f"{{{name}}}.".encode())}
    assert len(left) == 2 + 1 + 2 + 2 * 2  # both hashes, the bytes, the tensors and two chunks of each
    lowest, highest = ((seconds - 60) * 1000, seconds * 1000) if seconds else (-1, -1)
    assert all(lowest <= milliseconds <= highest for milliseconds in left.values()), left


def names_in(client: blocking.Client, name: str) -> list[str]:
    return sorted(client.get_dataset(name).get_tensor_names())


@ttls
def test_a_copy_takes_the_time_to_live_along(engine: EngineProcess, seconds: float | None) -> None:
    with blocking.Client(engine.unix, password=engine.password, value_limit=LIMIT) as client:
        put_both(client, "d", "e", seconds)
        client.copy_dataset("d", "e")
        check_ends(engine.redis, "d", seconds)
        check_ends(engine.redis, "e", seconds)
        assert names_in(client, "e") == ["t", "u"]


@ttls
def test_a_rename_keeps_the_time_to_live(engine: EngineProcess, seconds: float | None) -> None:
    with blocking.Client(engine.unix, password=engine.password, value_limit=LIMIT) as client:
        put_both(client, "d", "e", seconds)
        client.rename_dataset("d", "e")
        check_ends(engine.redis, "e", seconds)
        assert names_in(client, "e") == ["t", "u"]
        assert not client.dataset_exists("d")


@ttls
@pytest.mark.parametrize("operation", ["copy_dataset", "rename_dataset"])
def test_from_shard_to_shard_too(cluster: ClusterProcess, operation: str, seconds: float | None) -> None:
    source, target = (key_in(cluster.slots_of(primary)) for primary in cluster.primaries()[:2])
    with blocking.Client(cluster.addresses, password=cluster.password, timeout=20, value_limit=LIMIT) as client:
        put_both(client, source, target, seconds)
        getattr(client, operation)(source, target)
        check_ends(cluster.primaries()[1].redis, target, seconds)
        assert names_in(client, target) == ["t", "u"]
        assert client.dataset_exists(source) == (operation == "copy_dataset")


def test_a_copy_of_metadata_alone_has_the_end_too(engine: EngineProcess) -> None:
    with blocking.Client(engine.unix, password=engine.password) as client:
        dataset = Dataset("d")
        dataset.add_meta_scalar("n", 1)
        client.put_dataset(dataset)
        client.set_dataset_ttl("d", SECONDS)
        client.copy_dataset("d", "e")
        assert SECONDS - 60 < client.get_dataset_ttl("e") <= SECONDS


def test_a_new_end_is_a_new_version(engine: EngineProcess) -> None:
    with blocking.Client(engine.unix, password=engine.password) as client:
        client.put_dataset(dataset_of("d", "t"))
        versions = [engine.redis.hget("{d}.meta", ".version")]
        for change in (lambda: client.set_dataset_ttl("d", SECONDS), lambda: client.persist_dataset("d")):
            change()
            versions.append(engine.redis.hget("{d}.meta", ".version"))
        assert len(set(versions)) == 3


class ChangesOnce:
    """A store whose dataset gets another end, and with it another version, just after it was read for the first time."""

    def __init__(self) -> None:
        self.reads = 0
        self.put: list[list[bytes]] = []

    def __call__(self, peer: Conversation) -> None:
        peer.handshake()
        while not self.put:
            word = peer.request()[0]
            if word == b"HGETALL":
                self.reads += 1
                fields = NO_ITEMS | {".version": str(min(self.reads, 2)).encode() * 32}
                words = [word for name, value in fields.items() for word in (name.encode(), value)]
                peer.say(b"%%%d\r\n" % len(fields) + b"".join(map(bulk, words)))
                continue
            assert word == b"MULTI"
            commands = []
            while commands[-1:] != [[b"EXEC"]]:
                commands.append(peer.request())
            answers = (
                [b":5000\r\n", bulk(b"2" * 32)] if commands[0][0] == b"PTTL" else [b":1\r\n"] * (len(commands) - 1)
            )
            if commands[0][0] != b"PTTL":
                self.put = commands
                answers[-1] = b":0\r\n"
            peer.say(b"+OK\r\n" + b"+QUEUED\r\n" * len(answers) + b"*%d\r\n" % len(answers) + b"".join(answers))


def test_a_copy_takes_the_end_of_what_it_read(tmp_path: Path) -> None:
    store = ChangesOnce()
    with ScriptedPeer(tmp_path / "s", store) as peer, blocking.Client(peer.address, timeout=20) as client:
        client.copy_dataset("d", "e")
    assert store.reads == 2
    assert [b"PEXPIRE", b"{e}.meta", b"5000"] in store.put
