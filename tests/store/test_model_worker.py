"""The worker process as it is started in an experiment: a real engine, real models, the client of WIRE.md."""

import asyncio
import contextlib
import hashlib
import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import psutil
import pytest
from redis.asyncio import Redis

from ssasync.cyclient.errors import ConnectionFailed, ModelNotFound, ScriptNotFound, TensorNotFound
from ssasync.store.model_runtime import LoadedModel, Runtime
from ssasync.store.model_worker import WorkerOptions, main, serve
from ssasync.store.worker_errors import UnknownBackend, UnloadableModel, WorkerMisconfigured
from tests.store.engines import options_for, running_engine
from tests.store.wire_client import Alive, Reply, ReplyError, WireClient, encode_request, encode_tensor

WORKER_ID = "fedcba9876543210" * 2
SECRET = "the password"  # noqa: S105
DEADLINE = 30.0


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.wait_for(asyncio.to_thread(function, *arguments), DEADLINE)


# ---- in this process, on a store that is a dictionary


class Multiply(LoadedModel):
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def run(self, _: str, inputs: Any) -> Any:
        return [self.factor * each for each in inputs]


class FactorRuntime(Runtime):
    """A model is the text of the number it multiplies with."""

    def load(self, name: str, version: str, blob: bytes, device: str, threads: int) -> Multiply:
        try:
            return Multiply(float(blob))
        except ValueError as error:
            raise UnloadableModel(name, version, "FACTOR", blob, str(error)) from error


class DictionaryStore:
    """What the worker reads of the store."""

    def __init__(self) -> None:
        self.models: dict[str, tuple[str, bytes, dict[str, str]]] = {}
        self.scripts: dict[str, tuple[str, bytes, dict[str, str]]] = {}
        self.tensors: dict[bytes, np.ndarray] = {}
        self.watchers: dict[bytes, Callable[[], None]] = {}
        self.loads: list[tuple[str, str]] = []
        self.reachable = True

    def set_model(self, name: str, version: str, blob: bytes, backend: str = "FACTOR", **metadata: str) -> None:
        fields = {"backend": backend, "sha256": hashlib.sha256(blob).hexdigest()} | metadata
        self.models[name] = (version, blob, fields)
        self.changed(name)

    def set_script(self, name: str, version: str, source: bytes, backend: str = "FACTOR", **metadata: str) -> None:
        fields = {"backend": backend, "sha256": hashlib.sha256(source).hexdigest()} | metadata
        self.scripts[name] = (version, source, fields)
        self.changed(name, "script")

    def changed(self, name: str, kind: str = "model") -> None:
        if watcher := self.watchers.get(f"{{ssa:{kind}:{name}}}current".encode()):
            watcher()

    async def get_model_version(self, name: str) -> str:
        if not self.reachable:
            raise ConnectionFailed("cannot connect to unix:///gone.sock: refused")
        if name not in self.models:
            raise ModelNotFound(f"no model {name!r} here")
        return self.models[name][0]

    async def get_model_blob(self, name: str, version: str) -> tuple[bytes, dict[str, str]]:
        current, blob, metadata = self.models[name]
        if current != version:
            raise ModelNotFound(f"no model {name!r} here")
        self.loads.append((name, version))
        return blob, metadata

    async def get_script_version(self, name: str) -> str:
        if name not in self.scripts:
            raise ScriptNotFound(f"no script {name!r} here")
        return self.scripts[name][0]

    async def get_script_blob(self, name: str, version: str) -> tuple[bytes, dict[str, str]]:
        current, source, metadata = self.scripts[name]
        if current != version:
            raise ScriptNotFound(f"no script {name!r} here")
        self.loads.append((name, version))
        return source, metadata

    async def get_tensor_by_key(self, key: bytes) -> np.ndarray:
        if key not in self.tensors:
            raise TensorNotFound(f"no tensor {key!r} here")
        return self.tensors[key]

    def watch_key(self, key: bytes, changed: Callable[[], None]) -> Callable[[], None]:
        self.watchers[key] = changed
        changed()
        return lambda: self.watchers.pop(key, None) and None


def factor_runtime(backend: str) -> Runtime:
    if backend != "FACTOR":
        raise UnknownBackend(backend, "known ones are FACTOR")
    return FactorRuntime()


