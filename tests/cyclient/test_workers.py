"""Running models: the client against scripted workers that are slow, silent, busy, wrong or gone."""

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ssasync.cyclient import (
    BadInput,
    BadModel,
    BadWorkerList,
    Client,
    InvalidArgument,
    ModelError,
    ModelFailed,
    ModelNotFound,
    NotATensor,
    NoWorker,
    OperationTimeout,
    ServerError,
    UnsupportedDtype,
)
from tests.cyclient.cluster_process import wait_until
from tests.cyclient.scripted_worker import WORKER_LIST_KEY, ScriptedWorker, doubles, list_workers

WORKER_SILENCE_SECONDS = 1.0  #: WIRE.md, "Run"
X = np.arange(6.0).reshape(2, 3)


@pytest.fixture
def start(engine, tmp_path):
    """Start a worker with a script; it is listed with those before it."""
    workers = []

    def start(script, *, secret=None, listed=True):
        worker = ScriptedWorker(tmp_path / f"w{len(workers)}", secret or engine.password, script)
        workers.append(worker)
        if listed:
            list_workers(engine, *workers, version=len(workers))
        return worker

    yield start
    for worker in workers:
        worker.__exit__(None, None, None)


def test_inputs_and_outputs_travel_with_the_request(client, start):
    seen = []

    def script(worker):
        while True:
            seen.append(run := worker.run())
            worker.answer(run, *(each + 1 for each in run.inputs))

    start(script)
    np.testing.assert_array_equal(client.infer("closure", X), X + 1)
    first, second = client.infer("closure", X[:, ::2], np.asfortranarray(X), timeout=5)
    np.testing.assert_array_equal(first, X[:, ::2] + 1)
    np.testing.assert_array_equal(second, X + 1)
    assert (seen[0].model, seen[0].function, seen[0].attempt) == ("closure", "", 1)
    assert seen[0].id != seen[1].id
    assert 19_000 < seen[0].timeout_ms <= 20_000
    assert seen[1].timeout_ms <= 5_000


def test_large_tensors_travel_too(client, start):
    start(doubles)
    large = np.arange(1 << 20, dtype="f8")
    np.testing.assert_array_equal(client.infer("m", large), 2 * large)


def test_one_connection_serves_many_requests(client, start):
    worker = start(doubles)
    for i in range(20):
        np.testing.assert_array_equal(client.infer("m", X * i), 2 * X * i)
    assert worker.connections == worker.proved == 1


async def test_replies_come_in_any_order(engine, start):
    def script(worker):
        runs = [worker.run() for _ in range(20)]
        for run in [*runs[1::2], *runs[-2::-2]]:
            worker.alive(run)
            worker.answer(run, run.inputs[0])
        worker.stall()

    start(script)
    async with Client(engine.unix, password=engine.password) as client:
        answers = await asyncio.gather(*(client.infer("m", np.full(i % 3, i)) for i in range(20)))
    for i, answer in enumerate(answers):
        np.testing.assert_array_equal(answer, np.full(i % 3, i))


ERRORS = {
    "NOMODEL": ModelNotFound,
    "BADMODEL": BadModel,
    "BADINPUT": BadInput,
    "NOINPUT": BadInput,
    "MODELFAILED": ModelFailed,
    "EXPIRED": OperationTimeout,
    "ERR": ServerError,
}


@pytest.mark.parametrize("code", ERRORS)
def test_the_code_of_an_error_decides_its_class(client, start, code):
    def script(worker):
        worker.refuse(worker.run(), code, "shapes cannot be multiplied")
        doubles(worker)

    worker = start(script)
    with pytest.raises(ERRORS[code], match=r"'closure'") as failure:
        client.infer("closure", X)
    if code != "NOMODEL":
        assert "shapes cannot be multiplied" in str(failure.value)
        assert worker.address in str(failure.value)
    np.testing.assert_array_equal(client.infer("closure", X), 2 * X)
    assert worker.connections == 1


def test_a_worker_that_knows_another_secret_is_told_nothing(engine, client, start):
    worker = start(doubles, secret=engine.password[::-1])
    with pytest.raises(NoWorker, match="it does not know the secret"):
        client.infer("m", X, timeout=0.3)
    assert worker.proved == 0


def test_another_worker_at_the_address_is_told_nothing(engine, client, start):
    worker = start(doubles)
    list_workers(engine, f"{'0' * 32} 1 CPU {worker.address}", version=9)
    with pytest.raises(NoWorker, match="WRONGWORKER"):
        client.infer("m", X, timeout=0.3)
    assert worker.proved == 0
    list_workers(engine, worker, version=10)
    np.testing.assert_array_equal(client.infer("m", X), 2 * X)


