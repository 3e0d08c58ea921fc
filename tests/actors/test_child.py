"""What lasts of a child: its story, its backoff, those who wait for it."""

import asyncio
from typing import Any

import pytest

from ssasync.actors import (
    Actor,
    ActorCrashed,
    ActorRef,
    ActorSystem,
    Backoff,
    ChildSpec,
    Intensity,
    RestartPolicy,
    remove_child,
    restart_child,
    stop_child,
)
from ssasync.actors.child import LINE_LIMIT
from ssasync.actors.exit_reason import TEXT_LIMIT
from tests.actors.waiting import until

HOUR = 3600.0
PATIENT = RestartPolicy(Intensity(10, HOUR), backoff=Backoff(HOUR, maximum=HOUR, jitter=False))


class Fragile(Actor):
    async def receive(self, message: Any) -> Any:
        raise ValueError(message)


async def crash(ref: ActorRef, text: str = "told to") -> None:
    with pytest.raises(ActorCrashed):
        await ref.ask(text, timeout=10)


async def test_what_a_crash_says_at_length_is_kept_once(system: ActorSystem) -> None:
    """Crash reports are bounded, but their stories say it again; up to a thousand of them are kept."""
    ref = await system.start_child(
        ChildSpec("a", Fragile, policy=RestartPolicy(Intensity(10, HOUR), backoff=Backoff(0.0)))
    )
    for attempt in (1, 2, 3):
        await ref.ready(10, after=attempt - 1)
        await crash(ref, "x" * 1_000_000)
    await ref.ready(10, after=3)
    longest = max(len(line.detail) for report in system.crashes() for line in report.story)
    assert LINE_LIMIT <= longest < LINE_LIMIT + 100
    assert len(system.crashes()[-1].trace) + len(system.crashes()[-1].reason.detail) < 2 * TEXT_LIMIT + 100
    last = ref._child.last_exit
    assert last is not None
    assert len(last.detail) < TEXT_LIMIT + 100


async def in_backoff(system: ActorSystem, policy: RestartPolicy = PATIENT) -> ActorRef:
    ref = await system.start_child(ChildSpec("a", Fragile, policy=policy))
    await crash(ref)
    await until(lambda: system.tree().children[0].state == "backoff")
    assert system.statistics().deadlines.pending == 1
    return ref


@pytest.mark.parametrize("leave", [stop_child, remove_child, restart_child])
async def test_a_backoff_ends_with_the_wish_that_ends_it(system: ActorSystem, leave: Any) -> None:
    await in_backoff(system)
    await leave(system.root, "a")
    assert system.statistics().deadlines.pending == 0


async def test_a_removed_childs_backoff_does_not_restart_its_namesake(system: ActorSystem) -> None:
    short = 0.1
    await in_backoff(system, RestartPolicy(Intensity(10, HOUR), backoff=Backoff(short, jitter=False)))
    due = asyncio.Event()
    system.deadlines.after(short, due.set)
    await remove_child(system.root, "a")
    namesake = await system.start_child(ChildSpec("a", Fragile, policy=PATIENT))
    await crash(namesake)
    async with asyncio.timeout(10):
        await due.wait()
    await system.start_child(ChildSpec("later", Fragile))  # by then the supervisor has read its lane
    assert [node.state for node in system.tree().children] == ["backoff", "running"]