class InProcess:
    """A worker that serves in this loop."""

    def __init__(self, store: DictionaryStore, path: Path) -> None:
        self.store = store
        self.path = path
        self.stop = asyncio.Event()

    async def run(self, name: str, *inputs: Any, **options: Any) -> list[np.ndarray]:
        with WireClient(str(self.path), WORKER_ID, SECRET.encode(), prove=False) as client:
            await in_thread(client.prove)
            return await in_thread(partial(client.run, name, *inputs, **options))  # type: ignore[no-any-return]

    async def chain(self, steps: Any, outputs: Any, **options: Any) -> Reply:
        with WireClient(str(self.path), WORKER_ID, SECRET.encode(), prove=False) as client:
            await in_thread(client.prove)
            return await in_thread(partial(client.chain, steps, outputs, **options))  # type: ignore[no-any-return]

    async def until_it_answers(self, name: str, expected: float) -> None:
        async with asyncio.timeout(DEADLINE):
            while (await self.run(name, np.array([1.0])))[0] != expected:
                pass


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[InProcess]:
    path = tmp_path / "w.sock"
    serving = InProcess(DictionaryStore(), path)
    options = WorkerOptions(worker_id=WORKER_ID, secret=SECRET.encode(), unix=path)
    task = asyncio.ensure_future(serve(options, serving.store, serving.stop, factor_runtime))
    yield serving
    serving.stop.set()
    assert await asyncio.wait_for(task, DEADLINE)
    assert not path.exists()
    assert not serving.store.watchers


async def test_a_model_is_loaded_at_its_first_request_and_kept(worker: InProcess) -> None:
    worker.store.set_model("m", "1", b"3")
    assert worker.store.loads == []
    for _ in range(3):
        assert (await worker.run("m", np.array([2.0])))[0] == 6.0
    assert worker.store.loads == [("m", "1")]


async def test_a_new_version_takes_over_when_current_changes(worker: InProcess) -> None:
    worker.store.set_model("m", "1", b"3")
    await worker.run("m", np.ones(1))
    worker.store.set_model("m", "2", b"4")
    await worker.until_it_answers("m", 4.0)


async def test_a_new_version_that_is_no_model_leaves_the_old_one_serving(
    worker: InProcess, caplog: pytest.LogCaptureFixture
) -> None:
    worker.store.set_model("m", "1", b"3")
    await worker.run("m", np.ones(1))
    worker.store.set_model("m", "2", b"rubbish")
    async with asyncio.timeout(DEADLINE):
        while "version 1 goes on serving" not in caplog.text:
            assert (await worker.run("m", np.array([2.0])))[0] == 6.0
    worker.store.set_model("m", "3", b"5")
    await worker.until_it_answers("m", 5.0)


def set_unnoticed(store: DictionaryStore, name: str, version: str, blob: bytes) -> None:
    """The worker's watch has not told it yet."""
    watchers, store.watchers = store.watchers, {}
    store.set_model(name, version, blob)
    store.watchers = watchers


@pytest.mark.parametrize("chained", [False, True])
async def test_who_knows_of_a_later_version_gets_what_is_current(worker: InProcess, chained: bool) -> None:
    async def run(least_version: int) -> float:
        if chained:
            reply = await worker.chain(
                [("m", "", [np.ones(1)]), ("m", "", [(0, 0)])], [(0, 0)], least_version=least_version
            )
            return float(reply.outputs[0][0])
        return float((await worker.run("m", np.ones(1), least_version=least_version))[0][0])

    set_unnoticed(worker.store, "m", "1", b"3")
    assert await run(1) == 3.0
    set_unnoticed(worker.store, "m", "2", b"4")
    assert await run(1) == 3.0
    assert await run(2) == 4.0
    assert worker.store.loads == [("m", "1"), ("m", "2")]
    assert await run(9) == 4.0  # what the store says is as new as what the client knew


async def test_who_knows_of_a_version_that_cannot_be_loaded_is_told_and_others_keep_the_one_before(
    worker: InProcess,
) -> None:
    worker.store.set_model("m", "1", b"3")
    await worker.run("m", np.ones(1))
    set_unnoticed(worker.store, "m", "2", b"rubbish")
    for _ in range(2):
        with pytest.raises(ReplyError, match="BADMODEL model 'm' version 2"):
            await worker.run("m", np.ones(1), least_version=2)
    assert (await worker.run("m", np.ones(1)))[0] == 3.0


