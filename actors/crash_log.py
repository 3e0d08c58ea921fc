"""What ended badly: the last crashes with their stories and tracebacks, and how many there were.

An exception keeps its frames, and they keep every local variable: the arrays of the handler, the dead actor itself. A
thousand of them would be the largest thing in the process, so what can be told of it is taken out when it is added, and
the exception is let go (test_no_frame_outlives_its_crash).

Formatting takes a fifth of the time from crash to restart, so a plain exception waits as a TracebackException, names and
line numbers only, until somebody asks. One that has causes or is a group could be of any size: that is formatted at once
and what is kept is bounded. Formatting everything at once was tried: 0.1 ms a crash; nothing at once: no bound.
"""

import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING

from ssasync.actors.clock_text import clock_text
from ssasync.actors.exit_reason import TEXT_LIMIT, ExitReason, clipped, exception_text

if TYPE_CHECKING:
    from ssasync.actors.child import Transition

_CELL = "ssasync.actors.cell"
#: Frames that are kept of a plain exception: the innermost, where it was raised.
FRAME_LIMIT = 64


@dataclass(frozen=True, slots=True)
class CrashReport:
    """One bad end.

    at: wall-clock time. attempt: which incarnation. reason: without its exception, of which `trace` tells. fate: what
    became of the child, in words. story: its last transitions, oldest first.
    """

    at: float
    path: str
    attempt: int
    reason: ExitReason
    fate: str
    story: "tuple[Transition, ...]" = ()
    _trace: traceback.TracebackException | str = field(default="", repr=False)

    @property
    def trace(self) -> str:
        """The traceback, causes and groups included; "" if nothing was raised."""
        if isinstance(self._trace, str):
            return self._trace
        return clipped("".join(self._trace.format()).rstrip())


@dataclass(frozen=True, slots=True)
class CrashLogStatistics:
    """total: crashes since the log was made, `kinds` of them by exit kind. kept: reports that can still be read."""

    total: int
    kept: int
    limit: int
    kinds: dict[str, int]


class CrashLog:
    """The last `limit` crashes; older ones are counted only. `clock` gives wall-clock seconds."""

    __slots__ = ("_clock", "_kinds", "_reports")

    def __init__(self, limit: int = 1000, *, clock: Callable[[], float] = time.time) -> None:
        if limit < 1:
            raise ValueError(f"CrashLog(limit={limit}): a log must keep at least one report")
        self._reports: deque[CrashReport] = deque(maxlen=limit)
        self._kinds: Counter[str] = Counter()
        self._clock = clock

    def add(
        self, path: str, attempt: int, reason: ExitReason, *, fate: str = "", story: "Sequence[Transition]" = ()
    ) -> CrashReport:
        """Note a bad end. Lets the exception go; never fails."""
        report = CrashReport(
            at=self._clock(),
            path=path,
            attempt=attempt,
            reason=replace(reason, exception=None, detail=clipped(reason.detail)),
            fate=fate,
            story=tuple(story),
            _trace=_captured(reason),
        )
        self._reports.append(report)
        self._kinds[reason.kind] += 1
        return report

    def reports(self) -> tuple[CrashReport, ...]:
        """The crashes that are kept, oldest first."""
        return tuple(self._reports)

    @property
    def total(self) -> int:
        """All crashes since the log was made."""
        return self._kinds.total()

    def statistics(self) -> CrashLogStatistics:
        """How many there were, and of which kinds."""
        return CrashLogStatistics(self.total, len(self._reports), self._reports.maxlen or 0, dict(self._kinds))


def render_crash(report: CrashReport) -> str:
    """A report as text: when, who and why; what became of it; the story; the traceback with all its causes."""
    lines = [
        f"{clock_text(report.at, date=True)} {report.path} (attempt {report.attempt}) ended badly: {report.reason}"
    ]
    if report.fate:
        lines.append(f"  then: {report.fate}")
    if report.story:
        lines.append("  story:")
        lines.extend(f"    {line}" for line in report.story)
    lines.extend(f"  {line}" for line in report.trace.splitlines())
    return "\n".join(lines)


def _captured(reason: ExitReason) -> traceback.TracebackException | str:
    error = reason.exception
    if error is None:
        return ""
    try:
        if _is_plain(error) and len(exception_text(error)) < TEXT_LIMIT:
            inner = _below_the_kernel(error.__traceback__)
            return traceback.TracebackException(type(error), error, inner, limit=-FRAME_LIMIT, lookup_lines=False)
        return clipped("".join(traceback.format_exception(error)).rstrip())
    except Exception as failure:  # noqa: BLE001 -- code of the exception's own class ran; the crash counts all the same
        return f"{type(error).__qualname__}: its traceback could not be formatted: {type(failure).__qualname__}"


def _is_plain(error: BaseException) -> bool:
    alone = error.__cause__ is None and error.__context__ is None and not isinstance(error, BaseExceptionGroup)
    return alone and not getattr(error, "__notes__", None)


def _below_the_kernel(trace: TracebackType | None) -> TracebackType | None:
    """Where the kernel called the actor, or all of it if it was the kernel that raised.

    Its own frames are the same in every report, and finding the place in its long functions takes most of the time.
    """
    inner = trace
    while inner is not None and inner.tb_frame.f_globals.get("__name__") == _CELL:
        inner = inner.tb_next
    return inner or trace
