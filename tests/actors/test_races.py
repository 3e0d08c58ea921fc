"""Everything at once, in random order: what a deterministic test would not think of.

Each seed is one system, on which several users start, stop, remove and restart children of pools and supervisors, send
messages that wait, crash, leave, set timers, watch and link, and take asks back after a few turns of the loop. SSASYNC_RACES
gives the number of seeds (default 6); a failing one is in the test's name.
"""

import asyncio
import contextlib
import os
import random
from typing import Any

import pytest

from ssasync.actors import (
    Actor,
    ActorAbandoned,
    ActorError,
    ActorRef,
    ActorStuck,
    ActorSystem,
    Backoff,
    ChildExited,
    ChildSpec,
    ChildStarting,
    ChildStopped,
    Event,
    ExitReason,
    Intensity,
    Pool,
    Restart,
    RestartPolicy,
    Strategy,
    Supervisor,
    remove_child,
    restart_child,
    start_child,
    start_children,
    stop_child,
)

SEEDS = range(int(os.environ.get("SSASYNC_RACES", "6")))
ALWAYS = RestartPolicy(application=Intensity(1_000_000, 0.01), backoff=Backoff(0.0))
PATIENCE = 20.0  #: seconds that any single act may take: it hangs if it takes them


class Busy(Actor):
    """Does what it is told, one thing at a time."""

    handling = False

    async def receive(self, message: Any) -> Any:
        assert not self.handling, "re-entered"
        self.handling = True
        try:
            await self.act(message)
        finally:
            self.handling = False

    async def act(self, message: Any) -> None:
        match message:
            case ("sleep", seconds):
                await asyncio.sleep(seconds)
            case "crash":
                raise ValueError("told to")
            case "leave":
                self.exit()
            case "timer":
                self.send_after(random.random() * 0.003, "due")
            case "interval":
                self.send_interval(0.002, "tick")
            case ("watch", ref):
                self.watch(ref)
            case ("unwatch", ref):
                self.unwatch(ref)
            case ("link" | "ask" as how, ref):
                try:
                    if how == "link":
                        self.link(ref)
                    else:
                        await ref.ask("anything", timeout=0.02)
                except ActorError:
                    pass  # it is over, or does not run, or is itself


class Slow(Busy):
    """Needs a turn of the loop to start and one to stop."""

    async def started(self) -> None:
        await asyncio.sleep(0)

    async def stopped(self, reason: ExitReason) -> None:
        await asyncio.sleep(0)


class Trapper(Busy):
    traps_exits = True


async def act_at_random(supervisor: ActorRef, refs: list[ActorRef]) -> None:
    """One random act of a user."""
    name, choice = f"m{random.randrange(8)}", random.random()
    if choice < 0.15:
        kind = random.choice([Busy, Slow, Trapper])
        restart, limit = random.choice(list(Restart)), random.choice([1, 2, 100])
        spec = ChildSpec(name, kind, restart, policy=ALWAYS, grace=5.0, mailbox_limit=limit)
        refs.append(await start_child(supervisor, spec))
    elif choice < 0.2:
        await stop_child(supervisor, name)
    elif choice < 0.25:
        await remove_child(supervisor, name)
    elif choice < 0.3:
        await restart_child(supervisor, name)
    elif choice < 0.31:
        await restart_child(supervisor._child.system.root, supervisor.path.rsplit("/", 1)[-1])
    elif refs:
        await send_at_random(random.choice(refs[-12:]), random.choice(refs[-12:]))


async def send_at_random(ref: ActorRef, other: ActorRef) -> None:
    messages = [("sleep", 0.001), ("sleep", 0), "x", "x", "crash", "leave", "timer", "interval"]
    message = random.choice([*messages, *((how, other) for how in ("watch", "unwatch", "link", "ask"))])
    how = random.random()
    if how < 0.3:
        async with asyncio.timeout(1):
            await ref.tell(message)
    elif how < 0.6:
        await ref.ask(message, timeout=random.choice([0.0005, 0.003, 2]))
    else:
        asking = asyncio.ensure_future(ref.ask(message, timeout=2))
        for _ in range(random.randrange(4)):
            await asyncio.sleep(0)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking


async def user(supervisors: list[ActorRef], refs: list[ActorRef], acts: int) -> None:
    for _ in range(acts):
        hanging = asyncio.timeout(PATIENCE)
        with contextlib.suppress(ActorError, TimeoutError):  # refusals are part of the game
            async with hanging:
                await act_at_random(random.choice(supervisors), refs)
        assert not hanging.expired()
        if random.random() < 0.5:
            await asyncio.sleep(random.random() * 0.002)


def assert_lives(events: list[Event]) -> None:
    """Of every child one incarnation at a time, each with a beginning and an end, and nobody got stuck."""
    alive: set[str] = set()
    for event in events:
        assert not isinstance(event, ActorStuck | ActorAbandoned), event
        if isinstance(event, ChildStarting):
            assert event.path not in alive, event
            alive.add(event.path)
        elif isinstance(event, ChildExited | ChildStopped):
            alive.discard(event.path)
    assert not alive


@pytest.mark.parametrize("seed", SEEDS)
async def test_users_who_do_everything_at_once_leave_nothing_behind(system: ActorSystem, seed: int) -> None:
    random.seed(seed)
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    events = system.events(lossless=True, limit=1_000_000)
    supervisors = [
        await system.start_child(ChildSpec(name, lambda made=made: made(escalate=False), policy=ALWAYS))  # type: ignore[misc]
        for name, made in (("p0", Pool), ("p1", Pool), ("s", Supervisor))
    ]
    refs: list[ActorRef] = []
    await asyncio.gather(*(user(supervisors, refs, 40) for _ in range(8)))
    await system.close()
    assert_lives([event async for event in events])
    assert system.statistics().registry.names == 0
    assert complaints == []


class Owner(Busy):
    """Owns something from its start, or from its first message, to its end."""

    owners: set["Owner"]

    async def receive(self, message: Any) -> Any:
        self.owners.add(self)
        await super().receive(message)

    async def stopped(self, reason: ExitReason) -> None:
        self.owners.discard(self)


class SlowOwner(Owner):
    async def started(self) -> None:
        self.owners.add(self)
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(0, 40 * len(SEEDS), 40))
def test_a_loop_that_ends_at_any_moment_ends_everything(seed: int) -> None:
    """asyncio.run cancels all tasks at its end: those that have not begun, runners, parked members' none."""
    for each in range(seed, seed + 40):
        random.seed(each)
        owners: set[Owner] = set()
        systems: list[ActorSystem] = []
        asyncio.run(_end_at_random(systems, owners))
        assert not owners, f"seed {each}"
        statistics = systems[0].statistics()
        assert (statistics.tasks, statistics.abandoned, statistics.deadlines.pending) == (0, 0, 0), f"seed {each}"


async def _end_at_random(systems: list[ActorSystem], owners: set[Owner]) -> None:
    kinds = [type(kind.__name__, (kind,), {"owners": owners}) for kind in (Owner, SlowOwner)]

    def spec(name: str, kind: type[Owner]) -> ChildSpec:
        return ChildSpec(name, kind, policy=ALWAYS, grace=5.0)

    system = ActorSystem("test")
    systems.append(system)
    await system.open()
    pool = await system.start_child(ChildSpec("p", lambda: Pool(escalate=False)))
    strategy = random.choice(list(Strategy))
    kids = [spec(f"k{place}", kinds[1]) for place in range(3)]
    await system.start_child(ChildSpec("s", lambda: Supervisor(kids, strategy=strategy)))
    refs = await start_children(pool, [spec(f"m{place}", random.choice(kinds)) for place in range(6)])
    refs += [system.lookup(f"/test/s/k{place}") for place in range(3)]
    for _ in range(random.randrange(12)):
        random.choice(refs).tell_nowait(random.choice(["crash", "x", ("sleep", 0), ("sleep", 0.001)]))
        if random.random() < 0.5:
            await asyncio.sleep(0)