async def test_who_knows_that_it_was_deleted_is_told_so(worker: InProcess) -> None:
    worker.store.set_model("m", "1", b"3")
    await worker.run("m", np.ones(1))
    del worker.store.models["m"]
    with pytest.raises(ReplyError, match="NOMODEL"):
        await worker.run("m", np.ones(1), least_version=2)


async def test_a_name_that_nothing_can_have_is_told_whatever_version_is_known(worker: InProcess) -> None:
    with WireClient(str(worker.path), WORKER_ID, SECRET.encode(), prove=False) as client:
        await in_thread(client.prove)
        for function in ("", "f"):
            client.send(encode_request("SSA.RUN", 1, 1, 30_000, b"\xff", function, "V", 1))
            reply = await in_thread(client.answer)
            assert str(reply.error).startswith("NOSCRIPT" if function else "NOMODEL")


async def test_who_sets_and_deletes_is_not_answered_with_what_others_find_in_between(worker: InProcess) -> None:
    over = False

    async def ask() -> None:
        while not over:
            with contextlib.suppress(ReplyError):
                await worker.run("m", np.ones(1))

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(ask())
        for version in range(1, 40):
            worker.store.set_model("m", str(version), str(version).encode())
            assert (await worker.run("m", np.ones(1), least_version=version))[0][0] == version
            del worker.store.models["m"]
            worker.store.changed("m")
            with pytest.raises(ReplyError, match="NOMODEL"):
                await worker.run("m", np.ones(1), least_version=version + 1)
        over = True


async def test_missing_and_unusable_models_are_told_and_asked_for_again(worker: InProcess) -> None:
    with pytest.raises(ReplyError, match="NOMODEL model 'm' is not in the store; put it there with set_model"):
        await worker.run("m", np.ones(1))
    worker.store.set_model("m", "1", b"rubbish")
    with pytest.raises(
        ReplyError, match=r"BADMODEL model 'm' version 1 cannot be loaded as FACTOR.*7 bytes begin with 'rubb"
    ):
        await worker.run("m", np.ones(1))
    worker.store.set_model("m", "2", b"1", backend="ONNX")
    with pytest.raises(ReplyError, match="BADMODEL backend 'ONNX' cannot run here"):
        await worker.run("m", np.ones(1))
    worker.store.set_model("m", "3", b"1", sha256="0" * 64)
    with pytest.raises(ReplyError, match=r"BADMODEL .* do not have the stored SHA-256"):
        await worker.run("m", np.ones(1))
    worker.store.reachable = False
    with pytest.raises(ReplyError, match="BUSY model 'm' cannot be read from the store now"):
        await worker.run("m", np.ones(1))
    worker.store.reachable = True
    worker.store.set_model("m", "4", b"7")
    assert (await worker.run("m", np.ones(1)))[0] == 7.0


async def test_a_deleted_model_is_gone_for_the_next_request(worker: InProcess) -> None:
    worker.store.set_model("m", "1", b"3")
    await worker.run("m", np.ones(1))
    del worker.store.models["m"]
    worker.store.changed("m")
    answers: list[object] = []
    async with asyncio.timeout(DEADLINE):
        while not answers:
            try:
                await worker.run("m", np.ones(1))
            except ReplyError as error:
                answers.append(error.code)
    assert answers == ["NOMODEL"]


async def test_inputs_by_key_are_fetched(worker: InProcess) -> None:
    worker.store.set_model("m", "1", b"3")
    worker.store.tensors[b"ens_1.u"] = np.arange(4.0)
    first, second = await worker.run("m", "ens_1.u", np.ones(2))
    assert first.tolist() == [0, 3, 6, 9]
    assert second.tolist() == [3, 3]
    with pytest.raises(ReplyError, match=r"NOINPUT input 'ens_1.v' is not in the store; put it there before the run$"):
        await worker.run("m", "ens_1.v")


