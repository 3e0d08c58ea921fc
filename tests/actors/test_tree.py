import re
from typing import Any

from ssasync.actors import Actor, ActorCrashed, ActorSystem, ChildSpec, RestartPolicy, Supervisor, render_tree


class Fragile(Actor):
    async def receive(self, message: Any) -> Any:
        if message == "crash":
            raise ValueError("as told")


async def test_the_tree_shows_state_restarts_and_last_exit(system: ActorSystem, at_once: RestartPolicy) -> None:
    specs = [ChildSpec("first", Fragile, policy=at_once), ChildSpec("second", Fragile)]
    await system.start_child(ChildSpec("pool", lambda: Supervisor(specs)))
    await system.start_child(ChildSpec("model", Fragile))
    first = system.lookup("/test/pool/first")
    try:
        await first.ask("crash")
    except ActorCrashed:
        await first.ask("wait until it is back")
    text = re.sub(r"\d+\.\d s", "T", render_tree(system.tree()))
    assert text.splitlines() == [
        "test Supervisor: running, T",
        "├── pool Supervisor: running, T",
        "│   ├── first Fragile: running, T, 1 restart, last exit exception",
        "│   └── second Fragile: running, T",
        "└── model Fragile: running, T",
    ]
    node = system.tree().children[0].children[0]
    assert (node.path, node.attempt, node.restarts, node.mailbox) == ("/test/pool/first", 2, 1, 0)
    assert node.uptime >= 0
