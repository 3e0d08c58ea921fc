"""The worker's server, with models that are plain Python functions and a client written from WIRE.md."""

import ctypes
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from ssasync.store._worker_front import ERRAND_FETCH, ERRAND_IDLE, ERRAND_LOAD
from ssasync.store.worker_errors import InputRefused
from tests.store.front_server import DEADLINE, SECRET, WORKER_ID, Gate, Server, until
from tests.store.wire_client import Alive, Closed, ReplyError, WireClient, encode_request, encode_tensor


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    serving = Server(tmp_path, threads=3)
    yield serving
    serving.close()


@pytest.fixture
def client(server: Server) -> Iterator[WireClient]:
    server.model("double", lambda *inputs: tuple(2 * each for each in inputs))
    with server.client() as connected:
        yield connected


# ---- what a request carries comes back


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="f4").reshape(2, 3),
        np.asfortranarray(np.arange(24, dtype="f8").reshape(2, 3, 4)),
        np.array(3.5),
        np.zeros((0, 4), "i2"),
        np.arange(5, dtype="c16"),
        np.arange(1 << 19, dtype="f8"),
    ],
    ids=["rows", "columns", "scalar", "empty", "complex", "large"],
)
def test_arrays_of_every_kind_reach_the_model_and_come_back(
    server: Server, client: WireClient, array: np.ndarray
) -> None:
    server.model("copy", lambda x: x.copy("K"))
    (output,) = client.run("copy", array)
    assert output.dtype == array.dtype
    assert output.flags.f_contiguous == array.flags.f_contiguous
    assert np.array_equal(output, array)


def test_inputs_of_the_model_are_aligned_views_in_the_order_of_the_client(server: Server, client: WireClient) -> None:
    seen = []
    server.model("look", lambda x: seen.append((x.flags.f_contiguous, x.ctypes.data % 64)) or x.copy())
    client.run("look", np.asfortranarray(np.ones((3, 4))))
    client.run("look", np.ones((3, 4)))
    assert seen == [(True, 0), (False, 0)]


def test_several_inputs_and_outputs_keep_their_order(client: WireClient) -> None:
    inputs = [np.full(n, n, "i8") for n in range(1, 12)]
    outputs = client.run("double", *inputs)
    assert [list(each) for each in outputs] == [[2 * n] * n for n in range(1, 12)]


def test_tcp_clients_are_served_like_those_on_the_unix_socket(server: Server, client: WireClient) -> None:
    with WireClient(server.address, WORKER_ID, SECRET) as remote:
        assert remote.run("double", np.array([1.0]))[0] == 2.0


def test_the_reply_names_the_version_that_ran(server: Server, client: WireClient) -> None:
    server.model("double", lambda x: 2 * x, version="17")
    client.run_nowait(5, "double", np.ones(1))
    assert client.answer().version == "17"


def test_one_byte_at_a_time_is_understood(server: Server, client: WireClient) -> None:
    with WireClient(server.address, WORKER_ID, SECRET, prove=False) as slow:
        slow.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        send = slow.socket.send
        slow.send = lambda data: [send(data[i : i + 1]) for i in range(len(data))]  # type: ignore[method-assign]
        slow.prove()
        assert np.array_equal(slow.run("double", np.arange(40.0), np.ones((2, 2), "f4"))[0], 2 * np.arange(40.0))


def test_many_requests_in_one_write_are_all_answered(client: WireClient) -> None:
    client.send(b"".join(client.request(n, "double", np.array([n])) for n in range(500)))
    replies = [client.answer() for _ in range(500)]
    assert {reply.id: int(reply.outputs[0][0]) for reply in replies} == {n: 2 * n for n in range(500)}


def test_a_client_that_reads_late_gets_all_its_replies(client: WireClient) -> None:
    inputs = np.arange(1 << 17, dtype="f8")
    requests = b"".join(client.request(n, "double", inputs) for n in range(40))
    sender = threading.Thread(target=client.send, args=[requests])
    sender.start()
    for _ in range(40):
        assert np.array_equal(client.answer().outputs[0], 2 * inputs)
    sender.join(DEADLINE)
    assert not sender.is_alive()


# ---- proof