async def test_scripts_are_loaded_and_replaced_like_models_and_apart_from_them(worker: InProcess) -> None:
    worker.store.set_model("m", "1", b"3")
    worker.store.set_script("m", "8", b"5", batch_size="16")
    x = np.array([2.0])
    for _ in range(2):
        assert (await worker.run("m", x, function="f"))[0] == 10.0
    assert (await worker.run("m", x))[0] == 6.0
    assert worker.store.loads == [("m", "8"), ("m", "1")]
    worker.store.set_script("m", "9", b"7")
    async with asyncio.timeout(DEADLINE):
        while (await worker.run("m", x, function="f"))[0] != 14.0:
            pass
    assert (await worker.run("m", x))[0] == 6.0
    worker.store.set_script("m", "10", b"rubbish")
    worker.store.set_script("m", "11", b"9")
    async with asyncio.timeout(DEADLINE):
        while (await worker.run("m", x, function="f"))[0] != 18.0:
            pass


async def test_missing_and_damaged_scripts_are_told(worker: InProcess) -> None:
    worker.store.set_model("s", "1", b"3")
    with pytest.raises(ReplyError, match="NOSCRIPT script 's' is not in the store; put it there with set_script"):
        await worker.run("s", np.ones(1), function="f")
    worker.store.set_script("s", "1", b"5", sha256="0" * 64)
    with pytest.raises(ReplyError, match=r"BADMODEL script 's' version 1 .* does not have the stored SHA-256"):
        await worker.run("s", np.ones(1), function="f")
    with pytest.raises(ReplyError, match=r"NOSCRIPT step 1 \('gone'\): script 'gone' is not in the store"):
        await worker.chain([("s", "", [np.ones(1)]), ("gone", "f", [(0, 0)])], [(1, 0)])


async def test_chains_load_what_they_need_and_fetch_inputs(worker: InProcess) -> None:
    worker.store.set_model("m", "4", b"3")
    worker.store.set_script("s", "1", b"5")
    worker.store.tensors[b"ens_1.u"] = np.arange(2.0)
    reply = await worker.chain([("s", "f", ["ens_1.u"]), ("m", "", [(0, 0), "ens_1.u"])], [(1, 0), (1, 1), (0, 0)])
    assert reply.version == "1:1,4:2"
    assert [each.tolist() for each in reply.outputs] == [[0, 15], [0, 3], [0, 5]]
    with pytest.raises(ReplyError, match=r"NOINPUT step 1 \('m'\): input 'ens_1.v' is not in the store"):
        await worker.chain([("s", "f", ["ens_1.u"]), ("m", "", ["ens_1.v"])], [(1, 0)])


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [({"device": "GPU"}, "GPU"), ({"device": "GPU:0", "devices": "GPU:0,GPU:1"}, "GPU:0,GPU:1")],
)
async def test_what_is_for_another_device_is_refused(worker: InProcess, metadata: dict[str, str], wanted: str) -> None:
    worker.store.set_model("m", "1", b"3", **metadata)
    worker.store.set_script("s", "2", b"3", **metadata)
    with pytest.raises(
        ReplyError, match=f"WRONGDEVICE model 'm' version 1 is for {wanted}, this worker has CPU; ask a"
    ):
        await worker.run("m", np.ones(1))
    with pytest.raises(ReplyError, match=f"WRONGDEVICE script 's' version 2 is for {wanted}, this worker has CPU"):
        await worker.run("s", np.ones(1), function="f")
    worker.store.set_model("m", "2", b"3", device="CPU")
    assert (await worker.run("m", np.ones(1)))[0] == 3.0


async def test_a_model_that_moved_to_another_device_no_longer_runs_here(worker: InProcess) -> None:
    worker.store.set_model("m", "1", b"3")
    await worker.run("m", np.ones(1))
    worker.store.set_model("m", "2", b"3", device="GPU")
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(ReplyError, match="WRONGDEVICE model 'm' version 2 is for GPU"):
            while True:
                await worker.run("m", np.ones(1))


# ---- the process


