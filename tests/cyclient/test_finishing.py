"""A request that is dropped or cancelled while its result is made: by the collector of garbage, or by another thread."""

import asyncio
import ctypes
import gc
import subprocess
import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest

from ssasync import blocking
from ssasync.cyclient import Client, Dataset, TensorNotFound, _core, errors
from tests.cyclient.scripted_worker import Models, ScriptedWorker, list_workers
from tests.cyclient.test_tensors import bfloat16_value
from tests.model_archive import archive_of

DEADLINE = 20.0
X = np.arange(1000.0)
#: An operation for each way in which a result comes from the C side.
RESULTS: dict[str, Callable[[_core.Engine], _core.Request]] = {
    "nothing": lambda core: core.put_tensor("t", X),
    "truth": lambda core: core.tensor_exists("t"),
    "number": lambda core: core.get_list_length("list"),
    "tensor": lambda core: core.get_tensor("t"),
    "into an array": lambda core: core.unpack_tensor("t", np.zeros_like(X)),
    "bytes": lambda core: core.get_bytes("b"),
    "dataset": lambda core: core.get_dataset("one"),
    "datasets": lambda core: core.get_datasets_from_list("list"),
    "outputs": lambda core: core.run("infer", "model", [X, 2 * X], None),
    "reply": lambda core: core.config_get("maxmemory*", core.description),
    "text": lambda core: core.get_model_version("model"),
    "model": lambda core: core.get_model("model"),
}


@pytest.fixture
def at_the_error(monkeypatch):
    """Sets what is run while the error of a request is being composed, once."""
    compose = errors.error_from_status
    actions = []

    def composed(*given):
        if actions:
            actions.pop()()
        return compose(*given)

    monkeypatch.setattr(errors, "error_from_status", composed)
    return actions.append


def references(request):
    """To a request that this name alone should hold. Too few are put right: the test fails, the process goes on."""
    count = sys.getrefcount(request) - 2  # the argument, and that of getrefcount
    for _ in range(1 - count):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(request))
    return count


def in_another_thread(action):
    def run():
        thread = threading.Thread(target=action)
        thread.start()
        thread.join(DEADLINE)

    return run


def start_get(client):
    return client.start_get_tensor("missing")


def start_batch(client):
    batch = client.batch()
    batch.get_tensor("missing")
    return client.start_batch(batch)


@pytest.mark.parametrize("start", [start_get, start_batch])
@pytest.mark.parametrize("dropped", ["collected", "by another thread"])
def test_a_future_that_is_dropped_while_it_is_finished(engine, at_the_error, start, dropped):
    with blocking.Client(engine.unix, password=engine.password, timeout=DEADLINE) as client:
        box = [start(client)]
        request = box[0]._request
        if dropped == "collected":
            box.append(box)
            del box
            at_the_error(gc.collect)
        else:
            at_the_error(in_another_thread(box.clear))
        client.ping()
        assert references(request) == 1
        assert request.done
        assert isinstance(request.error, errors.NotFound)


async def test_a_task_that_is_collected_while_its_request_is_finished(engine, at_the_error):
    async with Client(engine.unix, password=engine.password, timeout=DEADLINE) as client:
        request = client._core.get_tensor("missing")
        waiter = client._core.start(request)
        at_the_error(request.cancel)
        with pytest.raises(TensorNotFound):
            await waiter
        assert references(request) == 1
        await asyncio.sleep(0)
        assert await client.ping() == 1


def test_an_interrupt_is_that_of_who_waits_and_not_the_error_of_a_request(engine, at_the_error):
    def interrupt():
        raise KeyboardInterrupt

    with blocking.Client(engine.unix, password=engine.password, timeout=DEADLINE) as client:
        future = client.start_get_tensor("missing")
        at_the_error(interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.ping()
        assert isinstance(future.error, TensorNotFound)
        assert client.ping() == 1


def plain(value):
    """What can be compared."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Dataset):
        return value.name, plain(value.get_tensor("x"))
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


@pytest.fixture
def full_engine(engine, tmp_path):
    """With something for each of RESULTS."""
    with (
        ScriptedWorker(tmp_path / "w", engine.password, Models(engine, {"model": lambda *given: given})) as worker,
        blocking.Client(engine.unix, password=engine.password, timeout=DEADLINE) as client,
    ):
        list_workers(engine, worker)
        client.put_tensor("t", X)
        client.put_bytes("b", b"some bytes")
        client.set_model("model", archive_of(b"weights"), "TORCH")
        for name in ("one", "two"):
            dataset = Dataset(name)
            dataset.add_tensor("x", X)
            client.put_dataset(dataset)
            client.append_to_list("list", name)
        yield engine


@pytest.mark.parametrize("kind", RESULTS)
def test_a_value_is_taken_once_though_its_conversion_is_interrupted(full_engine, kind):
    taken = []

    def interrupted_once(value):
        taken.append(value)
        if len(taken) == 1:
            raise KeyboardInterrupt
        return value

    core = _core.Engine(address=full_engine.unix, password=full_engine.password, timeout=DEADLINE)
    try:
        expected = plain(core.perform(RESULTS[kind](core)))
        request = RESULTS[kind](core).then(interrupted_once)
        with pytest.raises(KeyboardInterrupt):
            core.perform(request)
        assert len(taken) == 2
        assert taken[0] is taken[1] is request.value
        assert plain(request.value) == expected
    finally:
        core.close()


def test_outputs_of_which_the_second_is_interrupted_are_taken_once(full_engine):
    """Ctrl-C while numpy learns of bfloat16, which happens once in a process."""
    program = """
import sys
import numpy as np
from ssasync.cyclient import _core

class InterruptedOnce:
    def find_spec(self, name, *_):
        if name == "ml_dtypes":
            sys.meta_path.remove(self)
            raise KeyboardInterrupt

sys.meta_path.insert(0, InterruptedOnce())
address, password = sys.argv[1:]
core = _core.Engine(address=address, password=password, timeout=20)
request = core.run("infer", "model", [np.arange(1000.0), "bfloat16"], None)
try:
    core.perform(request)
except KeyboardInterrupt:
    first, second = request.result()
    print(np.array_equal(first, np.arange(1000.0)), second.astype("f4"))
"""
    full_engine.redis.set("bfloat16", bfloat16_value())
    said = subprocess.run(
        [sys.executable, "-c", program, full_engine.unix, full_engine.password],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "True [ 1. -2.]\n"
