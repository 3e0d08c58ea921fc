"""Writes of a key keep their order, whatever the shards refuse, lose and pass on."""

import asyncio
import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from redis.crc import key_slot

from ssasync.cyclient import Client
from tests.cyclient.scripted_peer import DEADLINE, HELLO_REPLY, Conversation, ScriptedPeer

CLUSTER_REPLY = b"%2\r\n$4\r\nmode\r\n$7\r\ncluster\r\n$5\r\nproto\r\n:3\r\n"
SLOTS = 16384


@dataclass
class Store:
    """What the shards of a test hold, in common: a key's value is that of the last write that one of them carried out."""

    values: dict[bytes, bytes] = field(default_factory=dict)
    written: list[bytes] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def carry_out(self, request: list[bytes]) -> bytes:
        """What a shard answers."""
        with self.lock:
            if request[0] == b"SET":
                self.values[request[1]] = request[2]
                self.written.append(request[2])
                return b"+OK\r\n"
            if request[0] == b"GET":
                value = self.values.get(request[1])
                return b"_\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)
        return HELLO_REPLY if request[0] == b"HELLO" else b"+OK\r\n"


async def until(fact):
    async with asyncio.timeout(DEADLINE):
        while not fact():  # noqa: ASYNC110 - facts of other threads
            await asyncio.sleep(0)


async def started(operation):
    """The task of an operation that has been given to the client."""
    task = asyncio.create_task(operation)
    await asyncio.sleep(0)
    return task


# ---- one at a time


class Refusals:
    """A shard that holds its answers to the first two writes until both are there: it refuses the first one, and answers
    the second one, with `second`, when it is told to."""

    def __init__(self, second: bytes) -> None:
        self.store = Store()
        self.answer_second = threading.Event()
        self._second = second

    def __call__(self, conversation: Conversation) -> None:
        writes: list[list[bytes]] = []
        while True:
            request = conversation.request()
            if request[0] == b"SET" and len(writes) < 2:
                writes.append(request)
                if len(writes) == 2:
                    conversation.say(self.refusal(b"-LOADING the dataset"))
                    assert self.answer_second.wait(DEADLINE)
                    conversation.say(self.second(request))
            else:
                conversation.say(self.store.carry_out(request))

    def refusal(self, text: bytes) -> bytes:
        return text + b"\r\n"

    def second(self, request: list[bytes]) -> bytes:
        return self.store.carry_out(request) if self._second == b"+OK" else self.refusal(self._second)


@pytest.mark.parametrize("second", [b"-LOADING the dataset", b"-TRYAGAIN", b"-CLUSTERDOWN", b"-ERR no", b"+OK"])
async def test_what_is_refused_late_does_not_go_behind_what_came_later(tmp_path, second):
    shard = Refusals(second)
    with ScriptedPeer(tmp_path / "s", shard) as peer:
        async with Client(peer.address, timeout=DEADLINE) as client:
            tasks = [await started(client.put_bytes("k", b"first")), await started(client.put_bytes("k", b"second"))]
            await until(lambda: client.statistics()["retries"] == 1)
            tasks.append(await started(client.put_bytes("k", b"third")))
            shard.answer_second.set()
            await asyncio.gather(*tasks)
    assert shard.store.written[-3:] == [b"first", b"second", b"third"]
    assert Counter(shard.store.written[:-3]) <= Counter([b"second"])


async def test_a_slot_that_moves_between_two_writes_keeps_their_order():
    """Both are answered MOVED, and the third is started between the two answers: it knows the new owner already."""
    slot = key_slot(b"k")
    store, came, answer_second = Store(), threading.Event(), threading.Event()
    ports: list[int] = []

    def ranges(first: int, end: int, shard: int) -> bytes:
        node = b"*3\r\n$9\r\n127.0.0.1\r\n:%d\r\n$40\r\n%s\r\n" % (ports[shard], b"%040d" % shard)
        return b"*3\r\n:%d\r\n:%d\r\n" % (first, end) + node

    def owner(conversation: Conversation, request: list[bytes], writes: list[bytes]) -> None:
        moved = b"-MOVED %d 127.0.0.1:%d\r\n" % (slot, ports[1])
        writes.append(request[2])
        if len(writes) == 2:
            conversation.say(moved)
            came.set()
            assert answer_second.wait(DEADLINE)
        if len(writes) > 1:
            conversation.say(moved)

    def shard(number):
        def script(conversation: Conversation) -> None:
            writes: list[bytes] = []
            while True:
                request = conversation.request()
                if request[0] == b"HELLO":
                    conversation.say(CLUSTER_REPLY)
                elif request[:2] == [b"CLUSTER", b"SLOTS"]:
                    parts = [(0, slot - 1, 0), (slot, slot, int(came.is_set())), (slot + 1, SLOTS - 1, 0)]
                    conversation.say(b"*3\r\n" + b"".join(ranges(*part) for part in parts))
                elif request[0] == b"SET" and number == 0:
                    owner(conversation, request, writes)
                else:
                    conversation.say(store.carry_out(request))

        return script

    with ScriptedPeer(None, shard(0)) as old, ScriptedPeer(None, shard(1)) as new:
        ports += [int(peer.address.rpartition(":")[2]) for peer in (old, new)]
        async with Client(f"{old.address},{new.address}", timeout=DEADLINE) as client:
            await client.ping()
            tasks = [await started(client.put_bytes("k", b"first")), await started(client.put_bytes("k", b"second"))]
            await until(lambda: client.statistics()["redirections"] == 1)
            tasks.append(await started(client.put_bytes("k", b"third")))
            answer_second.set()
            await asyncio.gather(*tasks)
    assert store.written == [b"first", b"second", b"third"]