def refusal(connection: WireClient) -> str:
    """The code the worker turns the client away with; it closes then."""
    with pytest.raises(ReplyError) as raised:
        connection.read()
    with pytest.raises(Closed):
        connection.line()
    return raised.value.code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "PROTOCOL"),
        (b"\0" * 20_000, "PROTOCOL"),
        (b"*2\r\n:1\r\n:2\r\n", "PROTOCOL"),
        (b"*0\r\n", "PROTOCOL"),
        (b"*11\r\n", "PROTOCOL"),
        (b"*2\r\n$9\r\nSSA.HELLO\r\n$16385\r\n", "PROTOCOL"),
        (encode_request("SSA.HELLO", "1", "a" * 9000, "b" * 9000), "PROTOCOL"),
        (encode_request("SSA.HELLO", "2", WORKER_ID, b"n" * 32), "PROTOCOL"),
        (encode_request("SSA.HELLO", "1", WORKER_ID, b"short"), "PROTOCOL"),
        (encode_request("SSA.HELLO", "1", "f" * 32, b"n" * 32), "WRONGWORKER"),
        (encode_request("SSA.PROOF", b"p" * 32), "PROTOCOL"),
        (encode_request("SSA.RUN", 1, 1, 1000, "double", ""), "NOPROOF"),
        (encode_request("SET", "a", "b"), "NOPROOF"),
    ],
)
def test_strangers_are_turned_away(server: Server, client: WireClient, data: bytes, code: str) -> None:
    with server.client(prove=False) as stranger:
        stranger.send(data)
        assert refusal(stranger) == code
    client.ping()


def test_the_wrong_secret_is_turned_away_and_the_worker_does_not_show_its_own(server: Server) -> None:
    with WireClient(server.path, WORKER_ID, b"guessed", prove=False) as stranger:
        nonce, (_, _, worker_nonce, proof) = stranger.hello()
        assert proof != stranger.proof("worker", nonce, worker_nonce)
        stranger.send(encode_request("SSA.PROOF", stranger.proof("client", nonce, worker_nonce)))
        assert refusal(stranger) == "WRONGPROOF"


def test_a_proof_is_worth_nothing_on_another_connection(server: Server) -> None:
    with server.client(prove=False) as first, server.client(prove=False) as second:
        nonce, (_, _, worker_nonce, _) = first.hello()
        second.hello()
        second.send(encode_request("SSA.PROOF", first.proof("client", nonce, worker_nonce)))
        assert refusal(second) == "WRONGPROOF"


def test_ping_is_answered_before_the_proof(server: Server) -> None:
    with server.client(prove=False) as stranger:
        stranger.ping()


# ---- bad requests


@pytest.mark.parametrize(
    "data",
    [
        encode_request("SSA.RUN", "x", 1, 1000, "double", ""),
        encode_request("SSA.RUN", 1, 0, 1000, "double", ""),
        encode_request("SSA.RUN", 1, 1, -5, "double", ""),
        encode_request("SSA.RUN", 1, 1, 1000, "", ""),
        encode_request("SSA.RUN", 1, 1, 1000, "double"),
        encode_request("SSA.RUN", 1, 1, 1000, "double", "", "T"),
        encode_request("SSA.RUN", 1, 1, 1000, "double", "", "X", b"value"),
        encode_request("SSA.RUN", 1, 1, 1000, "double", "", "V"),
        encode_request("SSA.RUN", 1, 1, 1000, "double", "", "V", 0),
        encode_request("SSA.RUN", 1, 1, 1000, "double", "", "V", "one"),
        encode_request("SSA.RUN", 1, 1, 1000, "double", "", "V", 2**63),
        encode_request("SSA.RUN", 1, 1, 1000, "double", "", "V", 1, "V", 2),
        encode_request("SSA.RUN", 1, 1, 1000, "double", "", "T", encode_tensor(np.ones(1)), "V", 1),
        encode_request("FLUSHALL"),
        b"*1025\r\n",
        b"*8\r\n$3000000000\r\n",
        b"*2\r\n$4\r\nPINGxx",
    ],
)
def test_a_malformed_request_ends_its_connection_alone(server: Server, client: WireClient, data: bytes) -> None:
    with server.client() as other:
        other.send(data)
        assert refusal(other) == "PROTOCOL"
    assert client.run("double", np.array([4]))[0] == 8


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"SSAT",
        b"x" * 200,
        encode_tensor(np.ones(3))[:-1],
        encode_tensor(np.ones(3)) + b"x",
        b"SSAT\2" + encode_tensor(np.ones(3))[5:],
        encode_tensor(np.ones(3))[:6] + b"\x21" + encode_tensor(np.ones(3))[7:],
        encode_tensor(np.ones(3))[:24] + struct.pack("<Q", 1 << 62) + encode_tensor(np.ones(3))[32:],
    ],
)
def test_an_input_that_is_no_tensor_is_refused_and_the_connection_lives(client: WireClient, value: bytes) -> None:
    client.send(encode_request("SSA.RUN", 9, 1, 1000, "double", "", "T", value, "T", encode_tensor(np.ones(2))))
    reply = client.answer()
    assert reply.id == 9
    assert str(reply.error).startswith("BADINPUT input 0 is not a tensor")
    assert client.run("double", np.array([4]))[0] == 8


