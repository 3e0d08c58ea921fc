"""Chains of runs on the worker's server, with models that are plain Python functions and a client written from WIRE.md."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ssasync.store._worker_front import ERRAND_FETCH, ERRAND_IDLE, ERRAND_LOAD, ERRAND_LOAD_SCRIPT
from ssasync.store.worker_errors import InputRefused
from tests.store.front_server import DEADLINE, SECRET, WORKER_ID, Gate, Server, until
from tests.store.wire_client import Alive, Closed, ReplyError, WireClient, encode_request, encode_tensor

Chain = list[tuple[str, str, list[np.ndarray | str | tuple[int, int]]]]
X = np.arange(6.0).reshape(2, 3)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    serving = Server(tmp_path, threads=3)
    serving.model("double", lambda *inputs: tuple(2 * each for each in inputs), version="7")
    serving.script("tools", version="3", shift=lambda x: x + 1, split=lambda x: (x[:1], x[1:]), add=lambda x, y: x + y)
    yield serving
    serving.close()


@pytest.fixture
def client(server: Server) -> Iterator[WireClient]:
    with server.client() as connected:
        yield connected


def works(client: WireClient) -> bool:
    return bool(client.run("double", np.array([4.0]))[0] == 8)


def nothing_is_held(server: Server) -> bool:
    statistics = server.front.statistics()
    return statistics["held_bytes"] == 0 and statistics["unanswered"] == 0


# ---- what flows from step to step


def test_a_script_feeds_a_model_that_feeds_a_script(server: Server, client: WireClient) -> None:
    steps: Chain = [("tools", "shift", [X]), ("double", "", [(0, 0)]), ("tools", "shift", [(1, 0)])]
    reply = client.chain(steps, [(2, 0)])
    assert reply.version == "3:1,7:1,3:1"
    assert [each.tolist() for each in reply.outputs] == [(2 * (X + 1) + 1).tolist()]
    until(lambda: nothing_is_held(server))


def test_the_reply_carries_outputs_of_any_step_in_the_order_asked_for(client: WireClient) -> None:
    steps: Chain = [("tools", "split", [X]), ("double", "", [(0, 1), (0, 0)])]
    outputs = client.chain(steps, [(1, 1), (0, 0), (1, 0), (0, 0)]).outputs
    first, second = X[:1], X[1:]
    assert [each.tolist() for each in outputs] == [each.tolist() for each in (2 * first, first, 2 * second, first)]


def test_an_output_may_be_taken_by_several_steps_and_twice_by_one(client: WireClient) -> None:
    steps: Chain = [
        ("tools", "shift", [X]),
        ("tools", "add", [(0, 0), (0, 0)]),
        ("double", "", [(0, 0)]),
        ("tools", "add", [(2, 0), (1, 0)]),
    ]
    assert client.chain(steps, [(3, 0)]).outputs[0].tolist() == (4 * (X + 1)).tolist()


def test_a_chain_of_one_step_is_a_run(client: WireClient) -> None:
    assert client.chain([("double", "", [X])], [(0, 0)]).outputs[0].tolist() == (2 * X).tolist()


def test_a_step_may_have_no_inputs_and_a_chain_64_steps(server: Server, client: WireClient) -> None:
    server.script("start", ones=lambda: np.ones(2))
    steps: Chain = [("start", "ones", [])]
    steps += [("tools", "shift", [(n, 0)]) for n in range(63)]
    assert client.chain(steps, [(63, 0)]).outputs[0].tolist() == [64, 64]


@pytest.mark.parametrize(
    "array",
    [np.array(2.5), np.zeros((0, 3)), np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)), np.ones(1 << 17)],
    ids=["scalar", "empty", "columns", "large"],
)
def test_arrays_of_every_kind_pass_from_step_to_step(server: Server, client: WireClient, array: np.ndarray) -> None:
    server.model("copy", lambda x: x.copy("K"))
    reply = client.chain([("copy", "", [array]), ("copy", "", [(0, 0)])], [(0, 0), (1, 0)])
    for output in reply.outputs:
        assert output.flags.f_contiguous == array.flags.f_contiguous
        assert np.array_equal(output, array)


def test_a_model_and_a_script_may_have_the_same_name(server: Server, client: WireClient) -> None:
    server.script("double", triple=lambda x: 3 * x)
    assert client.run("double", np.ones(1))[0] == 2
    assert client.run("double", np.ones(1), function="triple")[0] == 3
    assert client.chain([("double", "triple", [np.ones(1)]), ("double", "", [(0, 0)])], [(1, 0)]).outputs[0] == 6


def test_one_byte_at_a_time_is_understood(server: Server) -> None:
    with WireClient(server.address, WORKER_ID, SECRET) as slow:
        slow.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = slow.chain_request(5, [("tools", "shift", [X]), ("double", "", [(0, 0)])], [(1, 0)])
        for i in range(len(data)):
            slow.send(data[i : i + 1])
        assert slow.answer().outputs[0].tolist() == (2 * (X + 1)).tolist()


def test_what_a_model_keeps_of_its_inputs_stays_as_it_was(server: Server, client: WireClient) -> None:
    kept: list[np.ndarray] = []
    server.model("keep", lambda x: kept.append(x) or x + 1)
    for n in range(20):
        client.chain([("keep", "", [np.full(2000, n)]), ("keep", "", [(0, 0)])], [(1, 0)])
    assert [(int(each.min()), int(each.max())) for each in kept] == [(n + i, n + i) for n in range(20) for i in (0, 1)]
    kept.clear()
    until(lambda: nothing_is_held(server))


# ---- joined with others


def test_a_step_shares_a_call_of_its_model_with_other_requests(server: Server, client: WireClient) -> None:
    sizes: list[int] = []
    server.model(
        "join", lambda x: sizes.append(len(x)) or x * 10, batch_size=8, min_batch_size=6, min_batch_timeout=9000
    )
    for n in (1, 2):
        steps: Chain = [("tools", "shift", [np.full((2, 2), n)]), ("join", "", [(0, 0)]), ("tools", "shift", [(1, 0)])]
        client.send(client.chain_request(n, steps, [(2, 0)]))
    client.run_nowait(3, "join", np.full((2, 2), 3))
    replies = {reply.id: reply.outputs[0].tolist() for reply in (client.answer() for _ in range(3))}
    assert replies == {1: [[21, 21]] * 2, 2: [[31, 31]] * 2, 3: [[30, 30]] * 2}
    assert sizes == [6]


def test_one_bad_chain_does_not_fail_those_it_was_joined_with(server: Server, client: WireClient) -> None:
    def picky(x: np.ndarray) -> np.ndarray:
        if (x == -1).any():
            raise InputRefused("minus one")
        return x.copy()

    server.model("picky", picky, batch_size=3, min_batch_size=3, min_batch_timeout=9000)
    for n, value in enumerate([1, -2, 3]):
        steps: Chain = [("tools", "shift", [np.full((1, 1), value)]), ("picky", "", [(0, 0)])]
        client.send(client.chain_request(n, steps, [(1, 0)]))
    replies = {reply.id: reply for reply in (client.answer() for _ in range(3))}
    assert [replies[n].outputs[0].tolist() for n in (0, 2)] == [[[2]], [[4]]]
    assert str(replies[1].error) == "BADINPUT step 1 ('picky'): minus one"


def test_outputs_that_cannot_be_parted_end_the_chains(server: Server, client: WireClient) -> None:
    server.model("mean", lambda x: x.mean(axis=0), batch_size=4, min_batch_size=4, min_batch_timeout=9000)
    for n in (1, 2):
        client.send(client.chain_request(n, [("mean", "", [np.ones((2, 3))]), ("double", "", [(0, 0)])], [(1, 0)]))
    for n in (1, 2):
        reply = client.answer()
        assert reply.id == n
        assert str(reply.error).startswith("MODELFAILED step 0 ('mean'): output 0 has 3 rows for 4 rows of input")
    until(lambda: nothing_is_held(server))


# ---- errors


def test_an_error_names_its_step_and_ends_the_chain(server: Server, client: WireClient) -> None:
    ran = []
    server.script("count", once=lambda x: ran.append(1) or x.copy(), fail=lambda x: x[99])
    with pytest.raises(ReplyError, match=r"^MODELFAILED step 1 \('count'\): IndexError: index 99 is out of bounds"):
        client.chain([("count", "once", [X]), ("count", "fail", [(0, 0)]), ("count", "once", [(1, 0)])], [(2, 0)])
    assert ran == [1]
    assert works(client)


def test_an_output_that_a_step_does_not_give_is_told(server: Server, client: WireClient) -> None:
    for steps, outputs, step in (
        ([("tools", "split", [X]), ("double", "", [(0, 2)])], [(1, 0)], "step 0 ('tools'): it gave 2 outputs"),
        ([("tools", "split", [X]), ("double", "", [(0, 1)])], [(1, 1)], "step 1 ('double'): it gave 1 outputs"),
    ):
        with pytest.raises(ReplyError) as raised:
            client.chain(steps, outputs)
        assert str(raised.value).startswith(f"BADINPUT {step}, the chain takes output ")
    until(lambda: nothing_is_held(server))
    assert server.front.statistics()["failed"] == 2


def test_an_input_that_is_no_tensor_is_refused_and_the_connection_lives(client: WireClient) -> None:
    good = encode_tensor(np.ones(2))
    head = ["SSA.CHAIN", 9, 1, 1000, 2, "double", "", 1, "T", good]
    client.send(encode_request(*head, "tools", "add", 2, "O", 0, 0, "T", b"x" * 200, "OUTPUTS", 1, 1, 0))
    reply = client.answer()
    assert str(reply.error).startswith("BADINPUT step 1 ('tools'): input 1 is not a tensor")
    client.send(encode_request(*head, "tools", "add", 2, "K", "", "O", 0, 0, "OUTPUTS", 1, 1, 0))
    assert str(client.answer().error) == "NOINPUT step 1 ('tools'): a key has 1 to 4096 bytes"
    assert works(client)


def test_long_names_in_errors_end_with_a_whole_character(server: Server, client: WireClient) -> None:
    name = "x" + "é" * 300
    server.model(name, lambda x: x[99])
    with pytest.raises(ReplyError, match=r"^MODELFAILED step 0 \('x(é){39}'\): IndexError"):
        client.chain([(name, "", [np.ones(1)])], [(0, 0)])


HEAD = ["SSA.CHAIN", 1, 1, 1000]
ONE = encode_tensor(np.ones(1))
STEP = ["double", "", 1, "T", ONE]


@pytest.mark.parametrize(
    "request_",
    [
        HEAD[:1],
        [*HEAD, 0, "OUTPUTS", 1, 0, 0],
        [*HEAD, 65, *STEP * 65, "OUTPUTS", 1, 0, 0],
        [*HEAD, "two", *STEP, "OUTPUTS", 1, 0, 0],
        ["SSA.CHAIN", 1, 0, 1000, 1, *STEP, "OUTPUTS", 1, 0, 0],
        ["SSA.CHAIN", -1, 1, 1000, 1, *STEP, "OUTPUTS", 1, 0, 0],
        ["SSA.CHAIN", 1, 1, 10**13, 1, *STEP, "OUTPUTS", 1, 0, 0],
        [*HEAD, 1, "", "", 1, "T", ONE, "OUTPUTS", 1, 0, 0],
        [*HEAD, 1, "n" * 1025, "", 1, "T", ONE, "OUTPUTS", 1, 0, 0],
        [*HEAD, 1, "double", "", 99, "T", ONE, "OUTPUTS", 1, 0, 0],
        [*HEAD, 1, "double", "", 2**64, "T", ONE, "OUTPUTS", 1, 0, 0],
        [*HEAD, 1, "double", "", 1, "X", ONE, "OUTPUTS", 1, 0, 0],
        [*HEAD, 1, "double", "", 1, "O", 0, 0, "OUTPUTS", 1, 0, 0],
        [*HEAD, 2, *STEP, "double", "", 1, "O", 1, 0, "OUTPUTS", 1, 1, 0],
        [*HEAD, 2, *STEP, "double", "", 1, "O", 0, 256, "OUTPUTS", 1, 1, 0],
        [*HEAD, 2, *STEP, "double", "", 1, "O", 0, "", "OUTPUTS", 1, 1, 0],
        [*HEAD, 1, "double", "", "V", 0, 1, "T", ONE, "OUTPUTS", 1, 0, 0],
        [*HEAD, 1, "double", "", "V", 1, "V", 1, 1, "T", ONE, "OUTPUTS", 1, 0, 0],
        [*HEAD, 1, "double", "", 1, "V", 1, "T", ONE, "OUTPUTS", 1, 0, 0],
        [*HEAD, 1, *STEP],
        [*HEAD, 2, *STEP, "OUTPUTS", 1, 0, 0],
        [*HEAD, 1, *STEP, "OUTPUT", 1, 0, 0],
        [*HEAD, 1, *STEP, "OUTPUTS", 0],
        [*HEAD, 1, *STEP, "OUTPUTS", 2, 0, 0],
        [*HEAD, 1, *STEP, "OUTPUTS", 1, 1, 0],
        [*HEAD, 1, *STEP, "OUTPUTS", 1, 0, 256],
        [*HEAD, 1, *STEP, "OUTPUTS", 1, 0],
        [*HEAD, 1, *STEP, "OUTPUTS", 1, 0, 0, 0],
        [*HEAD, 1, "double", "", 1, "T"],
        ["SSA.RUN", 1, 1, 1000, "tools", "shift", "O", 0, 0],
    ],
)
def test_a_malformed_chain_ends_its_connection_alone(
    server: Server, client: WireClient, request_: list[str | int | bytes]
) -> None:
    with server.client() as other:
        other.send(encode_request(*request_))
        with pytest.raises(ReplyError, match=r"^PROTOCOL "):
            other.read()
        with pytest.raises(Closed):
            other.line()
    assert works(client)
    until(lambda: nothing_is_held(server))


def test_a_chain_cut_at_any_place_leaves_nothing_behind(server: Server, client: WireClient) -> None:
    steps: Chain = [("tools", "shift", [X]), ("tools", "add", [(0, 0), "key"]), ("double", "", [(0, 0)])]
    data = client.chain_request(1, steps, [(2, 0), (0, 0)])
    for end in range(1, len(data), 3):
        with server.client() as other:
            other.send(data[:end])
    assert works(client)
    until(lambda: nothing_is_held(server) and server.front.statistics()["connections"] == 1)


# ---- errands, waiting, lateness


def test_inputs_by_key_are_there_before_the_first_step_runs(server: Server, client: WireClient) -> None:
    ran = threading.Event()
    server.script("watch", seen=lambda x: ran.set() or x.copy())
    steps: Chain = [
        ("watch", "seen", [X]),
        ("tools", "add", [(0, 0), "ens_0.u"]),
        ("tools", "add", ["ens_0.v", (1, 0)]),
    ]
    client.send(client.chain_request(1, steps, [(2, 0)]))
    fetches = [server.errand(), server.errand()]
    assert [(kind, key, index) for kind, key, _, index in fetches] == [
        (ERRAND_FETCH, "ens_0.u", 2),
        (ERRAND_FETCH, "ens_0.v", 3),
    ]
    server.front.input_fetched(fetches[0][2], 2, np.full((2, 3), 10.0))
    assert not ran.is_set()
    server.front.input_fetched(fetches[0][2], 3, np.asfortranarray(np.full((2, 3), 100.0)))
    assert client.answer().outputs[0].tolist() == (X + 110).tolist()


def test_an_input_that_cannot_be_fetched_names_the_step_it_was_for(server: Server, client: WireClient) -> None:
    steps: Chain = [("double", "", [X]), ("tools", "add", [(0, 0), "lost"])]
    client.send(client.chain_request(1, steps, [(1, 0)]))
    _, _, request, index = server.errand()
    server.front.request_failed(request, index, "NOINPUT", "no such key")
    assert str(client.answer().error) == "NOINPUT step 1 ('tools'): no such key"
    until(lambda: nothing_is_held(server))


def test_all_steps_are_asked_for_at_once_and_a_missing_one_is_named(server: Server, client: WireClient) -> None:
    steps: Chain = [("double", "", [X]), ("late", "f", [(0, 0)]), ("gone", "", [(1, 0)])]
    client.send(client.chain_request(1, steps, [(2, 0)]))
    assert {server.errand()[:2], server.errand()[:2]} == {(ERRAND_LOAD_SCRIPT, "late"), (ERRAND_LOAD, "gone")}
    server.front.model_missing("gone", "NOMODEL", "not in the store")  # nobody waits for it yet
    server.script("late", f=lambda x: x + 1)
    assert server.errand()[:2] == (ERRAND_LOAD, "gone")
    server.front.model_missing("gone", "NOMODEL", "not in the store")
    assert str(client.answer().error) == "NOMODEL step 2 ('gone'): not in the store"
    until(lambda: nothing_is_held(server))


def test_a_new_version_between_two_steps_serves_the_second(server: Server, client: WireClient) -> None:
    gate = Gate()
    server.model("gate", gate, version="1")
    client.send(client.chain_request(1, [("gate", "", [X]), ("gate", "", [(0, 0)])], [(1, 0)]))
    assert gate.entered.acquire(timeout=DEADLINE)
    server.model("gate", lambda x: 5 * x, version="2")
    gate.go.set()
    reply = client.answer()
    assert reply.version == "1:1,2:1"
    assert reply.outputs[0].tolist() == (5 * X).tolist()


@pytest.fixture
def gate(server: Server) -> Iterator[Gate]:
    held = Gate()
    server.model("gate", held)
    yield held
    held.go.set()


def test_a_chain_that_waits_tells_that_it_lives_and_expires_at_the_step_that_is_due(
    server: Server, client: WireClient, gate: Gate
) -> None:
    client.run_nowait(1, "gate", X)
    assert gate.entered.acquire(timeout=DEADLINE)
    steps: Chain = [("double", "", [X]), ("gate", "", [(0, 0)])]
    client.send(client.chain_request(2, steps, [(1, 0)], timeout_ms=700))
    pushes, reply = set(), client.reply()
    while isinstance(reply, Alive):
        pushes.add((reply.id, reply.place))
        reply = client.reply()
    assert pushes == {(1, 0), (2, 1)}
    assert reply.id == 2
    assert str(reply.error).startswith("EXPIRED step 1 ('gate'): nobody waits for it any more")
    gate.go.set()
    assert client.answer().id == 1
    until(lambda: nothing_is_held(server))


def test_a_chain_whose_client_left_goes_no_further(server: Server, client: WireClient, gate: Gate) -> None:
    ran = threading.Event()
    server.script("watch", seen=lambda x: ran.set() or x.copy())
    leaver = server.client()
    leaver.send(leaver.chain_request(1, [("gate", "", [X]), ("watch", "seen", [(0, 0)])], [(1, 0)]))
    assert gate.entered.acquire(timeout=DEADLINE)
    leaver.close()
    until(lambda: server.front.statistics()["lost"] == 1)
    gate.go.set()
    until(lambda: nothing_is_held(server))
    assert works(client)
    assert not ran.is_set()


def test_draining_lets_a_chain_go_on_to_its_end(server: Server, client: WireClient, gate: Gate) -> None:
    client.send(client.chain_request(1, [("gate", "", [X]), ("double", "", [(0, 0)])], [(1, 0)]))
    assert gate.entered.acquire(timeout=DEADLINE)
    server.front.drain()
    client.send(client.chain_request(2, [("double", "", [X])], [(0, 0)]))
    assert str(client.answer().error) == "BUSY this worker is stopping"
    assert server.front.next_errand() is None
    gate.go.set()
    assert client.answer().outputs[0].tolist() == (2 * X).tolist()
    assert server.errand()[0] == ERRAND_IDLE


def test_what_steps_give_counts_as_memory(tmp_path: Path) -> None:
    serving = Server(tmp_path, most_bytes=10_000)
    serving.script("grow", grow=lambda x: np.repeat(x, 100), copy=lambda x: x.copy())
    try:
        with serving.client() as client:
            steps: Chain = [("grow", "grow", [np.ones(4)]), ("grow", "grow", [(0, 0)]), ("grow", "copy", [(1, 0)])]
            with pytest.raises(
                ReplyError, match=r"^BUSY step 1 \('grow'\): no room for the 320000 bytes of its output 0"
            ):
                client.chain(steps, [(2, 0)])
            until(lambda: nothing_is_held(serving))
            assert client.chain(steps[:2], [(1, 0)]).outputs[0].size == 40_000  # the last step's are sent as they lie
    finally:
        serving.close()


# ---- many, and for long


def test_64_clients_with_chains_that_join_get_their_own_answers(server: Server) -> None:
    server.model("join", lambda x: x * 3, batch_size=16)

    def work(n: int) -> None:
        with server.client() as mine:
            for i in range(20):
                x = np.full((1 + i % 3, 4), n * 1000 + i)
                steps: Chain = [("tools", "shift", [x]), ("join", "", [(0, 0)])]
                steps += [("join", "", [(k, 0)]) for k in range(1, 1 + n % 3)]
                steps += [("tools", "add", [(len(steps) - 1, 0), (0, 0)])]
                reply = mine.chain(steps, [(len(steps) - 1, 0), (1, 0)])
                shifted, power = x + 1, 3 ** (1 + n % 3)
                assert np.array_equal(reply.outputs[0], shifted * power + shifted)
                assert np.array_equal(reply.outputs[1], shifted * 3)

    with ThreadPoolExecutor(64) as pool:
        for done in [pool.submit(work, n) for n in range(64)]:
            done.result(timeout=60)
    until(lambda: nothing_is_held(server))