def test_a_slow_model_is_waited_for_while_the_worker_says_it_is_alive(client, start):
    def script(worker):
        run = worker.run()
        start = time.monotonic()
        while time.monotonic() - start < 1.5 * WORKER_SILENCE_SECONDS:
            worker.alive(run)
            time.sleep(0.25)  # as WIRE.md says
        worker.answer(run, X)
        worker.stall()

    worker = start(script)
    np.testing.assert_array_equal(client.infer("m", X), X)
    assert worker.connections == 1


def test_a_silent_worker_is_lost_and_another_gets_the_request(client, start):
    attempts = []

    def silent(worker):
        attempts.append(("silent", worker.run().attempt))
        start(answers)
        worker.stall()

    def answers(worker):
        while True:
            run = worker.run()
            attempts.append(("answers", run.attempt))
            worker.answer(run, X)

    start(silent)
    started = time.monotonic()
    np.testing.assert_array_equal(client.infer("m", X), X)
    assert WORKER_SILENCE_SECONDS <= time.monotonic() - started < 2 * WORKER_SILENCE_SECONDS
    # The one that was lost is not asked again while another answers.
    for _ in range(5):
        client.infer("m", X)
    assert attempts == [("silent", 1), ("answers", 2)] + 5 * [("answers", 1)]


def test_a_worker_that_does_not_take_the_connection_is_passed_over(client, start):
    """A stopped process: the kernel accepts, nobody answers."""

    def accepted(conversation):
        start(doubles)
        conversation.stall()

    start(doubles)._peer._script = accepted
    started = time.monotonic()
    np.testing.assert_array_equal(client.infer("m", X), 2 * X)
    assert time.monotonic() - started < 2 * WORKER_SILENCE_SECONDS


async def test_a_silent_worker_is_lost_even_while_others_go_on_sending_to_it(engine, start):
    def silent(worker):
        worker.stall()

    async with Client(engine.unix, password=engine.password) as client:
        start(silent)
        first = asyncio.create_task(client.infer("m", X))
        more = []
        async with asyncio.timeout(5 * WORKER_SILENCE_SECONDS):
            while not first.done():
                more.append(asyncio.create_task(client.infer("m", X[:1])))
                await asyncio.wait([first], timeout=WORKER_SILENCE_SECONDS / 4)
                if len(more) == 2:
                    start(doubles)
        np.testing.assert_array_equal(first.result(), 2 * X)
        for each in await asyncio.gather(*more):
            np.testing.assert_array_equal(each, 2 * X[:1])


@pytest.mark.parametrize("how", ["closes", "half a reply", "garbage", "wrong id", "no version", "error alone"])
def test_a_worker_that_breaks_off_is_replaced_by_another(client, start, how):
    attempts = []

    def breaks(worker):
        run = worker.run()
        attempts.append(run.attempt)
        whole = b"*3\r\n:%d\r\n$1\r\n1\r\n$999\r\nSSAT" % run.id
        worker.say(
            {
                "closes": b"",
                "half a reply": whole,
                "garbage": b"what?\r\n",
                "wrong id": b"*2\r\n:987654\r\n-ERR x\r\n",
                "no version": b"*3\r\n:%d\r\n:1\r\n:1\r\n" % run.id,
                "error alone": b"-ERR restarting\r\n",
            }[how]
        )

    def answers(worker):
        while True:
            run = worker.run()
            attempts.append(run.attempt)
            worker.answer(run, X)

    start(breaks)
    start(answers)
    started = time.monotonic()
    for _ in range(3):
        np.testing.assert_array_equal(client.infer("m", X), X)
    assert time.monotonic() - started < WORKER_SILENCE_SECONDS
    assert sum(attempt == 2 for attempt in attempts) <= 1


def test_the_same_worker_gets_the_request_again_when_it_has_come_back(client, start):
    attempts = []

    def script(worker):
        while True:
            run = worker.run()
            attempts.append(run.attempt)
            if len(attempts) < 3:
                return
            worker.answer(run, X)

    worker = start(script)
    np.testing.assert_array_equal(client.infer("m", X), X)
    assert attempts == [1, 2, 3]
    assert worker.proved == 3


def test_a_busy_worker_is_passed_over(client, start):
    def busy(worker):
        while True:
            worker.refuse(worker.run(), "BUSY", "1000 requests are waiting")

    start(busy)
    with pytest.raises(NoWorker, match=r"no worker answered within 0.2 s \(.*BUSY 1000 requests are waiting"):
        client.infer("m", X, timeout=0.2)
    start(doubles)
    np.testing.assert_array_equal(client.infer("m", X), 2 * X)