def test_errors_of_a_model_reach_its_caller(server: Server, client: WireClient) -> None:
    def refuse(_: np.ndarray) -> np.ndarray:
        raise InputRefused("too small\r\nby far")

    server.model("refuse", refuse)
    server.model("raise", lambda x: x[99])
    server.model("odd", lambda _: "text")
    with pytest.raises(ReplyError, match="BADINPUT too small  by far"):
        client.run("refuse", np.ones(1))
    with pytest.raises(ReplyError, match="MODELFAILED IndexError: index 99 is out of bounds"):
        client.run("raise", np.ones(1))
    with pytest.raises(ReplyError, match="MODELFAILED output 0 of odd: not an array but str"):
        client.run("odd", np.ones(1))


# ---- waiting, lateness, limits


@pytest.fixture
def gate(server: Server) -> Iterator[Gate]:
    held = Gate()
    server.model("gate", held)
    yield held
    held.go.set()


def test_a_fast_model_does_not_wait_for_a_slow_one_and_alive_tells_the_places(
    server: Server, client: WireClient, gate: Gate
) -> None:
    for n in (1, 2, 3):
        client.run_nowait(n, "gate", np.array([n]))
    assert gate.entered.acquire(timeout=DEADLINE)
    started = time.monotonic()
    client.run_nowait(4, "double", np.array([4]))
    assert client.answer().id == 4
    assert time.monotonic() - started < 0.25
    pushes = [client.reply() for _ in range(6)]
    assert {(each.id, each.place) for each in pushes if isinstance(each, Alive)} == {(1, 0), (2, 1), (3, 2)}
    assert 0.2 < time.monotonic() - started < 2.0
    client.ping()
    gate.go.set()
    assert [client.answer().id for _ in range(3)] == [1, 2, 3]


#: The client lives in another process: this one's GIL is held for longer than a client waits for a lost worker.
CLIENT_OF_ITS_OWN = """
import sys, numpy
from wire_client import Alive, WireClient
path, worker_id, secret = sys.argv[1:]
with WireClient(path, worker_id, secret.encode()) as client:
    client.run_nowait(1, "hold", numpy.ones(1))
    assert [client.reply(), client.reply()] == [Alive(1, 0), Alive(1, 0)]
    client.ping()
    assert client.answer().id == 1
"""


def hold_the_gil(x: np.ndarray) -> np.ndarray:
    pause = ctypes.PyDLL(None).usleep  # PyDLL: does not let go of the GIL, as a C extension may not
    pause(999_999)
    return x.copy()


def test_alive_and_ping_go_on_while_a_model_holds_the_gil(tmp_path: Path) -> None:
    serving = Server(tmp_path)
    serving.model("hold", hold_the_gil)
    try:
        command = [sys.executable, "-c", CLIENT_OF_ITS_OWN, serving.path, WORKER_ID, SECRET.decode()]
        subprocess.run(command, cwd=Path(__file__).parent, timeout=DEADLINE, check=True)
    finally:
        serving.close()


def test_a_request_whose_time_is_over_is_dropped_before_it_runs(server: Server, client: WireClient, gate: Gate) -> None:
    client.run_nowait(1, "gate", np.ones(1))
    assert gate.entered.acquire(timeout=DEADLINE)
    client.run_nowait(2, "gate", np.ones(1), timeout_ms=30)
    client.run_nowait(3, "gate", np.ones(1), timeout_ms=0)
    expired = [client.answer(), client.answer()]
    assert {(each.id, each.error.code) for each in expired if each.error} == {(2, "EXPIRED"), (3, "EXPIRED")}
    gate.go.set()
    assert client.answer().id == 1
    assert not gate.entered.acquire(blocking=False)
    assert server.front.statistics()["expired"] == 2