async def test_what_a_batch_goes_on_with_does_not_overtake_what_is_refused_with_it(tmp_path):
    """One read brings the answer that the batch waits for and, behind it, the refusal of a write that had left by then."""
    store, renaming = Store(), threading.Event()

    def script(conversation: Conversation) -> None:
        while True:
            request = conversation.request()
            if request[0] == b"LLEN":
                conversation.say(b":1\r\n")
            elif request[0] == b"RENAME":
                assert conversation.request()[0] == b"EXEC"
                renaming.set()
                assert conversation.request()[0] == b"SET"
                conversation.say(b"+QUEUED\r\n*1\r\n+OK\r\n-LOADING the dataset\r\n")
            else:
                conversation.say(store.carry_out(request))

    with ScriptedPeer(tmp_path / "s", script) as peer:
        async with Client(peer.address, timeout=DEADLINE) as client:
            batch = client.batch()
            batch.rename_list("a", "b")
            batch.put_bytes("k", b"of the batch, after the renaming")
            tasks = [await started(batch.execute())]
            await until(renaming.is_set)
            tasks.append(await started(client.put_bytes("k", b"left before")))
            await asyncio.gather(*tasks)
    assert store.written == [b"left before", b"of the batch, after the renaming"]


def renaming_shard(store, written, trouble):
    """Carries out puts and renames; not the first put and the watch and look of the rename behind it, which are on their
    way together: it hangs up, or is not ready yet."""

    def carry_out(request: list[bytes]) -> bytes:
        if request[0] == b"GETRANGE":
            value = store.values.get(request[1], b"")
            return b"$%d\r\n%s\r\n" % (len(value), value)
        if request[0] == b"RENAME":
            if request[1] not in store.values:
                return b"-ERR no such key\r\n"
            store.values[request[2]] = store.values.pop(request[1])
        return store.carry_out(request)

    def transaction(conversation: Conversation) -> None:
        answers = []
        conversation.say(b"+OK\r\n")
        while (request := conversation.request())[0] != b"EXEC":
            written.append(request[0])
            answers.append(carry_out(request))
            conversation.say(b"+QUEUED\r\n")
        conversation.say(b"*%d\r\n" % len(answers) + b"".join(answers))

    def script(conversation: Conversation) -> None:
        while (request := conversation.request())[0] != b"SET":
            conversation.say(store.carry_out(request))
        if conversation.number == 0:
            assert [conversation.request()[0] for _ in range(2)] == [b"WATCH", b"GETRANGE"]
            if trouble == "lost":
                return
            conversation.say(3 * b"-LOADING the dataset\r\n")
            request = conversation.request()
        while True:
            if request[0] == b"MULTI":
                transaction(conversation)
            else:
                written.append(request[0])
                conversation.say(carry_out(request))
            request = conversation.request()

    return script


@pytest.mark.parametrize("trouble", ["lost", "refused"])
async def test_a_rename_that_is_tried_again_does_not_overtake_the_put_before_it(tmp_path, trouble):
    store, written = Store(), []
    with ScriptedPeer(tmp_path / "s", renaming_shard(store, written, trouble)) as peer:
        async with Client(peer.address, timeout=DEADLINE) as client:
            await client.ping()
            put = await started(client.put_tensor("a", np.zeros(3)))
            await asyncio.gather(put, await started(client.rename_tensor("a", "b")))
    assert list(store.values) == [b"b"]
    assert [word for word in written if word in (b"SET", b"WATCH", b"RENAME")] == [b"SET", b"WATCH", b"RENAME"]


# ---- at random

KEYS = ("a", "b", "c")
REFUSALS = (b"-LOADING data\r\n", b"-TRYAGAIN\r\n", b"-CLUSTERDOWN no\r\n")
WRITES, TROUBLES = 100, 30
SEEDS = int(os.environ.get("SSA_RACES", "3"))