def test_the_end_of_a_long_story_is_told_in_whole_parts(client, start):
    def busy(worker):
        while True:
            worker.refuse(worker.run(), "BUSY", "x" * 100)

    worker = start(busy)
    with pytest.raises(NoWorker) as failure:
        client.infer("m", X, timeout=0.5)
    story = str(failure.value).split(" within 0.5 s (")[1].split("). Give ")[0]
    assert set(story.split("; ")) == {f"{worker.address}: BUSY {'x' * 100}"}


def test_no_worker_is_an_error_that_says_so(engine, client, tmp_path):
    assert not client.key_exists("m")  # connected: the store itself is not waited for
    with pytest.raises(NoWorker, match=r"model 'm': no worker answered within 0.3 s \(the store lists no worker\)"):
        client.infer("m", X, timeout=0.3)
    list_workers(engine, f"{'a' * 32} 1 CPU unix://{tmp_path}/gone")
    with pytest.raises(NoWorker):
        client.infer("m", X, timeout=0.3)
    list_workers(engine, f"{'b' * 32} 1 CPU 127.0.0.1:1", version=2)
    with pytest.raises(NoWorker, match="Connection refused"):
        client.infer("m", X, timeout=0.3)


async def test_a_request_waits_for_the_first_worker(engine, start):
    async with Client(engine.unix, password=engine.password) as client:
        request = asyncio.create_task(client.infer("m", X))
        await asyncio.wait([request], timeout=0.05)
        assert not request.done()
        started = time.monotonic()
        start(doubles)
        np.testing.assert_array_equal(await request, 2 * X)
        assert time.monotonic() - started < 0.4  # told by the push, not by the next look


async def test_requests_that_wait_for_a_worker_are_served_in_the_order_in_which_they_came(engine, start):
    seen = []

    def script(worker):
        while True:
            run = worker.run()
            seen.append(run.inputs[0].item())
            worker.answer(run, *run.inputs)

    async with Client(engine.unix, password=engine.password) as client:
        requests = []
        for number in range(12):
            looks = reads_of_the_list(engine)
            requests.append(asyncio.create_task(client.infer("m", np.float64(number))))
            while reads_of_the_list(engine) < looks + 3:  # the older ones look, and wait on for longer and longer
                await client.ping()
        start(script)
        await asyncio.gather(*requests)
    assert seen == list(range(12))


async def test_a_change_of_the_list_costs_little_however_many_requests_wait_for_a_worker(engine):
    async with Client(engine.unix, password=engine.password) as client:
        await client.ping()
        begun = time.process_time()
        requests = [asyncio.create_task(client.infer("m", X)) for _ in range(16_000)]
        await client.ping()
        cost_of_starting = time.process_time() - begun
        looks = reads_of_the_list(engine)
        begun = time.process_time()
        list_workers(engine, version=2)
        while reads_of_the_list(engine) <= looks:
            await client.ping()
        await client.ping()  # the answer to the look was before this one's
        assert time.process_time() - begun < cost_of_starting
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)


@pytest.mark.parametrize("value", [b"2 1\n", b"1\n", b"1 x\n", b"1 1\nshort 1 CPU unix:///x\n", b"\xff"])
def test_a_list_of_workers_that_cannot_be_read_is_an_error(engine, client, value):
    engine.redis.set(WORKER_LIST_KEY, value)
    with pytest.raises(BadWorkerList, match="not a list of workers"):
        client.infer("m", X, timeout=5)


def test_a_result_that_is_no_tensor_is_an_error_of_its_request_alone(client, start):
    def script(worker):
        run = worker.run()
        worker.say(b"*4\r\n:%d\r\n$1\r\n1\r\n$3\r\nabc\r\n$100\r\n%b\r\n" % (run.id, b"x" * 100))
        doubles(worker)

    worker = start(script)
    with pytest.raises(NotATensor):
        client.infer("m", X)
    np.testing.assert_array_equal(client.infer("m", X), 2 * X)
    assert worker.connections == 1


def test_a_late_reply_goes_to_nobody(client, start):
    def script(worker):
        late = worker.run()
        run = worker.run()
        worker.answer(late, X - 100)
        worker.answer(run, X)
        worker.stall()

    worker = start(script)
    with pytest.raises((OperationTimeout, NoWorker)):
        client.infer("m", X, timeout=0.2)
    np.testing.assert_array_equal(client.infer("m", X), X)
    assert worker.connections == 1


