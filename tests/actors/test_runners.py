"""The tasks that serve the members of pools: one leads, and a handler that suspends holds up nobody else."""

import asyncio
from typing import Any

import pytest

from ssasync.actors import Actor, ActorRef, ActorSystem, ChildSpec, Pool, start_children
from ssasync.actors.runners import SPARE, TURN
from tests.actors.waiting import until


class Member(Actor):
    async def receive(self, message: Any) -> Any:
        match message:
            case ("wait", gate):
                await gate.wait()
            case ("ask on", [first, *rest]):
                return await first.ask(("ask on", rest)) + 1
            case ("tell", refs):
                for ref in refs:
                    ref.tell_nowait("anything")
        return 0


@pytest.fixture
async def members(system: ActorSystem) -> list[ActorRef]:
    pool = await system.start_child(ChildSpec("pool", Pool))
    return await start_children(pool, [ChildSpec(f"m{place}", Member) for place in range(4 * TURN)])


def runners() -> int:
    return sum(task.get_name() == "runner of pool members" for task in asyncio.all_tasks())


async def test_one_runner_serves_all_who_do_not_wait(members: list[ActorRef]) -> None:
    for ref in members:
        ref.tell_nowait("anything")
    await until(lambda: all(ref.statistics().taken for ref in members))
    assert runners() == 1


async def test_members_that_wait_hold_up_nobody(members: list[ActorRef]) -> None:
    gate = asyncio.Event()
    waiting = [asyncio.ensure_future(ref.ask(("wait", gate))) for ref in members[:50]]
    assert [await ref.ask("anything", timeout=10) for ref in members[50:]] == [0] * len(members[50:])
    assert not any(answer.done() for answer in waiting)
    assert runners() >= 50
    gate.set()
    await asyncio.gather(*waiting)
    await until(lambda: runners() <= SPARE)


async def test_a_member_that_waits_for_another_of_the_same_burst_gets_its_answer(members: list[ActorRef]) -> None:
    """The whole chain was woken in one turn, or is woken by the one before: each needs a runner of its own."""
    assert await members[0].ask(("ask on", members[1:100]), timeout=10) == 99


async def test_those_whom_the_leader_wakes_before_it_waits_are_served(members: list[ActorRef]) -> None:
    gate = asyncio.Event()

    class Both(Member):
        async def receive(self, message: Any) -> Any:
            await super().receive(("tell", members))
            await gate.wait()

    system = members[0]._child.system
    (both,) = await start_children(system.lookup("/test/pool"), [ChildSpec("both", Both)])
    both.tell_nowait("go")
    await until(lambda: all(ref.statistics().taken for ref in members))
    gate.set()


async def test_the_loop_has_its_turns_while_many_are_served(members: list[ActorRef]) -> None:
    """A member that wakes itself for ever, and so do all others, keeps nobody else from running."""

    class Restless(Member):
        count = 0

        async def receive(self, message: Any) -> Any:
            self.count += 1
            self.ref.tell_nowait(message)

    system = members[0]._child.system
    pool = system.lookup("/test/pool")
    await start_children(pool, [ChildSpec(f"restless{place}", Restless) for place in range(3)])
    for place in range(3):
        system.lookup(f"/test/pool/restless{place}").tell_nowait("again")
    assert [await ref.ask("anything", timeout=10) for ref in members[:20]] == [0] * 20
