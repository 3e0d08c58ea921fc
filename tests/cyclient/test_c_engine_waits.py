"""Waits, polls and watches of the C core: told by the shard, on one server and on a cluster that changes meanwhile."""

import threading
import time

import pytest
from redis.crc import key_slot


def calls(redis, command: str) -> int:
    """How often a server carried out this command."""
    return redis.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]


WAITS = {
    "tensor": ("t", lambda redis: redis.set("t", "x")),
    "model": ("m", lambda redis: redis.set("{ssa:model:m}current", 1)),
    "script": ("s", lambda redis: redis.set("{ssa:script:s}current", 1)),
    "key": ("{a}k", lambda redis: redis.set("{a}k", "x")),
    "dataset": ("d", lambda redis: redis.hset("{d}.meta", ".COMPLETE", 1)),
    "list": ("l", lambda redis: redis.rpush("l", "{d}")),
}


@pytest.mark.parametrize("kind", WAITS)
def test_a_wait_ends_when_it_is_there(connect, engine, kind):
    name, appear = WAITS[kind]
    talk = connect(engine)
    engine.redis.config_resetstat()
    wait = talk.start("wait_for", kind, name)
    talk.settle()
    appear(engine.redis)
    assert talk.ended(wait).status == "SSA_OK"
    assert talk.do("wait_for", kind, name).status == "SSA_OK"
    assert calls(engine.redis, "hexists" if kind == "dataset" else "exists") == 3


def test_a_dataset_is_there_when_all_of_it_is(connect, engine):
    talk = connect(engine)
    wait = talk.start("wait_for", "dataset", "d")
    talk.settle()
    engine.redis.hset("{d}.meta", "field", "x")
    assert talk.do("poll", "dataset", "d", 0, 1).number == 0
    engine.redis.hset("{d}.meta", ".COMPLETE", 1)
    assert talk.ended(wait).status == "SSA_OK"


def test_a_wait_that_is_over_says_what_did_not_come(connect, engine):
    ended = connect(engine).do("wait_for", "tensor", "never", timeout=0.2)
    assert ended.status == "SSA_EWAIT"
    assert ended.error == (
        f"tensor 'never' did not appear in {engine.unix} within 0.2 s. Is its producer running, and is its prefix right?"
    )


def test_a_wait_that_is_cancelled_is_gone(connect, engine):
    talk = connect(engine)
    waits = [talk.start("wait_for", "tensor", "x") for _ in range(3)]
    talk.tell("cancel", waits[0])
    talk.settle()
    talk.tell("cancel", waits[1])
    engine.redis.set("x", "x")
    assert talk.ended(waits[2]).status == "SSA_OK"
    assert talk.ended(waits[1]).status == "SSA_ECANCELLED"


def test_many_waits_for_many_keys_end_each_with_its_own(connect, engine):
    talk = connect(engine)
    waits = [talk.start("wait_for", "tensor", f"w{i}") for i in range(2000)]
    talk.settle()
    engine.redis.mset({f"w{i}": "x" for i in range(1, 2000)})
    assert all(talk.ended(wait).status == "SSA_OK" for wait in waits[1:])
    assert talk.do("poll", "tensor", "w0", 0, 1).number == 0
    engine.redis.set("w0", "x")
    assert talk.ended(waits[0]).status == "SSA_OK"


# ---- lists


@pytest.mark.parametrize(("comparison", "length", "pushed"), [("==", 3, 3), (">=", 3, 5), ("<=", 0, 0), ("==", 0, 0)])
def test_a_wait_for_the_length_of_a_list(connect, engine, comparison, length, pushed):
    talk = connect(engine)
    if length:
        wait = talk.start("wait_for_list_length", "l", comparison, length)
        talk.settle()
        engine.redis.rpush("l", *(str(i) for i in range(pushed)))
    else:
        engine.redis.rpush("l", "a")
        wait = talk.start("wait_for_list_length", "l", comparison, length)
        talk.settle()
        engine.redis.delete("l")
    ended = talk.ended(wait)
    assert (ended.status, ended.number) == ("SSA_OK", pushed)


def test_a_list_that_stays_too_short_is_named_with_its_length(connect, engine):
    engine.redis.rpush("l", "a", "b")
    ended = connect(engine).do("wait_for_list_length", "l", ">=", 3, timeout=0.2)
    assert ended.status == "SSA_EWAIT"
    assert "list 'l' in " in ended.error
    assert "had 2 datasets after 0.2 s, not at least 3." in ended.error


