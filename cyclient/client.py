"""The asyncio client: `await client.put_tensor(...)`. Works on asyncio and uvloop; any number of tasks may share one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, NoReturn, ParamSpec, Self, TypeVar

from ssasync.cyclient import _core
from ssasync.cyclient.batch import BatchBase
from ssasync.cyclient.errors import ForkedClient, StoreError, WrongLoop
from ssasync.cyclient.key_watch import KeyWatch
from ssasync.cyclient.operations import Operations, Request
from ssasync.cyclient.prefixes import PrefixSwitches

P = ParamSpec("P")
T = TypeVar("T")


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "there is no running event loop of asyncio: use ssasync.Client in a coroutine that asyncio.run() runs,"
            " or take ssasync.blocking.Client"
        ) from None


def _awaited(
    make: Callable[Concatenate[Operations, P], Request[T]],
) -> Callable[Concatenate[Client, P], Coroutine[Any, Any, T]]:
    """A method of the client that awaits the request which `make` gives."""

    @wraps(make)
    async def operation(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        engine = self._engine
        request = make(self._operations, *args, **kwargs)
        waiter = engine.start(request)
        try:
            return await waiter
        finally:
            request.cancel()  # if it is not done: the caller's memory is given back before anything is raised
            del request, waiter  # an error of theirs keeps this frame, with the caller's arrays: no circle

    return operation


class Client(PrefixSwitches):
    """A client of one store.

    Each setting that is not given is read from the environment by itself, as an Experiment sets it for workloads, else it
    has a default: an `address` that is given is used with the user, password and prefixes of the environment.

    address   comma list of `host:port` or `unix:///path` (SSDB)
    user, password: SSDB_USER, SSDB_PASSWORD
    timeout   seconds an operation may take (SSA_TIMEOUT, default 60). A store that does not listen may be starting: it is
              tried again until then
    write_prefix, read_prefixes: of the names that are written (SSKEYOUT), and of the producers to read from (SSKEYIN;
              several names, or one text with commas); "" for none
    server_type  "standalone" or "clustered": what the server must be (SR_DB_TYPE); "any": it is asked
    log_level, log_file: "error", "info" or "debug" go to the logger `ssasync.cyclient` of the standard library, and to the
              file. A handler must not use the client itself
    identifier: a further named store, whose variables end in `_<identifier>`
    options   further settings, which describe() explains under SSA_ and the name in capitals: bulk_connection,
              value_limit, trust_topology, tls, tls_ca, tls_cert, tls_key, tls_name

    Connects at the first operation; `async with` or `close()` ends it. Belongs to the event loop and the process of its
    first operation: use elsewhere raises WrongLoop or ForkedClient.

    Every operation takes `timeout=` in seconds (from 0 on; None: the client's; a poll has a time of its own) and raises
    OperationTimeout when it is over (the command may still be carried out, in its order), Disconnected when the connection
    is lost and what changes the store may or may not have been carried out, and ConnectionFailed when there was none and
    nothing was carried out.
    """

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
        self._core = _core.Engine(
            address=address, user=user, password=password, timeout=timeout, identifier=identifier, **options
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = os.getpid()
        self._operations = Operations(self._core)

    @classmethod
    async def connect(cls, address: str | None = None, **options: Any) -> Self:
        """A client that has already reached its store. Raises ConnectionFailed."""
        return await cls(address, **options).__aenter__()

    async def __aenter__(self) -> Self:
        _ = self._engine  # whoever may not use it must not close it below
        try:
            await self.ping()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; operations under way end with Disconnected. Safe to repeat.

        In another thread than that of its loop it only asks the loop for it, which closes in its next round.
        """
        if self._core.is_at_home:
            self._core.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a client cannot be pickled: it has open connections. Pass its address on and open another one."
        )

    def __repr__(self) -> str:
        return f"Client({self._core.description}, user={self._core.user!r})"

    def describe(self) -> str:
        """All settings: name, value, where it came from and meaning, a line each."""
        return self._core.describe()

    def statistics(self) -> _core.Statistics:
        """Counters since the client was made."""
        return self._core.statistics()

    def batch(self) -> Batch:
        """An empty batch: call its methods, then `await batch.execute()`."""
        self._check_usable()
        return Batch(self)

    # ---- changes of keys, for model workers

    def watch_key(self, key: bytes, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` now and whenever the key may have changed. Returns the function that ends the watch.

        key: the full one, whatever the prefixes are; changed: without arguments, called by the loop. A watch that the store
        refuses is logged as an error of `ssasync.cyclient`, once, and tried again every 5 s at the latest, `changed` being
        called each time; it ends with `close()`. Raises WrongType.
        """
        engine = self._engine
        engine.check_usable()
        watch = KeyWatch(engine, key, changed)
        watch.begin()
        return watch.stop

    # ---- inside

    def _set_prefix(self, what: str, set_prefix: Callable[[_core.Engine], None]) -> None:
        self._check_usable()
        set_prefix(self._core)

    def _check_usable(self) -> None:
        """For what needs no running loop, but must not meet it at work. Raises ForkedClient, WrongLoop, Disconnected."""
        if not self._core.is_at_home:
            raise ForkedClient(self._pid)
        if not self._core.is_here:
            raise WrongLoop
        self._core.check_usable()

    @property
    def _engine(self) -> _core.Engine:
        """Binds the client to the loop and process of its first operation; refuses others."""
        if self._loop is None:
            self._loop = _running_loop()
            self._core.attach(self._loop)
        elif not self._core.is_at_home:
            raise ForkedClient(self._pid)
        elif self._loop is not asyncio._get_running_loop():  # None: there is none
            raise WrongLoop
        return self._core

    # ---- operations

    put_tensor = _awaited(Operations.put_tensor)
    get_tensor = _awaited(Operations.get_tensor)
    unpack_tensor = _awaited(Operations.unpack_tensor)
    delete_tensor = _awaited(Operations.delete_tensor)
    tensor_exists = _awaited(Operations.tensor_exists)
    get_tensor_by_key = _awaited(Operations.get_tensor_by_key)
    copy_tensor = _awaited(Operations.copy_tensor)
    rename_tensor = _awaited(Operations.rename_tensor)
    set_tensor_ttl = _awaited(Operations.set_tensor_ttl)
    get_tensor_ttl = _awaited(Operations.get_tensor_ttl)
    persist_tensor = _awaited(Operations.persist_tensor)
    put_bytes = _awaited(Operations.put_bytes)
    get_bytes = _awaited(Operations.get_bytes)
    delete_bytes = _awaited(Operations.delete_bytes)
    bytes_exists = _awaited(Operations.bytes_exists)
    put_dataset = _awaited(Operations.put_dataset)
    get_dataset = _awaited(Operations.get_dataset)
    delete_dataset = _awaited(Operations.delete_dataset)
    dataset_exists = _awaited(Operations.dataset_exists)
    copy_dataset = _awaited(Operations.copy_dataset)
    rename_dataset = _awaited(Operations.rename_dataset)
    set_dataset_ttl = _awaited(Operations.set_dataset_ttl)
    get_dataset_ttl = _awaited(Operations.get_dataset_ttl)
    persist_dataset = _awaited(Operations.persist_dataset)
    append_to_list = _awaited(Operations.append_to_list)
    get_list_length = _awaited(Operations.get_list_length)
    delete_list = _awaited(Operations.delete_list)
    set_list_ttl = _awaited(Operations.set_list_ttl)
    get_list_ttl = _awaited(Operations.get_list_ttl)
    persist_list = _awaited(Operations.persist_list)
    copy_list = _awaited(Operations.copy_list)
    rename_list = _awaited(Operations.rename_list)
    get_datasets_from_list = _awaited(Operations.get_datasets_from_list)
    get_dataset_list_range = _awaited(Operations.get_dataset_list_range)
    set_model = _awaited(Operations.set_model)
    set_model_multigpu = _awaited(Operations.set_model_multigpu)
    set_model_from_file = _awaited(Operations.set_model_from_file)
    set_model_from_file_multigpu = _awaited(Operations.set_model_from_file_multigpu)
    get_model = _awaited(Operations.get_model)
    get_model_metadata = _awaited(Operations.get_model_metadata)
    get_model_version = _awaited(Operations.get_model_version)
    get_model_blob = _awaited(Operations.get_model_blob)
    delete_model = _awaited(Operations.delete_model)
    delete_model_multigpu = _awaited(Operations.delete_model_multigpu)
    model_exists = _awaited(Operations.model_exists)
    infer = _awaited(Operations.infer)
    run_model = _awaited(Operations.run_model)
    run_model_multigpu = _awaited(Operations.run_model_multigpu)
    set_script = _awaited(Operations.set_script)
    set_script_multigpu = _awaited(Operations.set_script_multigpu)
    set_script_from_file = _awaited(Operations.set_script_from_file)
    set_script_from_file_multigpu = _awaited(Operations.set_script_from_file_multigpu)
    set_function = _awaited(Operations.set_function)
    set_function_multigpu = _awaited(Operations.set_function_multigpu)
    get_script = _awaited(Operations.get_script)
    get_script_metadata = _awaited(Operations.get_script_metadata)
    get_script_version = _awaited(Operations.get_script_version)
    get_script_blob = _awaited(Operations.get_script_blob)
    delete_script = _awaited(Operations.delete_script)
    delete_script_multigpu = _awaited(Operations.delete_script_multigpu)
    script_exists = _awaited(Operations.script_exists)
    run_script = _awaited(Operations.run_script)
    run_script_multigpu = _awaited(Operations.run_script_multigpu)
    key_exists = _awaited(Operations.key_exists)
    wait_for_key = _awaited(Operations.wait_for_key)
    wait_for_tensor = _awaited(Operations.wait_for_tensor)
    wait_for_dataset = _awaited(Operations.wait_for_dataset)
    wait_for_model = _awaited(Operations.wait_for_model)
    wait_for_list_length = _awaited(Operations.wait_for_list_length)
    poll_key = _awaited(Operations.poll_key)
    poll_tensor = _awaited(Operations.poll_tensor)
    poll_dataset = _awaited(Operations.poll_dataset)
    poll_model = _awaited(Operations.poll_model)
    poll_list_length = _awaited(Operations.poll_list_length)
    poll_list_length_gte = _awaited(Operations.poll_list_length_gte)
    poll_list_length_lte = _awaited(Operations.poll_list_length_lte)
    control_poll = _awaited(Operations.control_poll)
    control_send = _awaited(Operations.control_send)
    control_clear = _awaited(Operations.control_clear)
    ping = _awaited(Operations.ping)
    get_db_node_info = _awaited(Operations.get_db_node_info)
    get_db_cluster_info = _awaited(Operations.get_db_cluster_info)
    flush_db = _awaited(Operations.flush_db)
    config_get = _awaited(Operations.config_get)
    config_set = _awaited(Operations.config_set)
    save = _awaited(Operations.save)


class Batch(BatchBase):
    """Operations carried out together by `await execute()`; each method returns a handle whose value is there then."""

    def __init__(self, client: Client) -> None:
        super().__init__(client._core, client._operations)
        self._client = client

    def _gather(self, *given: Any) -> Request[Any]:
        self._client._check_usable()
        return super()._gather(*given)

    async def execute(self, *, timeout: float | None = None) -> None:
        """Carry out all operations; done when everything is acknowledged, outputs of runs included.

        After a failure nothing more is begun, and no run behind it stores its outputs. Raises the error of the operation
        that failed, or an ExceptionGroup of several; each handle keeps its own.
        """
        _ = self._client._engine
        waiter = self._core.execute(timeout)
        try:
            await waiter
        except StoreError:
            pass  # told below, with all others
        finally:
            self._core.cancel()
        self._raise_failures()
