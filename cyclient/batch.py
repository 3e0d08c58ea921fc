"""A batch: operations gathered, then carried out in as few round trips as their order allows. Pure: no socket here.

Everything for the shard leaves in one write, in the caller's order; requests to workers leave in the same turn. Only what
needs the outputs of a run of the same batch waits for it: such operations have a later stage. A run whose input is put by
the same batch carries those bytes itself, so that it never sees what somebody else writes in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ssasync.cyclient import _core
from ssasync.cyclient.errors import BadInput, InvalidArgument, OperationTimeout, StoreError
from ssasync.cyclient.key_names import KeyNames, checked_name
from ssasync.cyclient.unpack import check_target, finish_unpack, queue_unpack

Array = np.ndarray[Any, Any]
_NOT_YET = object()


class Handle:
    """What an operation of a batch will give: `value` is there after `execute()`."""

    def __init__(self, operation: str, subject: str) -> None:
        self.operation = operation
        self.subject = subject
        self._value: Any = _NOT_YET
        self._error: BaseException | None = None

    @property
    def value(self) -> Any:
        """The result of the operation. Raises its error; InvalidArgument before `execute()`."""
        if self._error is not None:
            raise self._error
        if self._value is _NOT_YET:
            raise InvalidArgument(
                f"value of {self.operation} {self.subject!r}",
                "taken: it was not carried out",
                "call execute() first; after a failure it carries out no later stage",
            )
        return self._value

    @property
    def error(self) -> BaseException | None:
        """Why the operation failed; None if it did not."""
        return self._error

    def set_value(self, value: Any) -> None:
        """Give it its value; for the face that executes the batch."""
        self._value = value

    def set_error(self, error: BaseException) -> None:
        """Give it its error; for the face that executes the batch."""
        self._error = error


@dataclass(slots=True)
class ShardStep:
    """One command to the shard: `queue` encodes it on a connection; `convert` makes the caller's value of its reply."""

    stage: int
    handle: Handle
    queue: Callable[[_core.Connection], _core.Command]
    convert: Callable[[Any], Any]


@dataclass(slots=True)
class RunStep:
    """One request to a worker. Inputs: an array, a key in the store, or (run, index) of an earlier run's output."""

    stage: int
    handle: Handle
    model: str
    function: str
    inputs: list[Array | bytes | tuple[RunStep, int]]
    outputs: list[bytes]  # keys under which the caller stores them; empty: the value is the outputs
    output_names: list[str]
    results: tuple[Array, ...] = field(default=())

    def resolved_inputs(self) -> list[Array | bytes]:
        """The inputs, once all earlier runs have their results."""
        return [i[0].results[i[1]] if isinstance(i, tuple) else i for i in self.inputs]


@dataclass(slots=True)
class OutputStep:
    """A get of what an earlier run of the batch gives: no round trip."""

    handle: Handle
    run: RunStep
    index: int
    convert: Callable[[Any], Any]


