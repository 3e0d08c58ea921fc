"""Incarnations that were given up, and end after all: they must not touch what belongs to their successors."""

import asyncio
from typing import Any

import pytest

from ssasync.actors import (
    Actor,
    ActorCrashed,
    ActorSystem,
    ChildSpec,
    ExitReason,
    Restart,
    Supervisor,
    restart_child,
    start_child,
)
from tests.actors.waiting import until


@pytest.fixture(autouse=True)
def _hardly_any_afterlife(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssasync.actors.cell.AFTERLIFE", 0.02)


class Gate:
    """Whoever waits for it hears nothing else, until it is opened."""

    def __init__(self) -> None:
        self.open = False

    async def wait(self) -> None:
        while not self.open:
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                continue


class Deaf(Actor):
    """Waits at the gate in its first incarnation, when it is asked to."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    async def receive(self, message: Any) -> Any:
        if isinstance(message, Exception) or message == "wait":
            await self.gate.wait()
            self.send_interval(0.001, "tick of one given up")
            self.watch(self.system.root)
            if isinstance(message, Exception):
                raise message
        return self.attempt


async def given_up(system: ActorSystem, gate: Gate, message: Any) -> "asyncio.Task[Any]":
    """Start `a`, whose first incarnation does not hear, and its second; returns what the first was asked."""
    ref = await system.start_child(ChildSpec("a", lambda: Deaf(gate), grace=0.02))
    asking = asyncio.ensure_future(ref.ask(message))
    await until(lambda: ref.statistics().taken == 1)
    await restart_child(system.root, "a")
    assert system.statistics().abandoned == 1
    return asking


async def test_it_handles_no_more_messages_and_wakes_its_successor_up_still(system: ActorSystem) -> None:
    gate = Gate()
    asking = await given_up(system, gate, "wait")
    ref = system.lookup("/test/a")
    assert await ref.ask("who", timeout=5) == 2
    gate.open = True
    await until(lambda: system.statistics().abandoned == 0)
    assert [await ref.ask("who", timeout=5) for _ in range(3)] == [2, 2, 2]
    with pytest.raises(ActorCrashed, match="stuck"):
        await asking
    assert not system.root._child._watchers
    assert system.statistics().deadlines.pending == 0


async def test_what_it_raises_is_told_all_the_same(system: ActorSystem) -> None:
    gate = Gate()
    asking = await given_up(system, gate, ValueError("late"))
    gate.open = True
    await until(lambda: system.statistics().abandoned == 0)
    with pytest.raises(ActorCrashed):
        await asking
    last = system.crashes()[-1]
    assert (last.attempt, last.fate) == (1, "had been given up before")
    assert "ValueError: late" in last.trace


async def test_a_supervisor_that_was_given_up_leaves_the_children_to_its_successor(system: ActorSystem) -> None:
    gate = Gate()

    class Team(Supervisor):
        async def started(self) -> None:
            if self.attempt == 1:
                await gate.wait()

    kids = [ChildSpec("w", lambda: Deaf(gate))]
    spec = ChildSpec("team", lambda: Team(kids), grace=0.02, start_timeout=0.02)
    system.start_child_nowait(spec)
    team = system.lookup("/test/team")
    await team.ready(10, after=1)
    dynamic = await start_child(team, ChildSpec("dynamic", lambda: Deaf(gate), Restart.TEMPORARY))
    gate.open = True
    await until(lambda: system.statistics().abandoned == 0)
    assert await dynamic.ask("who", timeout=5) == 1
    assert await system.lookup("/test/team/w").ask("who", timeout=5) == 1
    assert [kid.state for kid in system.tree().children[0].children] == ["running", "running"]


async def test_one_that_ends_well_in_the_end_tells_nothing(system: ActorSystem) -> None:
    class Late(Actor):
        gate = Gate()

        async def stopped(self, reason: ExitReason) -> None:
            if self.attempt == 1:
                await self.gate.wait()

    await system.start_child(ChildSpec("a", Late, grace=0.02))
    await restart_child(system.root, "a")
    crashes = len(system.crashes())
    Late.gate.open = True
    await until(lambda: system.statistics().abandoned == 0)
    assert len(system.crashes()) == crashes
