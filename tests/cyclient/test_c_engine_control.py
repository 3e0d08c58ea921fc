"""What a simulation is asked for, at its safe point, on one server and on a cluster."""

import time

import pytest
from redis.crc import key_slot

from tests.cyclient.c_engine_talk import Talk


@pytest.fixture(params=["engine", "cluster"])
def store(request, module_engine):
    return request.getfixturevalue(request.param)


def polled(talk: Talk, entity: str = "sim") -> list[tuple[bytes, ...]]:
    """What the next poll brings: kind, name and value of each."""
    ended = talk.do("control_poll", entity)
    assert ended.status == "SSA_OK", ended
    assert len(ended.reply) == 3 * ended.number
    return [tuple(ended.reply[i : i + 3]) for i in range(0, len(ended.reply), 3)]


def came(talk: Talk, number: int = 1, entity: str = "sim") -> list[tuple[bytes, ...]]:
    """What the next polls bring, up to so many. The server tells readers about when it answers the sender, not before."""
    requests = polled(talk, entity)
    deadline = time.monotonic() + 20
    while len(requests) < number:
        assert time.monotonic() < deadline, requests
        requests += polled(talk, entity)
    return requests


def test_requests_come_in_their_order_and_once(connect, store):
    driver, simulation = connect(store), connect(store)
    assert polled(simulation) == []
    assert driver.do("control_send", "sim", "set", "rate", "0.5").number == 1
    assert driver.do("control_send", "sim", "checkpoint", "", "").number == 2
    assert came(simulation, 2) == [(b"set", b"rate", b"0.5"), (b"checkpoint", b"", b"")]
    assert polled(simulation) == []
    assert driver.do("control_send", "sim", "set", "rate", "").number == 3
    assert driver.do("control_send", "sim", "stop", "", "").number == 4
    assert came(simulation, 2) == [(b"set", b"rate", b""), (b"stop", b"", b"")]
    assert polled(simulation) == []


def test_every_client_sees_every_request_and_one_that_comes_late_too(connect, store):
    driver, *ranks = (connect(store) for _ in range(3))
    driver.do("control_send", "sim", "stop", "", "")
    assert [polled(rank) for rank in ranks] == [[(b"stop", b"", b"")]] * 2
    assert polled(driver) == [(b"stop", b"", b"")]
    assert [polled(rank) for rank in ranks] == [[], []]


def test_entities_do_not_hear_of_each_other(connect, store):
    talk = connect(store, SSKEYOUT="a")
    talk.do("control_send", "a", "checkpoint", "", "")
    talk.do("control_send", "b", "stop", "", "")
    assert polled(talk, "") == [(b"checkpoint", b"", b"")]
    assert polled(talk, "b") == [(b"stop", b"", b"")]
    assert polled(talk, "c") == []


def test_an_idle_poll_sends_nothing(connect, store):
    talk = connect(store)
    assert polled(talk) == []
    _, _, commands, requests = talk.tell("spin", 500, "sim").split()
    assert int(commands) <= 1  # a look after some seconds, should nobody have told
    assert requests == "0"


def test_more_requests_than_one_page_come_in_their_order(connect, engine):
    talk = connect(engine)
    engine.redis.rpush("{ssa:control:sim}requests", *(f"{i:016x} set 1 n{i}" for i in range(2500)))
    came = []
    while batch := polled(talk):
        came += batch
    assert came == [(b"set", b"n", str(i).encode()) for i in range(2500)]


def test_a_list_that_was_cleared_begins_anew(connect, store):
    driver, simulation = connect(store), connect(store)
    for name in "abc":
        driver.do("control_send", "sim", "set", name, "1")
    assert len(polled(simulation)) == 3
    assert driver.do("control_clear", "sim").number == 1
    assert polled(simulation) == []
    driver.do("control_send", "sim", "stop", "", "")
    assert came(simulation) == [(b"stop", b"", b"")]
    assert driver.do("control_clear", "sim").number == 1
    for name in "defg":  # longer than what was seen of the old one
        driver.do("control_send", "sim", "set", name, "1")
    assert [name for _, name, _ in came(simulation, 4)] == [b"d", b"e", b"f", b"g"]


