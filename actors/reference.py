"""The only thing an actor knows of another: a reference, which names a child and not one of its incarnations."""

import asyncio
import math
from typing import TYPE_CHECKING, Any

from ssasync.actors.errors import AskSelf, AskTimeout, MailboxFull
from ssasync.actors.exit_reason import ExitReason
from ssasync.actors.mailbox import Ask, MailboxStatistics

if TYPE_CHECKING:
    from ssasync.actors.child import Child, Transition


class ActorRef:
    """Names a child. It, and what is queued behind it, survive the restarts of that child."""

    __slots__ = ("_child",)

    def __init__(self, child: "Child") -> None:
        self._child = child

    @property
    def path(self) -> str:
        """Where the child stands in the tree, such as `/demo/members/member_0`."""
        return self._child.path

    async def tell(self, message: Any) -> None:
        """Send `message`; returns once it is queued, which takes as long as the mailbox is full.

        Messages of one sender are handled in the order they were sent. Cancelled while it waits for room, the message
        is not sent, unless room came in that very turn. Raises ActorStopped if the child is over, MailboxFull if an
        actor would wait for room in its own mailbox, and WrongLoop if it would wait: where there is room nobody looks
        whether this is the loop of the system.
        """
        mailbox = self._child.mailbox
        if not mailbox.offer(message):
            if self._is_self():
                raise MailboxFull(self.path, self._child.spec.mailbox_limit)
            self._child.system._check_loop(f"tell of {self.path}")
            await mailbox.put(message)

    def tell_nowait(self, message: Any) -> None:
        """Send `message` without waiting, from the loop of the system. Raises MailboxFull, ActorStopped (it is over)."""
        self._child.mailbox.put_nowait(message)

    async def ask(self, message: Any, *, timeout: float = 60.0) -> Any:
        """Send `message` and return what `receive` returns for it.

        Cancelled, or after `timeout` seconds, the queued message is dropped, or its handler is cancelled if it runs;
        the actor lives on. Raises ActorCrashed (it crashed on this message), ActorStopped (it is over), AskTimeout,
        AskSelf (an actor asked itself from within a handler), WrongLoop, ValueError for a timeout that is no number.
        """
        if self._is_self():
            raise AskSelf(self.path)
        child, loop = self._child, asyncio.get_running_loop()
        if loop is not child.system._loop:
            child.system._check_loop(f"ask of {child.path}")
        if not (type(timeout) is float and timeout == timeout):
            self._check_timeout("ask", timeout)
        reply: asyncio.Future[Any] = loop.create_future()
        ask = Ask(message, reply)
        child.mailbox.put_ask(ask)

        def expire() -> None:
            if not reply.done():
                reply.set_exception(AskTimeout(child.path, message, timeout, running=ask.running))
                self._give_up(ask)

        deadline = child.system.deadlines.after(timeout, expire)
        try:
            return await reply
        except asyncio.CancelledError:
            if not reply.done() or reply.cancelled():
                self._give_up(ask)
            else:
                reply.exception()  # seen: it came in the very turn in which the caller was cancelled
            raise
        finally:
            deadline.cancel()

    @property
    def attempt(self) -> int:
        """The present incarnation, or the last one while there is none; 0 before the first."""
        return self._child.attempt

    async def ready(self, timeout: float | None = None, *, after: int = 0) -> None:
        """Until the child runs, at once if it does; with `after`, until an incarnation later than that one runs.

        Raises FailedToStart (it is over and never ran; with its story), ActorStopped (it ran and is over), WaitTimeout,
        WrongLoop, ValueError for a timeout that is neither a number nor None.
        """
        if timeout is not None:
            self._check_timeout("ready", timeout)
        await self._child.ready(timeout, after)

    async def terminated(self, timeout: float | None = None) -> ExitReason:
        """Until the child is over and not to be restarted; returns its last exit.

        Raises WaitTimeout, WrongLoop, ValueError for a timeout that is neither a number nor None.
        """
        if timeout is not None:
            self._check_timeout("terminated", timeout)
        return await self._child.terminated(timeout)

    def story(self) -> "tuple[Transition, ...]":
        """The last transitions of the child, oldest first."""
        return tuple(self._child.story)

    def statistics(self) -> MailboxStatistics:
        """What is in the child's mailbox and what went through it."""
        return self._child.mailbox.statistics()

    def __repr__(self) -> str:
        return f"ActorRef({self.path})"

    def _check_timeout(self, call: str, timeout: Any) -> None:
        """Before anything is queued: a NaN would block the heap of deadlines."""
        try:
            number = bool(timeout <= math.inf)
        except TypeError:
            number = False
        if not number:
            raise ValueError(f"{call} of {self.path}: timeout is {timeout!r}: give seconds, or math.inf for no limit")

    def _is_self(self) -> bool:
        cell = self._child.cell
        return cell is not None and cell.task is asyncio.current_task()

    def _give_up(self, ask: Ask) -> None:
        if ask.running:
            ask.take_back()
        else:
            self._child.mailbox.drop(ask)
