"""Transactions under a watch: their connection is lost between EXEC and its answer; renames of what is not whole."""

import numpy as np
import pytest

from ssasync.cyclient import Dataset, Disconnected, NotADataset, NotATensor
from tests.cyclient.scripted_peer import Conversation, ScriptedPeer
from tests.cyclient.wire_format import bulk

OK = b"+OK\r\n"
ITEM = b"\x10" + len(b"t").to_bytes(8, "little") + b"t"
NO_ITEM = b"\x10"
VERSION = b"0" * 32
#: A dataset with the tensor "t"; and what else is asked before a transaction.
ANSWERS = {
    b"HEXISTS": b":1\r\n",
    b"WATCH": OK,
    b"HMGET": b"*5\r\n" + bulk(ITEM) + bulk(NO_ITEM) + bulk(VERSION) + bulk(b"1") + b"$-1\r\n",
    b"HGETALL": b"*2\r\n" + bulk(b"t") + bulk(b""),
    b"EXISTS": b":2\r\n",
    b"PTTL": b":-1\r\n",
    b"GETRANGE": bulk(b"x"),
    b"UNWATCH": OK,
}
OPERATIONS = {
    "rename_dataset": lambda client: client.rename_dataset("d", "e"),
    "rename_tensor": lambda client: client.rename_tensor("d", "e"),
    "delete_dataset": lambda client: client.delete_dataset("d"),
    "set_dataset_ttl": lambda client: client.set_dataset_ttl("d", 100),
    "set_tensor_ttl": lambda client: client.set_tensor_ttl("d", 100),
}


class Store:
    """Carries out everything, but the first connection is lost before EXEC is answered."""

    def __init__(self) -> None:
        self.transactions = 0

    def __call__(self, peer: Conversation) -> None:
        peer.handshake()
        while True:
            word = peer.request()[0]
            if word != b"MULTI":
                peer.say(ANSWERS[word])
                continue
            commands = 0
            while peer.request()[0] != b"EXEC":
                commands += 1
            self.transactions += 1
            if self.transactions == 1:
                return
            peer.say(OK + b"+QUEUED\r\n" * commands + b"*%d\r\n" % commands + b":1\r\n" * commands)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_only_what_may_not_run_twice_is_in_doubt(face, tmp_path, operation):
    store = Store()
    with ScriptedPeer(tmp_path / "s", store) as peer:
        client = face.open(peer.address, timeout=20)
        if operation.startswith("rename"):
            with pytest.raises(Disconnected, match=f"{operation} 'd' may or may not have been carried out"):
                OPERATIONS[operation](client)
            assert store.transactions == 1
        else:
            OPERATIONS[operation](client)
            assert store.transactions == 2


@pytest.mark.parametrize("limit", [0, 100])
def test_a_dataset_that_lacks_an_item_is_not_renamed(face, engine, limit):
    client = face.open(engine.unix, password=engine.password, timeout=20, value_limit=limit)
    dataset = Dataset("d")
    dataset.add_tensor("t", np.ones(40))
    dataset.add_tensor("u", np.ones(40))
    client.put_dataset(dataset)
    engine.redis.delete("{d}.u")
    before = set(engine.redis.keys())
    with pytest.raises(NotADataset, match="its item 'u' is not there"):
        client.rename_dataset("d", "e")
    assert set(engine.redis.keys()) == before


def test_a_value_that_lacks_a_piece_is_not_renamed(face, engine):
    client = face.open(engine.unix, password=engine.password, timeout=20, value_limit=100)
    client.put_tensor("t", np.ones(40))
    engine.redis.delete(next(key for key in engine.redis.scan_iter() if key.endswith(b".1")))
    before = set(engine.redis.keys())
    with pytest.raises(NotATensor, match="chunks of it are missing"):
        client.rename_tensor("t", "u")
    assert set(engine.redis.keys()) == before


def test_a_renamed_dataset_takes_the_place_of_all_that_another_had(face, engine):
    client = face.open(engine.unix, password=engine.password, timeout=20, value_limit=100)
    for name, item in (("d", "new"), ("e", "old")):
        dataset = Dataset(name)
        dataset.add_tensor(item, np.ones(40))
        client.put_dataset(dataset)
    engine.redis.hset("{d}..names", "stale", "")
    engine.redis.set("{d}.stale", "left by a client that died")
    client.set_dataset_ttl("d", 100)
    client.rename_dataset("d", "e")
    np.testing.assert_array_equal(client.get_dataset("e").get_tensor("new"), np.ones(40))
    keys = engine.redis.keys()
    assert all(key.startswith(b"{e}.") and 0 < engine.redis.ttl(key) <= 100 for key in keys)
    assert not any(b"old" in key or b"stale" in key for key in keys)
    client.delete_dataset("e")
    assert engine.redis.keys() == []