class Process:
    """`python -m ssasync.store.model_worker`, heard by sd_notify."""

    def __init__(self, directory: Path, environment: dict[str, str], *options: str) -> None:
        self.path = directory / "worker.sock"
        self.notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notifications.settimeout(DEADLINE)
        notify = directory / "notify"
        self.notifications.bind(str(notify))
        self.log = directory / "worker.log"
        command = [sys.executable, "-m", "ssasync.store.model_worker", "--worker-id", WORKER_ID, *options]
        command += ["--unix", str(self.path), "--bind", "127.0.0.1"]
        package = Path(sys.modules["ssasync"].__path__[0]).parent
        environment = os.environ | {"PYTHONPATH": str(package), "NOTIFY_SOCKET": str(notify)} | environment
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=directory)

    def ready(self) -> list[str]:
        lines = self.notifications.recv(65536).decode().split("\n")
        assert lines[0] == "READY=1"
        return lines[1].removeprefix("SSA_ADDRESS=").split(",")

    def client(self) -> WireClient:
        return WireClient(str(self.path), WORKER_ID, SECRET.encode())

    def wait(self) -> int:
        return self.process.wait(DEADLINE)

    def close(self) -> None:
        self.notifications.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE)


@contextlib.contextmanager
def started(directory: Path, environment: dict[str, str], *options: str) -> Iterator[Process]:
    process = Process(directory, {"SSDB_PASSWORD": SECRET} | environment, *options)
    try:
        yield process
    finally:
        process.close()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[tuple[Redis, dict[str, str]]]:
    """A connection to a real engine, and the environment of its clients; its password is also the worker's secret."""
    runtime = tmp_path / "store"
    runtime.mkdir(mode=0o700)
    options = options_for(runtime)
    async with running_engine(options) as admin:
        await admin.acl_setuser("workload", enabled=True, reset_passwords=True, passwords=[f"+{SECRET}"])
        yield admin, {"SSDB": f"unix://{options.socket}", "SSDB_USER": "workload"}


async def put_model(admin: Redis, name: str, version: int, blob: bytes) -> None:
    """As `set_model` does, from WIRE.md."""
    fields = {"backend": "TORCH", "device": "CPU", "batch_size": 0, "min_batch_size": 0, "min_batch_timeout": 0}
    await put_version(admin, f"{{ssa:model:{name}}}", version, blob, fields)


async def put_script(admin: Redis, name: str, version: int, source: str) -> None:
    """As `set_script` does, from WIRE.md."""
    fields = {"backend": "TORCHSCRIPT", "device": "CPU"}
    await put_version(admin, f"{{ssa:script:{name}}}", version, source.encode(), fields)


async def put_version(admin: Redis, tag: str, version: int, blob: bytes, fields: dict[str, Any]) -> None:
    async with admin.pipeline(transaction=True) as pipeline:
        pipeline.set(f"{tag}{version}.blob", blob)
        pipeline.hset(f"{tag}{version}.meta", mapping=fields | {"sha256": hashlib.sha256(blob).hexdigest()})
        pipeline.set(f"{tag}current", version)
        await pipeline.execute()


def torch_model(factor: float) -> bytes:
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(factor * torch.eye(2))
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(layer), stream)
    return stream.getvalue()


async def test_the_process_serves_models_of_a_real_store(tmp_path: Path, engine: tuple[Redis, dict[str, str]]) -> None:
    admin, environment = engine
    await put_model(admin, "net", 1, torch_model(3))
    x = np.array([[1, 2]], "f4")
    await admin.set("ens_0.x", encode_tensor(x))
    with started(tmp_path, environment) as process:
        unix, tcp = await in_thread(process.ready)
        assert unix == f"unix://{process.path}"
        assert process.path.stat().st_mode & 0o777 == 0o600
        host, port = tcp.split(":")
        with WireClient((host, int(port)), WORKER_ID, SECRET.encode()) as client:
            assert (await in_thread(client.run, "net", x))[0].tolist() == [[3, 6]]
            assert (await in_thread(client.run, "net", "ens_0.x"))[0].tolist() == [[3, 6]]
            with pytest.raises(ReplyError, match="BADINPUT mat1 and mat2 shapes cannot be multiplied"):
                await in_thread(client.run, "net", np.ones((1, 5), "f4"))
            with pytest.raises(ReplyError, match="NOMODEL model 'nte'"):
                await in_thread(client.run, "nte", x)
            await put_model(admin, "net", 2, torch_model(5))
            async with asyncio.timeout(DEADLINE):
                while (await in_thread(client.run, "net", x))[0].tolist() != [[5, 10]]:
                    pass
        process.process.send_signal(signal.SIGTERM)
        assert await in_thread(process.notifications.recv, 100) == b"STOPPING=1"
        assert await in_thread(process.wait) == 0
        assert not process.path.exists()


