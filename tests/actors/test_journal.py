"""Journals that fail, hang, or are cancelled: nothing is kept from stopping."""

import asyncio
from typing import Any

import pytest
import uvloop

from ssasync.actors import Act, Actor, ActorSystem, ChildSpec, ExitReason, Intent, JournalFailed
from tests.actors.waiting import until


class Noted(Actor):
    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    async def stopped(self, reason: ExitReason) -> None:
        self.log.append(self.name)


class SlowJournal:
    """Takes its time, or for ever, over the stops."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.stops: list[str] = []

    async def record(self, intent: Intent) -> None:
        if intent.act is Act.STOP:
            self.stops.append(intent.path)
            await asyncio.sleep(self.seconds)


async def test_a_cancelled_record_does_not_keep_the_child_from_stopping() -> None:
    class Cancelling(SlowJournal):
        async def record(self, intent: Intent) -> None:
            if intent.act is Act.STOP:
                raise asyncio.CancelledError

    async with ActorSystem("test", journal=Cancelling()) as system:
        events = system.events()
        await system.start_child(ChildSpec("a", Actor))
        async with asyncio.timeout(5):
            assert (await system.stop_child("a")).kind == "shutdown"
    failed = [event async for event in events if isinstance(event, JournalFailed)]
    assert [event.error for event in failed] == ["CancelledError: "]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("begun", [True, False])
def test_a_loop_that_ends_while_a_stop_is_recorded_goes_on_in_order(run: Any, begun: bool) -> None:
    log: list[str] = []
    journal = SlowJournal(0.02)
    tasks: list[asyncio.Future[ExitReason]] = []
    systems: list[ActorSystem] = []

    async def main() -> None:
        system = ActorSystem("test", journal=journal)
        systems.append(system)
        await system.open()
        for name in "abc":
            await system.start_child(ChildSpec(name, lambda name=name: Noted(log, name)))  # type: ignore[misc]
        tasks.append(asyncio.ensure_future(system.stop_child("b")))
        if begun:
            await until(lambda: journal.stops)
        else:
            await until(lambda: system._to_spawn or journal.stops)

    run(main())
    assert systems[0].crashes() == ()  # nobody used up a grace
    assert sorted(log) == ["a", "b", "c"]
    assert log.index("c") < log.index("a")


async def test_a_journal_that_hangs_costs_one_patience_for_a_whole_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssasync.actors.system.JOURNAL_PATIENCE", 0.2)
    journal = SlowJournal(3600.0)
    system = ActorSystem("test", journal=journal)
    await system.open()
    for name in "abcdefgh":
        await system.start_child(ChildSpec(name, Actor))
    await system.close()
    assert journal.stops == ["/test/h"]
