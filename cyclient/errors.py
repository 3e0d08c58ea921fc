"""Errors of the clients.

StoreError
├── ConnectionFailed       no connection, and nothing was carried out: it may be tried again. Address, reason, remedy
├── Disconnected           the connection broke; what changes the store may or may not have been carried out
├── OperationTimeout       no answer within the deadline (also a TimeoutError)
│   └── WaitTimeout        what was waited for did not appear
├── ServerError            the server refused; its text
│   ├── NotPermitted       the role may not do this
│   └── StoreFull          the shard reached its memory limit
├── NotFound               no such tensor, model or script (also a KeyError)
│   ├── TensorNotFound
│   ├── DatasetNotFound
│   ├── ListNotFound
│   ├── ModelNotFound
│   ├── ScriptNotFound
│   ├── DatasetEntryNotFound  a dataset has no tensor, bytes or metadata field of this name
│   └── KeyNotFound
├── WrongKind              the key holds another kind of value than the operation is about
├── NotSupported           this build, or this server, cannot do it
├── NoShard                no shard of the cluster that may be followed has the key
├── NotADataset            what is stored is no dataset
├── Cancelled              nobody waited for the answer any more; the command may or may not have been carried out
│   └── NotCarriedOut      nothing was done: another operation of the batch had failed before
├── NotATensor             the key holds something else, or a header that contradicts itself
├── TensorMismatch         the stored tensor does not fit the array to unpack into
├── ModelError             a worker answered with an error
│   ├── BadModel           the stored bytes are not a model
│   ├── BadInput           the model refused the inputs
│   └── ModelFailed        the model raised an error
├── NoWorker               no model worker answers
├── BadWorkerList          the list of workers in the store is not as WIRE.md says
├── WrongLoop              the client belongs to another event loop
├── ForkedClient           the client was opened before a fork
└── InternalError          our fault: please report it
InvalidArgument            the caller passed something unusable (a ValueError)
├── WrongType              it is not even of the right type (also a TypeError)
└── UnsupportedDtype
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, TypeVar

_Error = TypeVar("_Error", bound=Exception)


class _Composed(Exception):
    """Its text was composed from what the constructor took: a copy is made of the text, not composed again."""

    def __reduce__(self) -> tuple[Callable[..., Exception], tuple[Any, ...], dict[str, Any]]:
        return _composed_again, (type(self), self.args), self.__dict__


def _composed_again(kind: type[_Error], arguments: tuple[Any, ...]) -> _Error:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    return error


class StoreError(_Composed):
    """A store operation did not succeed."""


class InternalError(StoreError):
    """A contradiction inside ssasync."""

    def __init__(self, what: str) -> None:
        super().__init__(f"internal error: {what}. Please report it.")


class InvalidArgument(_Composed, ValueError):
    """An argument that cannot be used: which, its value, what to do."""

    def __init__(self, name: str, value: object, remedy: str) -> None:
        super().__init__(f"{name} cannot be {value}: {remedy}.")


class WrongType(InvalidArgument, TypeError):
    """An argument of a type that cannot be used."""

    def __init__(self, name: str, value: object, remedy: str) -> None:
        super().__init__(name, _shown(value), remedy)


def _shown(value: object) -> str:
    """A value whose type is wrong."""
    kind = type(value).__name__
    if value is None or not isinstance(value, str | bytes | int | float):
        return "None" if value is None else f"of type {kind}"
    text = repr(value)
    return f"{text} ({kind})" if len(text) <= 60 else f"{text[:60]}... ({kind})"


class UnsupportedDtype(InvalidArgument):
    """A dtype that has no form on the wire."""

    def __init__(self, argument: str, dtype: str, remedy: str) -> None:
        super().__init__(f"the dtype of {argument}", dtype, remedy)


class ConnectionFailed(StoreError):
    """No connection could be opened; nothing of the operation was carried out, so it may be tried again.

    It comes when the timeout is over (60 s by default), for a store that does not listen may be starting; at once when the
    store refuses this client.
    """


class Disconnected(StoreError):
    """The connection broke before the answer came; what changes the store may or may not have been carried out.

    The client has repeated what may be repeated; whoever repeats the rest (`append_to_list`) may do it twice.
    """


class OperationTimeout(StoreError, TimeoutError):
    """No answer within the deadline; a write may still be carried out later, in its order."""


class WaitTimeout(OperationTimeout):
    """What was waited for did not appear within the deadline."""


class ServerError(StoreError):
    """The server answered with an error."""


class NotPermitted(ServerError):
    """The user that this client connected as may not do this."""


class StoreFull(ServerError):
    """The shard reached its memory limit."""


class NotFound(StoreError, KeyError):
    """The store has nothing under this name."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the repr


class TensorNotFound(NotFound):
    """No tensor of this name."""


class ModelNotFound(NotFound):
    """No model of this name."""


class DatasetNotFound(NotFound):
    """No dataset of this name."""


class ListNotFound(NotFound):
    """No list of datasets of this name."""


class KeyNotFound(NotFound):
    """No such key."""


class WrongKind(StoreError):
    """The key holds another kind of value than the operation is about."""


class NotSupported(StoreError):
    """The build of ssasync, or the server, cannot do it."""


class NoShard(StoreError):
    """The cluster has no shard for the key that this client may follow."""


class Cancelled(StoreError):
    """Nobody waited for the answer any more; the command may or may not have been carried out."""


class NotCarriedOut(Cancelled):
    """Nothing was done: another operation of the batch had failed before."""


class ScriptNotFound(NotFound):
    """No script of this name."""


