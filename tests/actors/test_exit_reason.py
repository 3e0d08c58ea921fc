import asyncio

from ssasync.actors import Blame, ExitReason


def test_normal_and_shutdown_are_no_failures() -> None:
    assert not ExitReason.normal().failed
    assert not ExitReason.shutdown().failed
    assert ExitReason("time_limit", Blame.INFRASTRUCTURE).failed


def test_a_cancellation_is_told_from_other_exceptions() -> None:
    assert ExitReason.from_exception(asyncio.CancelledError()).kind == "cancelled"
    assert ExitReason.from_exception(ValueError("no")).kind == "exception"


def test_the_exception_is_not_compared() -> None:
    assert ExitReason.from_exception(ValueError("no")) == ExitReason.from_exception(ValueError("no"))


def test_text_names_kind_and_detail() -> None:
    assert str(ExitReason.from_exception(ValueError("no"))) == "exception (ValueError: no)"
    assert str(ExitReason.shutdown()) == "shutdown"
