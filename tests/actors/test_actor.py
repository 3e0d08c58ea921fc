import pytest

from ssasync.actors import Actor, ActorCrashed, ActorSystem, ChildSpec, Event, InternalError


async def test_an_actor_that_takes_no_messages_says_so(system: ActorSystem) -> None:
    ref = await system.start_child(ChildSpec("a", Actor))
    with pytest.raises(ActorCrashed, match="Actor takes no messages; it was sent str"):
        await ref.ask("hello")


def test_an_actor_outside_of_any_supervisor_says_so() -> None:
    with pytest.raises(InternalError, match="Actor was not started by a supervisor"):
        Actor().exit()


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
