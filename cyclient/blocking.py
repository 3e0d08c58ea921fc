"""The blocking client, for simulation ranks written in Python: no event loop, no thread, the GIL released while it waits."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from ssasync.cyclient import _core
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
from ssasync.cyclient.blocking_connection import BlockingConnection
from ssasync.cyclient.errors import (
    ConnectionFailed,
    Disconnected,
    ForkedClient,
    NoWorker,
    OperationTimeout,
    ServerError,
    StoreError,
    WaitTimeout,
)
from ssasync.cyclient.handshake import shard_handshake, worker_handshake
from ssasync.cyclient.invalidation import invalidated_keys
from ssasync.cyclient.key_names import WORKER_LIST_KEY, KeyNames, ModelKeys, checked_name
from ssasync.cyclient.model_value import ModelValue, read_model_file
from ssasync.cyclient.options import options_from
from ssasync.cyclient.request_limits import check_request
from ssasync.cyclient.retry import (
    RECHECK_SECONDS,
    WORKER_SILENCE_SECONDS,
    RetryDelay,
    is_busy,
    is_refused,
    is_unwanted,
    was_not_executed,
)
from ssasync.cyclient.unpack import check_target, finish_unpack, queue_unpack
from ssasync.cyclient.worker_list import WorkerEntry, WorkerList

Array = np.ndarray[Any, Any]


class Client:
    """A client of one store, with the operations and errors of the asyncio client, each of which blocks.

    Arguments as for `ssasync.Client`. Connects at the first operation. Threads may share it: one operates at a time.
    Belongs to the process of its first operation: use after a fork raises ForkedClient. Ctrl-C interrupts any operation.
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
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._closed = False
        self._shard: BlockingConnection | None = None
        self._worker: BlockingConnection | None = None
        self._worker_id = ""  # of the worker last connected to
        self._avoided_ids: set[str] = set()  # workers that were lost or busy and have not answered since come last
        self._ids = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. Safe to repeat."""
        self._closed = True
        if self._pid != os.getpid():
            return
        for connection in (self._shard, self._worker):
            if connection is not None:
                connection.close()

    def __repr__(self) -> str:
        return f"Client({', '.join(str(a) for a in self._options.addresses)}, user={self._options.user!r})"

    # ---- tensors

    def put_tensor(self, name: str, data: Array, *, timeout: float | None = None) -> None:
        """Store `data` under `name`; done when the shard has acknowledged it. Raises UnsupportedDtype, StoreFull.

        data: any shape, any dtype of WIRE.md. Row- and column-major arrays are sent from where they lie, other strides are
        copied once.
        """
        key = self._names.written("tensor", name)
        self._perform("put_tensor", lambda core: core.set_tensor(name, key, data), timeout)

    def get_tensor(self, name: str, *, timeout: float | None = None) -> Array:
        """The tensor `name`, in fresh memory and in the order in which it was put. Raises TensorNotFound, NotATensor."""
        key = self._names.read("tensor", name)
        tensor: Array = self._perform("get_tensor", lambda core: core.get_tensor(name, key), timeout)
        return tensor

    def unpack_tensor(self, name: str, out: Array, *, timeout: float | None = None) -> Array:
        """Read the tensor `name` straight into `out` and return it. Raises TensorMismatch, TensorNotFound, NotATensor."""
        check_target(out)
        key = self._names.read("tensor", name)
        value = self._perform("unpack_tensor", lambda core: queue_unpack(core, name, key, out), timeout)
        return finish_unpack(value, name, str(self._options.addresses[0]), out)

    def delete_tensor(self, name: str, *, timeout: float | None = None) -> None:
        """Delete the tensor `name`; no error if there is none."""
        key = self._names.read("tensor", name)
        self._perform("delete_tensor", lambda core: core.command(name, "UNLINK", key), timeout)

    def tensor_exists(self, name: str, *, timeout: float | None = None) -> bool:
        """Whether there is a tensor `name`."""
        key = self._names.read("tensor", name)
        return bool(self._perform("tensor_exists", lambda core: core.command(name, "EXISTS", key), timeout))

    def wait_for_tensor(self, name: str, *, timeout: float | None = None) -> None:
        """Return as soon as there is a tensor `name`: the shard tells, nothing polls. Raises WaitTimeout."""
        key = self._names.read("tensor", name)
        seconds = self._options.timeout if timeout is None else timeout
        deadline = time.monotonic() + seconds

        def queue(core: _core.Connection) -> _core.Command:
            core.command(name, "CLIENT", "CACHING", "YES")  # counts for the next command alone
            return core.command(name, "EXISTS", key)

        with self._lock:
            # The last look comes when the deadline is over: it has a second of its own.
            while not self._perform("wait for", queue, max(1.0, deadline - time.monotonic())):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise WaitTimeout(name, str(self._options.addresses[0]), seconds)
                self._wait_for_push(key, min(left, RECHECK_SECONDS))

    def _wait_for_push(self, key: bytes, seconds: float) -> None:
        """Wait until the shard says that the key changed; a while at most."""
        end = time.monotonic() + seconds
        shard = self._shard
        while shard is not None and shard.open_ and (left := end - time.monotonic()) > 0:
            if any(key in invalidated_keys(push, {key}) for push in shard.core.pushes()):
                return
            try:
                shard.core.wait_for_bytes(left)
            except Disconnected:
                shard.close()

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
        timeout: float | None = None,
    ) -> str:
        """Store a new version of the model `name` and make it the current one; as `ssasync.Client.set_model`."""
        checked_name("model", name)
        value = ModelValue.checked(name, model, backend, device, batch_size, min_batch_size, min_batch_timeout)
        keys = ModelKeys(name)
        with self._lock:
            deadline = self._deadline(timeout)
            count = self._perform(
                "set_model", lambda core: core.command(name, "INCR", keys.counter), timeout, retry=False
            )
            shard = self._shard_connection(deadline)
            shard.perform(value.storing_command(shard.core, name, keys, int(count)), "set_model", deadline)
        return str(count)

    def set_model_from_file(
        self, name: str, model_file: str | Path, backend: str, device: str = "CPU", **options: Any
    ) -> str:
        """As `set_model`, with the bytes of a file. Raises FileNotFoundError."""
        return self.set_model(name, read_model_file(name, model_file), backend, device, **options)

    def model_exists(self, name: str, *, timeout: float | None = None) -> bool:
        """Whether there is a model `name`."""
        key = ModelKeys(checked_name("model", name)).current
        return bool(self._perform("model_exists", lambda core: core.command(name, "EXISTS", key), timeout))

    def infer(self, model: str, *inputs: Array, timeout: float | None = None) -> Array | tuple[Array, ...]:
        """Run the model on `inputs` and return its output, or a tuple of several; as `ssasync.Client.infer`."""
        outputs = self._run(model, [np.asarray(x) for x in inputs], timeout)
        return outputs[0] if len(outputs) == 1 else outputs

    def run_model(
        self, name: str, inputs: str | Sequence[str], outputs: str | Sequence[str], *, timeout: float | None = None
    ) -> None:
        """Run the model on tensors of the store and store its outputs; as `ssasync.Client.run_model`."""
        batch = self.batch()
        batch.run_model(name, inputs, outputs)
        batch.execute(timeout=timeout)

    def _run(self, model: str, inputs: Sequence[Array | bytes], timeout: float | None) -> tuple[Array, ...]:
        """Send the request to a worker; to another when that is lost, until the deadline."""
        checked_name("model", model)
        seconds = self._options.timeout if timeout is None else timeout
        deadline = time.monotonic() + seconds
        story: list[str] = []
        delay = RetryDelay(longest=0.5)
        attempt = failures = 0
        check_request(model, inputs)
        with self._lock:
            while (left := deadline - time.monotonic()) > 0:
                worker = None
                try:
                    worker = self._worker_connection(deadline)
                    if worker is not None:
                        attempt += 1
                        command = worker.core.run(
                            next(self._ids), attempt, max(1, int(1000 * left)), model.encode(), b"", list(inputs)
                        )
                        _, outputs = worker.perform(command, "run", deadline)
                        self._avoided_ids.discard(self._worker_id)
                        return tuple(outputs)
                except (Disconnected, ConnectionFailed) as error:
                    if self._closed or is_refused(error):
                        raise
                    story.append(str(error))
                    self._leave_worker()
                except ServerError as error:
                    if not is_busy(error):
                        raise
                    story.append(str(error))
                    self._leave_worker()
                except OperationTimeout as error:
                    if not story:
                        raise
                    story.append(str(error))  # its end is only the last line of what happened
                    break
                failures += 1
                if worker is None or failures > 1:  # the first loss is answered at once: another worker may be there
                    self._wait_for_push(WORKER_LIST_KEY, min(delay.next(), max(0.0, deadline - time.monotonic())))
        raise NoWorker(model, seconds, "; ".join(story[-3:]) or "the store lists no worker")

    def _worker_connection(self, deadline: float) -> BlockingConnection | None:
        """A connection to one of the workers, chosen at random so that many ranks spread over them; None: there is none."""
        if self._worker is not None and self._worker.open_:
            return self._worker

        def queue(core: _core.Connection) -> _core.Command:
            core.command("list of workers", "CLIENT", "CACHING", "YES")  # a change of the list ends the wait for it
            return core.command("list of workers", "GET", WORKER_LIST_KEY)

        reply = self._perform("get", queue, max(0.0, deadline - time.monotonic()))
        entries = [entry for entry in WorkerList.decode(reply).workers if entry.reachable_addresses()]
        random.shuffle(entries)
        self._avoided_ids &= {entry.worker_id for entry in entries}
        entries.sort(key=lambda entry: entry.worker_id in self._avoided_ids)
        failure: ConnectionFailed | None = None
        for entry in entries:
            self._worker_id = entry.worker_id
            try:
                self._worker = self._connect_worker(entry, deadline)
            except ConnectionFailed as error:
                failure = error
            else:
                return self._worker
        if failure is not None:
            raise failure
        return None

    def _connect_worker(self, entry: WorkerEntry, deadline: float) -> BlockingConnection:
        return BlockingConnection(
            entry.reachable_addresses()[0],
            lambda core: worker_handshake(core, self._options, entry),
            min(deadline, time.monotonic() + WORKER_SILENCE_SECONDS),
            silence=WORKER_SILENCE_SECONDS,
        )

    def _leave_worker(self) -> None:
        """Ask another one next time, if there is one."""
        self._avoided_ids.add(self._worker_id)
        if self._worker is not None:
            self._worker.close()
        self._worker = None

    # ---- several at once

    def batch(self) -> Batch:
        """An empty batch: call its methods, then `batch.execute()`."""
        return Batch(self)

    # ---- prefixes

    def set_data_source(self, source: str) -> None:
        """Read from this producer from now on: one named in SSKEYIN, or the client's own prefix."""
        self._names.set_data_source(source)

    # ---- inside

    def _deadline(self, timeout: float | None) -> float:
        return time.monotonic() + (self._options.timeout if timeout is None else timeout)

    def _shard_connection(self, deadline: float) -> BlockingConnection:
        """The connection to the shard; a new one only when the old one is known dead. Raises ConnectionFailed."""
        if self._pid != os.getpid():
            raise ForkedClient(self._pid)
        if self._closed:
            raise Disconnected(str(self._options.addresses[0]), "the client is closed")
        if self._shard is not None and self._shard.open_:
            return self._shard
        delay = RetryDelay()
        for address in itertools.cycle(self._options.addresses):
            try:
                self._shard = BlockingConnection(address, lambda core: shard_handshake(core, self._options), deadline)
            except (ConnectionFailed, OperationTimeout) as error:
                pause = delay.next()
                if is_unwanted(error) or time.monotonic() + pause >= deadline:
                    raise
                time.sleep(pause)  # there is nothing to wait for but time: nobody announces a store that comes back
            else:
                return self._shard
        raise AssertionError("unreachable")

    def _perform(
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
        with self._lock:
            while True:
                shard = self._shard_connection(deadline)
                try:
                    return shard.perform(queue(shard.core), operation, deadline)
                except Disconnected:
                    if not retry:
                        raise
                except ServerError as error:
                    if not was_not_executed(error):
                        raise
                # It is starting, or closes what it just accepted. There is nothing to wait for but time.
                time.sleep(min(delay.next(), max(0.0, deadline - time.monotonic())))


class Batch(BatchPlan):
    """Operations carried out together by `execute()`; each method returns a handle whose value is there then."""

    def __init__(self, client: Client) -> None:
        super().__init__(client._names)
        self._client = client

    def execute(self, *, timeout: float | None = None) -> None:
        """Carry out all operations; done when everything is acknowledged, outputs of runs included.

        After a failure no later stage begins, and the runs of the failed one store no outputs. Raises the error of the
        operation that failed, or an ExceptionGroup of several; each handle keeps its own.
        """
        deadline = self._client._deadline(timeout)
        with self._client._lock:
            for shard_steps, run_steps in self.stages():
                self._execute_stage(shard_steps, run_steps, deadline)
                if self.failures():
                    break
                outputs = [put for step in run_steps for put in output_puts(step)]
                if outputs:
                    self._execute_stage(outputs, [], deadline)
                finish_runs(run_steps)
        finish_batch(self)

    def _execute_stage(self, shard_steps: Sequence[ShardStep], run_steps: Sequence[RunStep], deadline: float) -> None:
        flight = _core.Flight()
        late: OperationTimeout | None = None
        shard: BlockingConnection | None = None
        if shard_steps:
            shard = self._client._shard_connection(deadline)
        try:
            if shard is not None:
                queue_steps(flight, shard.core, shard_steps)
                if run_steps:
                    with contextlib.suppress(Disconnected):  # the commands have that error too
                        shard.core.send()  # on its way while the worker computes
            for step in run_steps:
                self._run(step, deadline)
            if shard is not None:
                shard.perform_all(flight.commands, "execute", "batch", deadline)
        except OperationTimeout as error:
            late = error
        finally:
            if shard is not None:  # interrupted: take the caller's memory back
                for command in flight.commands:
                    shard.core.abandon(command)
        finish_steps(flight, shard_steps, late)

    def _run(self, step: RunStep, deadline: float) -> None:
        try:
            take_results(
                step, self._client._run(step.model, step.resolved_inputs(), max(0.0, deadline - time.monotonic()))
            )
        except (StoreError, ValueError, TypeError) as error:
            step.handle.set_error(error)
