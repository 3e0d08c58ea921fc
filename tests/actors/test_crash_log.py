import gc
import weakref

import pytest

from ssasync.actors.crash_log import TEXT_LIMIT, CrashLog, CrashLogStatistics, CrashReport, render_crash
from ssasync.actors.exit_reason import Blame, ExitReason


class Local:
    """Something that a frame holds."""


def raised(error: BaseException, *, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:  # noqa: BLE001 -- as it was given
        return caught


def test_keeps_the_last_ones_and_counts_all() -> None:
    log = CrashLog(limit=2, clock=iter([1.0, 2.0, 3.0]).__next__)
    for attempt, kind in enumerate(("lost", "exception", "lost"), start=1):
        log.add("/demo/a", attempt, ExitReason(kind, Blame.APPLICATION), fate="restarted", story=("one", "two"))
    assert [(report.at, report.attempt) for report in log.reports()] == [(2.0, 2), (3.0, 3)]
    assert log.total == 3
    assert log.statistics() == CrashLogStatistics(total=3, kept=2, limit=2, kinds={"lost": 2, "exception": 1})


def test_a_report_says_what_it_was_given() -> None:
    reason = ExitReason("time_limit", Blame.INFRASTRUCTURE, "after 2:00:03", hopeless=True)
    report = CrashLog(clock=lambda: 5.0).add("/demo/a", 3, reason, fate="gave up", story=[1, "b"])
    assert report == CrashReport(5.0, "/demo/a", 3, reason, "gave up", ("1", "b"), "")


def test_no_frame_outlives_its_crash() -> None:
    def crash() -> None:
        local = Local()
        locals_seen.append(weakref.ref(local))
        raise ValueError("bad input")

    locals_seen: list[weakref.ref[Local]] = []
    log = CrashLog()
    try:
        crash()
    except ValueError as error:
        log.add("/demo/a", 1, ExitReason.from_exception(error))
    gc.collect()
    assert locals_seen[0]() is None
    (report,) = log.reports()
    assert report.reason.exception is None
    assert report.reason.detail == "ValueError: bad input"
    assert "in crash" in report.trace
    assert report.trace.endswith("ValueError: bad input")


def test_a_traceback_has_its_whole_chain() -> None:
    cause = raised(KeyError("the first"))
    group = raised(ExceptionGroup("two failed", [OSError("disk"), ValueError("shape")]), cause=cause)
    trace = CrashLog().add("/demo/a", 1, ExitReason.from_exception(group)).trace
    for part in (
        "KeyError: 'the first'",
        "direct cause",
        "two failed (2 sub-exceptions)",
        "OSError: disk",
        "ValueError: shape",
    ):
        assert part in trace


def test_huge_texts_lose_their_middle() -> None:
    error = raised(ValueError("x" * 100_000))
    report = CrashLog().add("/demo/a", 1, ExitReason.from_exception(error))
    for text in (report.trace, report.reason.detail):
        assert len(text) < TEXT_LIMIT + 100
        assert "characters left out" in text
    assert report.reason.detail.startswith("ValueError: x")
    assert report.trace.startswith("Traceback (most recent call last)")


def test_an_exception_that_cannot_be_formatted_is_still_a_crash() -> None:
    class Hostile(Exception):
        @property
        def __notes__(self) -> list[str]:
            raise RuntimeError("not even this")

    log = CrashLog()
    report = log.add("/demo/a", 1, ExitReason("exception", Blame.APPLICATION, "", raised(Hostile())))
    assert log.total == 1
    assert "Hostile: its traceback could not be formatted: RuntimeError" in report.trace


def test_rendered_it_reads_from_what_to_where() -> None:
    error = raised(ValueError("bad input"))
    log = CrashLog(clock=lambda: 1_700_000_000.25)
    story = ("12:00:00.000 attempt 1: starting", "12:00:00.001 attempt 1: running")
    report = log.add("/demo/a", 1, ExitReason.from_exception(error), fate="restarted in 0.05 s", story=story)
    lines = render_crash(report).splitlines()
    assert lines[0].endswith(".250 /demo/a (attempt 1) ended badly: exception (ValueError: bad input)")
    assert lines[1:5] == ["  then: restarted in 0.05 s", "  story:", *(f"    {line}" for line in story)]
    assert lines[5] == "  Traceback (most recent call last):"
    assert lines[-1] == "  ValueError: bad input"


def test_rendered_without_story_and_traceback_it_is_one_line() -> None:
    report = CrashLog().add("/demo/a", 2, ExitReason("exit_code", Blame.APPLICATION, "exit 3"))
    assert render_crash(report).endswith("/demo/a (attempt 2) ended badly: exit_code (exit 3)")
    assert "\n" not in render_crash(report)


def test_a_log_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"CrashLog\(limit=0\): a log must keep at least one report"):
        CrashLog(0)
