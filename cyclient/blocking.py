"""The blocking client, for simulation ranks written in Python: no event loop, no thread, the GIL released while it waits."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, NoReturn, ParamSpec, Self, TypeVar, cast

from ssasync.cyclient import _core
from ssasync.cyclient.batch import BatchBase
from ssasync.cyclient.errors import InvalidArgument
from ssasync.cyclient.future import Future
from ssasync.cyclient.operations import Operations, Request
from ssasync.cyclient.pool import Pool
from ssasync.cyclient.prefixes import PrefixSwitches

P = ParamSpec("P")
T = TypeVar("T")


def _waited_for(
    make: Callable[Concatenate[Operations, P], Request[T]],
    enter: Callable[[Pool, float | None], _core.Turn] = Pool.enter,
) -> Callable[Concatenate[Client, P], T]:
    """A method of the client that waits for the request which `make` gives."""

    @wraps(make)
    def operation(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        pool = self._pool
        request: Request[T] | None = None
        try:
            with enter(pool, kwargs.get("timeout")) as turn:  # type: ignore[arg-type]
                request = make(turn.member.operations, *args, **kwargs).within(turn.left)
                is_done = turn.member.engine.carry_out(request)
            if not is_done:
                pool.wait(turn.member, (request,), None)
        except BaseException:
            if request is not None:
                pool.cancel(turn.member, request)  # the caller's memory is given back before anything is raised
            raise
        try:
            return request.result()
        finally:
            # Its error keeps this frame, with the caller's arrays: no circle for the collector of garbage.
            del request

    return operation


def _waited_for_long(
    make: Callable[Concatenate[Operations, P], Request[T]],
) -> Callable[Concatenate[Client, P], T]:
    """The same, for what others are to do something about: it keeps no connection from other threads."""
    return _waited_for(make, Pool.enter_first)


def _started(
    make: Callable[Concatenate[Operations, P], Request[T]],
) -> Callable[Concatenate[Client, P], Future[T]]:
    """A method of the client that starts the request which `make` gives."""

    @wraps(make)
    def operation(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        pool = self._pool
        with pool.enter_first(kwargs.get("timeout")) as turn:  # type: ignore[arg-type]
            request = make(turn.member.operations, *args, **kwargs).within(turn.left)
            future = Future(pool, request)
            turn.member.engine.start(request)
        return future

    operation.__name__ = f"start_{make.__name__}"
    operation.__qualname__ = f"Client.{operation.__name__}"
    operation.__doc__ = f"Start `{make.__name__}` and return its future; the timeout counts from now."
    operation.__annotations__ = {
        **make.__annotations__,
        "return": str(make.__annotations__["return"]).replace("Request[", "Future[", 1),
    }
    return operation


class Client(PrefixSwitches):
    """A client of one store, with the operations and errors of the asyncio client, each of which blocks.

    Arguments as for `ssasync.Client`. Connects at the first operation. Threads may share it: each that operates at the same
    time as others gets connections of its own, up to 32; any number of them wait and poll side by side. Belongs to the
    process that made it: use after a fork raises ForkedClient. Ctrl-C interrupts any operation.

    The methods `start_...` do not wait: they return a Future, and the program computes meanwhile. A later operation of the
    client, of any thread, does not overtake what was started; but until a run is done (`start_run_model` and the others) do
    not overwrite its inputs nor ask for its outputs: its worker reads and computes at its own time.
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
        def make_engine() -> _core.Engine:
            engine = _core.Engine(
                address=address, user=user, password=password, timeout=timeout, identifier=identifier, **options
            )
            engine.prefer_one_connection()
            return engine

        self._pool = Pool(make_engine)

    def __enter__(self) -> Self:
        self._pool.check_usable()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; what is under way, in any thread, ends with Disconnected. Safe to repeat."""
        self._pool.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a client cannot be pickled: it has open connections. Pass its address on and open another one."
        )

    def __repr__(self) -> str:
        return f"Client({self._pool.first.engine.description}, user={self._pool.first.engine.user!r})"

    def describe(self) -> str:
        """All settings: name, value, where it came from and meaning, a line each."""
        return self._pool.first.engine.describe()

    def statistics(self) -> _core.Statistics:
        """Counters since the client was made, of all its connections."""
        return self._pool.statistics()

    def batch(self) -> Batch:
        """An empty batch: call its methods, then `batch.execute()`."""
        self._pool.check_usable()
        return Batch(self)

    def start_batch(self, batch: Batch, *, timeout: float | None = None) -> Future[None]:
        """Start to carry a batch of this client out, and return its future; each handle has its value when that is done.

        The future's result is None; it raises what `batch.execute()` would.
        """
        if batch._pool is not self._pool:
            raise InvalidArgument("batch", "of another client", "start it with the client that made it")
        with self._pool.enter_first(timeout) as turn:
            return Future(self._pool, batch._begin(turn.left), batch)

    # ---- inside

    def _set_prefix(self, what: str, set_prefix: Callable[[_core.Engine], None]) -> None:
        self._pool.configure(what, set_prefix)

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
    wait_for_key = _waited_for_long(Operations.wait_for_key)
    wait_for_tensor = _waited_for_long(Operations.wait_for_tensor)
    wait_for_dataset = _waited_for_long(Operations.wait_for_dataset)
    wait_for_model = _waited_for_long(Operations.wait_for_model)
    wait_for_list_length = _waited_for_long(Operations.wait_for_list_length)
    poll_key = _waited_for_long(Operations.poll_key)
    poll_tensor = _waited_for_long(Operations.poll_tensor)
    poll_dataset = _waited_for_long(Operations.poll_dataset)
    poll_model = _waited_for_long(Operations.poll_model)
    poll_list_length = _waited_for_long(Operations.poll_list_length)
    poll_list_length_gte = _waited_for_long(Operations.poll_list_length_gte)
    poll_list_length_lte = _waited_for_long(Operations.poll_list_length_lte)
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

    start_put_tensor = _started(Operations.put_tensor)
    start_get_tensor = _started(Operations.get_tensor)
    start_unpack_tensor = _started(Operations.unpack_tensor)
    start_infer = _started(Operations.infer)
    start_run_model = _started(Operations.run_model)
    start_run_model_multigpu = _started(Operations.run_model_multigpu)
    start_run_script = _started(Operations.run_script)
    start_run_script_multigpu = _started(Operations.run_script_multigpu)


class Batch(BatchBase):
    """Operations carried out together by `execute()`; each method returns a handle whose value is there then."""

    def __init__(self, client: Client) -> None:
        super().__init__(client._pool.first.engine, client._pool.first.operations)
        self._pool = client._pool

    def _gather(self, *given: Any) -> Request[Any]:
        with self._pool.claim_first():
            return super()._gather(*given)

    def execute(self, *, timeout: float | None = None) -> None:
        """Carry out all operations; done when everything is acknowledged, outputs of runs included.

        After a failure nothing more is begun, and no run behind it stores its outputs. Raises the error of the operation
        that failed, or an ExceptionGroup of several; each handle keeps its own.
        """
        begun_before = self._core.whole
        try:
            with self._pool.enter_first(timeout) as turn:
                whole = self._begin(turn.left)
            self._pool.wait(turn.member, (whole,), None)
        except BaseException:
            if self._core.whole is not None and self._core.whole is not begun_before:
                self._pool.cancel(self._pool.first, self._core.whole)
            raise
        self._raise_failures()

    def _begin(self, timeout: float | None) -> Request[None]:
        """The request that stands for all of them."""
        self._core.execute(timeout)
        return cast("Request[None]", self._core.whole)
