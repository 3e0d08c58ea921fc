"""What ended badly, kept as text: the last crashes with their stories and tracebacks, and how many there were.

An exception keeps its frames, and they keep every local variable: the arrays of the handler, the dead actor itself. A
thousand of them would be the largest thing in the process, so each is formatted when it is added and then let go. That
costs about 0.1 ms a crash; what is kept is bounded by `limit` reports of at most 16 KiB of traceback each. Rejected:
keeping `traceback.TracebackException` and formatting on demand, four times cheaper, but as large as the largest
exception group somebody raises, and with the source lines of the day it is read.
"""

import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ssasync.actors.exit_reason import ExitReason

#: Characters that are kept of a traceback and of a reason's detail; the middle is left out, both ends tell most.
TEXT_LIMIT = 16_384


@dataclass(frozen=True, slots=True)
class CrashReport:
    """One bad end.

    at: wall-clock time. attempt: which incarnation. reason: without its exception, which is in `trace` as text, causes
    and groups included. fate: what became of the child, in words. story: its last transitions, oldest first.
    """

    at: float
    path: str
    attempt: int
    reason: ExitReason
    fate: str
    story: tuple[str, ...] = ()
    trace: str = ""


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
        self, path: str, attempt: int, reason: ExitReason, *, fate: str = "", story: Sequence[object] = ()
    ) -> CrashReport:
        """Note a bad end; holds on to neither the exception nor to what `story` is made of. Never fails."""
        report = CrashReport(
            at=self._clock(),
            path=path,
            attempt=attempt,
            reason=replace(reason, exception=None, detail=_clipped(reason.detail)),
            fate=fate,
            story=tuple(str(line) for line in story),
            trace=_formatted(reason.exception),
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
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(report.at)) + f".{int(report.at % 1 * 1000):03d}"
    lines = [f"{clock} {report.path} (attempt {report.attempt}) ended badly: {report.reason}"]
    if report.fate:
        lines.append(f"  then: {report.fate}")
    if report.story:
        lines.append("  story:")
        lines.extend(f"    {line}" for line in report.story)
    lines.extend(f"  {line}" for line in report.trace.splitlines())
    return "\n".join(lines)


def _formatted(error: BaseException | None) -> str:
    if error is None:
        return ""
    try:
        return _clipped("".join(traceback.format_exception(error)).rstrip())
    except Exception as failure:  # noqa: BLE001 -- code of the exception's own class ran; the crash counts all the same
        return f"{type(error).__qualname__}: its traceback could not be formatted: {type(failure).__qualname__}"


def _clipped(text: str) -> str:
    left_out = len(text) - TEXT_LIMIT
    if left_out <= 0:
        return text
    head = TEXT_LIMIT // 4
    return f"{text[:head]}\n… {left_out:,} characters left out …\n{text[head - TEXT_LIMIT :]}"
