import asyncio
import traceback
from typing import Any

import pytest

from ssasync.actors import (
    EXIT_CODE,
    LOST,
    SIGNAL,
    Actor,
    ActorCrashed,
    ActorSystem,
    Blame,
    ChildSpec,
    ExitReason,
    RestartPolicy,
)
from ssasync.actors.exit_reason import TEXT_LIMIT, one_or_group


class Hostile(Exception):
    """Whatever one asks of it, it raises."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    @property
    def exit_reason(self) -> ExitReason:
        raise RuntimeError("no reason")


class RaisesHostile(Actor):
    async def receive(self, message: Any) -> Any:
        if message == "crash":
            raise Hostile
        return message

    async def stopped(self, reason: ExitReason) -> None:
        raise Hostile


def test_normal_and_shutdown_are_no_failures() -> None:
    assert not ExitReason.normal().failed
    assert not ExitReason.shutdown().failed
    assert ExitReason("time_limit", Blame.INFRASTRUCTURE).failed


@pytest.mark.parametrize(
    ("reason", "kind", "blame", "text"),
    [
        (ExitReason.exit_code(3), EXIT_CODE, Blame.APPLICATION, "exit_code (exit code 3)"),
        (ExitReason.exit_code(3, "no input.dat"), EXIT_CODE, Blame.APPLICATION, "exit_code (no input.dat)"),
        (ExitReason.signal(9), SIGNAL, Blame.APPLICATION, "signal (SIGKILL)"),
        (ExitReason.signal(1000), SIGNAL, Blame.APPLICATION, "signal (signal 1000)"),
        (ExitReason.lost(), LOST, Blame.INFRASTRUCTURE, "lost"),
    ],
)
def test_the_ends_of_programs_have_words_of_their_own(reason: ExitReason, kind: str, blame: Blame, text: str) -> None:
    assert (reason.kind, reason.blame, str(reason)) == (kind, blame, text)
    assert reason.failed


def test_a_cancellation_is_told_from_other_exceptions() -> None:
    assert ExitReason.from_exception(asyncio.CancelledError()).kind == "cancelled"
    assert ExitReason.from_exception(ValueError("no")).kind == "exception"


def test_a_reason_of_wrong_types_is_refused_with_all_mistakes() -> None:
    wrong: Any = {"kind": ["lost"], "blame": "infrastructure", "detail": None, "exception": "e", "hopeless": "no"}
    with pytest.raises(
        ValueError, match=r"kind is .*; blame is 'infrastructure': give a Blame.*detail.*exception.*hope"
    ):
        ExitReason(**wrong)
    with pytest.raises(ValueError, match="kind is '': give a word"):
        ExitReason("", Blame.APPLICATION)


def test_the_exception_is_not_compared() -> None:
    assert ExitReason.from_exception(ValueError("no")) == ExitReason.from_exception(ValueError("no"))


def test_text_names_kind_and_detail() -> None:
    assert str(ExitReason.from_exception(ValueError("no"))) == "exception (ValueError: no)"
    assert str(ExitReason.shutdown()) == "shutdown"


def test_a_huge_text_loses_its_middle() -> None:
    detail = ExitReason.from_exception(ValueError("a" + "x" * 1_000_000 + "z")).detail
    assert len(detail) < TEXT_LIMIT + 100
    assert detail.startswith("ValueError: ax")
    assert detail.endswith("xz")


def test_an_exception_without_a_text_is_a_crash_like_others() -> None:
    reason = ExitReason.from_exception(Hostile())
    assert str(reason) == "exception (Hostile (no text: its __str__ raised RuntimeError))"


async def test_an_exception_without_a_text_takes_no_sibling_along(system: ActorSystem, at_once: RestartPolicy) -> None:
    sibling = await system.start_child(ChildSpec("sibling", Actor))
    hostile = await system.start_child(ChildSpec("hostile", RaisesHostile, policy=at_once))
    with pytest.raises(ActorCrashed, match="Hostile"):
        await hostile.ask("crash")
    assert await hostile.ask("again") == "again"
    assert [child.restarts for child in system.tree().children] == [0, 1]
    assert "Hostile" in (await system.stop_child("hostile")).detail  # in stopped(), too
    await sibling.ready()


def test_several_exceptions_are_a_group_and_one_is_itself() -> None:
    first, second = ValueError("first"), KeyboardInterrupt()
    assert one_or_group([], "none") is None
    assert one_or_group([first], "one") is first
    group = one_or_group([first, second], "two")
    assert isinstance(group, BaseExceptionGroup)
    assert (group.message, group.exceptions) == ("two", (first, second))
    assert isinstance(one_or_group([first, first], "no interrupt among them"), ExceptionGroup)


class Composed(Exception):
    def __init__(self, what: str, how_many: int) -> None:
        self.what = what
        super().__init__(f"{how_many} of {what}")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("plain"),
        Composed("them", 3),
        OSError(2, "gone", "there"),
        KeyError("k"),
        asyncio.CancelledError("why"),
        ExceptionGroup("both", [Composed("it", 1), ExceptionGroup("inner", [ValueError("deep")])]),
    ],
)
def test_a_reason_without_frames_says_the_same(error: BaseException) -> None:
    try:
        raise error
    except BaseException as raised:  # noqa: BLE001 -- all kinds
        kept = ExitReason.from_exception(raised).without_frames().exception
    assert kept is not None
    assert kept is not error
    assert kept.__traceback__ is None
    assert error.__traceback__ is not None
    assert "".join(traceback.format_exception(kept)) == "".join(traceback.format_exception(error.with_traceback(None)))


def test_an_exception_that_cannot_be_copied_is_kept_as_text() -> None:
    error = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")
    kept = ExitReason.from_exception(error).without_frames().exception
    assert type(kept) is RuntimeError
    assert str(kept) == f"UnicodeDecodeError: {error}"
