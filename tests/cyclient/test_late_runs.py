"""Runs whose deadline is over, by the client's clock or by the worker's: one error, which says how long was waited."""

import numpy as np
import pytest

from ssasync.cyclient import OperationTimeout
from tests.cyclient.scripted_worker import ScriptedWorker, list_workers

X = np.arange(6.0).reshape(2, 3)


def test_a_worker_that_says_that_it_is_too_late_is_a_timeout(engine, client, tmp_path):
    def script(worker):
        for _ in range(2):
            worker.refuse(worker.run(), "EXPIRED", "nobody waits for it any more")
        worker.stall()

    with ScriptedWorker(tmp_path / "w", engine.password, script) as worker:
        list_workers(engine, worker)
        said = rf"'m': no answer from {worker.address} within %s \(it says: EXPIRED nobody waits for it any more\)\.$"
        with pytest.raises(OperationTimeout, match="^infer " + said % "7 s"):
            client.infer("m", X, timeout=7)
        client.put_tensor("late_in", X)
        with pytest.raises(OperationTimeout, match="^run_model " + said % "20 s"):
            client.run_model("m", "late_in", "late_out")
        assert not client.tensor_exists("late_out")
        assert worker.connections == 1


@pytest.mark.parametrize(
    ("timeout", "said"), [(0.002, "2 ms"), (0.0005, "0.5 ms"), (0.0099, "9.9 ms"), (0.01, "0.01 s")]
)
def test_a_short_deadline_is_told_as_it_was(engine, client, tmp_path, timeout, said):
    def script(worker):
        worker.answer(worker.run(), X)
        worker.stall()

    with ScriptedWorker(tmp_path / "w", engine.password, script) as worker:
        list_workers(engine, worker)
        client.infer("m", X)  # connected
        with pytest.raises(OperationTimeout, match=rf"no answer from {worker.address} within {said}\."):
            client.infer("m", X, timeout=timeout)
