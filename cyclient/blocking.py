"""The blocking client, for simulation ranks written in Python: no event loop, no thread, the GIL released while it waits."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from ssasync.cyclient import _core
from ssasync.cyclient.batch import BatchBase
from ssasync.cyclient.errors import ForkedClient, OperationTimeout
from ssasync.cyclient.operations import Operations, Request
from ssasync.cyclient.prefixes import PrefixSwitches

P = ParamSpec("P")
T = TypeVar("T")


def _waited_for(
    make: Callable[Concatenate[Operations, P], Request[T]],
) -> Callable[Concatenate[Client, P], T]:
    """A method of the client that waits for the request which `make` gives."""

    @wraps(make)
    def operation(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        member = self._enter(kwargs.get("timeout"))  # type: ignore[arg-type]
        try:
            return member.engine.perform(make(member.operations, *args, **kwargs))
        finally:
            self._leave(member)

    return operation


class _Member:
    """One connection to each shard, for one thread at a time."""

    def __init__(self, engine: _core.Engine) -> None:
        self.engine = engine
        self.operations = Operations(engine)


class Client(PrefixSwitches):
    """A client of one store, with the operations and errors of the asyncio client, each of which blocks.

    Arguments as for `ssasync.Client`. Connects at the first operation. Threads may share it: each that operates at the same
    time as others gets connections of its own, up to `_MOST_MEMBERS`. Belongs to the process that made it: use after a fork
    raises ForkedClient. Ctrl-C interrupts any operation.
    """

    _MOST_MEMBERS = 32

    def __init__(
        self,
        address: str | None = None,
        *,
        user: str | None = None,
        password: str | None = None,
        timeout: float | None = None,
        identifier: str | None = None,
        **options: Any,
    ) -> None:
        self._options = {
            "address": address, "user": user, "password": password, "timeout": timeout, "identifier": identifier, **options,
        }  # fmt: skip
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._prefixes: list[Callable[[_core.Engine], None]] = []  # what was set since, for further members
        self._first = _Member(self._new_engine())
        self._members = [self._first]
        self._free = [self._first]
        self._waiting = 0  # threads, for connections to be free
        # Those that gave up on a command which may still be carried out. While there is one, all operations go its way; more
        # than one are waited for first: so none is overtaken.
        self._overdue: set[_Member] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. Safe to repeat; not while another thread operates."""
        if self._pid != os.getpid():
            return
        for member in self._members:
            member.engine.close()

    def __repr__(self) -> str:
        return f"Client({self._first.engine.description}, user={self._first.engine.user!r})"

    def describe(self) -> str:
        """All settings: name, value, where it came from and meaning, a line each."""
        return self._first.engine.describe()

    def statistics(self) -> _core.Statistics:
        """Counters since the client was made, of the first thread's connections."""
        return self._first.engine.statistics()

    def batch(self) -> Batch:
        """An empty batch: call its methods, then `batch.execute()`."""
        self._check_process()
        return Batch(self)

    # ---- inside

    def _new_engine(self) -> _core.Engine:
        engine = _core.Engine(**{"bulk_connection": False, **self._options})
        for set_prefix in self._prefixes:
            set_prefix(engine)
        return engine

    def _set_prefix(self, set_prefix: Callable[[_core.Engine], None]) -> None:
        with self._changed:
            for member in self._members:
                set_prefix(member.engine)
            self._prefixes.append(set_prefix)

    def _check_process(self) -> None:
        if self._pid != os.getpid():
            raise ForkedClient(self._pid)

    def _enter(self, timeout: float | None, wanted: _Member | None = None) -> _Member:
        """Connections that nobody else uses until `_leave`, and on which nothing is overtaken. Raises OperationTimeout."""
        self._check_process()
        while True:
            with self._changed:
                late = [member for member in self._overdue if member is not wanted]
                if not late or (wanted is None and len(late) == 1):
                    member = self._take(wanted or (late[0] if late else None))
                    if member is not None:
                        return member
                    self._wait()
                    continue
                member = self._take(late[0])
                if member is None:
                    self._wait()
                    continue
            try:
                if not member.engine.drain(timeout):
                    raise OperationTimeout("wait for", "earlier commands", member.engine.description, timeout or 0.0)
            finally:
                self._leave(member)

    def _wait(self) -> None:
        self._waiting += 1
        try:
            self._changed.wait()
        finally:
            self._waiting -= 1

    def _leave(self, member: _Member) -> None:
        with self._changed:
            if member.engine.unanswered:
                self._overdue.add(member)
            else:
                self._overdue.discard(member)
            self._free.append(member)
            if self._waiting:
                self._changed.notify_all()

    def _take(self, wanted: _Member | None) -> _Member | None:
        """Free ones: these, or any; None: there are none."""
        if wanted is not None:
            if wanted not in self._free:
                return None
            self._free.remove(wanted)
            return wanted
        if self._free:
            return self._free.pop()
        if len(self._members) < self._MOST_MEMBERS:
            member = _Member(self._new_engine())
            self._members.append(member)
            return member
        return None

    # ---- operations

    put_tensor = _waited_for(Operations.put_tensor)
    get_tensor = _waited_for(Operations.get_tensor)
    unpack_tensor = _waited_for(Operations.unpack_tensor)
    delete_tensor = _waited_for(Operations.delete_tensor)
    tensor_exists = _waited_for(Operations.tensor_exists)
    get_tensor_by_key = _waited_for(Operations.get_tensor_by_key)
    copy_tensor = _waited_for(Operations.copy_tensor)
    rename_tensor = _waited_for(Operations.rename_tensor)
    set_tensor_ttl = _waited_for(Operations.set_tensor_ttl)
    get_tensor_ttl = _waited_for(Operations.get_tensor_ttl)
    persist_tensor = _waited_for(Operations.persist_tensor)
    put_bytes = _waited_for(Operations.put_bytes)
    get_bytes = _waited_for(Operations.get_bytes)
    delete_bytes = _waited_for(Operations.delete_bytes)
    bytes_exists = _waited_for(Operations.bytes_exists)
    put_dataset = _waited_for(Operations.put_dataset)
    get_dataset = _waited_for(Operations.get_dataset)
    delete_dataset = _waited_for(Operations.delete_dataset)
    dataset_exists = _waited_for(Operations.dataset_exists)
    copy_dataset = _waited_for(Operations.copy_dataset)
    rename_dataset = _waited_for(Operations.rename_dataset)
    set_dataset_ttl = _waited_for(Operations.set_dataset_ttl)
    get_dataset_ttl = _waited_for(Operations.get_dataset_ttl)
    persist_dataset = _waited_for(Operations.persist_dataset)
    append_to_list = _waited_for(Operations.append_to_list)
    get_list_length = _waited_for(Operations.get_list_length)
    delete_list = _waited_for(Operations.delete_list)
    set_list_ttl = _waited_for(Operations.set_list_ttl)
    get_list_ttl = _waited_for(Operations.get_list_ttl)
    persist_list = _waited_for(Operations.persist_list)
    copy_list = _waited_for(Operations.copy_list)
    rename_list = _waited_for(Operations.rename_list)
    get_datasets_from_list = _waited_for(Operations.get_datasets_from_list)
    get_dataset_list_range = _waited_for(Operations.get_dataset_list_range)
    set_model = _waited_for(Operations.set_model)
    set_model_multigpu = _waited_for(Operations.set_model_multigpu)
    set_model_from_file = _waited_for(Operations.set_model_from_file)
    set_model_from_file_multigpu = _waited_for(Operations.set_model_from_file_multigpu)
    get_model = _waited_for(Operations.get_model)
    get_model_metadata = _waited_for(Operations.get_model_metadata)
    get_model_version = _waited_for(Operations.get_model_version)
    get_model_blob = _waited_for(Operations.get_model_blob)
    delete_model = _waited_for(Operations.delete_model)
    delete_model_multigpu = _waited_for(Operations.delete_model_multigpu)
    model_exists = _waited_for(Operations.model_exists)
    infer = _waited_for(Operations.infer)
    run_model = _waited_for(Operations.run_model)
    run_model_multigpu = _waited_for(Operations.run_model_multigpu)
    set_script = _waited_for(Operations.set_script)
    set_script_multigpu = _waited_for(Operations.set_script_multigpu)
    set_script_from_file = _waited_for(Operations.set_script_from_file)
    set_script_from_file_multigpu = _waited_for(Operations.set_script_from_file_multigpu)
    set_function = _waited_for(Operations.set_function)
    set_function_multigpu = _waited_for(Operations.set_function_multigpu)
    get_script = _waited_for(Operations.get_script)
    get_script_metadata = _waited_for(Operations.get_script_metadata)
    get_script_version = _waited_for(Operations.get_script_version)
    get_script_blob = _waited_for(Operations.get_script_blob)
    delete_script = _waited_for(Operations.delete_script)
    delete_script_multigpu = _waited_for(Operations.delete_script_multigpu)
    script_exists = _waited_for(Operations.script_exists)
    run_script = _waited_for(Operations.run_script)
    run_script_multigpu = _waited_for(Operations.run_script_multigpu)
    key_exists = _waited_for(Operations.key_exists)
    wait_for_key = _waited_for(Operations.wait_for_key)
    wait_for_tensor = _waited_for(Operations.wait_for_tensor)
    wait_for_dataset = _waited_for(Operations.wait_for_dataset)
    wait_for_model = _waited_for(Operations.wait_for_model)
    wait_for_list_length = _waited_for(Operations.wait_for_list_length)
    poll_key = _waited_for(Operations.poll_key)
    poll_tensor = _waited_for(Operations.poll_tensor)
    poll_dataset = _waited_for(Operations.poll_dataset)
    poll_model = _waited_for(Operations.poll_model)
    poll_list_length = _waited_for(Operations.poll_list_length)
    poll_list_length_gte = _waited_for(Operations.poll_list_length_gte)
    poll_list_length_lte = _waited_for(Operations.poll_list_length_lte)
    control_poll = _waited_for(Operations.control_poll)
    control_send = _waited_for(Operations.control_send)
    control_clear = _waited_for(Operations.control_clear)
    ping = _waited_for(Operations.ping)
    get_db_node_info = _waited_for(Operations.get_db_node_info)
    get_db_cluster_info = _waited_for(Operations.get_db_cluster_info)
    flush_db = _waited_for(Operations.flush_db)
    config_get = _waited_for(Operations.config_get)
    config_set = _waited_for(Operations.config_set)
    save = _waited_for(Operations.save)


class Batch(BatchBase):
    """Operations carried out together by `execute()`; each method returns a handle whose value is there then."""

    def __init__(self, client: Client) -> None:
        super().__init__(client._first.engine, client._first.operations)
        self._client = client

    def execute(self, *, timeout: float | None = None) -> None:
        """Carry out all operations; done when everything is acknowledged, outputs of runs included.

        After a failure nothing more is begun, and no run behind it stores its outputs. Raises the error of the operation
        that failed, or an ExceptionGroup of several; each handle keeps its own.
        """
        member = self._client._enter(timeout, self._client._first)
        try:
            self._core.execute(timeout)
            try:
                member.engine.wait(self._core.whole)
            finally:
                self._core.cancel()
        finally:
            self._client._leave(member)
        self._raise_failures()
