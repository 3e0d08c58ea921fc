"""The server of a model worker: sockets, queues and replies in C; see c/worker_front.h."""

import socket
from collections.abc import Sequence
from typing import Any, TypedDict, final, type_check_only

import numpy as np

BFLOAT16: np.dtype[np.void]
ERRAND_LOAD: int
ERRAND_LOAD_SCRIPT: int
ERRAND_FETCH: int
ERRAND_IDLE: int
ERRAND_LOOK: int
ERRAND_LOOK_SCRIPT: int
NO_INPUT: int

@type_check_only
class FrontStatistics(TypedDict):
    """What a front did and does: `connections`, `unanswered`, `held_bytes` are now, the others counts so far."""

    connections: int
    unanswered: int
    held_bytes: int
    requests: int
    batches: int
    joined: int
    failed: int
    expired: int
    lost: int

@final
class Batch:
    """Requests that one call of a model answers.

    inputs: views of the worker's memory, aligned to 64 bytes, valid as long as something refers to them; column-major
    where the client sent them so and no requests were joined. bfloat16 comes as BFLOAT16.
    """

    @property
    def model(self) -> Any:
        """What `Front.model_ready` was given."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def function(self) -> str: ...
    @property
    def requests(self) -> int:
        """How many requests are joined in it."""

    @property
    def inputs(self) -> list[np.ndarray[Any, Any]]: ...

@final
class Front:
    """The server of one worker process.

    worker_id and secret: what clients must know (WIRE.md, "Workers"). most_requests, most_bytes: unanswered requests
    and bytes of their inputs; above them a request is answered by BUSY. spin: microseconds (a second at most) that an idle
    compute thread looks for the next request before it sleeps. All methods may be called from any thread.
    Raises OSError when the system gives no descriptors or threads.
    """

    def __new__(
        cls, *, worker_id: str, secret: bytes, most_requests: int = 65536, most_bytes: int = ..., spin: int = 0
    ) -> Front: ...
    def listen(self, listener: socket.socket) -> None:
        """Accept clients on a listening socket, which the front takes over. Raises OSError."""

    def drain(self) -> None:
        """Take no new connection and no new request; the errand ERRAND_IDLE says when all replies are out."""

    def close(self) -> None:
        """End `next_batch` in all threads; connections close when the front is deleted."""

    def next_batch(self) -> Batch | None:
        """Wait for work, without a deadline: a worker waits for its clients. None: the front is closed."""

    def complete(self, batch: Batch, outputs: Sequence[np.ndarray[Any, Any]]) -> None:
        """Answer all requests of the batch; those of chains go on. Outputs are sent or copied before this returns.

        The outputs of joined requests are parted by rows; where that cannot be done the answer is MODELFAILED.
        Raises TypeError, the batch still unanswered, when an output cannot be sent.
        """

    def fail(self, batch: Batch, code: str, text: str) -> None:
        """Answer with an error of WIRE.md. Joined requests are run again one by one instead."""

    @property
    def errand_fd(self) -> int:
        """Readable while `next_errand` has something."""

    def next_errand(self) -> tuple[int, str, int, int] | None:
        """What the owner must do next: (ERRAND_LOAD, model, 0, 0), (ERRAND_LOAD_SCRIPT, script, 0, 0),
        (ERRAND_LOOK, model, request, 0), (ERRAND_LOOK_SCRIPT, script, request, 0), (ERRAND_FETCH, key, request, input) or
        (ERRAND_IDLE, "", 0, 0); None: nothing.
        """

    def model_ready(
        self,
        name: str,
        version: str,
        model: object,
        *,
        script: bool = False,
        batch_size: int = 0,
        min_batch_size: int = 0,
        min_batch_timeout: int = 0,
    ) -> None:
        """From the next batch on requests for the model, or script, run on this version. Times are in milliseconds.

        Raises ValueError when the version has more than 31 bytes.
        """

    def model_missing(self, name: str, code: str, text: str, *, script: bool = False) -> None:
        """Answer all that waits for the model, or script, with an error; a later request asks for it again."""

    def input_fetched(self, request: int, index: int, array: np.ndarray[Any, Any]) -> None:
        """An input that came by key; it is copied. Raises TypeError when the array cannot be used."""

    def looked(self, request: int) -> None:
        """The store was asked for the current version after the errand came, and that version is loaded: run the request."""

    def request_failed(self, request: int, index: int, code: str, text: str) -> None:
        """An input by key, or (NO_INPUT) the current version, could not be had: answer the request with an error."""

    def statistics(self) -> FrontStatistics: ...
