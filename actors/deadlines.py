"""One timer heap for all deadlines of a kernel.

`loop.call_at` would do, at one timer handle and one push on the loop's heap for each ask; most deadlines are cancelled
long before they are due, and uvloop's timers cost a libuv handle each. Here a cancelled deadline stays in the heap
until it is due or until half of the heap is dead, and the loop sees one timer: the earliest.
"""

import asyncio
import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass

_FEW = 64  # below this many dead entries a sweep is not worth its time


@dataclass(frozen=True, slots=True)
class DeadlineStatistics:
    """pending: calls to come. set, fired: since the heap was made; the rest was cancelled."""

    pending: int = 0
    set: int = 0
    fired: int = 0


class Deadline:
    """One pending call; `cancel()` may be called at any time, also twice."""

    __slots__ = ("_call", "_owner", "when")

    def __init__(self, owner: "Deadlines", when: float, call: Callable[[], None]) -> None:
        self.when = when
        self._owner = owner
        self._call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Forget the call."""
        if self._call is not None:
            self._call = None
            if self.when != math.inf:
                owner = self._owner
                owner._dead += 1
                if owner._dead > _FEW:
                    owner._sweep()

    def _fire(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call()


class Deadlines:
    """Calls functions when their time has come, on the loop it was made for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[float, int, Deadline]] = []
        self._serial = 0  # ties are broken by age; Deadlines do not compare
        self._dead = 0
        self._fired = 0
        self._timer: asyncio.TimerHandle | None = None
        self._armed = math.inf

    def after(self, seconds: float, call: Callable[[], None]) -> Deadline:
        """Call `call` in `seconds` from now; never for infinity. Raises ValueError for what is no number."""
        if seconds != seconds:
            raise ValueError("a deadline in nan seconds: give a number, or math.inf for none")
        when = self._loop.time() + seconds
        deadline = Deadline(self, when, call)
        if when != math.inf:
            self._serial += 1
            heapq.heappush(self._heap, (when, self._serial, deadline))
            if when < self._armed:
                self._arm(when)
        return deadline

    def close(self) -> None:
        """Forget everything that is pending."""
        for _, _, deadline in self._heap:
            deadline._call = None
        self._heap.clear()
        self._dead = 0
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._armed = None, math.inf

    def __len__(self) -> int:
        return len(self._heap) - self._dead

    def statistics(self) -> DeadlineStatistics:
        """What is pending and what was."""
        return DeadlineStatistics(len(self), self._serial, self._fired)

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._armed = self._loop.call_at(when, self._ring), when

    def _ring(self) -> None:
        self._timer, self._armed = None, math.inf
        now = self._loop.time()
        try:
            while self._heap and self._heap[0][0] <= now:
                deadline = heapq.heappop(self._heap)[2]
                if deadline._call is None:
                    self._dead -= 1
                else:
                    self._fired += 1
                    deadline._fire()
        finally:  # a call that raises tells the loop, and must not keep the others from their time
            if self._heap and self._heap[0][0] < self._armed:
                self._arm(self._heap[0][0])

    def _sweep(self) -> None:
        if self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2]._call is not None]
            heapq.heapify(self._heap)
            self._dead = 0