class FickleShards:
    """Shards that refuse, pass on and hang up as a die says. Of a cluster, the slots of the keys move to and fro between
    the two, by way of the state in which their owner answers ASK. All else lies with the first but for the last slot."""

    def __init__(self, seed: int, *, cluster: bool) -> None:
        self.store = Store()
        self.ports: list[int] = []
        self.troubles = TROUBLES  #: that are still to come
        self._cluster = cluster
        self._seed = seed
        self._die = random.Random(seed)
        self._owner = {key_slot(key.encode()): 0 for key in KEYS}
        self._migrating: set[int] = set()

    def shard(self, number: int):
        def script(conversation: Conversation) -> None:
            die = random.Random(f"{self._seed} {number} {conversation.number}")
            asking = False
            while True:
                request = conversation.request()
                if request[0] in (b"SET", b"GET"):
                    if not self._serve(conversation, number, request, die, asking=asking):
                        return
                else:
                    conversation.say(self._about_itself(request))
                asking = request[0] == b"ASKING"

        return script

    def _about_itself(self, request: list[bytes]) -> bytes:
        if self._cluster and request[0] == b"HELLO":
            return CLUSTER_REPLY
        if request[:2] == [b"CLUSTER", b"SLOTS"]:
            return self._map()
        return self.store.carry_out(request)

    def _serve(
        self, conversation: Conversation, number: int, request: list[bytes], die: random.Random, *, asking: bool
    ) -> bool:
        """False: it hangs up."""
        chance = die.random() if self.troubles > 0 else 1.0
        self.troubles -= chance < 0.3
        if chance < 0.2:
            conversation.say(die.choice(REFUSALS))
            return True
        if chance < 0.3:
            if chance < 0.25:
                self.store.carry_out(request)
            return False
        if chance < 0.4:
            time.sleep(0.002 * die.random())  # others come before it
        with self.store.lock:
            elsewhere = self._elsewhere(number, request[1], asking=asking) if self._cluster else None
            if self._cluster and self.troubles > 0:
                self._move()
        conversation.say(elsewhere or self.store.carry_out(request))
        return True

    def _elsewhere(self, number: int, key: bytes, *, asking: bool) -> bytes | None:
        slot = key_slot(key)
        owner, migrating = self._owner[slot], slot in self._migrating
        if number == owner and migrating:
            return b"-ASK %d 127.0.0.1:%d\r\n" % (slot, self.ports[1 - number])
        if number != owner and not (migrating and asking):
            return b"-MOVED %d 127.0.0.1:%d\r\n" % (slot, self.ports[owner])
        return None

    def _move(self) -> None:
        """Now and then a slot begins to move, moves, or stays after all."""
        slot = self._die.choice(list(self._owner))
        chance = self._die.random()
        if slot not in self._migrating and chance < 0.1:
            self._migrating.add(slot)
        elif slot in self._migrating and chance < 0.2:
            self._migrating.discard(slot)
            self._owner[slot] ^= chance < 0.15

    def _map(self) -> bytes:
        with self.store.lock:
            parts = []
            first = 0
            for slot in [*sorted(self._owner), SLOTS - 1]:
                if first < slot:
                    parts.append((first, slot - 1, 0))
                parts.append((slot, slot, self._owner.get(slot, 1)))
                first = slot + 1
        return b"*%d\r\n" % len(parts) + b"".join(
            b"*3\r\n:%d\r\n:%d\r\n*3\r\n$9\r\n127.0.0.1\r\n:%d\r\n$40\r\n%s\r\n" % (a, b, self.ports[n], b"%040d" % n)
            for a, b, n in parts
        )


async def write_at_random(client, shards, die):
    """Puts of numbers that grow, and gets between them; the last number of each key."""
    last = dict.fromkeys(KEYS, -1)
    tasks = []

    async def get(key, least):
        value = int(bytes(await client.get_bytes(key)).lstrip(b"."))
        assert least <= value <= last[key]

    for number in range(WRITES):
        key = die.choice(KEYS)
        if last[key] >= 0 and die.random() < 0.2:
            tasks.append(await started(get(key, last[key])))
        pad = 300_000 if die.random() < 0.05 else 8  # the long ones take the bulk connection
        last[key] = number
        tasks.append(await started(client.put_bytes(key, str(number).encode().rjust(pad, b"."))))
        await until(lambda: sum(not task.done() for task in tasks) < die.randrange(1, 30))
    await asyncio.gather(*tasks)
    return last


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("cluster", [False, True], ids=["alone", "cluster"])
async def test_the_last_write_of_each_key_stays(seed, cluster):
    shards = FickleShards(seed, cluster=cluster)
    with ScriptedPeer(None, shards.shard(0)) as one, ScriptedPeer(None, shards.shard(1)) as other:
        peers = (one, other) if cluster else (one,)
        shards.ports = [int(peer.address.rpartition(":")[2]) for peer in peers]
        async with Client(",".join(peer.address for peer in peers), timeout=60) as client:
            last = await write_at_random(client, shards, random.Random(seed))
            retries = client.statistics()["retries"]
    assert retries > TROUBLES / 2
    stored = {key.decode(): int(value.lstrip(b".")) for key, value in shards.store.values.items()}
    assert stored == {key: number for key, number in last.items() if number >= 0}
    print(f"{WRITES} writes, {retries} repeats: the last of each key stayed")
