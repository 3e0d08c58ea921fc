"""The library as programs in C and C++ use it (c_face/): on a server and a cluster, under sanitizers, without memory."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from tests.cyclient.c_builder import SANITIZERS, CBuilder
from tests.cyclient.cluster_process import ClusterProcess
from tests.cyclient.engine_process import EngineProcess
from tests.cyclient.scripted_worker import Models, ScriptedWorker, list_workers
from tests.cyclient.scripted_worker import Run as WorkerRun
from tests.cyclient.tls_engine import TlsEngine
from tests.cyclient.write_test_vectors import FOLDER as VECTORS
from tests.model_archive import archive_of

FOLDER = Path(__file__).parent / "c_face"
#: Of the header-only face: what a strict program compiles with.
STRICT = ("-Wpedantic", "-Wshadow", "-Wconversion", "-Wold-style-cast")
STORES = ("unix", "tcp", "tls", "cluster")

pytestmark = pytest.mark.timeout(300)  # the first test compiles the core


class Run(Protocol):
    """Runs a program of c_face/; it must find nothing wrong. Gives what it says."""

    def __call__(self, sanitizer: str, name: str, *, given: str = "", **environment: str) -> str: ...


def built(builder: CBuilder, name: str) -> Path:
    source = FOLDER / f"{name}.c"
    return (
        builder.core_program(source) if source.exists() else builder.core_program(source.with_suffix(".cpp"), *STRICT)
    )


@pytest.fixture(params=STORES)
def store(
    request: pytest.FixtureRequest, module_engine: EngineProcess, module_tls_engine: TlsEngine
) -> EngineProcess | ClusterProcess:
    kind = {"cluster": "cluster", "tls": "tls_engine"}.get(request.param, "engine")
    store: EngineProcess | ClusterProcess = request.getfixturevalue(kind)
    return store


@pytest.fixture
def run_on(builders: dict[str, CBuilder], store: EngineProcess | ClusterProcess, request: pytest.FixtureRequest) -> Run:
    if isinstance(store, ClusterProcess):
        address = store.addresses
    else:
        address = store.unix if request.node.callspec.params["store"] == "unix" else store.tcp

    def run(sanitizer: str, name: str, *, given: str = "", **environment: str) -> str:
        bare = {key: value for key, value in os.environ.items() if not key.startswith(("SS", "SR_"))}
        tls = store.environment if isinstance(store, TlsEngine) else {}
        of_store = {"SSDB": address, "SSDB_PASSWORD": store.password, "SSA_TIMEOUT": "60", **tls, **environment}
        program = built(builders[sanitizer], name)
        done = subprocess.run(
            [program],
            input=given,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=200,
            check=False,
            env={**bare, **of_store},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        assert re.search(r"^[1-9]\d* checks in [1-9]\d* tests$", done.stdout, re.MULTILINE)
        return done.stdout

    return run


@pytest.mark.parametrize("name", ["tensors", "values", "datasets", "bad_input", "futures", "batches", "fork"])
def test_a_program_in_c(run_on, name):
    run_on("address", name)


@pytest.mark.parametrize("store", ["unix", "cluster"], indirect=True)
def test_who_has_a_prefix_writes_and_reads_with_it(run_on, store):
    run_on("address", "prefixes", SSKEYOUT="own", SSKEYIN="first,own")


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_threads_share_a_client(run_on, sanitizer):
    run_on(sanitizer, "threads", TSAN_OPTIONS="halt_on_error=1")


@pytest.mark.parametrize("sanitizer", SANITIZERS)
@pytest.mark.parametrize("store", ["unix", "cluster"], indirect=True)
def test_the_face_of_cpp(run_on, sanitizer, store):
    run_on(sanitizer, "face", TSAN_OPTIONS="halt_on_error=1")


@pytest.mark.parametrize("store", ["unix", "cluster"], indirect=True)
def test_batches_of_cpp(run_on, store):
    run_on("address", "batch_face")


@pytest.mark.parametrize("store", ["unix"], indirect=True)
def test_cpp_lends_nothing_that_is_const_or_gone(run_on, store):
    run_on("address", "misuse")


class AddingModels(Models):
    """Any model adds 1 to each of its inputs; from names it makes one output, of as many elements as there are names."""

    def _outputs(self, run: WorkerRun, given: list[tuple[Any, ...]]) -> tuple[Any, ...]:
        if run.inputs and isinstance(run.inputs[0], str):
            return (np.arange(float(len(run.inputs))),)
        return tuple(self._array(each, given) + 1 for each in run.inputs)


@contextmanager
def adding_worker(folder: Path, store: EngineProcess) -> Iterator[None]:
    with ScriptedWorker(folder / "w", store.password, AddingModels(store, {})) as worker:
        list_workers(store, worker)
        yield


@pytest.mark.parametrize("program", ["models", "model_face", "batch_face"])
@pytest.mark.parametrize("store", ["unix"], indirect=True)
def test_models_and_runs(run_on, store, program, tmp_path):
    model = tmp_path / "model.pt"
    model.write_bytes(archive_of(bytes(1000)))
    with adding_worker(tmp_path, store):
        run_on("address", program, MODEL=str(model))


@pytest.mark.parametrize("store", ["unix", "tls", "cluster"], indirect=True)
def test_any_allocation_may_be_refused(run_on, store, tmp_path):
    if isinstance(store, ClusterProcess):
        said = run_on("address", "fail")
    else:
        with adding_worker(tmp_path, store):
            said = run_on("address", "fail", HAS_WORKER="1")
    assert re.search(r"^([2-9]\d\d|\d{4,}) allocations refused one by one$", said, re.MULTILINE)


@pytest.mark.parametrize("store", ["unix"], indirect=True)
def test_the_test_vectors_are_read_and_written_byte_for_byte(run_on, store):
    def rows(name: str) -> list[list[str]]:
        lines = (VECTORS / name).read_text(encoding="utf-8").splitlines()
        return [line.split("\t") for line in lines if not line.startswith("#")]

    tensors, refused = rows("tensors.tsv"), rows("refused.tsv")
    lines = [f"tensor {row[-1]}" for row in tensors] + [f"{row[1]} {row[2]}" for row in refused]
    said = run_on("address", "vectors", given="\n".join(lines))
    assert f"{len(tensors) + len(refused)} vectors\n" in said
    assert len(tensors) > 20
    assert len(refused) > 20
