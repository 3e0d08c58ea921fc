"""Messages that an actor sends itself later, once or again and again."""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssasync.actors.deadlines import Deadline
    from ssasync.actors.ties import Ties


class Tick:
    """A timer's place in a mailbox; nobody else can send one."""

    __slots__ = ("timer",)

    def __init__(self, timer: "Timer") -> None:
        self.timer = timer


class Timer:
    """One `send_after` or `send_interval`. It belongs to an incarnation and ends with it.

    Its tick lies in the mailbox in the place of its message: so a cancelled one is recognised there, and one whose last
    tick still waits is not queued again. Therefore a timer holds at most one place, and may exceed the limit.
    """

    __slots__ = ("_deadline", "_due", "_period", "_queued", "_ties", "message", "skipped")

    def __init__(self, ties: "Ties", seconds: float, message: Any, *, repeat: bool) -> None:
        if not seconds >= 0 or math.isinf(seconds) or (repeat and seconds == 0):
            raise ValueError(
                f"{'send_interval' if repeat else 'send_after'}({seconds!r}): give a finite number of seconds "
                f"{'above' if repeat else 'from'} 0"
            )
        self.message = message
        self.skipped = 0  #: ticks that were due while the one before still waited in the mailbox
        self._ties: Ties | None = ties
        self._period = seconds if repeat else None
        self._queued = False
        self._due = ties.cell.child.system.loop.time() + seconds
        self._deadline: Deadline | None = None
        self._arm()

    @property
    def active(self) -> bool:
        """Whether it will deliver anything any more."""
        return self._ties is not None

    def cancel(self) -> bool:
        """Deliver nothing any more, not even what is queued already; False if there was nothing to come."""
        ties, self._ties = self._ties, None
        if ties is None:
            return False
        ties.timers.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
        return True

    def take(self) -> bool:
        """The actor has come to this place in its mailbox: whether `message` is to be handled."""
        self._queued = False
        if self._ties is None:
            return False
        if self._period is None:
            self._ties.timers.discard(self)
            self._ties = None
        return True

    def _arm(self) -> None:
        if self._ties is not None:
            system = self._ties.cell.child.system
            self._deadline = system.deadlines.after(self._due - system.loop.time(), self._fire)

    def _fire(self) -> None:
        self._deadline = None
        if self._ties is None:
            return
        if self._queued:
            self.skipped += 1
        else:
            self._queued = True
            self._ties.cell.child.mailbox.put_tick(Tick(self))
        if self._period is not None:
            # From the time it was due, not from now: a late loop makes no interval drift. Ticks missed are not made up.
            late = self._ties.cell.child.system.loop.time() - self._due
            missed = int(late / self._period)
            self.skipped += missed
            self._due += (missed + 1) * self._period
            self._arm()