def test_requests_of_a_client_that_left_do_not_run(server: Server, client: WireClient, gate: Gate) -> None:
    leaver = server.client()
    for n in range(5):
        leaver.run_nowait(n, "gate", np.ones(1))
    assert gate.entered.acquire(timeout=DEADLINE)
    leaver.close()
    until(lambda: server.front.statistics()["lost"] == 5)
    gate.go.set()
    client.run("gate", np.ones(1))
    assert gate.entered.acquire(timeout=DEADLINE)
    assert not gate.entered.acquire(blocking=False)
    until(lambda: server.front.statistics()["held_bytes"] == 0)


def test_a_full_queue_says_busy(tmp_path: Path) -> None:
    serving, held = Server(tmp_path, most_requests=2, most_bytes=1000), Gate()
    serving.model("gate", held)
    try:
        with serving.client() as connected:
            connected.run_nowait(1, "gate", np.ones(100))
            connected.run_nowait(2, "gate", np.ones(100))
            reply = connected.answer()
            assert (reply.id, str(reply.error)) == (2, "BUSY no room for the 800 bytes of input 0 now")
            connected.run_nowait(3, "gate", np.ones(1))
            connected.run_nowait(4, "gate", np.ones(1))
            reply = connected.answer()
            assert (reply.id, str(reply.error)) == (4, "BUSY 2 requests wait already")
            held.go.set()
            assert {connected.answer().id, connected.answer().id} == {1, 3}
            until(lambda: serving.front.statistics()["held_bytes"] == 0)
            assert connected.run("gate", np.ones(100))[0].size == 100
    finally:
        held.go.set()
        serving.close()


# ---- batches


