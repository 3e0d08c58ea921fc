"""A batch: operations gathered, then carried out in as few round trips as their order allows (c/batch_plan.h says how)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from ssasync.cyclient import _core
from ssasync.cyclient.errors import InvalidArgument
from ssasync.cyclient.operations import Operations

P = ParamSpec("P")


class Handle:
    """What an operation of a batch will give: `value` is there after `execute()`."""

    def __init__(self, request: _core.Request[Any], operation: str, subject: str) -> None:
        self._request = request
        self._operation = operation
        self._subject = subject

    @property
    def value(self) -> Any:
        """The result of the operation. Raises its error; InvalidArgument before `execute()`."""
        if not self._request.done:
            raise InvalidArgument(
                f"value of {self._operation} {self._subject!r}",
                "taken: it was not carried out",
                "call execute() first; after a failure it carries out no later stage",
            )
        return self._request.result()

    @property
    def error(self) -> BaseException | None:
        """Why the operation failed; None if it did not."""
        return self._request.error


def _gathers(
    make: Callable[Concatenate[Operations, P], _core.Request[Any]],
) -> Callable[Concatenate[BatchBase, P], Handle]:
    """A method of the batch that adds the request which `make` gives."""

    @wraps(make)
    def operation(self: BatchBase, /, *args: P.args, **kwargs: P.kwargs) -> Handle:
        if kwargs.get("timeout") is not None:
            raise InvalidArgument("timeout", "given here", "a batch has one for all: execute(timeout=...)")
        request = self._gather(make, args, kwargs)
        return Handle(request, make.__name__, str(args[0]) if args else "")

    operation.__doc__ = "As the client's; `execute()` has the timeout."
    signature = inspect.signature(make)
    operation.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[p for p in signature.parameters.values() if p.name != "timeout"]
    )
    return operation


class BatchBase:
    """The operations of one batch. Methods have the names of the client's and return handles.

    Arrays that are put must not change, and those unpacked into are undefined, before `execute()` is over.
    """

    def __init__(self, engine: _core.Engine, operations: Operations) -> None:
        self._core = _core.BatchCore(engine)
        self._operations = operations

    def _gather(
        self, make: Callable[..., _core.Request[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> _core.Request[Any]:
        request = make(self._operations, *args, **kwargs)
        self._core.add(request)
        return request

    def __len__(self) -> int:
        return len(self._core)

    put_tensor = _gathers(Operations.put_tensor)
    get_tensor = _gathers(Operations.get_tensor)
    unpack_tensor = _gathers(Operations.unpack_tensor)
    delete_tensor = _gathers(Operations.delete_tensor)
    tensor_exists = _gathers(Operations.tensor_exists)
    copy_tensor = _gathers(Operations.copy_tensor)
    rename_tensor = _gathers(Operations.rename_tensor)
    set_tensor_ttl = _gathers(Operations.set_tensor_ttl)
    get_tensor_ttl = _gathers(Operations.get_tensor_ttl)
    persist_tensor = _gathers(Operations.persist_tensor)
    put_bytes = _gathers(Operations.put_bytes)
    get_bytes = _gathers(Operations.get_bytes)
    delete_bytes = _gathers(Operations.delete_bytes)
    bytes_exists = _gathers(Operations.bytes_exists)
    put_dataset = _gathers(Operations.put_dataset)
    get_dataset = _gathers(Operations.get_dataset)
    delete_dataset = _gathers(Operations.delete_dataset)
    dataset_exists = _gathers(Operations.dataset_exists)
    copy_dataset = _gathers(Operations.copy_dataset)
    rename_dataset = _gathers(Operations.rename_dataset)
    set_dataset_ttl = _gathers(Operations.set_dataset_ttl)
    get_dataset_ttl = _gathers(Operations.get_dataset_ttl)
    persist_dataset = _gathers(Operations.persist_dataset)
    append_to_list = _gathers(Operations.append_to_list)
    get_list_length = _gathers(Operations.get_list_length)
    delete_list = _gathers(Operations.delete_list)
    copy_list = _gathers(Operations.copy_list)
    rename_list = _gathers(Operations.rename_list)
    get_datasets_from_list = _gathers(Operations.get_datasets_from_list)
    get_dataset_list_range = _gathers(Operations.get_dataset_list_range)
    set_model = _gathers(Operations.set_model)
    set_model_multigpu = _gathers(Operations.set_model_multigpu)
    set_model_from_file = _gathers(Operations.set_model_from_file)
    set_model_from_file_multigpu = _gathers(Operations.set_model_from_file_multigpu)
    get_model = _gathers(Operations.get_model)
    get_model_metadata = _gathers(Operations.get_model_metadata)
    get_model_version = _gathers(Operations.get_model_version)
    get_model_blob = _gathers(Operations.get_model_blob)
    delete_model = _gathers(Operations.delete_model)
    model_exists = _gathers(Operations.model_exists)
    infer = _gathers(Operations.infer)
    run_model = _gathers(Operations.run_model)
    run_model_multigpu = _gathers(Operations.run_model_multigpu)
    set_script = _gathers(Operations.set_script)
    set_script_multigpu = _gathers(Operations.set_script_multigpu)
    set_script_from_file = _gathers(Operations.set_script_from_file)
    set_script_from_file_multigpu = _gathers(Operations.set_script_from_file_multigpu)
    set_function = _gathers(Operations.set_function)
    set_function_multigpu = _gathers(Operations.set_function_multigpu)
    get_script = _gathers(Operations.get_script)
    get_script_metadata = _gathers(Operations.get_script_metadata)
    get_script_version = _gathers(Operations.get_script_version)
    get_script_blob = _gathers(Operations.get_script_blob)
    delete_script = _gathers(Operations.delete_script)
    script_exists = _gathers(Operations.script_exists)
    run_script = _gathers(Operations.run_script)
    run_script_multigpu = _gathers(Operations.run_script_multigpu)
    key_exists = _gathers(Operations.key_exists)

    def _raise_failures(self) -> None:
        """The error of the operation that failed, or an ExceptionGroup of several."""
        self._core.take_results()
        failures: Sequence[BaseException] = self._core.failures()
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise BaseExceptionGroup(f"{len(failures)} operations of the batch failed", failures)
        self._core.whole.result()
