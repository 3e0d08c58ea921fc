"""Operations of a blocking client that go on while the program computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, NoReturn, TypeVar

from ssasync.cyclient import _core
from ssasync.cyclient.batch import BatchBase
from ssasync.cyclient.errors import InvalidArgument, WrongType
from ssasync.cyclient.pool import Pool

T = TypeVar("T")


class Future(Generic[T]):
    """An operation that was started: `client.start_put_tensor(...)` and its like return one.

    The caller's arrays are borrowed until it is done: that of a put must not change, that of an unpack is undefined. It
    moves on while any thread is in an operation of the client that goes the same way, waits for a future of the client or
    tests one: who computes for long may look with `test()` now and then. One thread at a time uses it.

    Dropped before it is done, it is cancelled, and the arrays are given back; if another thread waits in the same client
    at that moment, when that one looks up, within milliseconds. After `client.close()` it ends with Disconnected. In the
    child of a fork one that is not done raises ForkedClient.
    """

    __slots__ = ("__weakref__", "_batch", "_grip", "_pool", "_request")

    def __init__(self, pool: Pool, request: _core.Request[T], batch: BatchBase | None = None) -> None:
        self._request = request
        self._grip = request.grip()  # dropped with this, it cancels the request
        self._pool = pool
        self._batch = batch

    def __reduce__(self) -> NoReturn:
        raise TypeError("a future cannot be pickled: it is an operation under way. Pass its result on.")

    def test(self) -> bool:
        """Whether it is done, however it ended; without waiting."""
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is done, `timeout` seconds at most (None: as long as the operation may take). Whether it is."""
        if not self._request.done:
            self._pool.check_process()
            self._pool.wait(self._pool.first, (self._request,), timeout)
        return self._look()

    def result(self) -> T:
        """Wait until it is done; its value. Raises its error; Cancelled."""
        self.wait()
        if self._batch is not None:
            self._batch._raise_failures()
        return self._request.result()

    @property
    def error(self) -> BaseException | None:
        """What `result()` raises; None if it raises nothing, or if it is not done."""
        if not self._look():
            return None
        if self._batch is None:
            return self._request.error
        try:
            self._batch._raise_failures()
        except BaseException as error:  # noqa: BLE001 - handed out
            return error
        return None

    def cancel(self) -> None:
        """Nobody waits for it any more: the caller's arrays are the caller's again when this returns.

        What has left may be carried out, in its order. Done already: nothing.
        """
        if not self._request.done:
            self._pool.check_process()
            self._pool.cancel(self._pool.first, self._request)

    def _look(self) -> bool:
        """Whether it is done; then the handles of its batch have their values."""
        if self._request.done and self._batch is not None:
            self._batch._core.take_results()
        return self._request.done


def wait_any(futures: Sequence[Future[Any] | None], timeout: float | None = None) -> int | None:
    """Wait until one of them is done, however it ended: its place, the first of several. All of one client.

    None among them are passed over. Returns None if none is done after `timeout` seconds (None: as long as they may take).
    Raises InvalidArgument: there is none, or they are of several clients; WrongType.
    """
    try:
        futures = list(futures)
    except TypeError:
        raise WrongType("futures", futures, "give them in a list") from None
    for given in futures:
        if given is not None and not isinstance(given, Future):
            raise WrongType("a future", given, "give what start_put_tensor and its like return")
    there = [future for future in futures if future is not None]
    if not there or any(future._pool is not there[0]._pool for future in there):
        raise InvalidArgument("futures", f"{len(there)} to wait for", "give at least one, and all of one client")
    requests = [future._request for future in there]
    pool = there[0]._pool
    if not any(request.done for request in requests):
        pool.check_process()
        pool.wait(pool.first, requests, timeout)
    for place, future in enumerate(futures):
        if future is not None and future._look():
            return place
    return None
