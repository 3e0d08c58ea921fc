"""A batch: operations gathered, then carried out in as few round trips as their order allows (c/batch_plan.h says how)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, Generic, NoReturn, ParamSpec, TypeVar

from ssasync.cyclient import _core
from ssasync.cyclient.errors import Cancelled, InvalidArgument, NotCarriedOut, StoreError
from ssasync.cyclient.operations import Operations, Request

P = ParamSpec("P")
T = TypeVar("T")


class Handle(Generic[T]):
    """What an operation of a batch will give: `value` is there after `execute()`."""

    def __init__(self, request: Request[T], batch: _core.BatchCore, operation: str, subject: str) -> None:
        self._request = request
        self._batch = batch
        self._operation = operation
        self._subject = subject

    def __reduce__(self) -> NoReturn:
        raise TypeError("a handle cannot be pickled: it belongs to its batch. Pass its value on.")

    @property
    def value(self) -> T:
        """The result of the operation. Raises its error; InvalidArgument before `execute()` is over."""
        error = self._why_there_is_none()
        if error is not None:
            raise error
        whole = self._batch.whole
        if whole is None or not whole.done:
            remedy = "call execute() first" if whole is None else "wait until execute() is over"
            raise InvalidArgument(f"value of {self._operation} {self._subject!r}", "taken: there is none yet", remedy)
        return self._request.result()

    @property
    def error(self) -> BaseException | None:
        """Why the operation has no value; None if it has one, and before `execute()` is over.

        Cancelled: `execute()` was cut short before the answer; NotCarriedOut: it ended at another operation's failure.
        """
        return self._request.error or self._why_there_is_none()

    def _why_there_is_none(self) -> StoreError | None:
        """Of an operation that the batch ended without."""
        whole = self._batch.whole
        if self._request.done or whole is None or not whole.done:
            return None
        what = f"{self._operation} {self._subject!r}"
        failures = self._batch.failures()
        if failures:
            return NotCarriedOut(f"{what} was not carried out: the batch ended before it, with: {failures[0]}")
        return Cancelled(f"{what} was cancelled with its batch: it may or may not have been carried out.")


def _gathers(
    make: Callable[Concatenate[Operations, P], Request[T]],
) -> Callable[Concatenate[BatchBase, P], Handle[T]]:
    """A method of the batch that adds the request which `make` gives."""

    @wraps(make)
    def operation(self: BatchBase, /, *args: P.args, **kwargs: P.kwargs) -> Handle[T]:
        if kwargs.get("timeout") is not None:
            raise InvalidArgument("timeout", "given here", "a batch has one for all: execute(timeout=...)")
        request = self._gather(make, args, kwargs)
        return Handle(request, self._core, make.__name__, str(args[0]) if args else "")

    signature = inspect.signature(make)
    operation.__doc__ = "As the client's; `execute()` has the timeout."
    operation.__annotations__ = {**make.__annotations__, "return": Handle}
    operation.__annotations__.pop("timeout", None)
    operation.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[p for p in signature.parameters.values() if p.name != "timeout"],
        return_annotation=f"Handle[{signature.return_annotation}]",
    )
    operation.__qualname__ = f"Batch.{make.__name__}"
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

    def __reduce__(self) -> NoReturn:
        raise TypeError("a batch cannot be pickled: it belongs to its client, which has open connections.")

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
    set_list_ttl = _gathers(Operations.set_list_ttl)
    get_list_ttl = _gathers(Operations.get_list_ttl)
    persist_list = _gathers(Operations.persist_list)
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
    delete_model_multigpu = _gathers(Operations.delete_model_multigpu)
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
    delete_script_multigpu = _gathers(Operations.delete_script_multigpu)
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
        if self._core.whole is not None:
            self._core.whole.result()
