"""The operations on a store, once for every Python face: what each takes, gives and raises, and the request that does it.

`Client`, `ssasync.blocking.Client` and their batches offer them under the same names: the asyncio client awaits the request,
the blocking one waits for it, a batch gathers it. What an operation does stands in C (c/operations.h, c/op_*.c).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ssasync.cyclient import _core
from ssasync.cyclient._core import Dataset
from ssasync.cyclient.arguments import (
    Array,
    Names,
    Order,
    array,
    in_order,
    memory_order,
    names,
    names_in_one_text,
    seconds,
    whole_number,
)
from ssasync.cyclient.errors import BadModel, InvalidArgument, WrongType
from ssasync.cyclient.model_value import model_bytes, read_model_file, read_script_file, script_bytes
from ssasync.cyclient.unpack import unpack_request

Seconds = float | None
Request = _core.Request


def _one_or_all(outputs: tuple[Array, ...]) -> Array | tuple[Array, ...]:
    return outputs[0] if len(outputs) == 1 else outputs


def _blob(stored: tuple[bytes, dict[bytes, bytes]]) -> bytes:
    return stored[0]


def _source(stored: tuple[bytes, dict[bytes, bytes]], name: str) -> str:
    try:
        return stored[0].decode()
    except UnicodeDecodeError:
        raise BadModel(name, "a script", "its source is not UTF-8; get_script_blob gives its bytes") from None


def _metadata(stored: tuple[bytes, dict[bytes, bytes]]) -> dict[str, str]:
    return {field.decode("utf-8", "replace"): value.decode("utf-8", "replace") for field, value in stored[1].items()}


def _blob_and_metadata(stored: tuple[bytes, dict[bytes, bytes]]) -> tuple[bytes, dict[str, str]]:
    return _blob(stored), _metadata(stored)


def _ttl(given: float) -> float:
    time = seconds("seconds", given)
    if time == 0:
        raise InvalidArgument("seconds", 0, "give at least 0.001, or delete it")
    return time


def _seconds_left(milliseconds: int) -> float | None:
    return None if milliseconds < 0 else milliseconds / 1000


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """What a program is asked for.

    kind   "set": give the parameter `name` this value; "checkpoint": write one now; "stop": end in order
    """

    kind: str
    name: str = ""
    value: str = ""


def _control_requests(reply: list[bytes] | None) -> list[ControlRequest]:
    words = [word.decode("utf-8", "surrogateescape") for word in reply or ()]
    return [ControlRequest(*words[i : i + 3]) for i in range(0, len(words), 3)]


def _fields(text: str) -> dict[str, str]:
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _by_address(reply: list[bytes]) -> dict[str, str]:
    texts = [part.decode("utf-8", "replace") for part in reply]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _info(reply: list[bytes]) -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = {}
    for address, text in _by_address(reply).items():
        sections = text.split("# ")[1:]
        found[address] = {section.split("\r\n", 1)[0]: _fields(section) for section in sections}
    return found


def _cluster_info(reply: list[bytes]) -> dict[str, dict[str, str]]:
    return {address: _fields(text) for address, text in _by_address(reply).items()}


def _settings(reply: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in reply.items()}


def _gpu(offset: int, first_gpu: int, num_gpus: int) -> str:
    """The GPU that serves the caller number `offset` (a rank, say): they take turns."""
    first, count = whole_number("first_gpu", first_gpu), whole_number("num_gpus", num_gpus)
    _core.Engine.check_gpus(first, count)
    return f"GPU:{first + whole_number('offset', offset) % count}"


def _stored(argument: str, given: Names) -> list[str]:
    """Names of tensors in the store. Raises WrongType."""
    return names(argument, given, "give names of tensors in the store; infer() takes arrays")


def _targets(given: Names) -> list[str]:
    """Where outputs are to be stored. Raises WrongType, InvalidArgument."""
    listed = _stored("outputs", given)
    if not listed:
        raise InvalidArgument("outputs", "empty", "name where the outputs are to be stored; infer() returns them")
    return listed


def _array_to_run_on(value: Any) -> Array:
    """Raises WrongType, InvalidArgument."""
    if isinstance(value, str | bytes):
        raise WrongType("an input", value, "give arrays; to run on stored tensors use run_model")
    return array("an input", value)


def _batching(batch_size: int, min_batch_size: int, min_batch_timeout: int) -> tuple[int, int, int]:
    return (
        whole_number("batch_size", batch_size),
        whole_number("min_batch_size", min_batch_size),
        whole_number("min_batch_timeout", min_batch_timeout),
    )


def _times(poll_frequency_ms: int, num_tries: int) -> tuple[int, int]:
    return whole_number("poll_frequency_ms", poll_frequency_ms), whole_number("num_tries", num_tries)


def _as_clients_show_them(operations: type[Operations]) -> type[Operations]:
    """Give the methods the names and results that callers of the clients see, in help() and in errors."""
    for name, method in vars(operations).items():
        if not name.startswith("_"):
            method.__qualname__ = f"Client.{name}"
            made = method.__annotations__["return"]
            method.__annotations__["return"] = made.removeprefix("Request[").removesuffix("]")
    return operations


@_as_clients_show_them
class Operations:
    """Makes the requests of one client. Each method takes `timeout` in seconds; None: the client's."""

    def __init__(self, engine: _core.Engine) -> None:
        self._engine = engine

    # ---- tensors

    def put_tensor(self, name: str, data: Array, *, timeout: Seconds = None) -> Request[None]:
        """Store `data` under `name`; done when the shard has acknowledged it.

        data: any shape, any dtype of WIRE.md. Row- and column-major arrays are sent from where they lie and must not
        change before this is over; other strides are copied once.
        Raises UnsupportedDtype, InvalidArgument (the name), StoreFull.
        """
        return self._engine.put_tensor(name, data).within(timeout)

    def get_tensor(self, name: str, *, order: Order = "K", timeout: Seconds = None) -> Request[Array]:
        """The tensor `name`, in fresh memory.

        order: "K": row- or column-major, as it was put; "C": row-major, "F": column-major, copied once if it was put
        otherwise. The array is the caller's, may be written to and outlives the client.
        Raises TensorNotFound, NotATensor (the key holds something else), InvalidArgument (the order).
        """
        request = self._engine.get_tensor(name).within(timeout)
        return request if order == "K" else request.then(partial(in_order, order=memory_order(order)))

    def unpack_tensor(self, name: str, out: Array, *, timeout: Seconds = None) -> Request[Array]:
        """Read the tensor `name` straight into `out` and return it.

        out: writable, of the stored dtype and shape. Its contents are undefined if this raises, but it is not written to
        afterwards. Raises TensorMismatch, TensorNotFound, NotATensor.
        """
        return unpack_request(self._engine, name, out).within(timeout)

    def delete_tensor(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """Delete the tensor `name`; no error if there is none. Its memory is freed in the background.

        Tensors, bytes and lists share one space of names: whichever of them is called so is deleted.
        """
        return self._engine.delete_tensor(name).within(timeout)

    def tensor_exists(self, name: str, *, timeout: Seconds = None) -> Request[bool]:
        """Whether there is a tensor `name`, or bytes or a list: the three share one space of names."""
        return self._engine.tensor_exists(name).within(timeout)

    def get_tensor_by_key(self, key: bytes, *, timeout: Seconds = None) -> Request[Array]:
        """The tensor under a full key, whatever the prefixes are: for model workers. Raises as `get_tensor`."""
        if not isinstance(key, bytes):
            raise WrongType("key", key, "give bytes")
        return self._engine.get_tensor_by_key(key).within(timeout)

    def copy_tensor(self, source: str, target: str, *, timeout: Seconds = None) -> Request[None]:
        """Store a copy of the tensor `source` under `target`, whatever was there. Raises TensorNotFound, StoreFull.

        The time that it has left goes along. source has the prefix to read from, target the one to write with. Where one
        shard has both, the tensor stays there: one command looks at it and a second one copies it; elsewhere it goes
        through this client.
        """
        return self._engine.copy_tensor(source, target).within(timeout)

    def rename_tensor(self, source: str, target: str, *, timeout: Seconds = None) -> Request[None]:
        """As `copy_tensor`; then `source` is gone. Raises TensorNotFound, StoreFull; Disconnected: it may have been done."""
        return self._engine.rename_tensor(source, target).within(timeout)

    def set_tensor_ttl(self, name: str, seconds: float, *, timeout: Seconds = None) -> Request[None]:
        """Delete the tensor (or bytes) `name` after so many seconds, unless it is put anew.

        As `delete_tensor` it is about whichever of a tensor, bytes and a list is called so; so are `get_tensor_ttl` and
        `persist_tensor`. seconds: from now on, at least 0.001. Raises TensorNotFound, InvalidArgument.
        """
        return self._engine.tensor_ttl(name, _ttl(seconds)).within(timeout)

    def get_tensor_ttl(self, name: str, *, timeout: Seconds = None) -> Request[float | None]:
        """Seconds that the tensor (or bytes) `name` has left; None: it stays. Raises TensorNotFound."""
        return self._engine.tensor_ttl(name, None).then(_seconds_left).within(timeout)

    def persist_tensor(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """The tensor (or bytes) `name` stays, until it is deleted. Raises TensorNotFound."""
        return self._engine.tensor_ttl(name, 0).within(timeout)

    # ---- bytes: under the same names as tensors

    def put_bytes(self, name: str, data: bytes | bytearray | memoryview, *, timeout: Seconds = None) -> Request[None]:
        """Store `data`, anything with contiguous memory, which must not change before this is over. Raises StoreFull."""
        return self._engine.put_bytes(name, data).within(timeout)

    def get_bytes(self, name: str, *, timeout: Seconds = None) -> Request[bytes]:
        """What is stored under `name`, as it stands there, in fresh memory. Raises TensorNotFound, NotATensor (a list)."""
        return self._engine.get_bytes(name).within(timeout)

    def delete_bytes(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """Delete what is stored under `name`; no error if there is nothing. As `delete_tensor`: also a tensor or a list."""
        return self._engine.delete_bytes(name).within(timeout)

    def bytes_exists(self, name: str, *, timeout: Seconds = None) -> Request[bool]:
        """Whether anything is stored under `name`: bytes, a tensor or a list."""
        return self._engine.bytes_exists(name).within(timeout)

    # ---- datasets

    def put_dataset(self, dataset: Dataset, *, timeout: Seconds = None) -> Request[None]:
        """Store the dataset, all of it at one moment; nothing stays of what it replaces.

        Its arrays are sent from where they lie; it cannot be changed before this is over.
        Raises InvalidArgument (it is empty), StoreFull.
        """
        if not isinstance(dataset, Dataset):
            raise WrongType("dataset", dataset, "give a Dataset")
        return self._engine.put_dataset(dataset).within(timeout)

    def get_dataset(self, name: str, *, timeout: Seconds = None) -> Request[Dataset]:
        """The dataset `name`, as it was at one moment. Raises DatasetNotFound, NotADataset."""
        return self._engine.get_dataset(name).within(timeout)

    def delete_dataset(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """Delete the dataset `name`, all of it at one moment; no error if there is none."""
        return self._engine.delete_dataset(name).within(timeout)

    def dataset_exists(self, name: str, *, timeout: Seconds = None) -> Request[bool]:
        """Whether there is a dataset `name`, all of it."""
        return self._engine.dataset_exists(name).within(timeout)

    def copy_dataset(self, source: str, target: str, *, timeout: Seconds = None) -> Request[None]:
        """Store a copy of the dataset `source` as `target`, through this client, with the time that it has left.

        Raises DatasetNotFound, StoreFull.
        """
        return self._engine.copy_dataset(source, target).within(timeout)

    def rename_dataset(self, source: str, target: str, *, timeout: Seconds = None) -> Request[None]:
        """As `copy_dataset`; then `source` is deleted, if it is still what was copied. Raises DatasetNotFound, StoreFull."""
        return self._engine.rename_dataset(source, target).within(timeout)

    def set_dataset_ttl(self, name: str, seconds: float, *, timeout: Seconds = None) -> Request[None]:
        """Delete the dataset `name`, all of it, after so many seconds, unless it is put anew.

        seconds: from now on, at least 0.001. Raises DatasetNotFound, InvalidArgument.
        """
        return self._engine.dataset_ttl(name, _ttl(seconds)).within(timeout)

    def get_dataset_ttl(self, name: str, *, timeout: Seconds = None) -> Request[float | None]:
        """Seconds that the dataset `name` has left; None: it stays. Raises DatasetNotFound."""
        return self._engine.dataset_ttl(name, None).then(_seconds_left).within(timeout)

    def persist_dataset(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """The dataset `name` stays, until it is deleted. Raises DatasetNotFound."""
        return self._engine.dataset_ttl(name, 0).within(timeout)

    # ---- lists of datasets: they hold names, not copies

    def append_to_list(self, list_name: str, dataset: Dataset | str, *, timeout: Seconds = None) -> Request[None]:
        """Append a dataset (or its name) to the list, which begins with its first one. Raises WrongKind.

        Raises Disconnected when the connection was lost before the answer: it may have been appended.
        """
        if not isinstance(dataset, str | Dataset):
            raise WrongType("dataset", dataset, "give a Dataset, or its name")
        name = dataset if isinstance(dataset, str) else dataset.name
        return self._engine.append_to_list(list_name, name).within(timeout)

    def get_list_length(self, list_name: str, *, timeout: Seconds = None) -> Request[int]:
        """How many datasets the list has; 0: there is none. Raises WrongKind."""
        return self._engine.get_list_length(list_name).within(timeout)

    def delete_list(self, list_name: str, *, timeout: Seconds = None) -> Request[None]:
        """Delete the list, not its datasets; no error if there is none.

        As `delete_tensor`: also a tensor or bytes of this name.
        """
        return self._engine.delete_list(list_name).within(timeout)

    def set_list_ttl(self, list_name: str, seconds: float, *, timeout: Seconds = None) -> Request[None]:
        """Delete the list, not its datasets, after so many seconds; what is appended meanwhile changes nothing about that.

        As `set_tensor_ttl` it is about whichever of a list, a tensor and bytes is called so; so are `get_list_ttl` and
        `persist_list`. seconds: from now on, at least 0.001. Raises ListNotFound, InvalidArgument.
        """
        return self._engine.list_ttl(list_name, _ttl(seconds)).within(timeout)

    def get_list_ttl(self, list_name: str, *, timeout: Seconds = None) -> Request[float | None]:
        """Seconds that the list has left; None: it stays. Raises ListNotFound."""
        return self._engine.list_ttl(list_name, None).then(_seconds_left).within(timeout)

    def persist_list(self, list_name: str, *, timeout: Seconds = None) -> Request[None]:
        """The list stays, until it is deleted. Raises ListNotFound."""
        return self._engine.list_ttl(list_name, 0).within(timeout)

    def copy_list(self, source: str, target: str, *, timeout: Seconds = None) -> Request[None]:
        """Make `target` a list of the same datasets, with the time that it has left. Raises ListNotFound, WrongKind."""
        return self._engine.copy_list(source, target).within(timeout)

    def rename_list(self, source: str, target: str, *, timeout: Seconds = None) -> Request[None]:
        """The list `source` is called `target` from now on. Raises ListNotFound, WrongKind."""
        return self._engine.rename_list(source, target).within(timeout)

    def get_datasets_from_list(self, list_name: str, *, timeout: Seconds = None) -> Request[list[Dataset]]:
        """All datasets of the list, in its order, from all shards at once; none if there is no list.

        Raises DatasetNotFound: one that the list names is not there; WrongKind.
        """
        return self._engine.get_datasets_from_list(list_name).within(timeout)

    def get_dataset_list_range(
        self, list_name: str, start_index: int, end_index: int, *, timeout: Seconds = None
    ) -> Request[list[Dataset]]:
        """As `get_datasets_from_list`, from one index to another, both included; negative ones count from the end.

        Indices beyond the list are no error: the range is what the list has of it, perhaps nothing.
        """
        places = whole_number("start_index", start_index), whole_number("end_index", end_index)
        return self._engine.get_dataset_list_range(list_name, *places).within(timeout)

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
        Requests that are under way end on the version they began with.
        Raises BadModel (the bytes are none), InvalidArgument (backend, device, batching), StoreFull.
        """
        blob = model_bytes(name, model, backend)
        kept = names_in_one_text("inputs", inputs), names_in_one_text("outputs", outputs)
        batching = _batching(batch_size, min_batch_size, min_batch_timeout)
        request = self._engine.set_model(name, blob, backend, device, *batching, tag, *kept)
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
        kept = names_in_one_text("inputs", inputs), names_in_one_text("outputs", outputs)
        batching = _batching(batch_size, min_batch_size, min_batch_timeout)
        gpus = whole_number("first_gpu", first_gpu), whole_number("num_gpus", num_gpus)
        request = self._engine.set_model_multigpu(name, blob, backend, *gpus, *batching, tag, *kept)
        return request.within(timeout)

    def set_model_from_file(
        self, /, name: str, model_file: str | Path, backend: str, device: str = "CPU", **options: Any
    ) -> Request[str]:
        """As `set_model`, with the bytes of a file; options: those of `set_model`. Raises FileNotFoundError."""
        return self.set_model(name, read_model_file(name, model_file), backend, device, **options)

    def set_model_from_file_multigpu(
        self, /, name: str, model_file: str | Path, backend: str, first_gpu: int, num_gpus: int, **options: Any
    ) -> Request[str]:
        """As `set_model_multigpu`, with the bytes of a file; options: those of it. Raises FileNotFoundError."""
        return self.set_model_multigpu(name, read_model_file(name, model_file), backend, first_gpu, num_gpus, **options)

    def get_model(self, name: str, *, timeout: Seconds = None) -> Request[bytes]:
        """The bytes of the current version of the model `name`. Raises ModelNotFound."""
        return self._engine.get_model(name).then(_blob).within(timeout)

    def get_model_metadata(self, name: str, *, timeout: Seconds = None) -> Request[dict[str, str]]:
        """What was stored with the current version (WIRE.md, "Model"). Raises ModelNotFound."""
        return self._engine.get_model(name).then(_metadata).within(timeout)

    def get_model_version(self, name: str, *, timeout: Seconds = None) -> Request[str]:
        """The current version of the model `name`. Raises ModelNotFound."""
        return self._engine.get_model_version(name).within(timeout)

    def get_model_blob(
        self, name: str, version: str, *, timeout: Seconds = None
    ) -> Request[tuple[bytes, dict[str, str]]]:
        """The bytes and the metadata (WIRE.md, "Model") of one version: for model workers. Raises ModelNotFound."""
        return self._engine.get_model_blob(name, version).then(_blob_and_metadata).within(timeout)

    def delete_model(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """Delete all versions of the model `name`; no error if there is none."""
        return self._engine.delete_model(name).within(timeout)

    def delete_model_multigpu(
        self, name: str, first_gpu: int, num_gpus: int, *, timeout: Seconds = None
    ) -> Request[None]:
        """As `delete_model`: one version serves all devices. For programs that name their GPUs in every call."""
        gpus = whole_number("first_gpu", first_gpu), whole_number("num_gpus", num_gpus)
        return self._engine.delete_model(name, *gpus).within(timeout)

    def model_exists(self, name: str, *, timeout: Seconds = None) -> Request[bool]:
        """Whether there is a model `name`."""
        return self._engine.model_exists(name).within(timeout)

    def infer(self, model: str, *inputs: Array, timeout: Seconds = None) -> Request[Array | tuple[Array, ...]]:
        """Run the model on `inputs` and return its output, or a tuple of several. Nothing is left in the store.

        inputs: arrays in the order of the model's parameters; with `batch_size` their first dimension is the rows. They must
        not change before this is over. Outputs are fresh arrays. A worker that is lost before it answered is replaced by
        another within the deadline.
        Raises ModelNotFound, BadModel (the worker cannot load it), BadInput (it refuses number, dtype or shape), ModelFailed
        (it raised an error), NoWorker.
        """
        arrays = [_array_to_run_on(x) for x in inputs]
        return self._engine.run("infer", model, arrays, None).then(_one_or_all).within(timeout)

    def run_model(
        self, name: str, inputs: Names, outputs: Names, *, keep: bool = True, timeout: Seconds = None
    ) -> Request[None]:
        """Run the model on tensors of the store and store its outputs; done when the shards have acknowledged them.

        inputs, outputs: one name or several. The worker fetches the inputs; this client stores the outputs, so that a
        worker that wakes up late can never overwrite those of a later step. `{dataset}.tensor` is a tensor of a dataset:
        as an output it takes the place of one that the dataset has.
        keep: False, in a batch: the outputs are not stored, only later steps and gets of the batch see them.
        Raises as `infer`; BadInput: no such tensor; DatasetNotFound, TensorNotFound: there is no such dataset, or tensor in
        it, which an output could replace (then none is stored); InvalidArgument: two outputs have one name.
        """
        return self._engine.run("run_model", name, _stored("inputs", inputs), _targets(outputs), keep=keep).within(
            timeout
        )

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
            "run_model_multigpu", name, _stored("inputs", inputs), _targets(outputs), device=device, keep=keep
        )
        return request.within(timeout)

    # ---- scripts

    def set_script(self, name: str, script: str, device: str = "CPU", *, timeout: Seconds = None) -> Request[str]:
        """Store a new version of the script `name` and make it the current one. Returns the version.

        script: functions in the subset of Python that TorchScript compiles; nothing else of it is ever run. Whether it
        compiles is found by the worker that first runs it (BadModel). Raises InvalidArgument (device), StoreFull.
        """
        return self._engine.set_script(name, script_bytes(name, script), device).within(timeout)

    def set_script_multigpu(
        self, name: str, script: str, first_gpu: int, num_gpus: int, *, timeout: Seconds = None
    ) -> Request[str]:
        """As `set_script`, for several GPUs; see `set_model_multigpu`."""
        gpus = whole_number("first_gpu", first_gpu), whole_number("num_gpus", num_gpus)
        return self._engine.set_script_multigpu(name, script_bytes(name, script), *gpus).within(timeout)

    def set_script_from_file(
        self, name: str, script_file: str | Path, device: str = "CPU", *, timeout: Seconds = None
    ) -> Request[str]:
        """As `set_script`, with the text of a file (UTF-8). Raises FileNotFoundError, InvalidArgument (other bytes)."""
        return self.set_script(name, read_script_file(name, script_file), device, timeout=timeout)

    def set_script_from_file_multigpu(
        self, name: str, script_file: str | Path, first_gpu: int, num_gpus: int, *, timeout: Seconds = None
    ) -> Request[str]:
        """As `set_script_multigpu`, with the text of a file (UTF-8). Raises FileNotFoundError."""
        return self.set_script_multigpu(name, read_script_file(name, script_file), first_gpu, num_gpus, timeout=timeout)

    def set_function(
        self, name: str, function: Callable[..., Any], device: str = "CPU", *, timeout: Seconds = None
    ) -> Request[str]:
        """As `set_script`, with the source of a Python function. It sees nothing of the module it is defined in.

        Raises InvalidArgument: it is no plain function (a class, a method, a lambda, async), or its source cannot be found.
        """
        return self._engine.set_script(name, script_bytes(name, function), device).within(timeout)

    def set_function_multigpu(
        self, name: str, function: Callable[..., Any], first_gpu: int, num_gpus: int, *, timeout: Seconds = None
    ) -> Request[str]:
        """As `set_function`, for several GPUs; see `set_model_multigpu`."""
        gpus = whole_number("first_gpu", first_gpu), whole_number("num_gpus", num_gpus)
        return self._engine.set_script_multigpu(name, script_bytes(name, function), *gpus).within(timeout)

    def get_script(self, name: str, *, timeout: Seconds = None) -> Request[str]:
        """The source of the current version of the script `name`. Raises ScriptNotFound, BadModel (it is not UTF-8)."""
        return self._engine.get_script(name).then(partial(_source, name=name)).within(timeout)

    def get_script_metadata(self, name: str, *, timeout: Seconds = None) -> Request[dict[str, str]]:
        """What was stored with the current version (WIRE.md, "Script"). Raises ScriptNotFound."""
        return self._engine.get_script(name).then(_metadata).within(timeout)

    def get_script_version(self, name: str, *, timeout: Seconds = None) -> Request[str]:
        """The current version of the script `name`. Raises ScriptNotFound."""
        return self._engine.get_model_version(name, True).within(timeout)

    def get_script_blob(
        self, name: str, version: str, *, timeout: Seconds = None
    ) -> Request[tuple[bytes, dict[str, str]]]:
        """The source and the metadata (WIRE.md, "Script") of one version: for model workers. Raises ScriptNotFound."""
        return self._engine.get_model_blob(name, version, True).then(_blob_and_metadata).within(timeout)

    def delete_script(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """Delete all versions of the script `name`; no error if there is none."""
        return self._engine.delete_script(name).within(timeout)

    def delete_script_multigpu(
        self, name: str, first_gpu: int, num_gpus: int, *, timeout: Seconds = None
    ) -> Request[None]:
        """As `delete_script`: one version serves all devices. For programs that name their GPUs in every call."""
        gpus = whole_number("first_gpu", first_gpu), whole_number("num_gpus", num_gpus)
        return self._engine.delete_script(name, *gpus).within(timeout)

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
            "run_script",
            name,
            _stored("inputs", inputs),
            _targets(outputs),
            script=True,
            function=function,
            keep=keep,
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
            _stored("inputs", inputs),
            _targets(outputs),
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

    def wait_for_key(self, key: str, *, timeout: Seconds = None) -> Request[None]:
        """Until there is this key, as it stands in the store: the shard tells, nothing polls. Raises WaitTimeout."""
        return self._engine.wait_for_key(key).within(timeout)

    def wait_for_tensor(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """Until `tensor_exists` is true: the shard tells, nothing polls. Raises WaitTimeout."""
        return self._engine.wait_for_tensor(name).within(timeout)

    def wait_for_dataset(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """Until there is a dataset `name`, all of it: the shard tells, nothing polls. Raises WaitTimeout."""
        return self._engine.wait_for_dataset(name).within(timeout)

    def wait_for_model(self, name: str, *, timeout: Seconds = None) -> Request[None]:
        """Until there is a model `name`: the shard tells, nothing polls. Raises WaitTimeout."""
        return self._engine.wait_for_model(name).within(timeout)

    def wait_for_list_length(
        self, list_name: str, length: int, comparison: str = ">=", *, timeout: Seconds = None
    ) -> Request[int]:
        """Until the list is so long; returns its length. comparison: "==", ">=" or "<=". Raises WaitTimeout, WrongKind."""
        if not isinstance(comparison, str):
            raise WrongType("comparison", comparison, "write ==, >= or <=")
        return self._engine.wait_for_list_length(list_name, whole_number("length", length), comparison).within(timeout)

    def poll_key(self, key: str, poll_frequency_ms: int, num_tries: int, *, timeout: Seconds = None) -> Request[bool]:
        """Whether there is this key within poll_frequency_ms × num_tries milliseconds; the shard tells, nothing polls.

        timeout does not shorten that time: it is for the last answer alone, when the time is over.
        """
        return self._engine.poll_key(key, *_times(poll_frequency_ms, num_tries)).within(timeout)

    def poll_tensor(
        self, name: str, poll_frequency_ms: int, num_tries: int, *, timeout: Seconds = None
    ) -> Request[bool]:
        """Whether there is a tensor `name` within poll_frequency_ms × num_tries milliseconds; timeout as in `poll_key`."""
        return self._engine.poll_tensor(name, *_times(poll_frequency_ms, num_tries)).within(timeout)

    def poll_dataset(
        self, name: str, poll_frequency_ms: int, num_tries: int, *, timeout: Seconds = None
    ) -> Request[bool]:
        """Whether there is a dataset `name` within poll_frequency_ms × num_tries milliseconds; timeout as in `poll_key`."""
        return self._engine.poll_dataset(name, *_times(poll_frequency_ms, num_tries)).within(timeout)

    def poll_model(
        self, name: str, poll_frequency_ms: int, num_tries: int, *, timeout: Seconds = None
    ) -> Request[bool]:
        """Whether there is a model `name` within poll_frequency_ms × num_tries milliseconds; timeout as in `poll_key`."""
        return self._engine.poll_model(name, *_times(poll_frequency_ms, num_tries)).within(timeout)

    def poll_list_length(
        self, list_name: str, list_length: int, poll_frequency_ms: int, num_tries: int, *, timeout: Seconds = None
    ) -> Request[bool]:
        """Whether the list has exactly this length within poll_frequency_ms × num_tries milliseconds. Raises WrongKind.

        timeout as in `poll_key`.
        """
        times = _times(poll_frequency_ms, num_tries)
        return self._engine.poll_list_length(
            "poll_list_length", list_name, whole_number("list_length", list_length), "==", *times
        ).within(timeout)

    def poll_list_length_gte(
        self, list_name: str, list_length: int, poll_frequency_ms: int, num_tries: int, *, timeout: Seconds = None
    ) -> Request[bool]:
        """As `poll_list_length`: at least this length."""
        times = _times(poll_frequency_ms, num_tries)
        return self._engine.poll_list_length(
            "poll_list_length_gte", list_name, whole_number("list_length", list_length), ">=", *times
        ).within(timeout)

    def poll_list_length_lte(
        self, list_name: str, list_length: int, poll_frequency_ms: int, num_tries: int, *, timeout: Seconds = None
    ) -> Request[bool]:
        """As `poll_list_length`: at most this length."""
        times = _times(poll_frequency_ms, num_tries)
        return self._engine.poll_list_length(
            "poll_list_length_lte", list_name, whole_number("list_length", list_length), "<=", *times
        ).within(timeout)

    # ---- what a simulation is asked for

    def control_poll(self, entity: str = "", *, timeout: Seconds = None) -> Request[list[ControlRequest]]:
        """What was asked of this program since the last poll, in order; at a point where it can be done safely.

        Without a round trip when nothing was. entity: whom; "": the ensemble prefix of this client.
        A client gives each request once, whichever thread or task polls. A poll that raises has taken none: after a timeout,
        a cancelled await or Ctrl-C they come with the next one. It has given them when it returns (`await` included): who
        polls in a task of its own and drops its result has lost them.
        Raises InvalidArgument: "" without a prefix.
        """
        return self._engine.control_poll(entity).then(_control_requests).within(timeout)

    def control_send(
        self, entity: str, kind: str, name: str = "", value: str = "", *, timeout: Seconds = None
    ) -> Request[int]:
        """Ask an entity: kind "set" (with name and value), "checkpoint" or "stop". Returns how many requests there are.

        Raises InvalidArgument (no such kind, a name that is missing); Disconnected: it may have been asked.
        """
        return self._engine.control_send(entity, kind, name, value).within(timeout)

    def control_clear(self, entity: str = "", *, timeout: Seconds = None) -> Request[None]:
        """Forget all requests: before an entity starts anew, and at its end."""
        return self._engine.control_clear(entity).within(timeout)

    # ---- servers. address: of one of them; "" : all

    def ping(self, address: str = "", *, timeout: Seconds = None) -> Request[int]:
        """How many shards answered: all of them. Raises InvalidArgument: no shard has this address."""
        return self._engine.ping(address).within(timeout)

    def get_db_node_info(
        self, address: str = "", *, timeout: Seconds = None
    ) -> Request[dict[str, dict[str, dict[str, str]]]]:
        """What each shard tells of itself (INFO): address → section → field → value.

        Raises InvalidArgument: no shard has this address.
        """
        return self._engine.node_info(address).then(_info).within(timeout)

    def get_db_cluster_info(self, address: str = "", *, timeout: Seconds = None) -> Request[dict[str, dict[str, str]]]:
        """The state of the cluster as each shard sees it: address → field → value. Raises NotSupported: it is none."""
        return self._engine.cluster_info(address).then(_cluster_info).within(timeout)

    def flush_db(self, prefix: str = "", *, timeout: Seconds = None) -> Request[int]:
        """Delete all data of the store but models and what is ssasync's own; with a prefix only what has it.

        Returns how many keys were deleted. Raises NotPermitted: the store was not started by this experiment.
        """
        return self._engine.flush(prefix).within(timeout)

    def config_get(self, pattern: str, address: str = "", *, timeout: Seconds = None) -> Request[dict[str, str]]:
        """Settings of a shard whose names fit the pattern (`max*`), name → value.

        address: needed where there are several shards.
        Raises NotPermitted: this needs the user `admin`; KeyNotFound: none fits.
        """
        return self._engine.config_get(pattern, address).then(_settings).within(timeout)

    def config_set(self, parameter: str, value: str, address: str = "", *, timeout: Seconds = None) -> Request[None]:
        """Change a setting of a shard. Raises NotPermitted: this needs the user `admin`; ServerError: it is refused."""
        return self._engine.config_set(parameter, value, address).within(timeout)

    def save(self, address: str = "", *, timeout: Seconds = None) -> Request[int]:
        """Have the shards write a snapshot to disk; done when they have. Returns how many. Raises NotPermitted."""
        return self._engine.save(address).within(timeout)
