"""Runs of a batch that take outputs of each other: one request, what travels, and what is told when it goes wrong."""

import asyncio
import threading

import numpy as np
import pytest

from ssasync.cyclient import BadInput, Client, ModelFailed, NotCarriedOut, NoWorker, OperationTimeout, TensorNotFound
from tests.cyclient.scripted_worker import Chain, Models, Refused, Run, ScriptedWorker, list_workers, worker_of_models

X = np.arange(6.0).reshape(2, 3)


def late(x):
    raise Refused("EXPIRED", "nobody waits for it any more")


def picky(x):
    if (x > 100).any():
        raise Refused("MODELFAILED", "more than 100")
    return (x - 1,)


@pytest.fixture
def requests(engine, tmp_path):
    """What a worker with a few models was asked."""
    models = {"add": lambda x, y: (x + y,), "split": lambda x: (x[:1], x[1:]), "picky": picky, "late": late}
    with worker_of_models(engine, tmp_path, **models) as seen:
        yield seen


@pytest.fixture
def batch(client):
    return client.batch()


def steps_of(request):
    return [(step.model, step.inputs) for step in request.steps]


def test_a_chain_is_one_request_and_intermediates_stay_in_the_worker(face, client, batch, requests):
    batch.put_tensor("a", X)
    batch.run_model("double", "a", "b", keep=False)
    batch.run_script("add", "f", ["b", "b"], "c", keep=False)
    batch.run_model("picky", "c", "d")
    got = batch.get_tensor("d")
    face.execute(batch)
    (chain,) = requests
    assert steps_of(chain)[1:] == [("add", [(0, 0), (0, 0)]), ("picky", [(1, 0)])]
    assert [step.function for step in chain.steps] == ["", "f", ""]
    assert chain.outputs == [(2, 0)]
    np.testing.assert_array_equal(chain.steps[0].inputs[0], X)
    np.testing.assert_array_equal(got.value, 4 * X - 1)
    np.testing.assert_array_equal(client.get_tensor("d"), 4 * X - 1)
    assert not client.tensor_exists("b")


def test_what_is_stored_or_asked_for_comes_back(face, client, batch, requests):
    batch.put_tensor("a", X)
    batch.run_model("split", "a", ["b", "c"], keep=False)
    got = batch.get_tensor("c")
    batch.run_model("double", ["b", "c"], ["d", "e"])
    face.execute(batch)
    (chain,) = requests
    assert sorted(chain.outputs) == [(0, 1), (1, 0), (1, 1)]
    np.testing.assert_array_equal(got.value, X[1:])
    np.testing.assert_array_equal(client.get_tensor("d"), 2 * X[:1])
    np.testing.assert_array_equal(client.get_tensor("e"), 2 * X[1:])


def test_a_chain_without_outputs_that_anybody_wants_is_run(face, client, batch, requests):
    client.put_tensor("a", X)
    batch.run_model("double", "a", "b", keep=False)
    batch.run_model("double", "b", "c", keep=False)
    face.execute(batch)
    (chain,) = requests
    assert chain.steps[0].inputs == ["a"]
    assert chain.outputs == [(1, 0)]
    assert not client.tensor_exists("c")


def test_branches_that_meet_are_one_chain(face, client, batch, requests):
    batch.put_tensor("a", X)
    batch.run_model("double", "a", "left", keep=False)
    batch.run_model("picky", "a", "right", keep=False)
    batch.run_model("add", ["left", "right"], "sum", keep=False)
    batch.run_model("double", ["sum", "left"], ["x", "y"])
    face.execute(batch)
    (chain,) = requests
    assert steps_of(chain)[2:] == [("add", [(0, 0), (1, 0)]), ("double", [(2, 0), (0, 0)])]
    np.testing.assert_array_equal(client.get_tensor("x"), 2 * (3 * X - 1))
    np.testing.assert_array_equal(client.get_tensor("y"), 4 * X)


def test_runs_that_have_nothing_in_common_are_requests_of_their_own(face, batch, requests):
    for i in range(3):
        batch.put_tensor(f"a{i}", X + i)
        batch.run_model("double", f"a{i}", f"b{i}", keep=False)
        batch.run_model("double", f"b{i}", f"c{i}")
    batch.infer("double", X)
    face.execute(batch)
    assert sorted(type(each).__name__ for each in requests) == ["Chain"] * 3 + ["Run"]