SCRIPT = """
def normalise(x, mean):
    return x - mean, x.max()

def total(xs: List[Tensor]):
    return torch.stack(xs).sum(dim=0)
"""


async def test_the_process_serves_scripts_and_chains_of_a_real_store(
    tmp_path: Path, engine: tuple[Redis, dict[str, str]]
) -> None:
    admin, environment = engine
    await put_model(admin, "net", 1, torch_model(3))
    await put_script(admin, "tools", 4, SCRIPT)
    x = np.array([[1, 2]], "f4")
    await admin.set("ens_0.mean", encode_tensor(np.array([1.0], "f4")))
    steps: Any = [
        ("tools", "normalise", [x, "ens_0.mean"]),
        ("net", "", [(0, 0)]),
        ("tools", "total", [(0, 0), (1, 0), x]),
    ]
    with started(tmp_path, environment) as process:
        await in_thread(process.ready)
        with process.client() as client:
            reply = await in_thread(client.chain, steps, [(2, 0), (0, 1)])
            assert reply.version == "4:2,1:1,4:1"
            assert [each.tolist() for each in reply.outputs] == [[[1, 6]], 2]
            run = partial(client.run, "tools", x, x, function="total")
            assert (await in_thread(run))[0].tolist() == [[2, 4]]
            with pytest.raises(
                ReplyError, match=r"BADINPUT step 1 \('tools'\): the script has no function 'f'; it has norm"
            ):
                await in_thread(client.chain, [steps[0], ("tools", "f", [(0, 0)])], [(1, 0)])
            with pytest.raises(ReplyError, match="NOSCRIPT script 'net' is not in the store"):
                await in_thread(partial(client.run, "net", x, function="f"))
            await put_script(admin, "tools", 5, "def total(x):\n    import os\n    return x")
            await put_script(admin, "other", 1, "def total(x):\n    import os\n    return x")
            with pytest.raises(ReplyError, match=r"BADMODEL script 'other' version 1 is not TorchScript: .*'import'"):
                await in_thread(partial(client.run, "other", x, function="total"))
            assert (await in_thread(run))[0].tolist() == [[2, 4]]
            await put_script(admin, "tools", 6, "def total(x, y):\n    return x * 10")
            async with asyncio.timeout(DEADLINE):
                while (await in_thread(run))[0].tolist() != [[10, 20]]:
                    pass


class SlowModel:
    """TorchScript that multiplies matrices for a while."""

    @staticmethod
    def archive() -> bytes:
        torch = pytest.importorskip("torch")

        class Slow(torch.nn.Module):
            def forward(self, x: torch.Tensor, rounds: torch.Tensor) -> torch.Tensor:
                y = torch.eye(200)
                for _ in range(int(rounds)):
                    y = torch.tanh(y @ y)
                return x + 0 * y[0, 0]

        stream = io.BytesIO()
        torch.jit.save(torch.jit.script(Slow()), stream)
        return stream.getvalue()


def run_until_alive(client: WireClient, rounds: int) -> None:
    """Send a request and see that it is being computed."""
    client.run_nowait(7, "slow", np.ones(2, "f4"), np.array(rounds))
    while not isinstance(reply := client.reply(), Alive) or reply.place != 0:
        assert isinstance(reply, Alive), reply


async def test_sigterm_lets_the_queued_requests_finish(tmp_path: Path, engine: tuple[Redis, dict[str, str]]) -> None:
    admin, environment = engine
    await put_model(admin, "slow", 1, SlowModel.archive())
    with started(tmp_path, environment, "--grace", "20") as process:
        await in_thread(process.ready)
        with process.client() as client:
            await in_thread(client.run, "slow", np.ones(2, "f4"), np.array(1))
            rounds = 2000
            await in_thread(run_until_alive, client, rounds)
            client.run_nowait(8, "slow", np.ones(2, "f4"), np.array(1))
            process.process.send_signal(signal.SIGTERM)
            replies: list[Reply] = [await in_thread(client.answer) for _ in range(2)]
        assert [(reply.id, reply.error and reply.error.code) for reply in replies] in (
            [(7, None), (8, None)],
            [(8, "BUSY"), (7, None)],  # it came after the signal
        )
        assert await in_thread(process.wait) == 0


