"""What an actor finds in itself: its place, its states, its names."""

import enum
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar

import pytest

from ssasync.actors import (
    Actor,
    ActorCrashed,
    ActorRef,
    ActorStopped,
    ActorSystem,
    ChildSpec,
    Event,
    FailedToStart,
    IllegalTransition,
    NotStarted,
    RegisteredName,
    Restart,
    RestartPolicy,
    StateChanged,
    StateMachine,
    UnknownName,
)
from tests.actors.waiting import until


async def test_an_actor_that_takes_no_messages_says_so(system: ActorSystem) -> None:
    ref = await system.start_child(ChildSpec("a", Actor))
    with pytest.raises(ActorCrashed, match="Actor takes no messages; it was sent str"):
        await ref.ask("hello")


def test_an_actor_outside_of_any_supervisor_says_so() -> None:
    with pytest.raises(NotStarted, match=r"this Actor is not started: .* give Actor to a ChildSpec"):
        Actor().exit()


async def test_an_actor_has_no_timers_before_it_is_started(system: ActorSystem) -> None:
    class Hasty(Actor):
        def __init__(self) -> None:
            self.send_after(1.0, "tick")

    with pytest.raises(FailedToStart, match="this Hasty is not started: what it needs in __init__ is for `started`"):
        await system.start_child(ChildSpec("a", Hasty, Restart.TEMPORARY))


async def test_an_exit_without_a_reason_to_it_is_a_crash_of_that_actor_alone(system: ActorSystem) -> None:
    class Leaving(Actor):
        async def receive(self, message: Any) -> None:
            self.exit(message)

    sibling = await system.start_child(ChildSpec("sibling", Actor))
    ref = await system.start_child(ChildSpec("a", Leaving, Restart.TEMPORARY))
    with pytest.raises(ActorCrashed, match=r"/test/a: exit\('done'\): give an ExitReason, such as"):
        await ref.ask("done")
    assert (await ref.terminated(10)).kind == "exception"
    await sibling.ready(10)


def test_methods_that_cannot_be_awaited_are_refused_with_their_class() -> None:
    def plain(self: Actor, message: object = None) -> object:
        return message

    async def stream(self: Actor) -> AsyncIterator[int]:
        yield 1

    async def kill(self: Actor) -> None:
        pass

    with pytest.raises(
        TypeError, match=r"actor class Wrong: started is no .*; receive is no coroutine function: write"
    ):
        type("Wrong", (Actor,), {"started": stream, "receive": plain})
    with pytest.raises(TypeError, match=r"stopped is no coroutine function.*; kill is a coroutine function"):
        type("Wrong", (Actor,), {"stopped": plain, "kill": kill})


async def test_a_decorated_method_is_taken_at_its_word(system: ActorSystem) -> None:
    def doubled(method: Callable[..., Awaitable[int]]) -> Callable[..., Awaitable[int]]:
        @functools.wraps(method)
        def call(self: Actor, message: int) -> Awaitable[int]:
            return method(self, 2 * message)

        return call

    class Decorated(Actor):
        @doubled
        async def receive(self, message: int) -> int:
            return message

    assert await (await system.start_child(ChildSpec("a", Decorated))).ask(4) == 8


async def test_an_actor_knows_its_place(system: ActorSystem) -> None:
    class Knowing(Actor):
        async def receive(self, message: object) -> object:
            self.publish(Event(path=self.ref.path))
            return self.ref, self.system, self.attempt

    events = system.events()
    ref = await system.start_child(ChildSpec("a", Knowing))
    assert await ref.ask("who") == (ref, system, 1)
    await system.close()
    assert Event(path="/test/a") in [event async for event in events]


class Light(enum.Enum):
    RED = "red"
    GREEN = "green"
    DARK = "dark"