def test_what_waits_for_a_step_is_not_waited_for_by_the_chain(face, client, batch, requests):
    """The second run takes a copy of what the first one stores: no chain could wait for that copy before its first step."""
    batch.put_tensor("a", X)
    batch.run_model("double", "a", "b")
    batch.copy_tensor("b", "copy")
    batch.run_model("add", ["b", "copy"], "c")
    face.execute(batch)
    assert [type(each) for each in requests] == [Run, Run]
    np.testing.assert_array_equal(client.get_tensor("c"), 4 * X)


def test_a_chain_waits_for_what_was_to_be_done_before_it(face, client, batch, requests):
    client.put_tensor("old", X)
    batch.copy_tensor("old", "a")
    batch.run_model("double", "a", "b", keep=False)
    batch.run_model("double", "b", "c")
    face.execute(batch)
    (chain,) = requests
    assert isinstance(chain, Chain)
    np.testing.assert_array_equal(client.get_tensor("c"), 4 * X)


def test_chains_that_give_to_each_other_are_carried_out_in_order(face, client, batch, requests):
    """A rename stands between them, which none of them can go around."""
    batch.put_tensor("a", X)
    batch.run_model("double", "a", "b")
    batch.run_model("double", "b", "c")
    batch.rename_tensor("c", "d")
    batch.run_model("double", "d", "e", keep=False)
    batch.run_model("add", ["e", "b"], "f")
    face.execute(batch)
    assert [type(each) for each in requests] == [Chain, Chain]
    np.testing.assert_array_equal(client.get_tensor("f"), 10 * X)


def test_a_long_chain_is_parted(face, client, batch, requests):
    batch.put_tensor("t0", X)
    for i in range(150):
        batch.run_model("picky", f"t{i}", f"t{i + 1}", keep=False)
    got = batch.get_tensor("t150")
    face.execute(batch)
    assert [len(each.steps) for each in requests] == [64, 64, 22]
    np.testing.assert_array_equal(got.value, X - 150)


def test_a_run_for_another_device_is_no_step(face, client, batch, requests):
    batch.put_tensor("a", X)
    batch.run_model("double", "a", "b", keep=False)
    batch.run_model_multigpu("double", "b", "c", offset=0, first_gpu=0, num_gpus=2)
    with pytest.raises(NoWorker, match="no worker of device GPU:0"):
        face.execute(batch, timeout=0.3)
    assert [type(each) for each in requests] == [Run]


# ---- when it goes wrong


def test_a_step_that_fails_is_told_as_if_it_had_run_alone(face, client, batch, requests):
    batch.put_tensor("a", X + 100)
    first = batch.run_model("double", "a", "b")
    bad = batch.run_model("picky", "b", "c")
    later = batch.run_model("double", "c", "d")
    with pytest.raises(ModelFailed, match=r"^model 'picky' .*: more than 100"):
        face.execute(batch)
    assert first.error is None
    assert isinstance(bad.error, ModelFailed)
    assert isinstance(later.error, NotCarriedOut)
    np.testing.assert_array_equal(client.get_tensor("b"), 2 * (X + 100))
    assert not client.tensor_exists("d")
    assert [type(each) for each in requests] == [Chain, Run, Run]


def test_a_step_that_gives_more_than_is_named_is_told(face, client, batch, requests):
    batch.put_tensor("a", X)
    batch.run_model("split", "a", "b", keep=False)
    batch.run_model("double", "b", "c")
    with pytest.raises(BadInput, match=r"model 'split' .*it gives 2 tensors, outputs= names 1\. Name each"):
        face.execute(batch)
    assert not client.tensor_exists("c")


def test_a_missing_input_is_told(face, client, batch, requests):
    batch.run_model("double", "missing", "b", keep=False)
    batch.run_model("double", "b", "c")
    with pytest.raises(BadInput, match="input 'missing' is not in the store"):
        face.execute(batch)


def test_after_a_failure_elsewhere_a_chain_stores_nothing(face, client, batch, requests):
    batch.put_tensor("a", X)
    gone = batch.get_tensor("missing")
    batch.run_model("double", "a", "b")
    last = batch.run_model("double", "b", "c")
    with pytest.raises(TensorNotFound):
        face.execute(batch)
    assert isinstance(gone.error, TensorNotFound)
    assert isinstance(last.error, NotCarriedOut)
    assert not client.tensor_exists("b")
    assert not client.tensor_exists("c")


