"""The connections of the C core to workers that come and go, under AddressSanitizer: no link is freed that is still used."""

import threading

import numpy as np
import pytest

from tests.cyclient.c_engine_program import FOLDER, run
from tests.cyclient.scripted_worker import Chain, Models, Run, ScriptedWorker, list_workers
from tests.cyclient.wire_format import bulk, encode_tensor

X = np.ones(4, np.float32)
SECONDS = 20.0


@pytest.fixture
def talk(connect, engine):
    engine.redis.set("x", encode_tensor(X))
    talk = connect(engine)
    assert talk.do("ping", "").status == "SSA_OK"
    return talk


def ran(talk, *, timeout: float = SECONDS) -> str:
    return talk.do("run", "m", "x", timeout=timeout).status


def answers(worker):
    while True:
        worker.answer(worker.run(), X)


@pytest.mark.parametrize("how", ["one by one", "in one piece"])
def test_a_worker_that_was_unlisted_answers_and_is_let_go(talk, engine, tmp_path, how):
    asked, listed = threading.Event(), threading.Event()

    def script(worker):
        runs = [worker.run()]
        asked.set()
        runs.append(worker.run())
        assert listed.wait(SECONDS)
        said = [b"*3\r\n:%d\r\n" % run.id + bulk(b"1") + bulk(encode_tensor(X)) for run in runs]
        for piece in said if how == "one by one" else [b"".join(said)]:
            worker.say(piece)
        worker.stall()

    with (
        ScriptedWorker(tmp_path / "old", engine.password, script) as old,
        ScriptedWorker(tmp_path / "new", engine.password, answers) as new,
    ):
        list_workers(engine, old, version=1)
        first = talk.start("run", "m", "x")
        while not asked.is_set():
            talk.do("ping", "")
        list_workers(engine, new, version=2)
        for _ in range(2):  # the change was told before the second of them was answered
            talk.do("ping", "")
        second = talk.start("run", "m", "x")  # with the only worker that is known; asks for the list
        talk.do("ping", "")  # the list came before its answer
        listed.set()
        assert talk.ended(first).status == talk.ended(second).status == "SSA_OK"
        assert (old.connections, new.connections) == (1, 0)
        assert ran(talk) == "SSA_OK"
        assert (old.connections, new.connections) == (1, 1)


def test_an_idle_worker_is_unlisted_and_closes_at_once(talk, engine, tmp_path):
    with ScriptedWorker(tmp_path / "stays", engine.password, answers) as stays:
        with ScriptedWorker(tmp_path / "goes", engine.password, answers) as goes:
            list_workers(engine, stays, goes, version=1)
            while not stays.proved or not goes.proved:
                both = talk.start("run", "m", "x"), talk.start("run", "m", "x")
                assert {talk.ended(each).status for each in both} == {"SSA_OK"}
            list_workers(engine, stays, version=2)
            talk.do("ping", "")
            talk.do("ping", "")
            run = talk.start("run", "m", "x")  # asks for the list
            engine.redis.ping()
            engine.redis.ping()
        # The list and the end of the connection are there: one poll of the client finds both.
        assert talk.ended(run).status == "SSA_OK"
        assert ran(talk) == "SSA_OK"


TOO_MUCH = "SSA_EARGUMENT inputs cannot be 1200 bytes: a request takes at most 2147483648; split the batch."


@pytest.mark.parametrize(
    ("batch", "limit", "said", "asked"),
    [
        ("puts_and_a_run", 900, "SSA_OK", [Run]),
        ("a_chain", 1200, "SSA_OK", [Run, Run, Chain]),
        ("a_chain", 1199, "SSA_OK", [Run] * 4),
        ("a_run", 1200, "SSA_OK", [Run] * 3),
        ("a_run", 1199, TOO_MUCH, [Run] * 2),
    ],
)
def test_no_request_of_a_batch_carries_more_than_a_worker_takes(builders, engine, tmp_path, batch, limit, said, asked):
    """Of the outputs of other runs the size is known only when they are there."""
    models = Models(engine, {"same": lambda x, *_: (x,), "first": lambda x, *_: (x[:1],)})
    program = builders["address"].core_program(FOLDER / "long_runs.c")
    with ScriptedWorker(tmp_path / "worker", engine.password, models) as worker:
        list_workers(engine, worker)
        assert run(program, batch, engine.unix, engine.password, str(limit)).strip() == said
    assert [type(each) for each in models.seen] == asked
    assert all(carried(each) <= limit for each in models.seen)


def carried(request: Run | Chain) -> int:
    steps = [request] if isinstance(request, Run) else request.steps
    return sum(each.nbytes for step in steps for each in step.inputs if isinstance(each, np.ndarray))


def test_a_run_whose_output_finds_no_room_changes_nothing_any_more(talk, engine, tmp_path):
    with ScriptedWorker(tmp_path / "worker", engine.password, answers) as worker:
        list_workers(engine, worker)
        assert talk.do("run_to", "m", "x", "y").status == "SSA_OK"
        engine.redis.config_set("maxmemory", "1")
        try:
            assert talk.do("run_to", "m", "x", "y").status == "SSA_EFULL"
        finally:
            engine.redis.config_set("maxmemory", "1gb")
        assert talk.tell("changing") == "changing 0"