def test_waiting_requests_are_joined_by_rows_and_parted_again(server: Server, client: WireClient) -> None:
    held, sizes = Gate(), []

    def model(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sizes.append(len(x))
        if len(sizes) == 1:
            held(x)
        return x + y, np.arange(len(x))

    server.model("join", model, batch_size=8)
    client.run_nowait(0, "join", np.zeros((1, 2)), np.zeros((1, 2)))
    assert held.entered.acquire(timeout=DEADLINE)
    rows_of = dict(enumerate([2, 3, 3, 4, 9, 1, 1], 1))
    for n, rows in rows_of.items():
        x = np.full((rows, 2), float(n)) + np.array([[0, 100]])
        y = np.arange(rows * 2.0).reshape(rows, 2)
        client.run_nowait(n, "join", np.asfortranarray(x) if n == 2 else x, np.asfortranarray(y) if n == 3 else y)
    until(lambda: server.front.statistics()["unanswered"] == 8)
    held.go.set()
    replies = {reply.id: reply.outputs for reply in (client.answer() for _ in range(8))}
    for n, rows in rows_of.items():
        assert np.array_equal(replies[n][0], n + np.array([[0, 100]]) + np.arange(rows * 2.0).reshape(rows, 2))
    assert [list(replies[n][1]) for n in (1, 2, 3)] == [[0, 1], [2, 3, 4], [5, 6, 7]]
    # 2 + 3 + 3 fill a batch; the 1s do not overtake the 9, which is more than a batch takes
    assert sizes == [1, 8, 4, 9, 2]


def test_only_alike_requests_are_joined(server: Server, client: WireClient) -> None:
    held, shapes = Gate(), []

    def model(x: np.ndarray) -> np.ndarray:
        shapes.append((x.dtype.str, x.shape))
        if len(shapes) == 1:
            held(x)
        return x.copy()

    server.model("join", model, batch_size=100)
    client.run_nowait(0, "join", np.zeros((1, 1)))
    assert held.entered.acquire(timeout=DEADLINE)
    for n, (shape, dtype) in enumerate([((2, 3), "f8"), ((2, 3), "f4"), ((2, 4), "f8"), ((1, 3), "f8"), ((), "f8")], 1):
        client.run_nowait(n, "join", np.ones(shape, dtype))
    until(lambda: server.front.statistics()["unanswered"] == 6)
    held.go.set()
    assert {client.answer().id for _ in range(6)} == set(range(6))
    assert shapes[1:] == [("<f8", (3, 3)), ("<f4", (2, 3)), ("<f8", (2, 4)), ("<f8", ())]


@pytest.mark.parametrize("batch_size", [0, 1])
def test_without_a_batch_size_requests_are_never_joined(server: Server, client: WireClient, batch_size: int) -> None:
    sizes: list[int] = []
    server.model("alone", lambda x: sizes.append(len(x)) or x.copy(), batch_size=batch_size)
    client.send(b"".join(client.request(n, "alone", np.ones((1, 2))) for n in range(50)))
    assert [client.answer().id for _ in range(50)] == list(range(50))
    assert sizes == [1] * 50


def test_a_batch_waits_for_its_minimum_but_not_longer_than_it_may(server: Server, client: WireClient) -> None:
    sizes: list[int] = []
    batching = {"batch_size": 8, "min_batch_size": 4, "min_batch_timeout": 400}
    server.model("wait", lambda x: sizes.append(len(x)) or x.copy(), **batching)
    started = time.monotonic()
    for n in range(4):
        client.run_nowait(n, "wait", np.ones((1, 2)))
    assert [client.answer().id for _ in range(4)] == [0, 1, 2, 3]
    assert time.monotonic() - started < 0.39
    started = time.monotonic()
    client.run("wait", np.ones((1, 2)))
    assert 0.39 < time.monotonic() - started < 4.0
    assert sizes == [4, 1]


def test_one_bad_request_does_not_fail_those_it_was_joined_with(server: Server, client: WireClient) -> None:
    held = Gate()

    def model(x: np.ndarray) -> np.ndarray:
        if x[0, 0] == -2:
            held(x)
        if (x == -1).any():
            raise InputRefused("minus one")
        return x.copy()

    server.model("picky", model, batch_size=10)
    client.run_nowait(0, "picky", np.full((1, 1), -2))
    assert held.entered.acquire(timeout=DEADLINE)
    for n, value in enumerate([1, -1, 3], 1):
        client.run_nowait(n, "picky", np.full((1, 1), value))
    until(lambda: server.front.statistics()["unanswered"] == 4)
    held.go.set()
    replies = [client.answer() for _ in range(4)]
    codes = [(reply.id, reply.error and reply.error.code) for reply in replies]
    assert codes == [(0, None), (1, None), (2, "BADINPUT"), (3, None)]


def test_outputs_that_cannot_be_parted_are_an_error_that_says_so(server: Server, client: WireClient) -> None:
    server.model("mean", lambda x: x.mean(axis=0), batch_size=4, min_batch_size=4, min_batch_timeout=5000)
    for n in (1, 2):
        client.run_nowait(n, "mean", np.ones((2, 3)))
    for n in (1, 2):
        reply = client.answer()
        assert reply.id == n
        assert "MODELFAILED output 0 has 3 rows for 4 rows of input" in str(reply.error)
        assert "batch_size to 1" in str(reply.error)


# ---- errands: models and inputs that are not there yet


def test_a_model_is_asked_for_once_and_what_waited_runs_on_it(server: Server, client: WireClient) -> None:
    for n in range(3):
        client.run_nowait(n, "late", np.array([n]))
    assert server.errand() == (ERRAND_LOAD, "late", 0, 0)
    until(lambda: server.front.statistics()["unanswered"] == 3)
    assert server.front.next_errand() is None
    server.model("late", lambda x: x + 10)
    assert [int(client.answer().outputs[0][0]) for _ in range(3)] == [10, 11, 12]


def test_a_missing_model_is_an_answer_and_is_asked_for_again(server: Server, client: WireClient) -> None:
    for _ in range(2):
        client.run_nowait(1, "nowhere", np.ones(1))
        assert server.errand() == (ERRAND_LOAD, "nowhere", 0, 0)
        server.front.model_missing("nowhere", "NOMODEL", "not in the store")
        assert str(client.answer().error) == "NOMODEL not in the store"


def test_inputs_by_key_take_their_place_among_those_that_came_along(server: Server, client: WireClient) -> None:
    client.run_nowait(1, "double", "ens_0.u", np.array([2]), "ens_0.v")
    fetches = [server.errand(), server.errand()]
    asked = [(kind, key, index) for kind, key, _, index in fetches]
    assert asked == [(ERRAND_FETCH, "ens_0.u", 0), (ERRAND_FETCH, "ens_0.v", 2)]
    request = fetches[0][2]
    server.front.input_fetched(request, 2, np.array([3.0]))
    server.front.input_fetched(request, 0, np.asfortranarray(np.arange(6).reshape(2, 3)))
    outputs = client.answer().outputs
    assert [each.tolist() for each in outputs] == [[[0, 2, 4], [6, 8, 10]], [4], [6.0]]
    server.front.input_fetched(request, 0, np.ones(1))  # answered long ago: no error


def test_an_input_that_cannot_be_fetched_fails_its_request_alone(server: Server, client: WireClient) -> None:
    client.run_nowait(1, "double", "lost")
    request = server.errand()[2]
    server.front.request_failed(request, 0, "NOINPUT", "no such key")
    server.front.request_failed(request, 0, "NOINPUT", "no such key")
    assert str(client.answer().error) == "NOINPUT no such key"
    assert client.run("double", np.array([1]))[0] == 2


def test_a_replaced_version_serves_to_the_end_of_its_batch_and_is_let_go(server: Server, client: WireClient) -> None:
    old = Gate()
    server.model("swap", old)
    model = weakref.ref(old)
    client.run_nowait(1, "swap", np.array([1]))
    client.run_nowait(2, "swap", np.array([1]))
    assert old.entered.acquire(timeout=DEADLINE)
    server.model("swap", lambda x: 5 * x, version="2")
    old.go.set()
    del old
    replies = [client.answer(), client.answer()]
    assert [(reply.version, int(reply.outputs[0][0])) for reply in replies] == [("1", 1), ("2", 5)]
    until(lambda: model() is None)


def test_draining_answers_what_was_there_and_refuses_what_comes(server: Server, client: WireClient, gate: Gate) -> None:
    client.run_nowait(1, "gate", np.ones(1))
    assert gate.entered.acquire(timeout=DEADLINE)
    server.front.drain()
    client.run_nowait(2, "gate", np.ones(1))
    assert str(client.answer().error) == "BUSY this worker is stopping"
    assert server.front.next_errand() is None
    until(lambda: not reachable(server.path))
    gate.go.set()
    assert client.answer().id == 1
    assert server.errand()[0] == ERRAND_IDLE


def reachable(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


# ---- many, and for long


def test_64_clients_at_once_get_their_own_answers(server: Server, client: WireClient) -> None:
    server.model("join", lambda x: x * 3, batch_size=32)

    def work(n: int) -> None:
        with server.client() as mine:
            for i in range(50):
                x = np.full((1 + i % 3, 4), n * 1000 + i)
                assert np.array_equal(mine.run("join" if i % 2 else "double", x, id_=i)[0], x * (3 if i % 2 else 2))

    with ThreadPoolExecutor(64) as pool:
        for done in [pool.submit(work, n) for n in range(64)]:
            done.result(timeout=60)


def test_a_spinning_worker_answers_and_sleeps_again(tmp_path: Path) -> None:
    serving = Server(tmp_path, threads=2, spin=200)
    serving.model("double", lambda x: 2 * x)
    try:
        with serving.client() as connected:
            for n in range(200):
                assert connected.run("double", np.array([n]), id_=n)[0] == 2 * n
            before = time.process_time()
            with pytest.raises(TimeoutError):
                connected.socket.settimeout(0.3)
                connected.socket.recv(1)
            assert time.process_time() - before < 0.15
    finally:
        serving.close()


def test_neither_descriptors_nor_memory_grow_with_the_requests(server: Server, client: WireClient) -> None:
    process = psutil.Process()
    x = np.ones((4, 1000))

    def serve(requests: int) -> None:
        for _ in range(requests // 100):
            with server.client() as mine:
                for n in range(99):
                    mine.run("double", x, id_=n)
                mine.run_nowait(99, "double", x)

    serve(2000)
    until(lambda: server.front.statistics()["connections"] == 1)
    before = process.num_fds(), process.memory_info().rss
    serve(10_000)
    until(lambda: server.front.statistics()["connections"] == 1)
    assert process.num_fds() == before[0]
    assert process.memory_info().rss - before[1] < 4 << 20  # 10,000 requests held 320 MB in all
    until(lambda: server.front.statistics()["held_bytes"] == 0)