def test_a_list_that_always_changes_is_looked_at_now_and_then(connect, engine):
    talk = connect(engine)
    engine.redis.config_resetstat()
    begin = time.monotonic()
    wait = talk.start("wait_for_list_length", "l", "==", 3000)
    done = threading.Event()

    def push() -> None:
        for _ in range(3000):
            engine.redis.rpush("l", "x")
        done.set()

    pusher = threading.Thread(target=push)
    pusher.start()
    assert talk.ended(wait).status == "SSA_OK"
    elapsed = time.monotonic() - begin
    pusher.join()
    assert done.is_set()
    assert 1 < calls(engine.redis, "llen") <= 2 + elapsed / 0.01


def test_what_is_no_list_has_no_length(connect, engine):
    engine.redis.set("t", "x")
    talk = connect(engine)
    assert talk.do("wait_for_list_length", "t", "==", 1).status == "SSA_ETYPE"
    assert talk.refused("wait_for_list_length", "l", "==", -1).error == (
        "length cannot be -1: a list has no fewer than 0 datasets."
    )


# ---- polls


def test_a_poll_of_what_is_not_there_is_no_error(connect, engine):
    talk = connect(engine)
    for kind in ("tensor", "dataset", "model", "key"):
        ended = talk.do("poll", kind, "x", 10, 3)
        assert (ended.status, ended.number, ended.error) == ("SSA_OK", 0, "")
    ended = talk.do("poll", "tensor", "x", 0, 1)
    assert (ended.status, ended.number) == ("SSA_OK", 0)


def test_a_poll_ends_as_soon_as_it_is_there(connect, engine):
    talk = connect(engine)
    polls = [
        talk.start("poll", "tensor", "x", 60_000, 1000),
        talk.start("poll_list_length", "l", ">=", 2, 60_000, 1000),
    ]
    talk.settle()
    engine.redis.set("x", "x")
    engine.redis.rpush("l", "a", "b")
    assert [talk.ended(poll).number for poll in polls] == [1, 1]
    for comparison, number in (("==", 1), (">=", 1), ("<=", 1)):
        assert talk.do("poll_list_length", "l", comparison, 2, 0, 1).number == number
    assert talk.do("poll_list_length", "l", "<=", 1, 10, 2).number == 0


def test_a_poll_takes_its_time_whatever_the_timeout_is(connect, engine):
    talk = connect(engine)
    begin = time.monotonic()
    assert talk.do("poll", "tensor", "x", 150, 2, timeout=0.05).number == 0
    assert time.monotonic() - begin >= 0.3


def test_times_that_cannot_be(connect, engine):
    talk = connect(engine)
    assert talk.refused("poll", "tensor", "x", -1, 1).error == (
        "poll_frequency_ms cannot be -1: give milliseconds, 0 or more."
    )
    assert talk.refused("poll", "tensor", "x", 1, 0).error == "num_tries cannot be 0: give 1 or more."


# ---- watches


def test_a_watch_ends_at_the_next_change(connect, engine):
    talk = connect(engine)
    engine.redis.set("k", "1")
    for value in ("2", "2", "3"):
        watch = talk.start("watch", "k")
        assert talk.do("exists", "k").number == 1
        engine.redis.config_resetstat()
        engine.redis.set("k", value)
        assert talk.ended(watch).status == "SSA_OK"
    watch = talk.start("watch", "k")
    talk.settle()
    engine.redis.delete("k")
    assert talk.ended(watch).status == "SSA_OK"
    assert talk.do("watch", "k", timeout=0.1).status == "SSA_EWAIT"


def test_a_key_whose_value_was_long_is_tracked_on_the_connection_for_long_ones(connect, engine):
    talk = connect(engine)
    put = talk.start("put", "x", 4 << 20)
    engine.redis.config_resetstat()
    watch = talk.start("watch", "x")
    assert talk.ended(put).status == "SSA_OK"
    talk.settle()
    begin = time.monotonic()
    engine.redis.set("x", "y")
    assert talk.ended(watch).status == "SSA_OK"
    assert time.monotonic() - begin < 3  # told: nobody looks again before 5 s
    assert calls(engine.redis, "exists") == 1


# ---- a server that goes


def test_a_lost_connection_is_armed_again(connect, engine):
    talk = connect(engine)
    wait, watch = talk.start("wait_for", "tensor", "x"), talk.start("watch", "y")
    talk.settle()
    engine.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert talk.ended(watch).status == "SSA_OK"
    talk.settle()
    engine.redis.config_resetstat()
    engine.redis.set("x", "x")
    assert talk.ended(wait).status == "SSA_OK"
    assert calls(engine.redis, "exists") == 1


