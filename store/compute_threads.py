"""The threads that run models: as many as there are models, so that a fast one never waits for a slow one."""

import logging
import threading
import time
from collections.abc import Sequence

from ssasync.store._worker_front import Batch, Front
from ssasync.store.model_runtime import Array
from ssasync.store.worker_errors import ModelRaised, WorkerError

__all__ = ["ComputeThreads"]

logger = logging.getLogger(__name__)


class ComputeThreads:
    """Serves `front`, which keeps at least one thread waiting in `next_batch` until it is closed."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._threads: list[threading.Thread] = []
        self.ensure(1)

    def ensure(self, count: int) -> None:
        """Have at least so many threads. They only end with the front: idle ones cost a stack each."""
        while len(self._threads) < count:
            # Daemons: a model that never returns must not keep the process from ending.
            thread = threading.Thread(target=self._compute, name=f"compute:{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def join(self, timeout: float) -> bool:
        """Wait for all to end after the front was closed; False: some model still computes."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _compute(self) -> None:
        while (batch := self._front.next_batch()) is not None:
            answer(self._front, batch)
            del batch  # frees its memory before the wait for the next


def answer(front: Front, batch: Batch) -> None:
    """Run one batch and answer it, whatever the model does."""
    try:
        outputs: Sequence[Array] = batch.model.run(batch.function, batch.inputs)
        try:
            front.complete(batch, outputs)
        except TypeError as error:
            raise ModelRaised(str(error)) from error
    except WorkerError as error:
        front.fail(batch, error.code, str(error))
    except MemoryError as error:
        front.fail(batch, ModelRaised.code, f"no memory to run it: {error}")
    except Exception as error:  # a model may raise anything, and its caller is told
        front.fail(batch, ModelRaised.code, f"{type(error).__name__}: {error}")
        logger.warning("model '%s' version %s raised", batch.name, batch.version, exc_info=error)