class BatchPlan:
    """The operations of one batch in stages. Methods have the names of the client's and return handles."""

    def __init__(self, names: KeyNames) -> None:
        self._names = names
        self._steps: list[ShardStep | RunStep | OutputStep] = []
        self._carried: dict[bytes, Array] = {}  # what the batch puts under a key, up to here
        self._produced: dict[bytes, tuple[RunStep, int]] = {}  # what a run leaves under a key, up to here
        # The first stage in which a command on the key keeps the order of the batch: after the runs that write or fetch it.
        self._earliest: dict[bytes, int] = {}
        self._deleted: dict[bytes, int] = {}  # the first stage in which a worker finds that the key is gone

    # ---- the operations

    def put_tensor(self, name: str, data: Array) -> Handle:
        """As the client's. `data` must not change before `execute()` is over."""
        key = self._names.written("tensor", name)
        array = np.asarray(data)
        handle = self._shard("put_tensor", name, key, lambda core: core.set_tensor(name, key, array), _nothing)
        self._carried[key] = array
        self._produced.pop(key, None)
        return handle

    def get_tensor(self, name: str) -> Handle:
        """As the client's. An output of a run of this batch comes from its reply, without a round trip."""
        key = self._names.read("tensor", name)
        if key in self._produced:
            return self._output("get_tensor", name, key, _same)
        return self._shard("get_tensor", name, key, lambda core: core.get_tensor(name, key), _same)

    def unpack_tensor(self, name: str, out: Array) -> Handle:
        """As the client's. `out` is undefined until `execute()` is over."""
        check_target(out)
        key = self._names.read("tensor", name)
        convert = partial(finish_unpack, name=name, address="the store", out=out)
        if key in self._produced:
            return self._output("unpack_tensor", name, key, convert)
        return self._shard("unpack_tensor", name, key, partial(queue_unpack, name=name, key=key, out=out), convert)

    def delete_tensor(self, name: str) -> Handle:
        """As the client's."""
        key = self._names.read("tensor", name)
        self._carried.pop(key, None)
        self._produced.pop(key, None)
        self._deleted[key] = self._earliest.get(key, 0) + 1
        return self._shard("delete_tensor", name, key, lambda core: core.command(name, "UNLINK", key), _nothing)

    def tensor_exists(self, name: str) -> Handle:
        """As the client's."""
        key = self._names.read("tensor", name)
        return self._shard("tensor_exists", name, key, lambda core: core.command(name, "EXISTS", key), bool)

    def infer(self, model: str, *inputs: Array) -> Handle:
        """As the client's."""
        checked_name("model", model)
        run = RunStep(0, Handle("infer", model), model, "", [np.asarray(x) for x in inputs], [], [])
        self._steps.append(run)
        return run.handle

    def run_model(
        self, name: str, inputs: str | Sequence[str], outputs: str | Sequence[str], *, keep: bool = True
    ) -> Handle:
        """As the client's. `keep=False`: the outputs are not stored, only later steps and gets of this batch see them."""
        checked_name("model", name)
        output_names = [outputs] if isinstance(outputs, str) else list(outputs)
        sources: list[Array | bytes | tuple[RunStep, int]] = []
        fetched: list[bytes] = []
        keys = [self._names.written("tensor", output) for output in output_names]
        stage = max((self._earliest.get(key, 0) for key in keys), default=0)
        for input_name in [inputs] if isinstance(inputs, str) else inputs:
            key = self._names.read("tensor", input_name)
            if key in self._produced:
                sources.append(self._produced[key])
                stage = max(stage, self._produced[key][0].stage + 1)
            elif key in self._carried:
                sources.append(self._carried[key])
            else:
                sources.append(key)
                fetched.append(key)
                stage = max(stage, self._deleted.get(key, 0))
        for key in fetched:
            self._earliest[key] = max(stage + 1, self._earliest.get(key, 0))
        run = RunStep(stage, Handle("run_model", name), name, "", sources, keys if keep else [], output_names)
        self._steps.append(run)
        for index, key in enumerate(keys):
            self._produced[key] = (run, index)
            self._earliest[key] = max(run.stage + 1, self._earliest.get(key, 0))
            self._carried.pop(key, None)
        return run.handle

    # ---- what the faces execute

    def __len__(self) -> int:
        return len(self._steps)

    def stages(self) -> Iterator[tuple[list[ShardStep], list[RunStep]]]:
        """Stage by stage: what goes to the shard, in order, and what goes to workers meanwhile."""
        last = max((step.stage for step in self._steps if not isinstance(step, OutputStep)), default=-1)
        for stage in range(last + 1):
            yield (
                [step for step in self._steps if isinstance(step, ShardStep) and step.stage == stage],
                [step for step in self._steps if isinstance(step, RunStep) and step.stage == stage],
            )

    def outputs_to_give(self) -> list[OutputStep]:
        """Gets that are answered from replies of runs."""
        return [step for step in self._steps if isinstance(step, OutputStep)]

    def failures(self) -> list[BaseException]:
        """The errors of the operations, in their order; one that several share, once."""
        errors = (step.handle.error for step in self._steps)
        return list({id(error): error for error in errors if error is not None}.values())

    # ---- inside

    def _output(self, operation: str, name: str, key: bytes, convert: Callable[[Any], Any]) -> Handle:
        handle = Handle(operation, name)
        self._steps.append(OutputStep(handle, *self._produced[key], convert))
        return handle

    def _shard(
        self,
        operation: str,
        name: str,
        key: bytes,
        queue: Callable[[_core.Connection], _core.Command],
        convert: Callable[[Any], Any],
    ) -> Handle:
        handle = Handle(operation, name)
        self._steps.append(ShardStep(self._earliest.get(key, 0), handle, queue, convert))
        return handle


# ---- what both faces do around their own waiting


def queue_steps(flight: _core.Flight, core: _core.Connection, steps: Sequence[ShardStep]) -> None:
    """Queue the commands of one stage, in order; what cannot be encoded fails alone."""
    for step in steps:
        try:
            flight.add(step.queue(core))
        except (ValueError, TypeError) as error:
            step.handle.set_error(error)


def finish_steps(flight: _core.Flight, steps: Sequence[ShardStep], late: OperationTimeout | None) -> None:
    """Give each handle of the stage its value or error; `late`: that of the commands without an answer."""
    queued = [step for step in steps if step.handle.error is None]
    for step, command in zip(queued, flight.commands, strict=True):
        try:
            if late is not None and not command.done:
                raise late
            step.handle.set_value(step.convert(command.result()))
        except Exception as error:  # noqa: BLE001 - kept, and raised by execute()
            step.handle.set_error(error)


def take_results(step: RunStep, outputs: tuple[Array, ...]) -> None:
    """Keep what a run gave. Raises BadInput: the caller named more or fewer outputs than the model has."""
    if step.output_names and len(step.output_names) != len(outputs):
        named = ", ".join(map(repr, step.output_names))
        raise BadInput(step.model, "run_model", f"it gives {len(outputs)} tensors; outputs= names {named}. Name each.")
    step.results = outputs


def output_puts(step: RunStep) -> list[ShardStep]:
    """The puts that store the outputs of a run: by the caller, so that a late worker never overwrites a later step."""
    puts = []
    for name, key, array in zip(step.output_names, step.outputs, step.results, strict=False):
        queue = partial(_queue_put, name=name, key=key, array=array)
        puts.append(ShardStep(step.stage, Handle("run_model", name), queue, _nothing))
    return puts


def _queue_put(core: _core.Connection, *, name: str, key: bytes, array: Array) -> _core.Command:
    return core.set_tensor(name, key, array)


def finish_runs(steps: Sequence[RunStep]) -> None:
    """The value of infer is its outputs; run_model has none."""
    for step in steps:
        if step.output_names:
            step.handle.set_value(None)
        else:
            step.handle.set_value(step.results[0] if len(step.results) == 1 else step.results)


def finish_batch(plan: BatchPlan) -> None:
    """Answer the gets of outputs; raise what failed."""
    for step in plan.outputs_to_give():
        if step.run.handle.error is None and step.run.results:
            try:
                step.handle.set_value(step.convert(step.run.results[step.index]))
            except StoreError as error:
                step.handle.set_error(error)
    failures = plan.failures()
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise BaseExceptionGroup(f"{len(failures)} operations of the batch failed", failures)


def _same(value: Any) -> Any:
    return value


def _nothing(_: Any) -> None:
    return None
