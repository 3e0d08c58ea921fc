import asyncio
from typing import Any

import pytest

from ssasync.actors import Actor, ActorCrashed, ActorSystem, Blame, ChildSpec, ExitReason, RestartPolicy
from ssasync.actors.exit_reason import one_or_group


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


def test_a_cancellation_is_told_from_other_exceptions() -> None:
    assert ExitReason.from_exception(asyncio.CancelledError()).kind == "cancelled"
    assert ExitReason.from_exception(ValueError("no")).kind == "exception"


def test_the_exception_is_not_compared() -> None:
    assert ExitReason.from_exception(ValueError("no")) == ExitReason.from_exception(ValueError("no"))


def test_text_names_kind_and_detail() -> None:
    assert str(ExitReason.from_exception(ValueError("no"))) == "exception (ValueError: no)"
    assert str(ExitReason.shutdown()) == "shutdown"


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
