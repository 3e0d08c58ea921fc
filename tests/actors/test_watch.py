"""Actors that hear of one another's ends: watches and links."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from ssasync.actors import (
    Actor,
    ActorCrashed,
    ActorRef,
    ActorSystem,
    Blame,
    ChildSpec,
    Down,
    ExitReason,
    LinkedExit,
    NotRunning,
    Pool,
    Restart,
    RestartPolicy,
    Supervisor,
    Terminated,
    Up,
    start_children,
)


class Peer(Actor):
    """Watches and links as it is told; what it hears of others goes into a queue."""

    def __init__(self, heard: "asyncio.Queue[Any] | None" = None) -> None:
        self.heard = heard

    async def receive(self, message: Any) -> Any:
        match message:
            case Up() | Down() | Terminated() | LinkedExit():
                assert self.heard is not None
                self.heard.put_nowait(message)
            case ("watch", ref):
                self.watch(ref)
            case ("unwatch", ref):
                self.unwatch(ref)
            case ("link", ref):
                self.link(ref)
            case ("unlink", ref):
                self.unlink(ref)
            case ("wait", gate):
                await gate.wait()
            case ExitReason():
                self.exit(message)
            case "crash":
                raise ValueError("told to")
            case other:
                if self.heard is not None:
                    self.heard.put_nowait(other)
        return self.attempt


class Trapper(Peer):
    traps_exits = True


@pytest.fixture
def heard() -> "asyncio.Queue[Any]":
    return asyncio.Queue()


async def next_of(heard: "asyncio.Queue[Any]") -> Any:
    async with asyncio.timeout(10):
        return await heard.get()


class TestWatch:
    @pytest.fixture
    async def watcher(self, system: ActorSystem, heard: "asyncio.Queue[Any]", at_once: RestartPolicy) -> ActorRef:
        return await system.start_child(ChildSpec("watcher", lambda: Peer(heard), policy=at_once))

    async def test_tells_what_is_true_then_every_incarnation_then_the_end(
        self, system: ActorSystem, watcher: ActorRef, heard: "asyncio.Queue[Any]", at_once: RestartPolicy
    ) -> None:
        watched = await system.start_child(ChildSpec("watched", Peer, Restart.TRANSIENT, policy=at_once))
        await watcher.ask(("watch", watched))
        assert await next_of(heard) == Up(watched, 1)
        await watched.tell("crash")
        down = await next_of(heard)
        assert (down.ref, down.attempt, down.reason.kind) == (watched, 1, "exception")
        assert isinstance(down.reason.exception, ValueError)
        assert await next_of(heard) == Up(watched, 2)
        await watched.tell(ExitReason.normal("done"))
        assert await next_of(heard) == Down(watched, 2, ExitReason.normal("done"))
        assert await next_of(heard) == Terminated(watched, ExitReason.normal("done"))

    async def test_of_a_child_that_is_over_tells_its_end(
        self, system: ActorSystem, watcher: ActorRef, heard: "asyncio.Queue[Any]"
    ) -> None:
        watched = await system.start_child(ChildSpec("watched", Peer))
        await system.stop_child("watched")
        await watcher.ask(("watch", watched))
        assert await next_of(heard) == Terminated(watched, ExitReason.shutdown())

    async def test_tells_the_end_of_a_child_that_goes_with_its_supervisor(
        self, system: ActorSystem, watcher: ActorRef, heard: "asyncio.Queue[Any]"
    ) -> None:
        spec = ChildSpec("s", lambda: Supervisor([ChildSpec("kid", Peer)]))
        await system.start_child(spec)
        kid = system.lookup("/test/s/kid")
        await watcher.ask(("watch", kid))
        await system.stop_child("s")
        assert [type(await next_of(heard)) for _ in range(3)] == [Up, Down, Terminated]

    async def test_overtakes_messages_that_wait(
        self, system: ActorSystem, watcher: ActorRef, heard: "asyncio.Queue[Any]"
    ) -> None:
        watched = await system.start_child(ChildSpec("watched", Peer))
        gate = asyncio.Event()
        await watcher.tell(("wait", gate))
        await watcher.tell("first in line")
        await system.stop_child("watched")
        await watcher.tell(("watch", watched))
        await watcher.tell("last in line")
        gate.set()
        assert await next_of(heard) == "first in line"
        assert type(await next_of(heard)) is Terminated
        assert await next_of(heard) == "last in line"

    async def test_unwatch_takes_back_what_is_queued(
        self, system: ActorSystem, watcher: ActorRef, heard: "asyncio.Queue[Any]"
    ) -> None:
        watched = await system.start_child(ChildSpec("watched", Peer))

        class Fickle(Peer):
            async def started(self) -> None:
                self.watch(watched)
                self.watch(watched)
                self.unwatch(watched)
                self.unwatch(watched)

        ref = await system.start_child(ChildSpec("fickle", lambda: Fickle(heard)))
        await ref.ask("only this")
        assert heard.get_nowait() == "only this"
        assert watched._child._watchers == {}

    async def test_unwatch_takes_back_even_the_end(
        self, system: ActorSystem, watcher: ActorRef, heard: "asyncio.Queue[Any]"
    ) -> None:
        watched = await system.start_child(ChildSpec("watched", Peer))
        await watcher.ask(("watch", watched))
        assert type(await next_of(heard)) is Up

        class Busy(Peer):
            async def receive(self, message: Any) -> Any:
                if message == "stop it and unwatch":
                    await self.system.stop_child("watched")
                    self.unwatch(watched)
                return await super().receive(message)

        busy = await system.start_child(ChildSpec("busy", lambda: Busy(heard)))
        await busy.ask(("watch", watched))
        assert type(await next_of(heard)) is Up
        await busy.ask("stop it and unwatch")
        await busy.ask("last")
        told = [await next_of(heard) for _ in range(4)]
        assert [type(message) for message in told if not isinstance(message, str)] == [
            Down,
            Terminated,
        ]  # the watcher's

    async def test_ends_with_the_watcher_and_is_renewed_in_started(
        self, system: ActorSystem, heard: "asyncio.Queue[Any]", at_once: RestartPolicy
    ) -> None:
        watched = await system.start_child(ChildSpec("watched", Peer, policy=at_once))

        class Faithful(Peer):
            async def started(self) -> None:
                self.watch(watched)

        ref = await system.start_child(ChildSpec("faithful", lambda: Faithful(heard), policy=at_once))
        assert await next_of(heard) == Up(watched, 1)
        await ref.tell("crash")
        assert await next_of(heard) == Up(watched, 1)
        assert len(watched._child._watchers or ()) == 1
        await watched.tell("crash")
        assert [type(await next_of(heard)) for _ in range(2)] == [Down, Up]
        await system.stop_child("faithful")
        assert not watched._child._watchers


class TestLink:
    async def test_a_crash_takes_the_linked_actor_along_with_kind_and_blame(
        self, system: ActorSystem, at_once: RestartPolicy
    ) -> None:
        a = await system.start_child(ChildSpec("a", Peer, policy=at_once))
        b = await system.start_child(ChildSpec("b", Peer, policy=at_once))
        await b.ask(("link", a))
        reason = ExitReason("node_failure", Blame.INFRASTRUCTURE, "node 7")
        await a.tell(reason)
        await asyncio.gather(a.ready(10, after=1), b.ready(10, after=1))
        last = system.lookup("/test/b")._child.last_exit
        assert last is not None
        assert (last.kind, last.blame) == ("node_failure", Blame.INFRASTRUCTURE)
        assert "linked to /test/a (attempt 1), which ended: node_failure (node 7)" in last.detail

    async def test_it_works_in_both_directions_and_once(self, system: ActorSystem, at_once: RestartPolicy) -> None:
        a = await system.start_child(ChildSpec("a", Peer, policy=at_once))
        b = await system.start_child(ChildSpec("b", Peer, policy=at_once))
        await b.ask(("link", a))
        await b.tell("crash")
        await asyncio.gather(a.ready(10, after=1), b.ready(10, after=1))
        await a.tell("crash")  # a new incarnation of both: no link any more
        await a.ready(10, after=2)
        assert await b.ask("still?") == 2

    async def test_a_normal_end_leaves_the_other_alone(self, system: ActorSystem) -> None:
        a = await system.start_child(ChildSpec("a", Peer, Restart.TRANSIENT))
        b = await system.start_child(ChildSpec("b", Peer))
        await b.ask(("link", a))
        await a.tell(ExitReason.normal())
        await a.terminated(10)
        assert await b.ask("still?") == 1

    async def test_who_traps_exits_is_told_also_of_normal_ends(
        self, system: ActorSystem, heard: "asyncio.Queue[Any]", at_once: RestartPolicy
    ) -> None:
        a = await system.start_child(ChildSpec("a", Peer, Restart.TRANSIENT, policy=at_once))
        trapper = await system.start_child(ChildSpec("trapper", lambda: Trapper(heard)))
        await trapper.ask(("link", a))
        await a.tell("crash")
        exit_ = await next_of(heard)
        assert (exit_.ref, exit_.attempt, exit_.reason.kind) == (a, 1, "exception")
        await a.ready(10, after=1)
        await trapper.ask(("link", a))
        await a.tell(ExitReason.normal())
        assert await next_of(heard) == LinkedExit(a, 2, ExitReason.normal())
        assert await trapper.ask("still?") == 1

    async def test_unlink_undoes_it(self, system: ActorSystem, at_once: RestartPolicy) -> None:
        a = await system.start_child(ChildSpec("a", Peer, policy=at_once))
        b = await system.start_child(ChildSpec("b", Peer, policy=at_once))
        await b.ask(("link", a))
        await b.ask(("unlink", a))
        await a.tell("crash")
        await a.ready(10, after=1)
        assert await b.ask("still?") == 1

    async def test_it_interrupts_a_handler_whose_sender_is_told(
        self, system: ActorSystem, at_once: RestartPolicy
    ) -> None:
        a = await system.start_child(ChildSpec("a", Peer, policy=at_once))
        b = await system.start_child(ChildSpec("b", Peer, policy=at_once))
        await b.ask(("link", a))
        waiting = asyncio.ensure_future(b.ask(("wait", asyncio.Event())))
        await a.tell("crash")
        with pytest.raises(ActorCrashed, match="linked to /test/a"):
            await waiting
        await b.ready(10, after=1)

    async def test_to_an_actor_without_an_incarnation_is_refused(self, system: ActorSystem) -> None:
        gate = asyncio.Event()

        class Slow(Actor):
            async def started(self) -> None:
                await gate.wait()

        specs = [ChildSpec("slow", Slow), ChildSpec("second", Peer)]
        system.start_child_nowait(ChildSpec("s", lambda: Supervisor(specs)))
        b = await system.start_child(ChildSpec("b", Peer))
        with pytest.raises(ActorCrashed, match="it is waiting") as caught:
            await b.ask(("link", system.lookup("/test/s/second")))
        assert isinstance(caught.value.__cause__, NotRunning)
        gate.set()

    async def test_a_chain_tells_of_its_two_ends_only(self, system: ActorSystem) -> None:
        """Each that told all that the one before it told would take 250 kB a piece in a chain of three thousand."""
        refs = [await system.start_child(ChildSpec(f"a{n}", Peer, restart=Restart.TEMPORARY)) for n in range(50)]
        for one, other in pairwise(refs):
            await other.ask(("link", one))
        with pytest.raises(ActorCrashed):
            await refs[0].ask("crash")
        last = await refs[-1].terminated(10)
        assert last.detail == (
            "linked to /test/a48 (attempt 1), which was taken along by /test/a0 (attempt 1), which ended: "
            "exception (ValueError: told to)"
        )
        (second,) = [report for report in system.crashes() if report.path == "/test/a1"]
        assert second.reason.detail == "linked to /test/a0 (attempt 1), which ended: exception (ValueError: told to)"

    async def test_a_long_chain_ends_as_a_whole(self, system: ActorSystem) -> None:
        """Parked members end without a task: in one turn a chain of a thousand would be a deep recursion."""
        pool = await system.start_child(ChildSpec("pool", lambda: Pool(escalate=False)))
        refs = await start_children(pool, [ChildSpec(f"m{place}", Peer, Restart.TEMPORARY) for place in range(1500)])
        for before, after in pairwise(refs):
            await after.ask(("link", before))
        await refs[0].tell("crash")
        for ref in refs:
            assert (await ref.terminated(10)).kind == "exception"
        assert system.tree().children[0].children == ()