class DatasetEntryNotFound(NotFound):
    """A dataset has no tensor, bytes or metadata field of this name."""

    def __init__(self, dataset: str, kind: str, name: str, known: Sequence[str]) -> None:
        has = f"Its {kind} names are: {', '.join(map(repr, known))}" if known else f"It has no {kind} at all"
        super().__init__(f"dataset {dataset!r} has no {kind} {name!r}. {has}.")


class NotADataset(StoreError):
    """What is stored is no dataset, or lacks a part."""

    def __init__(self, subject: str, address: str, why: str) -> None:
        super().__init__(f"{subject!r} in {address} is not a dataset: {why}.")


class NotATensor(StoreError):
    """The key holds something else than a tensor."""

    def __init__(self, subject: str, address: str, why: str) -> None:
        super().__init__(f"{subject!r} in {address} is not a tensor: {why}.")


class TensorMismatch(StoreError):
    """The stored tensor does not fit the array to unpack into."""

    def __init__(self, subject: str, address: str, stored: str, wanted: str) -> None:
        super().__init__(
            f"{subject!r} in {address} is {stored}, the array to unpack into is {wanted}. "
            "Pass an array of the stored dtype and shape, or use get_tensor."
        )


class ModelError(StoreError):
    """A worker could not run the model."""

    def __init__(self, model: str, where: str, text: str) -> None:
        super().__init__(f"model {model!r} ({where}): {text}")


class BadModel(ModelError):
    """The stored bytes are not a model of the backend named."""


class BadInput(ModelError):
    """The model refused the inputs: their number, dtype or shape."""


class ModelFailed(ModelError):
    """The model raised an error."""


class NoWorker(StoreError):
    """No model worker could be reached within the deadline."""


class BadWorkerList(StoreError):
    """Text or values that WIRE.md does not allow in the list of workers."""

    def __init__(self, what: str) -> None:
        super().__init__(f"not a list of workers: {what}. Only the supervisor of the workers writes it.")


class WrongLoop(StoreError):
    """The client belongs to another event loop."""

    def __init__(self) -> None:
        super().__init__("this client belongs to another event loop: open one client in each loop.")


class ForkedClient(StoreError):
    """The client was opened before a fork."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"this client was opened in process {pid}, before a fork: open a new one in the child.")


class Status(IntEnum):
    """The numbers by which the C core says how a request ended (ssasync_types.h explains them)."""

    ENOMEM = -1
    EARGUMENT = -2
    EPROTOCOL = -3
    ELIMIT = -4
    EHEADER = -5
    EVERSION = -6
    EDTYPE = -7
    ESHAPE = -8
    ENOTFOUND = -9
    ESERVER = -10
    ECLOSED = -11
    ESYSTEM = -12
    ECONNECT = -13
    ETIMEOUT = -14
    EWAIT = -15
    EPERMISSION = -16
    EFULL = -17
    EMODEL = -18
    EINPUT = -19
    ERUN = -20
    ENOWORKER = -21
    EWORKERLIST = -22
    EFORK = -23
    EINTERNAL = -24
    ECANCELLED = -25
    EUNSUPPORTED = -26
    ETYPE = -27
    ETOPOLOGY = -28
    EDATASET = -29


# Statuses of ssasync.h that end a request, and the class of each. The text comes from the C core, as in every language.
_CLASSES: dict[Status, type[StoreError]] = {
    Status.EPROTOCOL: ServerError,
    Status.EVERSION: NotATensor,
    Status.EHEADER: NotATensor,
    Status.EDTYPE: TensorMismatch,
    Status.ESHAPE: TensorMismatch,
    Status.ESERVER: ServerError,
    Status.ECLOSED: Disconnected,
    Status.ECONNECT: ConnectionFailed,
    Status.ETIMEOUT: OperationTimeout,
    Status.EWAIT: WaitTimeout,
    Status.EPERMISSION: NotPermitted,
    Status.EFULL: StoreFull,
    Status.EMODEL: BadModel,
    Status.EINPUT: BadInput,
    Status.ERUN: ModelFailed,
    Status.ENOWORKER: NoWorker,
    Status.EWORKERLIST: BadWorkerList,
    Status.EFORK: ForkedClient,
    Status.EINTERNAL: InternalError,
    Status.ECANCELLED: Cancelled,
    Status.EUNSUPPORTED: NotSupported,
    Status.ETYPE: WrongKind,
    Status.ETOPOLOGY: NoShard,
    Status.EDATASET: NotADataset,
}

#: By ssa_kind of key_names.h.
_NOT_FOUND: tuple[type[NotFound], ...] = (
    TensorNotFound,
    DatasetNotFound,
    ListNotFound,
    ModelNotFound,
    ScriptNotFound,
    KeyNotFound,
)
#: The same where the key holds another kind of value; else WrongKind.
_NOT_THAT: dict[int, type[StoreError]] = {0: NotATensor, 1: NotADataset}


def error_from_status(status: int, text: str, kind: int) -> Exception:
    """The exception for a status and text of the core; `kind`: what the request was about (ssa_kind)."""
    if status == Status.ENOMEM:
        return MemoryError(text)
    if status in (Status.EARGUMENT, Status.ELIMIT):
        return invalid_argument(text)
    if status == Status.ENOTFOUND:
        return _with_text(_NOT_FOUND[kind], text)
    if status == Status.ETYPE and kind in _NOT_THAT:
        return _with_text(_NOT_THAT[kind], text)
    if status in _CLASSES:
        return _with_text(_CLASSES[Status(status)], text)
    return InternalError(f"status {status}: {text}")


def invalid_argument(text: str) -> InvalidArgument:
    """With a text that is composed already."""
    return _with_text(InvalidArgument, text)


def _with_text(kind: type[_Error], text: str) -> _Error:
    return _composed_again(kind, (text,))
