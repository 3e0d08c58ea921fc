import gc
import weakref
from typing import Any

import pytest

from ssasync.actors import Actor, ActorCrashed, ActorSystem, ChildSpec, Restart
from ssasync.actors.child import Phase, Transition
from ssasync.actors.crash_log import FRAME_LIMIT, CrashLog, CrashLogStatistics, CrashReport, render_crash
from ssasync.actors.exit_reason import TEXT_LIMIT, Blame, ExitReason

STORY = (Transition(1.0, 1, Phase.STARTING), Transition(2.0, 1, Phase.RUNNING))


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
        log.add("/demo/a", attempt, ExitReason(kind, Blame.APPLICATION), fate="restarted", story=STORY)
    assert [(report.at, report.attempt) for report in log.reports()] == [(2.0, 2), (3.0, 3)]
    assert log.total == 3
    assert log.statistics() == CrashLogStatistics(total=3, kept=2, limit=2, kinds={"lost": 2, "exception": 1})


def test_a_report_says_what_it_was_given() -> None:
    reason = ExitReason("time_limit", Blame.INFRASTRUCTURE, "after 2:00:03", hopeless=True)
    report = CrashLog(clock=lambda: 5.0).add("/demo/a", 3, reason, fate="gave up", story=list(STORY))
    assert report == CrashReport(5.0, "/demo/a", 3, reason, "gave up", STORY)
    assert report.trace == ""


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


def test_a_deep_recursion_leaves_its_innermost_frames() -> None:
    def dive(depth: int) -> None:
        if depth:
            dive_on(depth - 1)
        raise ValueError("the ground")

    def dive_on(depth: int) -> None:  # two by turns: traceback folds the repetitions of one
        dive(depth)

    try:
        dive(300)
    except ValueError as error:
        report = CrashLog().add("/demo/a", 1, ExitReason.from_exception(error))
    assert report.trace.count("File ") == FRAME_LIMIT
    assert report.trace.endswith("ValueError: the ground")


async def test_a_traceback_begins_where_the_kernel_calls_the_actor(system: ActorSystem) -> None:
    class Fragile(Actor):
        async def receive(self, message: Any) -> Any:
            raise ValueError(message)

    ref = await system.start_child(ChildSpec("fragile", Fragile, restart=Restart.TEMPORARY))
    with pytest.raises(ActorCrashed):
        await ref.ask("as told")
    await ref.terminated(10)
    (report,) = system.crashes()
    assert report.trace.count("File ") == 1
    assert "in receive" in report.trace
    assert report.trace.endswith("ValueError: as told")


def test_huge_texts_lose_their_middle() -> None:
    error = raised(ValueError("x" * 100_000))
    report = CrashLog().add("/demo/a", 1, ExitReason.from_exception(error))
    short = CrashLog().add("/demo/a", 1, ExitReason("lost", Blame.APPLICATION, "gone", error))
    noted = raised(ValueError("a note"))
    noted.add_note("x" * 100_000)
    for text in (
        report.trace,
        report.reason.detail,
        short.trace,
        CrashLog().add("/demo/a", 1, ExitReason.from_exception(noted)).trace,
    ):
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
    report = log.add("/demo/a", 1, ExitReason.from_exception(error), fate="restarted in 0.05 s", story=STORY)
    lines = render_crash(report).splitlines()
    assert lines[0].endswith(".250 /demo/a (attempt 1) ended badly: exception (ValueError: bad input)")
    assert lines[1:5] == ["  then: restarted in 0.05 s", "  story:", *(f"    {line}" for line in STORY)]
    assert lines[5] == "  Traceback (most recent call last):"
    assert lines[-1] == "  ValueError: bad input"


def test_rendered_without_story_and_traceback_it_is_one_line() -> None:
    report = CrashLog().add("/demo/a", 2, ExitReason("exit_code", Blame.APPLICATION, "exit 3"))
    assert render_crash(report).endswith("/demo/a (attempt 2) ended badly: exit_code (exit 3)")
    assert "\n" not in render_crash(report)


def test_a_log_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"CrashLog\(limit=0\): a log must keep at least one report"):
        CrashLog(0)
