"""The operations on a store, once for every Python face: what each takes, gives and raises, and the request that does it.

`Client`, `ssasync.blocking.Client` and their batches offer them under the same names: the asyncio client awaits the request,
the blocking one waits for it, a batch gathers it. What an operation does stands in C (c/operations.h, c/op_*.c).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ssasync.cyclient import _core
from ssasync.cyclient.model_value import model_bytes, read_model_file, script_bytes
from ssasync.cyclient.unpack import unpack_request

Array = np.ndarray[Any, Any]
Names = str | Sequence[str]
Seconds = float | None
Request = _core.Request


def as_names(names: Names) -> list[str]:
    """One name, or several, as a list."""
    return [names] if isinstance(names, str) else list(names)


def _one_or_all(outputs: tuple[Array, ...]) -> Array | tuple[Array, ...]:
    return outputs[0] if len(outputs) == 1 else outputs


def _blob(stored: tuple[bytes, dict[bytes, bytes]]) -> bytes:
    return stored[0]


def _source(stored: tuple[bytes, dict[bytes, bytes]]) -> str:
    return stored[0].decode()


def _metadata(stored: tuple[bytes, dict[bytes, bytes]]) -> dict[str, str]:
    return {field.decode(): value.decode() for field, value in stored[1].items()}


def _blob_and_metadata(stored: tuple[bytes, dict[bytes, bytes]]) -> tuple[bytes, dict[str, str]]:
    return _blob(stored), _metadata(stored)


def _gpu(offset: int, first_gpu: int, num_gpus: int) -> str:
    """The GPU that serves the caller number `offset` (a rank, say): they take turns."""
    _core.Engine.check_gpus(first_gpu, num_gpus)
    return f"GPU:{first_gpu + offset % num_gpus}"


class Operations:
    """Makes the requests of one client. Each method takes `timeout` in seconds; None: the client's."""

    def __init__(self, engine: _core.Engine) -> None:
        self._engine = engine

    # ---- tensors

    def put_tensor(self, name: str, data: Array, *, timeout: Seconds = None) -> Request[None]:
        """Store `data` under `name`; done when the shard has acknowledged it.

        data: any shape, any dtype of WIRE.md. Row- and column-major arrays are sent from where they lie and must not
        change before this is over; other strides are copied once.
        Raises UnsupportedDtype, StoreFull.
        """
        return self._engine.put_tensor(name, data).within(timeout)

    def get_tensor(self, name: str, *, timeout: Seconds = None) -> Request[Array]:
        """The tensor `name`, in fresh memory and in the order (row- or column-major) in which it was put.

        Raises TensorNotFound, NotATensor.
        """
        return self._engine.get_tensor(name).within(timeout)

    def unpack_tensor(self, name: str, out: Array, *, timeout: Seconds = None) -> Request[Array]:
        """Read the tensor `name` straight into `out` and return it.

        out: writable, of the stored dtype and shape. Its contents are undefined if this raises, but it is not written to
        afterwards. Raises TensorMismatch, TensorNotFound, NotATensor.
        """
        return unpack_request(self._engine, name, out).within(timeout)

    def delete_tensor(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """Delete the tensor `name`; no error if there is none. Its memory is freed in the background."""
        return self._engine.delete_tensor(name).within(timeout)

    def tensor_exists(self, name: str, *, timeout: Seconds = None) -> Request[bool]:
        """Whether there is a tensor `name`."""
        return self._engine.tensor_exists(name).within(timeout)

    def get_tensor_by_key(self, key: bytes, *, timeout: Seconds = None) -> Request[Array]:
        """The tensor under a full key, whatever the prefixes are: for model workers. Raises as `get_tensor`."""
        return self._engine.get_tensor_by_key(key).within(timeout)

    # ---- models

    def set_model(
        self,
        name: str,
        model: bytes,
        backend: str,
        device: str = "CPU",
        *,
        batch_size: int = 0,
        min_batch_size: int = 0,
        min_batch_timeout: int = 0,
        tag: str = "",
        inputs: Names = (),
        outputs: Names = (),
        timeout: Seconds = None,
    ) -> Request[str]:
        """Store a new version of the model `name` and make it the current one. Returns the version.

        model: its bytes; backend: "TORCH" (a TorchScript archive); device: "CPU", "GPU" or "GPU:<n>"
        batch_size: most rows (first dimension) that a worker joins into one call; 0 or 1: none are joined
        min_batch_size, min_batch_timeout: rows worth waiting for, and for how many milliseconds at most
        tag, inputs, outputs: kept with the model, for whoever looks at its metadata
        Requests that are under way end on the version they began with. Raises BadModel, InvalidArgument, StoreFull.
        """
        blob = model_bytes(name, model, backend)
        batching = (batch_size, min_batch_size, min_batch_timeout)
        request = self._engine.set_model(name, blob, backend, device, *batching, tag, as_names(inputs), as_names(outputs))
        return request.within(timeout)

    def set_model_multigpu(
        self,
        name: str,
        model: bytes,
        backend: str,
        first_gpu: int,
        num_gpus: int,
        *,
        batch_size: int = 0,
        min_batch_size: int = 0,
        min_batch_timeout: int = 0,
        tag: str = "",
        inputs: Names = (),
        outputs: Names = (),
        timeout: Seconds = None,
    ) -> Request[str]:
        """As `set_model`, for the devices GPU:<first_gpu> to GPU:<first_gpu + num_gpus - 1>; see `run_model_multigpu`."""
        blob = model_bytes(name, model, backend)
        batching = (batch_size, min_batch_size, min_batch_timeout)
        request = self._engine.set_model_multigpu(
            name, blob, backend, first_gpu, num_gpus, *batching, tag, as_names(inputs), as_names(outputs)
        )
        return request.within(timeout)

    def set_model_from_file(
        self, name: str, model_file: str | Path, backend: str, device: str = "CPU", **options: Any
    ) -> Request[str]:
        """As `set_model`, with the bytes of a file. Raises FileNotFoundError."""
        return self.set_model(name, read_model_file(name, model_file), backend, device, **options)

    def set_model_from_file_multigpu(
        self, name: str, model_file: str | Path, backend: str, first_gpu: int, num_gpus: int, **options: Any
    ) -> Request[str]:
        """As `set_model_multigpu`, with the bytes of a file. Raises FileNotFoundError."""
        return self.set_model_multigpu(
            name, read_model_file(name, model_file), backend, first_gpu, num_gpus, **options
        )

    def get_model(self, name: str, *, timeout: Seconds = None) -> Request[bytes]:
        """The bytes of the current version of the model `name`. Raises ModelNotFound."""
        return self._engine.get_model(name).then(_blob).within(timeout)

    def get_model_metadata(self, name: str, *, timeout: Seconds = None) -> Request[dict[str, str]]:
        """What was stored with the current version (WIRE.md, "Model"). Raises ModelNotFound."""
        return self._engine.get_model(name).then(_metadata).within(timeout)

    def get_model_version(self, name: str, *, timeout: Seconds = None) -> Request[str]:
        """The current version of the model `name`. Raises ModelNotFound."""
        return self._engine.get_model_version(name).within(timeout)

    def get_model_blob(self, name: str, version: str, *, timeout: Seconds = None) -> Request[tuple[bytes, dict[str, str]]]:
        """The bytes and the metadata (WIRE.md, "Model") of one version: for model workers. Raises ModelNotFound."""
        return self._engine.get_model_blob(name, version).then(_blob_and_metadata).within(timeout)

    def delete_model(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """Delete all versions of the model `name`; no error if there is none."""
        return self._engine.delete_model(name).within(timeout)

    def model_exists(self, name: str, *, timeout: Seconds = None) -> Request[bool]:
        """Whether there is a model `name`."""
        return self._engine.model_exists(name).within(timeout)

    def infer(self, model: str, *inputs: Array, timeout: Seconds = None) -> Request[Array | tuple[Array, ...]]:
        """Run the model on `inputs` and return its output, or a tuple of several. Nothing is left in the store.

        A worker that is lost before it answered is replaced by another within the deadline.
        Raises ModelNotFound, BadModel, BadInput, ModelFailed, NoWorker.
        """
        arrays = [np.asarray(x) for x in inputs]
        return self._engine.run("infer", model, arrays, []).then(_one_or_all).within(timeout)

    def run_model(self, name: str, inputs: Names, outputs: Names, *, keep: bool = True, timeout: Seconds = None) -> Request[None]:
        """Run the model on tensors of the store and store its outputs; done when the shards have acknowledged them.

        inputs, outputs: one name or several. The worker fetches the inputs; this client stores the outputs, so that a
        worker that wakes up late can never overwrite those of a later step.
        keep: False, in a batch: the outputs are not stored, only later steps and gets of the batch see them.
        Raises as `infer`; BadInput: no such tensor.
        """
        return self._engine.run("run_model", name, as_names(inputs), as_names(outputs), keep=keep).within(timeout)

    def run_model_multigpu(
        self,
        name: str,
        inputs: Names,
        outputs: Names,
        offset: int,
        first_gpu: int,
        num_gpus: int,
        *,
        keep: bool = True,
        timeout: Seconds = None,
    ) -> Request[None]:
        """As `run_model`, on the worker of GPU:<first_gpu + offset % num_gpus>; `offset`: a rank, say."""
        device = _gpu(offset, first_gpu, num_gpus)
        request = self._engine.run(
            "run_model_multigpu", name, as_names(inputs), as_names(outputs), device=device, keep=keep
        )
        return request.within(timeout)

    # ---- scripts

    def set_script(self, name: str, script: str, device: str = "CPU", *, timeout: Seconds = None) -> Request[str]:
        """Store a new version of the script `name` and make it the current one. Returns the version.

        script: functions in the subset of Python that TorchScript compiles; nothing else of it is ever run.
        """
        return self._engine.set_script(name, script_bytes(name, script), device).within(timeout)

    def set_script_multigpu(
        self, name: str, script: str, first_gpu: int, num_gpus: int, *, timeout: Seconds = None
    ) -> Request[str]:
        """As `set_script`, for several GPUs; see `set_model_multigpu`."""
        return self._engine.set_script_multigpu(name, script_bytes(name, script), first_gpu, num_gpus).within(timeout)

    def set_script_from_file(
        self, name: str, script_file: str | Path, device: str = "CPU", *, timeout: Seconds = None
    ) -> Request[str]:
        """As `set_script`, with the text of a file (UTF-8). Raises FileNotFoundError."""
        return self.set_script(name, Path(script_file).read_text(encoding="utf-8"), device, timeout=timeout)

    def set_script_from_file_multigpu(
        self, name: str, script_file: str | Path, first_gpu: int, num_gpus: int, *, timeout: Seconds = None
    ) -> Request[str]:
        """As `set_script_multigpu`, with the text of a file (UTF-8). Raises FileNotFoundError."""
        text = Path(script_file).read_text(encoding="utf-8")
        return self.set_script_multigpu(name, text, first_gpu, num_gpus, timeout=timeout)

    def set_function(
        self, name: str, function: Callable[..., Any], device: str = "CPU", *, timeout: Seconds = None
    ) -> Request[str]:
        """As `set_script`, with the source of a Python function. It sees nothing of the module it is defined in."""
        return self._engine.set_script(name, script_bytes(name, function), device).within(timeout)

    def set_function_multigpu(
        self, name: str, function: Callable[..., Any], first_gpu: int, num_gpus: int, *, timeout: Seconds = None
    ) -> Request[str]:
        """As `set_function`, for several GPUs; see `set_model_multigpu`."""
        blob = script_bytes(name, function)
        return self._engine.set_script_multigpu(name, blob, first_gpu, num_gpus).within(timeout)

    def get_script(self, name: str, *, timeout: Seconds = None) -> Request[str]:
        """The source of the current version of the script `name`. Raises ScriptNotFound."""
        return self._engine.get_script(name).then(_source).within(timeout)

    def get_script_metadata(self, name: str, *, timeout: Seconds = None) -> Request[dict[str, str]]:
        """What was stored with the current version (WIRE.md, "Script"). Raises ScriptNotFound."""
        return self._engine.get_script(name).then(_metadata).within(timeout)

    def get_script_version(self, name: str, *, timeout: Seconds = None) -> Request[str]:
        """The current version of the script `name`. Raises ScriptNotFound."""
        return self._engine.get_model_version(name, True).within(timeout)

    def get_script_blob(self, name: str, version: str, *, timeout: Seconds = None) -> Request[tuple[bytes, dict[str, str]]]:
        """The source and the metadata (WIRE.md, "Script") of one version: for model workers. Raises ScriptNotFound."""
        return self._engine.get_model_blob(name, version, True).then(_blob_and_metadata).within(timeout)

    def delete_script(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """Delete all versions of the script `name`; no error if there is none."""
        return self._engine.delete_script(name).within(timeout)

    def script_exists(self, name: str, *, timeout: Seconds = None) -> Request[bool]:
        """Whether there is a script `name`."""
        return self._engine.script_exists(name).within(timeout)

    def run_script(
        self,
        name: str,
        function: str,
        inputs: Names,
        outputs: Names,
        *,
        keep: bool = True,
        timeout: Seconds = None,
    ) -> Request[None]:
        """Run a function of the script on tensors of the store and store its outputs; as `run_model`.

        Raises ScriptNotFound; BadInput: no such function (it names those there are), or no such tensor.
        """
        request = self._engine.run(
            "run_script", name, as_names(inputs), as_names(outputs), script=True, function=function, keep=keep
        )
        return request.within(timeout)

    def run_script_multigpu(
        self,
        name: str,
        function: str,
        inputs: Names,
        outputs: Names,
        offset: int,
        first_gpu: int,
        num_gpus: int,
        *,
        keep: bool = True,
        timeout: Seconds = None,
    ) -> Request[None]:
        """As `run_script`, on the worker of one of several GPUs; see `run_model_multigpu`."""
        request = self._engine.run(
            "run_script_multigpu",
            name,
            as_names(inputs),
            as_names(outputs),
            script=True,
            function=function,
            device=_gpu(offset, first_gpu, num_gpus),
            keep=keep,
        )
        return request.within(timeout)

    # ---- keys and waiting

    def key_exists(self, key: str, *, timeout: Seconds = None) -> Request[bool]:
        """Whether there is this key, as it stands in the store: no prefix is added."""
        return self._engine.key_exists(key).within(timeout)

    def dataset_exists(self, name: str, *, timeout: Seconds = None) -> Request[bool]:
        """Whether there is a dataset `name`, all of it."""
        return self._engine.dataset_exists(name).within(timeout)

    def wait_for_key(self, key: str, *, timeout: Seconds = None) -> Request[None]:
        """Until there is this key: the shard tells, nothing polls. Raises WaitTimeout."""
        return self._engine.wait_for_key(key).within(timeout)

    def wait_for_tensor(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """Until there is a tensor `name`: the shard tells, nothing polls. Raises WaitTimeout."""
        return self._engine.wait_for_tensor(name).within(timeout)

    def wait_for_dataset(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """Until there is a dataset `name`, all of it: the shard tells, nothing polls. Raises WaitTimeout."""
        return self._engine.wait_for_dataset(name).within(timeout)

    def wait_for_model(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """Until there is a model `name`: the shard tells, nothing polls. Raises WaitTimeout."""
        return self._engine.wait_for_model(name).within(timeout)