async def test_a_model_that_does_not_end_within_the_grace_is_left_behind(
    tmp_path: Path, engine: tuple[Redis, dict[str, str]]
) -> None:
    admin, environment = engine
    await put_model(admin, "slow", 1, SlowModel.archive())
    with started(tmp_path, environment, "--grace", "0.2") as process:
        await in_thread(process.ready)
        with process.client() as client:
            await in_thread(run_until_alive, client, 10_000_000)
            process.process.send_signal(signal.SIGTERM)
            assert await in_thread(process.wait) == 1
        assert "left after 0.2 s with requests unanswered" in process.log.read_text()


async def test_a_killed_process_leaves_nothing_that_hinders_the_next(
    tmp_path: Path, engine: tuple[Redis, dict[str, str]]
) -> None:
    admin, environment = engine
    await put_model(admin, "net", 1, torch_model(3))
    with started(tmp_path, environment) as process:
        await in_thread(process.ready)
        with process.client() as client:
            await in_thread(client.run, "net", np.ones((1, 2), "f4"))
            assert psutil.Process(process.process.pid).children() == []
            process.process.kill()
            await in_thread(process.wait)
    process.path.unlink()
    (tmp_path / "notify").unlink()
    with started(tmp_path, environment) as process:
        await in_thread(process.ready)
        with process.client() as client:
            assert (await in_thread(client.run, "net", np.ones((1, 2), "f4")))[0].tolist() == [[3, 3]]
        assert names_in(tmp_path) == {"notify", "store", "worker.log", "worker.sock"}


async def test_a_worker_whose_store_is_away_tells_so_and_ends_when_asked(tmp_path: Path) -> None:
    away = {"SSDB": f"unix://{tmp_path}/away.sock", "SSA_TIMEOUT": "0.2"}
    with started(tmp_path, away) as process:
        await in_thread(process.ready)
        with (
            process.client() as client,
            pytest.raises(ReplyError, match="BUSY model 'm' cannot be read from the store now"),
        ):
            await in_thread(client.run, "m", np.ones(1))
        process.process.terminate()
        assert await in_thread(process.wait) == 0


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


# ---- how it is started


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        ([], {}, "SSDB_PASSWORD is empty or unset"),
        (["--worker-id", "7"], {"SSDB_PASSWORD": "x"}, "--worker-id is '7'; give 32 hexadecimal digits"),
        (["--device", "GPU"], {"SSDB_PASSWORD": "x"}, "--device is 'GPU'; this version runs models on the CPU only"),
        (["--bind", "0.0.0.0"], {"SSDB_PASSWORD": "x"}, "--bind is 0.0.0.0; name one interface"),  # noqa: S104
        (["--spin", "-1"], {"SSDB_PASSWORD": "x"}, "--spin is -1; give microseconds, a second at most"),
        (["--threads", "0"], {"SSDB_PASSWORD": "x"}, "--threads is 0; give a positive number"),
    ],
)
def test_wrong_options_are_named(options: list[str], environment: dict[str, str], message: str) -> None:
    arguments = ["--worker-id", WORKER_ID, "--bind", "127.0.0.1", *options]
    with pytest.raises(WorkerMisconfigured) as raised:
        WorkerOptions.parse(arguments, environment)
    assert message in str(raised.value)


def test_the_secret_is_not_shown() -> None:
    options = WorkerOptions.parse(["--worker-id", WORKER_ID, "--bind", "::1"], {"SSDB_PASSWORD": "hidden"})
    assert "hidden" not in repr(options)


def test_a_worker_without_a_store_ends_with_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("SSDB", raising=False)
    monkeypatch.setenv("SSDB_PASSWORD", "x")
    assert main(["--worker-id", WORKER_ID, "--bind", "127.0.0.1"]) == 2
    assert "SSDB" in caplog.text


async def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        options = WorkerOptions(worker_id=WORKER_ID, secret=b"x", unix=path)
        with pytest.raises(OSError, match="Address already in use"), anyio.fail_after(DEADLINE):
            await serve(options, DictionaryStore(), asyncio.Event(), factor_runtime)