def test_a_restarted_server_is_armed_again(connect, own_engine):
    talk = connect(own_engine)
    wait, watch = talk.start("wait_for", "tensor", "x"), talk.start("watch", "y")
    talk.settle()
    own_engine.kill()
    assert talk.ended(watch).status == "SSA_OK"
    own_engine.start()
    talk.settle()
    own_engine.redis.set("x", "x")
    assert talk.ended(wait).status == "SSA_OK"


def test_a_wait_on_a_dead_server_ends_in_time(connect, own_engine):
    talk = connect(own_engine)
    wait, poll = (
        talk.start("wait_for", "tensor", "x", timeout=0.5),
        talk.start("poll", "tensor", "x", 100, 1, timeout=0.3),
    )
    talk.settle()
    own_engine.kill()
    assert {talk.ended(wait).status, talk.ended(poll).status} <= {"SSA_ETIMEOUT", "SSA_ECONNECT"}


def test_an_emptied_server_is_armed_again(connect, engine):
    talk = connect(engine)
    wait, watch = talk.start("wait_for", "tensor", "x"), talk.start("watch", "y")
    talk.settle()
    engine.redis.flushall()
    assert talk.ended(watch).status == "SSA_OK"
    talk.settle()
    engine.redis.set("x", "x")
    assert talk.ended(wait).status == "SSA_OK"


# ---- a cluster that changes


def moved(cluster):
    """A key, its slot, its owner and another primary."""
    owner, other = cluster.primaries()[:2]
    key = cluster.key_of(owner)
    return key, key_slot(key.encode()), owner, other


def test_waits_on_every_shard(connect, cluster):
    talk = connect(cluster)
    keys = {cluster.key_of(primary): primary for primary in cluster.primaries()}
    waits = [talk.start("wait_for", "key", key) for key in keys]
    talk.settle()
    for key, primary in keys.items():
        primary.redis.set(key, "x")
    assert [talk.ended(wait).status for wait in waits] == ["SSA_OK"] * len(keys)


def test_a_wait_survives_the_migration_of_its_slot(connect, cluster):
    key, slot, owner, other = moved(cluster)
    talk = connect(cluster)
    wait = talk.start("wait_for", "key", key)
    talk.settle()
    cluster.migrate_slot(slot, other)
    other.redis.set(key, "x")
    assert talk.ended(wait).status == "SSA_OK"
    cluster.migrate_slot(slot, owner)


def test_a_wait_is_told_by_the_target_of_a_slot_that_is_half_moved(connect, cluster):
    key, slot, owner, other = moved(cluster)
    cluster.migrate_slot(slot, other, half=True)
    talk = connect(cluster)
    took = []
    for _ in range(5):
        wait = talk.start("wait_for", "key", key)
        assert talk.do("poll", "key", key, 0, 1).number == 0
        talk.settle()
        begin = time.monotonic()
        asking(other, "SET", key, "x")
        assert talk.ended(wait).status == "SSA_OK"
        took.append(time.monotonic() - begin)
        asking(other, "DEL", key)
    assert min(took) < 0.5  # told: nobody looks again before 1 s
    cluster.migrate_slot(slot, other)
    cluster.migrate_slot(slot, owner)


def asking(node, *command: str) -> None:
    """A command on a key of a slot that the node imports."""
    pipeline = node.redis.pipeline(transaction=False)
    pipeline.execute_command("ASKING")
    pipeline.execute_command(*command)
    pipeline.execute()


def test_a_wait_survives_a_failover(connect, cluster):
    owner = cluster.primaries()[0]
    key = cluster.key_of(owner)
    talk = connect(cluster)
    wait, watch = talk.start("wait_for", "key", key), talk.start("watch", key)
    talk.settle()
    owner.kill()
    heir = cluster.replicas_of(owner)[0]
    assert talk.ended(watch).status == "SSA_OK"
    cluster.promote(heir)
    heir.redis.set(key, "x")
    assert talk.ended(wait).status == "SSA_OK"


def test_a_wait_survives_a_shard_that_stops(connect, cluster):
    owner = cluster.primaries()[0]
    key = cluster.key_of(owner)
    talk = connect(cluster)
    wait = talk.start("wait_for", "key", key)
    talk.settle()
    owner.stop()
    heir = cluster.replicas_of(owner)[0]
    cluster.promote(heir)
    heir.redis.set(key, "x")
    assert talk.ended(wait).status == "SSA_OK"


def test_an_error_inside_the_question_is_an_error(connect, cluster):
    owner = cluster.primaries()[0]
    key = cluster.key_of(owner)
    owner.redis.set(key, "x")
    assert connect(cluster).do("wait_for_list_length", key, "==", 1).status == "SSA_ETYPE"