@pytest.mark.parametrize(
    "steps", [b"1", b"1:1", b"1:1,1:1,1:1", b"1:1,1:", b":1,1:1", b"1:1,1:x", b"1:1,1:99999999999999999999", b""]
)
async def test_a_worker_that_says_something_else_of_its_steps_is_asked_for_each(engine, tmp_path, steps):
    def script(worker):
        chain = worker.run_or_chain()
        assert isinstance(chain, Chain)
        worker.say(b"*3\r\n:%d\r\n$%d\r\n%s\r\n$0\r\n\r\n" % (chain.id, len(steps), steps))
        while True:
            run = worker.run()
            worker.answer(run, 2 * run.inputs[0])

    with ScriptedWorker(tmp_path / "w", engine.password, script) as worker:
        list_workers(engine, worker)
        async with Client(engine.unix, password=engine.password, timeout=20) as client:
            batch = client.batch()
            batch.put_tensor("a", X)
            batch.run_model("m", "a", "b", keep=False)
            batch.run_model("m", "b", "c")
            await batch.execute()
            np.testing.assert_array_equal(await client.get_tensor("c"), 4 * X)


async def test_a_chain_that_a_lost_worker_left_goes_to_another(engine, tmp_path):
    def lost(worker):
        assert isinstance(worker.run_or_chain(), Chain)
        list_workers(engine, second, version=2)

    models = Models(engine, {"double": lambda x: (2 * x,)})
    with (
        ScriptedWorker(tmp_path / "1", engine.password, lost) as first,
        ScriptedWorker(tmp_path / "2", engine.password, models) as second,
    ):
        list_workers(engine, first)
        async with Client(engine.unix, password=engine.password, timeout=20) as client:
            batch = client.batch()
            batch.put_tensor("a", X)
            batch.run_model("double", "a", "b", keep=False)
            batch.run_model("double", "b", "c")
            await batch.execute()
            np.testing.assert_array_equal(await client.get_tensor("c"), 4 * X)
    assert models.seen[-1].attempt >= 2


def test_what_a_worker_says_is_too_late_ends_as_a_timeout(face, client, batch, requests):
    client.put_tensor("a", X)
    first = batch.run_model("double", "a", "b", keep=False)
    batch.run_model("late", "b", "c")
    said = r"run_model 'double': no answer from unix:.* within 9 s \(it says: EXPIRED step 1 \('late'\): nobody waits"
    with pytest.raises(OperationTimeout, match=said):
        face.execute(batch, timeout=9)
    assert isinstance(first.error, OperationTimeout)
    assert len(requests) == 1  # not tried one by one: there is no time left
    assert not client.tensor_exists("c")


def test_a_chain_can_be_late(face, client, engine, tmp_path):
    def script(worker):
        chain = worker.run_or_chain()
        while not ended.wait(0.1):
            worker.alive(chain)

    ended = threading.Event()
    with ScriptedWorker(tmp_path / "w", engine.password, script) as worker:
        list_workers(engine, worker)
        batch = client.batch()
        batch.put_tensor("a", X)
        late = batch.run_model("m", "a", "b", keep=False)
        batch.run_model("m", "b", "c")
        with pytest.raises(TimeoutError, match=r"run_model 'm': no answer from unix:.*/w within 0.3 s"):
            face.execute(batch, timeout=0.3)
        assert isinstance(late.error, TimeoutError)
        ended.set()
    assert not client.tensor_exists("c")


async def test_a_cancelled_chain_gives_its_arrays_back(engine, tmp_path):
    def script(worker):
        reached.set()
        worker.stall()

    reached = threading.Event()
    with ScriptedWorker(tmp_path / "w", engine.password, script) as worker:
        list_workers(engine, worker)
        async with Client(engine.unix, password=engine.password, timeout=20) as client:
            array = np.zeros(1 << 20)
            batch = client.batch()
            batch.put_tensor("a", array)
            batch.run_model("m", "a", "b", keep=False)
            batch.run_model("m", "b", "c")
            executing = asyncio.create_task(batch.execute())
            assert await asyncio.to_thread(reached.wait, 20)
            executing.cancel()
            await asyncio.wait([executing])
            array[:] = 1
            assert executing.cancelled()
            assert not await client.tensor_exists("c")
