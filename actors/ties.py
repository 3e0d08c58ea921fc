"""What binds one incarnation to others and to time, and ends with it: watches, links, timers.

Undone when the incarnation is over; timers already when it begins to end.
"""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ssasync.actors.child import LINE_LIMIT, Phase
from ssasync.actors.errors import NotRunning
from ssasync.actors.exit_reason import NORMAL, ExitReason, clipped
from ssasync.actors.timers import Timer
from ssasync.actors.watch import Down, LinkedExit, Terminated, Up

if TYPE_CHECKING:
    from ssasync.actors.cell import Cell
    from ssasync.actors.child import Child


@dataclass(frozen=True, slots=True)
class _TakenAlong:
    """An exit that came over a link: which actor began it all, and what that one's exit was."""

    reason: ExitReason
    origin: str
    first: ExitReason


class Ties:
    """The ties of one incarnation; see Actor for what they mean."""

    __slots__ = ("_linked", "_taken_along", "_watched", "cell", "notices", "timers")

    def __init__(self, cell: "Cell") -> None:
        self.cell = cell
        self.timers: set[Timer] = set()
        self.notices: deque[Up | Down | Terminated | LinkedExit] = deque()  # handled before ordinary messages
        self._watched: set[Child] = set()
        self._linked: set[Ties] = set()
        self._taken_along: _TakenAlong | None = None

    def notify(self, notice: Up | Down | Terminated | LinkedExit) -> None:
        """Let the actor handle `notice` before its ordinary messages, unless it is about to end."""
        if not self.cell.ending:
            self.notices.append(notice)
            self.cell.child.mailbox.wake()

    def add_timer(self, seconds: float, message: Any, *, repeat: bool) -> Timer:
        """See Actor.send_after and Actor.send_interval."""
        timer = Timer(self, seconds, message, repeat=repeat)
        self.timers.add(timer)
        if self.cell.ending:
            timer.cancel()
        return timer

    def watch(self, child: "Child") -> None:
        """See Actor.watch."""
        if child in self._watched or self.cell.over:
            return
        if child.phase is Phase.RUNNING:
            self.notify(Up(child.ref, child.attempt))
        elif child.outcome is not None:
            self.notify(Terminated(child.ref, child.outcome))
            return
        self._watched.add(child)
        child.add_watcher(self)

    def unwatch(self, child: "Child") -> None:
        """See Actor.unwatch."""
        self._watched.discard(child)
        child.remove_watcher(self)
        self._forget_notices(child, Up | Down | Terminated)

    def watch_ended(self, child: "Child", reason: ExitReason) -> None:
        """A watched child is over."""
        self._watched.discard(child)
        self.notify(Terminated(child.ref, reason))

    def link(self, child: "Child") -> None:
        """See Actor.link."""
        peer = child.cell
        if peer is self.cell or self.cell.over:
            return
        if peer is None or peer.over:
            raise child.stopped_error() if child.outcome is not None else NotRunning(child.path, child.phase.value)
        self._linked.add(peer.ties)
        peer.ties._linked.add(self)

    def unlink(self, child: "Child") -> None:
        """See Actor.unlink."""
        for other in [other for other in self._linked if other.cell.child is child]:
            self._linked.discard(other)
            other._linked.discard(self)
        self._forget_notices(child, LinkedExit)

    def stop_timers(self) -> None:
        """Cancel what has not come yet."""
        for timer in tuple(self.timers):
            timer.cancel()

    def undo(self, reason: ExitReason) -> None:
        """The incarnation is over, because of `reason`: tell those who are linked with it."""
        self.stop_timers()
        for child in self._watched:
            child.remove_watcher(self)
        along = self._taken_along
        if along is None or along.reason is not reason:  # it ended by itself, or of something more
            along = _TakenAlong(reason, self._name(), reason)
        for other in self._linked:
            other._link_broken(self.cell, along)

    def _name(self) -> str:
        return f"{self.cell.child.path} (attempt {self.cell.attempt})"

    def _link_broken(self, peer: "Cell", end: _TakenAlong) -> None:
        reason = end.reason
        self._linked.discard(peer.ties)
        cell = self.cell
        if cell.actor is not None and cell.actor.traps_exits:
            self.notify(LinkedExit(peer.child.ref, peer.attempt, reason.without_frames()))
        elif reason.kind != NORMAL and self._taken_along is None:
            # The two ends of the chain: if each told what the one before it told, a long one would take all memory.
            name = peer.ties._name()
            via = name if name == end.origin else f"{name}, which was taken along by {end.origin}"
            detail = clipped(f"linked to {via}, which ended: {end.first}", LINE_LIMIT)
            told = ExitReason(reason.kind, reason.blame, detail, reason.exception)
            self._taken_along = _TakenAlong(told, end.origin, end.first)
            # In the next turn: a long chain of linked actors would be a deep recursion.
            cell.child.system.loop.call_soon(cell.stop, told)

    def _forget_notices(self, child: "Child", kinds: Any) -> None:
        self.notices = deque(n for n in self.notices if not (n.ref is child.ref and isinstance(n, kinds)))
