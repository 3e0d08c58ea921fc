"""The asyncio client: `await client.put_tensor(...)`. Works on asyncio and uvloop; any number of tasks may share one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, cast

import numpy as np

from ssasync.cyclient import _core
from ssasync.cyclient.async_connection import AsyncConnection
from ssasync.cyclient.batch import (
    BatchPlan,
    RunStep,
    ShardStep,
    finish_batch,
    finish_runs,
    finish_steps,
    output_puts,
    queue_steps,
    take_results,
)
from ssasync.cyclient.errors import (
    Disconnected,
    ForkedClient,
    ModelNotFound,
    NotFound,
    OperationTimeout,
    ScriptNotFound,
    ServerError,
    StoreError,
    WrongLoop,
)
from ssasync.cyclient.key_names import KeyNames, ModelKeys, checked_name
from ssasync.cyclient.model_value import ModelValue, metadata_from_reply, read_model_file
from ssasync.cyclient.options import options_from
from ssasync.cyclient.retry import RetryDelay, was_not_executed
from ssasync.cyclient.shard_link import ShardLink
from ssasync.cyclient.unpack import check_target, finish_unpack, queue_unpack
from ssasync.cyclient.worker_pool import WorkerPool

Array = np.ndarray[Any, Any]


class Client:
    """A client of one store.

    address   comma list of `host:port` or `unix:///path`; None: address, credentials and prefixes from the environment
              (SSDB, SSDB_USER, SSDB_PASSWORD, SSKEYOUT, SSKEYIN), as set for workloads by an Experiment
    user, password, timeout: override those of the environment; timeout: seconds an operation may take (default 60)
    identifier: a further named store, whose variables end in `_<identifier>`

    Connects at the first operation; `async with` or `close()` ends it. Belongs to the event loop and the process of its
    first operation: use elsewhere raises WrongLoop or ForkedClient.

    Every operation takes `timeout=` in seconds and raises OperationTimeout when it is over (the command may still be
    carried out, in its order), Disconnected when the connection is lost and the operation cannot simply be repeated, and
    ConnectionFailed when there is none.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        user: str | None = None,
        password: str | None = None,
        timeout: float | None = None,
        identifier: str = "",
    ) -> None:
        self._options = options_from(address, user=user, password=password, timeout=timeout, identifier=identifier)
        self._names = KeyNames(self._options.write_prefix, self._options.read_prefixes)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0
        self._link_: ShardLink | None = None
        self._workers_: WorkerPool | None = None

    @classmethod
    async def connect(cls, address: str | None = None, **options: Any) -> Self:
        """A client that has already reached its store. Raises ConnectionFailed."""
        return await cls(address, **options).__aenter__()

    async def __aenter__(self) -> Self:
        try:
            await self._link.connection(self._deadline(None))
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; operations under way end with Disconnected. Safe to repeat."""
        if self._pid != os.getpid():
            return
        if self._workers_ is not None:
            self._workers_.close()
        if self._link_ is not None:
            self._link_.close()

    def __repr__(self) -> str:
        return f"Client({', '.join(str(a) for a in self._options.addresses)}, user={self._options.user!r})"

    # ---- tensors

    async def put_tensor(self, name: str, data: Array, *, timeout: float | None = None) -> None:
        """Store `data` under `name`; done when the shard has acknowledged it.

        data: any shape, any dtype of WIRE.md. Row- and column-major arrays are sent from where they lie and must not
        change before this returns or raises; other strides are copied once.
        Raises UnsupportedDtype, StoreFull.
        """
        key = self._names.written("tensor", name)
        await self._perform("put_tensor", lambda core: core.set_tensor(name, key, data), timeout)

    async def get_tensor(self, name: str, *, timeout: float | None = None) -> Array:
        """The tensor `name`, in fresh memory and in the order (row- or column-major) in which it was put.

        Raises TensorNotFound, NotATensor.
        """
        key = self._names.read("tensor", name)
        tensor: Array = await self._perform("get_tensor", lambda core: core.get_tensor(name, key), timeout)
        return tensor

    async def unpack_tensor(self, name: str, out: Array, *, timeout: float | None = None) -> Array:
        """Read the tensor `name` straight into `out` and return it.

        out: writable, of the stored dtype and shape. Its contents are undefined if this raises, but it is not written to
        afterwards. Raises TensorMismatch, TensorNotFound, NotATensor.
        """
        check_target(out)
        key = self._names.read("tensor", name)
        value = await self._perform("unpack_tensor", lambda core: queue_unpack(core, name, key, out), timeout)
        return finish_unpack(value, name, str(self._options.addresses[0]), out)

    async def delete_tensor(self, name: str, *, timeout: float | None = None) -> None:
        """Delete the tensor `name`; no error if there is none. Its memory is freed in the background."""
        key = self._names.read("tensor", name)
        await self._perform("delete_tensor", lambda core: core.command(name, "UNLINK", key), timeout)

    async def tensor_exists(self, name: str, *, timeout: float | None = None) -> bool:
        """Whether there is a tensor `name`."""
        key = self._names.read("tensor", name)
        return bool(await self._perform("tensor_exists", lambda core: core.command(name, "EXISTS", key), timeout))

    async def wait_for_tensor(self, name: str, *, timeout: float | None = None) -> None:
        """Return as soon as there is a tensor `name`: the shard tells, nothing polls. Raises WaitTimeout."""
        key = self._names.read("tensor", name)
        await self._link.wait_for_key(key, name, self._options.timeout if timeout is None else timeout)

    # ---- models

    async def set_model(
        self,
        name: str,
        model: bytes,
        backend: str,
        device: str = "CPU",
        *,
        batch_size: int = 0,
        min_batch_size: int = 0,
        min_batch_timeout: int = 0,
        timeout: float | None = None,
    ) -> str:
        """Store a new version of the model `name` and make it the current one. Returns the version.

        model: its bytes; backend: "TORCH" (a TorchScript archive); device: "CPU", "GPU" or "GPU:<n>"
        batch_size: most rows (first dimension) that a worker joins into one call; 0 or 1: none are joined
        min_batch_size, min_batch_timeout: rows worth waiting for, and for how many milliseconds at most
        Requests that are under way end on the version they began with. Raises BadModel, InvalidArgument.
        """
        checked_name("model", name)
        value = ModelValue.checked(name, model, backend, device, batch_size, min_batch_size, min_batch_timeout)
        keys = ModelKeys(name)
        deadline = self._deadline(timeout)
        count = await self._perform(
            "set_model", lambda core: core.command(name, "INCR", keys.counter), timeout, retry=False
        )
        connection = await self._link.connection(deadline)
        command = value.storing_command(connection.core, name, keys, int(count))
        await connection.perform(command, "set_model", deadline)
        return str(count)

    async def set_model_from_file(
        self, name: str, model_file: str | Path, backend: str, device: str = "CPU", **options: Any
    ) -> str:
        """As `set_model`, with the bytes of a file. Raises FileNotFoundError."""
        return await self.set_model(name, read_model_file(name, model_file), backend, device, **options)

    async def model_exists(self, name: str, *, timeout: float | None = None) -> bool:
        """Whether there is a model `name`."""
        key = ModelKeys(checked_name("model", name)).current
        return bool(await self._perform("model_exists", lambda core: core.command(name, "EXISTS", key), timeout))

    async def get_model_version(self, name: str, *, timeout: float | None = None) -> str:
        """The current version of the model `name`. Raises ModelNotFound."""
        return await self._current_version("model", name, timeout)

    async def get_model_blob(
        self, name: str, version: str, *, timeout: float | None = None
    ) -> tuple[bytes, dict[str, str]]:
        """The bytes and the metadata (WIRE.md, "Model") of one version. Raises ModelNotFound."""
        return await self._blob("model", name, version, timeout)

    async def get_script_version(self, name: str, *, timeout: float | None = None) -> str:
        """The current version of the script `name`. Raises ScriptNotFound."""
        return await self._current_version("script", name, timeout)

    async def get_script_blob(
        self, name: str, version: str, *, timeout: float | None = None
    ) -> tuple[bytes, dict[str, str]]:
        """The source and the metadata (WIRE.md, "Script") of one version. Raises ScriptNotFound."""
        return await self._blob("script", name, version, timeout)

    async def _current_version(self, kind: str, name: str, timeout: float | None) -> str:
        key = ModelKeys(checked_name(kind, name), kind).current
        version = await self._perform(f"get_{kind}_version", lambda core: core.command(name, "GET", key), timeout)
        if version is None:
            raise self._not_found(kind, name)
        return str(version, "ascii")

    async def _blob(self, kind: str, name: str, version: str, timeout: float | None) -> tuple[bytes, dict[str, str]]:
        keys = ModelKeys(checked_name(kind, name), kind)
        blob = await self._perform(f"get_{kind}", lambda core: core.command(name, "GET", keys.blob(version)), timeout)
        fields = await self._perform(
            f"get_{kind}", lambda core: core.command(name, "HGETALL", keys.metadata(version)), timeout
        )
        if blob is None or not fields:
            raise self._not_found(kind, name)
        return blob, metadata_from_reply(fields)

    def _not_found(self, kind: str, name: str) -> NotFound:
        error = ScriptNotFound if kind == "script" else ModelNotFound
        return error(name, str(self._options.addresses[0]))

    async def infer(self, model: str, *inputs: Array, timeout: float | None = None) -> Array | tuple[Array, ...]:
        """Run the model on `inputs` and return its output, or a tuple of several. Nothing is left in the store.

        A worker that is lost before it answered is replaced by another within the deadline.
        Raises ModelNotFound, BadModel, BadInput, ModelFailed, NoWorker.
        """
        _, outputs = await self._run(model, [np.asarray(x) for x in inputs], timeout)
        return outputs[0] if len(outputs) == 1 else outputs

    async def run_model(
        self, name: str, inputs: str | Sequence[str], outputs: str | Sequence[str], *, timeout: float | None = None
    ) -> None:
        """Run the model on tensors of the store and store its outputs; done when the shard has acknowledged them.

        inputs, outputs: one name or several. The worker fetches the inputs; this client stores the outputs, so that a
        worker that wakes up late can never overwrite those of a later step. Raises as `infer`; BadInput: no such tensor.
        """
        batch = self.batch()
        batch.run_model(name, inputs, outputs)
        await batch.execute(timeout=timeout)

    async def _run(
        self, model: str, inputs: Sequence[Array | bytes], timeout: float | None
    ) -> tuple[str, tuple[Array, ...]]:
        checked_name("model", model)
        return await self._workers.run(model, "", inputs, self._options.timeout if timeout is None else timeout)

    # ---- several at once

    def batch(self) -> Batch:
        """An empty batch: call its methods, then `await batch.execute()`."""
        return Batch(self)

    # ---- prefixes

    def set_data_source(self, source: str) -> None:
        """Read from this producer from now on: one named in SSKEYIN, or the client's own prefix."""
        self._names.set_data_source(source)

    # ---- for workers and administration, by key

    async def get_tensor_by_key(self, key: bytes, *, timeout: float | None = None) -> Array:
        """The tensor under a full key, whatever the prefixes are."""
        tensor: Array = await self._perform("get_tensor", lambda core: core.get_tensor(repr(key), key), timeout)
        return tensor

    def watch_key(self, key: bytes, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` now and whenever the key may have changed. Returns the function that ends the watch."""
        return self._link.watch(key, changed)

    # ---- inside

    @property
    def _link(self) -> ShardLink:
        self._check_owner()
        return cast(ShardLink, self._link_)

    @property
    def _workers(self) -> WorkerPool:
        self._check_owner()
        return cast(WorkerPool, self._workers_)

    def _check_owner(self) -> None:
        """Bind to the loop and process of the first operation; refuse others."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop, self._pid = loop, os.getpid()
            self._link_ = ShardLink(loop, self._options)
            self._workers_ = WorkerPool(loop, self._options, self._link_)
        elif self._pid != os.getpid():
            raise ForkedClient(self._pid)
        elif self._loop is not loop:
            raise WrongLoop

    def _deadline(self, timeout: float | None) -> float:
        return asyncio.get_running_loop().time() + (self._options.timeout if timeout is None else timeout)

    async def _perform(
        self,
        operation: str,
        queue: Callable[[_core.Connection], _core.Command],
        timeout: float | None,
        *,
        retry: bool = True,
    ) -> Any:
        """One command to the shard. `retry`: repeat it when the connection is known dead; for what may run twice."""
        deadline = self._deadline(timeout)
        delay = RetryDelay(first=0.0, longest=0.2)
        while True:
            connection = await self._link.connection(deadline)
            try:
                return await connection.perform(queue(connection.core), operation, deadline)
            except Disconnected:
                if not retry:
                    raise
            except ServerError as error:
                if not was_not_executed(error):
                    raise
            # It is starting, or closes what it just accepted. There is nothing to wait for but time.
            await asyncio.sleep(min(delay.next(), max(0.0, deadline - asyncio.get_running_loop().time())))


class Batch(BatchPlan):
    """Operations carried out together by `await execute()`; each method returns a handle whose value is there then."""

    def __init__(self, client: Client) -> None:
        super().__init__(client._names)
        self._client = client

    async def execute(self, *, timeout: float | None = None) -> None:
        """Carry out all operations; done when everything is acknowledged, outputs of runs included.

        After a failure no later stage begins, and the runs of the failed one store no outputs. Raises the error of the
        operation that failed, or an ExceptionGroup of several; each handle keeps its own.
        """
        deadline = self._client._deadline(timeout)
        for shard_steps, run_steps in self.stages():
            await self._execute_stage(shard_steps, run_steps, deadline)
            if self.failures():
                break
            outputs = [put for step in run_steps for put in output_puts(step)]
            if outputs:
                await self._execute_stage(outputs, [], deadline)
            finish_runs(run_steps)
        finish_batch(self)

    async def _execute_stage(
        self, shard_steps: Sequence[ShardStep], run_steps: Sequence[RunStep], deadline: float
    ) -> None:
        flight = _core.Flight()
        late: OperationTimeout | None = None
        connection: AsyncConnection | None = None
        if shard_steps:
            connection = await self._client._link.connection(deadline)
        try:
            if connection is not None:
                queue_steps(flight, connection.core, shard_steps)
                connection.schedule_send()
            if len(run_steps) == 1:
                await self._run(run_steps[0], deadline)
            elif run_steps:
                async with asyncio.TaskGroup() as group:
                    for step in run_steps:
                        group.create_task(self._run(step, deadline))
            if connection is not None:
                await connection.perform_all(flight, "execute", "batch", deadline)
        except OperationTimeout as error:
            late = error
        finally:
            if connection is not None:  # cancelled while a run was awaited: take the callers' memory back
                for command in flight.commands:
                    connection.core.abandon(command)
        finish_steps(flight, shard_steps, late)

    async def _run(self, step: RunStep, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, outputs = await self._client._run(step.model, step.resolved_inputs(), max(0.0, deadline - loop.time()))
            take_results(step, outputs)
        except (StoreError, ValueError, TypeError) as error:
            step.handle.set_error(error)