def test_what_cannot_be_sent_is_refused(client, start):
    start(doubles)
    with pytest.raises(UnsupportedDtype):
        client.infer("m", np.array([object()]))
    with pytest.raises(InvalidArgument):
        client.infer("", X)
    with pytest.raises(InvalidArgument):
        client.infer("{m}", X)
    np.testing.assert_array_equal(client.infer("m", X), 2 * X)


def test_run_model_reads_and_writes_the_store(engine, client, start):
    seen = []

    def script(worker):
        while True:
            seen.append(run := worker.run())
            worker.answer(run, X, -X)

    start(script)
    client.run_model("m", ["u", "v"], ["a", "b"])
    assert seen[0].inputs == ["u", "v"]
    np.testing.assert_array_equal(client.get_tensor("a"), X)
    np.testing.assert_array_equal(client.get_tensor("b"), -X)
    with pytest.raises(ModelError, match=r"2 (outputs|tensors)"):
        client.run_model("m", "u", "c")
    assert not client.tensor_exists("c")


def test_the_list_of_a_store_that_was_made_anew_is_read_though_it_counts_from_1_again(engine, client, tmp_path):
    with ScriptedWorker(tmp_path / "old", engine.password, doubles) as old:
        list_workers(engine, old, version=40)
        np.testing.assert_array_equal(client.infer("m", X), 2 * X)
        engine.redis.flushall()
    with ScriptedWorker(tmp_path / "new", engine.password, doubles) as new:
        list_workers(engine, new, version=1)
        np.testing.assert_array_equal(client.infer("m", X, timeout=10), 2 * X)


async def test_workers_that_leave_the_list_end_what_they_have(engine, start):
    def script(worker):
        run = worker.run()
        again = worker.run()
        worker.answer(run, X)
        worker.answer(again, -X)
        worker.stall()

    old = start(script)
    async with Client(engine.unix, password=engine.password) as client:
        first = asyncio.create_task(client.infer("m", X))
        second = asyncio.create_task(client.infer("m", X))
        np.testing.assert_array_equal(await first, X)
        np.testing.assert_array_equal(await second, -X)
        new = start(doubles, listed=False)
        list_workers(engine, new, version=99)
        async with asyncio.timeout(5):
            while new.proved == 0:
                request = asyncio.create_task(client.infer("m", X))
                await asyncio.wait([request], timeout=0.5)
                if not request.done():
                    request.cancel()
        assert old.connections == 1


def test_a_worker_that_refuses_connections_is_not_asked_without_a_pause(engine, client, start, tmp_path):
    def answers_once(worker):
        if worker.number == 0:  # it may be called again before the new list is known
            run = worker.run()
            worker.answer(run, run.inputs[0])

    start(answers_once)
    client.infer("m", X)
    closed = tmp_path / "closed.sock"
    with socket.socket(socket.AF_UNIX) as refuses:
        refuses.bind(str(closed))  # and does not listen
        list_workers(engine, f"{'a' * 32} 1 CPU unix://{closed}", version=9)
        reads = reads_of_the_list(engine)
        with pytest.raises(NoWorker, match="refused"):
            client.infer("m", X, timeout=1.0)
        # Delays double from 10 ms to 500: about eight looks in a second, not thousands.
        assert reads_of_the_list(engine) - reads < 25


def test_what_no_worker_takes_is_refused_before_it_is_sent(client, start):
    worker = start(doubles)
    with pytest.raises(InvalidArgument, match="a name has at most 1024 bytes"):
        client.infer("n" * 2000, X)
    with pytest.raises(InvalidArgument, match="600 tensors"):
        client.infer("m", *[X] * 600)
    assert worker.connections == 0
    np.testing.assert_array_equal(client.infer("m", X), 2 * X)


def reads_of_the_list(engine) -> int:
    return engine.redis.info("commandstats").get("cmdstat_get", {}).get("calls", 0)


def test_a_worker_that_is_listed_ends_the_pause(client, engine, start):
    """Pauses grow to half a second: the push of the shard ends the one that is due."""
    list_workers(engine)
    before = reads_of_the_list(engine)
    listed: list[float] = []

    def list_one() -> None:
        # 10 ms after the first, then twice as long after each: half a second after the seventh.
        wait_until("the list is read seven times", lambda: reads_of_the_list(engine) - before >= 7)
        start(doubles)
        listed.append(time.monotonic())

    with ThreadPoolExecutor() as pool:
        listing = pool.submit(list_one)
        answer = client.infer("m", X, timeout=20)
        answered = time.monotonic()
        listing.result()
    np.testing.assert_array_equal(answer, 2 * X)
    assert answered - listed[0] < 0.25