def test_a_lost_connection_loses_no_request(connect, engine):
    talk = connect(engine)
    assert polled(talk) == []
    engine.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    engine.redis.rpush("{ssa:control:sim}requests", "0123456789abcdef stop")
    assert came(talk) == [(b"stop", b"", b"")]


def test_a_request_follows_its_slot(connect, cluster):
    key = b"{ssa:control:sim}requests"
    talk = connect(cluster)
    assert polled(talk) == []
    slot = key_slot(key)
    owner = cluster.primary_of(slot)
    other = next(primary for primary in cluster.primaries() if primary is not owner)
    cluster.migrate_slot(slot, other)
    assert talk.do("control_send", "sim", "stop", "", "").number == 1
    assert came(talk) == [(b"stop", b"", b"")]
    cluster.migrate_slot(slot, owner)


def test_requests_of_another_kind_are_told_once_and_not_in_the_way(connect, engine):
    talk = connect(engine)
    key = "{ssa:control:sim}requests"
    good = "0123456789abcdef checkpoint"
    for bad in (
        "x",
        "0123456789abcdef dance",
        "0123456789abcdef set 9 n",
        "0123456789abcdef set n",
        "0123456789abcdef stop now",
    ):
        engine.redis.rpush(key, good, bad, good)
        assert came(talk) == [(b"checkpoint", b"", b"")]
        ended = talk.do("control_poll", "sim")
        assert ended.status == "SSA_EPROTOCOL"
        assert ended.error == (
            f"'{key}' has a request that this client does not understand: '{bad}'. Use the same ssasync on both sides."
        )
        assert polled(talk) == [(b"checkpoint", b"", b"")]
        assert polled(talk) == []


def test_what_is_no_list_is_an_error(connect, engine):
    engine.redis.set("{ssa:control:sim}requests", "x")
    assert connect(engine).do("control_poll", "sim").status == "SSA_ETYPE"


def test_requests_that_cannot_be(connect, engine):
    talk = connect(engine)
    for words, text in {
        ("sim", "dance", "", ""): "kind of a request cannot be 'dance': it is set, checkpoint or stop.",
        (
            "sim",
            "stop",
            "now",
            "",
        ): "name of a request that sets nothing cannot be 'now': only set has a name and a value.",
        ("sim", "set", "", "1"): "parameter cannot be empty: give it a name.",
        ("", "stop", "", ""): "entity cannot be empty: name the one that is asked, or set SSKEYOUT.",
        ("a{b", "stop", "", ""): "entity cannot be 'a{b': braces decide which shard holds a key; leave them out.",
    }.items():
        ended = talk.refused("control_send", *words)
        assert (ended.status, ended.error) == ("SSA_EARGUMENT", text)
    assert talk.refused("control_poll", "").status == "SSA_EARGUMENT"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_what_no_caller_had_comes_again_in_its_order_and_once(connect, engine, order):
    """A poll that was complete, and was dropped before whoever asked had what it gave."""
    talk = connect(engine)
    polls = []
    for i in range(3):
        entries = (f"{i:015x}{name} set 1 {name}{i}" for name in "ab")
        engine.redis.rpush("{ssa:control:sim}requests", *entries)
        polls.append(untaken(talk))
    for i in order:
        talk.drop(polls[i])
    assert polled(talk) == [(b"set", name, b"%d" % i) for i in range(3) for name in (b"a", b"b")]
    assert polled(talk) == []


def untaken(talk: Talk) -> int:
    """A poll that was given something, which its caller has not got."""
    deadline = time.monotonic() + 20
    while True:
        poll = talk.start("control_poll", "sim")
        if talk.ended(poll, taken=False).number:
            return poll
        assert time.monotonic() < deadline


def test_what_a_dropped_poll_gave_comes_before_what_came_since(connect, engine):
    talk = connect(engine)
    key = "{ssa:control:sim}requests"
    engine.redis.rpush(key, "0000000000000001 checkpoint")
    dropped = untaken(talk)
    engine.redis.rpush(key, "0000000000000002 stop")
    engine.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # so that the next poll asks
    talk.drop(talk.start("control_poll", "sim"))
    talk.settle()  # its answer came, and there was no poll any more
    talk.drop(dropped)
    assert came(talk, 2) == [(b"checkpoint", b"", b""), (b"stop", b"", b"")]
