"""What a failure means for the next try, and how long to wait before it: the same for both faces."""

from __future__ import annotations

from ssasync.cyclient.errors import Disconnected, ServerError, StoreError

#: A wait for a key asks again after this many seconds even if no push came: the fallback for a lost invalidation.
RECHECK_SECONDS = 5.0
#: A worker from which nothing came for so long while a request is unanswered is lost (WIRE.md, "Run").
WORKER_SILENCE_SECONDS = 1.0

# valkey.io, topics/cluster-spec and topics/protocol: the command was not executed; the server is not ready yet.
_NOT_EXECUTED = ("LOADING", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN")
_UNWANTED = ("WRONGPASS", "NOAUTH", "NOPERM", "NOPROTO")


def was_not_executed(error: ServerError) -> bool:
    """The server says that the command had no effect and may succeed later."""
    return error.text.startswith(_NOT_EXECUTED)


def is_unwanted(error: StoreError) -> bool:
    """The shard is there and refuses this client: trying again changes nothing."""
    return any(code in str(error) for code in _UNWANTED)


def is_refused(error: StoreError) -> bool:
    """The worker understood us and refuses the request itself: no other worker would take it."""
    return isinstance(error, Disconnected) and error.reason.startswith("PROTOCOL")


def is_busy(error: ServerError) -> bool:
    """The worker's queue is full."""
    return error.text.startswith("BUSY")


class RetryDelay:
    """Doubling delays in seconds, from `first` (which may be 0: at once) to `longest`."""

    def __init__(self, first: float = 0.01, longest: float = 1.0) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def next(self) -> float:
        """The delay before the next try."""
        delay, self._next = self._next, min(max(2 * self._next, 0.01), self._longest)
        return delay

    def reset(self) -> None:
        """After a success."""
        self._next = self._first
