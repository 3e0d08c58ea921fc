"""Why one incarnation of an actor ended: a kind, and who is to blame for it."""

import asyncio
import enum
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any


class Blame(enum.Enum):
    """Whose doing an exit was; restart budgets are counted apart by it."""

    APPLICATION = "application"
    INFRASTRUCTURE = "infrastructure"
    REQUESTED = "requested"


#: The kinds the kernel itself uses. Other folders declare further ones as plain words ("time_limit", "node_failure").
NORMAL = "normal"
SHUTDOWN = "shutdown"
EXCEPTION = "exception"
EXIT_CODE = "exit_code"
SIGNAL = "signal"
LOST = "lost"
CANCELLED = "cancelled"
START_TIMEOUT = "start_timeout"
STUCK = "stuck"
GAVE_UP = "gave_up"

#: Characters kept of an exception's text, and of a traceback in the crash log.
TEXT_LIMIT = 16_384


@dataclass(frozen=True)
class ExitReason:
    """The end of one incarnation.

    kind: one word; `normal` and `shutdown` are no failures, everything else is.
    detail: text for people: the message of an exception, the last lines of stderr.
    exception: what was raised, if anything was; an ExceptionGroup where there were several. Not compared.
    hopeless: another attempt would end the same way (no such program): its supervisor gives up at once.
    Raises ValueError, which tells all mistakes.
    """

    kind: str
    blame: Blame
    detail: str = ""
    exception: BaseException | None = field(default=None, compare=False)
    hopeless: bool = False

    def __post_init__(self) -> None:
        # A supervisor acts on these: a word in place of a Blame would be counted to the wrong budget, in silence.
        given: Any = self  # annotations bind no caller
        wrong: list[str] = []
        if not (isinstance(given.kind, str) and given.kind):
            wrong.append(f"kind is {given.kind!r}: give a word")
        if not isinstance(given.blame, Blame):
            wrong.append(f"blame is {given.blame!r}: give a Blame, such as Blame.APPLICATION")
        if not isinstance(given.detail, str):
            wrong.append(f"detail is {given.detail!r}: give a str")
        if not (given.exception is None or isinstance(given.exception, BaseException)):
            wrong.append(f"exception is {given.exception!r}: give an exception, or None")
        if not isinstance(given.hopeless, bool):
            wrong.append(f"hopeless is {given.hopeless!r}: give True or False")
        if wrong:
            raise ValueError(f"ExitReason: {'; '.join(wrong)}")

    @property
    def failed(self) -> bool:
        """True unless the incarnation ended by itself without complaint or was asked to end."""
        return self.kind not in (NORMAL, SHUTDOWN)

    @classmethod
    def normal(cls, detail: str = "") -> "ExitReason":
        """The actor had done its work."""
        return cls(NORMAL, Blame.APPLICATION, detail)

    @classmethod
    def shutdown(cls, detail: str = "") -> "ExitReason":
        """Somebody asked for the end."""
        return cls(SHUTDOWN, Blame.REQUESTED, detail)

    @classmethod
    def exit_code(cls, code: int, detail: str = "") -> "ExitReason":
        """The program that the actor stood for ended by itself with `code`."""
        return cls(EXIT_CODE, Blame.APPLICATION, detail or f"exit code {code}")

    @classmethod
    def signal(cls, number: int, detail: str = "") -> "ExitReason":
        """The program that the actor stood for was ended by a signal."""
        return cls(SIGNAL, Blame.APPLICATION, detail or _signal_name(number))

    @classmethod
    def lost(cls, detail: str = "") -> "ExitReason":
        """What the actor stood for is over, and nothing could tell how: the infrastructure is to blame."""
        return cls(LOST, Blame.INFRASTRUCTURE, detail)

    @classmethod
    def from_exception(cls, error: BaseException) -> "ExitReason":
        """A crash. A cancellation that nobody asked the actor for is one too, of its own kind.

        An exception that has an `exit_reason` says itself what its end means.
        """
        try:
            own = getattr(error, "exit_reason", None)
        except Exception:  # noqa: BLE001 -- code of the exception's own class, as in exception_text
            own = None
        if isinstance(own, cls):
            return replace(own, exception=error)
        if isinstance(error, asyncio.CancelledError):
            detail = "a future or task the actor awaited was cancelled by somebody else than its supervisor"
            return cls(CANCELLED, Blame.APPLICATION, detail, error)
        return cls(EXCEPTION, Blame.APPLICATION, exception_text(error), error)

    def without_frames(self) -> "ExitReason":
        """The same reason with a copy of its exception that has no traceback: to be kept for long.

        A traceback holds its frames, and they hold all that the dead incarnation held: ten gigabytes of arrays, say.
        What the exception itself holds is kept: `args` and attributes, and whatever they refer to, live on with it. An
        exception that is to be seen by others should carry names and numbers, not the arrays.
        """
        if self.exception is None:
            return self
        return replace(self, exception=_without_frames(self.exception))

    def __str__(self) -> str:
        return f"{self.kind} ({self.detail})" if self.detail else self.kind


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal, or one of another system
        return f"signal {number}"


def _without_frames(error: BaseException) -> BaseException:
    """A copy, not the same one stripped: a caller whose `ask` failed may want to print its traceback.

    Constructors are not run again: many make their text from other arguments than `args`.
    """
    try:
        if isinstance(error, BaseExceptionGroup):
            return error.derive([_without_frames(part) for part in error.exceptions])
        reduced = error.__reduce__()  # of an OSError it has more than `args`
        if reduced[0] is type(error):
            bare = type(error).__new__(type(error), *reduced[1])
            bare.__dict__.update(error.__dict__)
            if str(bare) == str(error):
                return bare
    except Exception:  # noqa: BLE001, S110 -- code of the exception's own class; the text must do
        pass
    return RuntimeError(exception_text(error))


def exception_text(error: BaseException) -> str:
    """The class of an exception and what it says, without its middle if that is past TEXT_LIMIT; never fails.

    `str(error)` runs code of the exception's own class. Where the kernel tells a crash, whatever that raises would
    leave the wrapper of the actor, and take the whole system along.
    """
    try:
        return clipped(f"{type(error).__name__}: {error}")
    except Exception as failure:  # noqa: BLE001 -- everything: see above
        return f"{type(error).__name__} (no text: its __str__ raised {type(failure).__name__})"


def clipped(text: str, limit: int = TEXT_LIMIT) -> str:
    """At most `limit` characters of `text`, and a word on how many are missing: both ends tell most, so the middle is."""
    left_out = len(text) - limit
    if left_out <= 0:
        return text
    head = limit // 4
    return f"{text[:head]}\n… {left_out:,} characters left out …\n{text[head - limit :]}"


def one_or_group(errors: Sequence[BaseException], text: str) -> BaseException | None:
    """What an ExitReason carries of `errors`: None, the only one, or a group of them all under `text`."""
    if len(errors) < 2:
        return errors[0] if errors else None
    return BaseExceptionGroup(text, errors)