class Lamp(Actor):
    """A traffic light: moves where it is told, and back to red by itself if it may be green for some time only."""

    table: ClassVar = {Light.RED: {Light.GREEN, Light.DARK}, Light.GREEN: {Light.RED}, Light.DARK: set[Light]()}
    states: StateMachine[Light]

    async def started(self) -> None:
        self.states = self.state_machine(Light.RED, self.table)

    async def receive(self, message: Any) -> Any:
        match message:
            case Light():
                self.states.to(message, "as told")
            case ("green for", seconds):
                self.states.to(Light.GREEN)
                self.state_timeout(seconds, Light.RED)
            case ("register", name):
                self.register(name)
        return self.states.state


class TestStates:
    @pytest.fixture
    async def lamp(self, system: ActorSystem, at_once: RestartPolicy) -> ActorRef:
        return await system.start_child(ChildSpec("lamp", Lamp, policy=at_once))

    async def test_moves_are_events_and_the_tree_shows_the_state(self, system: ActorSystem, lamp: ActorRef) -> None:
        async with system.events() as events:
            assert await lamp.ask(Light.GREEN) is Light.GREEN
            moved = StateChanged(path="/test/lamp", before="red", after="green", detail="as told")
            assert await anext(events) == moved
        assert system.tree().children[0].status == "green"

    async def test_an_illegal_move_is_a_crash_that_tells_the_last_ones(self, lamp: ActorRef) -> None:
        await lamp.ask(Light.GREEN)
        with pytest.raises(ActorCrashed) as caught:
            await lamp.ask(Light.DARK)
        illegal = caught.value.__cause__
        assert isinstance(illegal, IllegalTransition)
        assert "red → green as told" in str(illegal)
        await lamp.ready(10, after=1)
        assert await lamp.ask("state") is Light.RED

    async def test_a_state_timeout_comes_if_the_state_lasts(self, lamp: ActorRef) -> None:
        assert await lamp.ask(("green for", 0.001)) is Light.GREEN
        await until(lambda: lamp.statistics().taken == 2)
        assert await lamp.ask("state") is Light.RED

    async def test_a_state_timeout_goes_with_its_state(self, system: ActorSystem, lamp: ActorRef) -> None:
        await lamp.ask(("green for", 60.0))
        assert system.statistics().deadlines.pending == 1
        await lamp.ask(Light.RED)
        assert system.statistics().deadlines.pending == 0

    async def test_a_state_timeout_needs_states(self, system: ActorSystem) -> None:
        class Stateless(Actor):
            async def receive(self, message: Any) -> Any:
                self.state_timeout(1.0, "x")

        ref = await system.start_child(ChildSpec("stateless", Stateless))
        with pytest.raises(ActorCrashed, match="state_timeout needs states"):
            await ref.ask("any")


class TestNames:
    @pytest.fixture
    async def lamps(self, system: ActorSystem, at_once: RestartPolicy) -> list[ActorRef]:
        return [await system.start_child(ChildSpec(name, Lamp, policy=at_once)) for name in ("left", "right")]

    async def test_a_name_survives_a_restart_and_goes_with_the_child(
        self, system: ActorSystem, lamps: list[ActorRef]
    ) -> None:
        left = lamps[0]
        await left.ask(("register", "west"))
        assert system.whereis("west") is left
        with pytest.raises(ActorCrashed):
            await left.ask(Light.RED)
        await left.ready(10, after=1)
        assert system.registered() == {"west": left}
        await left.ask(("register", "west"))  # the new incarnation does as the old one did
        await system.stop_child("left")
        with pytest.raises(UnknownName, match="no actor is registered as 'west'; registered names: none"):
            system.whereis("west")

    async def test_a_name_belongs_to_one_living_child(self, system: ActorSystem, lamps: list[ActorRef]) -> None:
        left, right = lamps
        system.register("west", left)
        with pytest.raises(RegisteredName, match="/test/left"):
            system.register("west", right)
        system.unregister("west")
        system.register("west", right)
        assert system.whereis("west") is right

    async def test_who_is_over_cannot_be_registered(self, system: ActorSystem, lamps: list[ActorRef]) -> None:
        await system.stop_child("left")
        with pytest.raises(ActorStopped):
            system.register("west", lamps[0])
