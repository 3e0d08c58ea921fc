import enum
import re
from typing import Any

import pytest

from ssasync.actors import (
    Actor,
    ActorCrashed,
    ActorSystem,
    ChildSpec,
    ExitReason,
    Phase,
    RestartPolicy,
    StateMachine,
    Supervisor,
    TreeNode,
    render_tree,
)
from ssasync.actors.tree import LastCrash


class Fragile(Actor):
    async def receive(self, message: Any) -> Any:
        if message == "crash":
            raise ValueError("as told")


class Mood(enum.Enum):
    CALM = "calm"
    ANGRY = "angry"


class Moody(Actor):
    def __init__(self) -> None:
        self.mood: StateMachine[Mood] | None = None

    async def started(self) -> None:
        self.mood = self.state_machine(Mood.CALM, {Mood.CALM: [Mood.ANGRY], Mood.ANGRY: ()})

    async def receive(self, message: Any) -> Any:
        assert self.mood is not None
        self.mood.to(Mood.ANGRY)


def node(name: str, state: str = "running", *children: TreeNode, **facts: Any) -> TreeNode:
    """A node that has nothing to tell but what is given."""
    defaults: dict[str, Any] = {
        "path": f"/{name}",
        "kind": "Fragile",
        "status": "",
        "attempt": 1,
        "restarts": 0,
        "mailbox": 0,
        "uptime": 1.0,
        "last_exit": None,
        "last_crash": None,
    }
    return TreeNode(name=name, state=state, children=children, **{**defaults, **facts})


def names_of(text: str) -> list[str]:
    return [line.split()[1] for line in text.splitlines()[1:]]


async def test_the_tree_shows_state_restarts_and_last_crash(system: ActorSystem, at_once: RestartPolicy) -> None:
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
        "test            Supervisor  running  T",
        "├── pool        Supervisor  running  T",
        "│   ├── first   Fragile     running  T, 1 restart, crashed T ago (exception)",
        "│   └── second  Fragile     running  T",
        "└── model       Fragile     running  T",
    ]
    first_node = system.tree().children[0].children[0]
    assert (first_node.path, first_node.attempt, first_node.restarts) == ("/test/pool/first", 2, 1)
    assert (first_node.mailbox, first_node.status) == (0, "")
    assert first_node.last_crash is not None
    assert first_node.last_crash.kind == "exception"
    assert 0 <= first_node.uptime <= first_node.last_crash.ago < 60


async def test_the_state_of_an_actor_with_states_is_shown(system: ActorSystem) -> None:
    moody = await system.start_child(ChildSpec("moody", Moody))
    assert system.tree().children[0].status == "calm"
    await moody.ask("provocation")
    assert system.tree().children[0].status == "angry"
    assert "└── moody  Moody       running (angry)  " in render_tree(system.tree())


def test_what_there_is_to_tell_is_told() -> None:
    tree = node(
        "demo",
        "running",
        node("done", "ended", kind="-", last_exit=ExitReason.normal(), uptime=200_000.0),
        node("busy", status="loading weights", mailbox=1200, restarts=12, last_crash=LastCrash("lost", 150.0)),
        node("late", "backoff", kind="-", uptime=7200.0),
    )
    assert render_tree(tree).splitlines() == [
        "demo      Fragile  running                    1.0 s",
        "├── done           ended                      2.3 d, last exit normal",
        "├── busy  Fragile  running (loading weights)  1.0 s, 12 restarts, 1,200 queued, crashed 2.5 min ago (lost)",
        "└── late           backoff                    2.0 h",
    ]


def test_many_siblings_are_folded() -> None:
    tree = node("pool", "running", *(node(f"m{number}") for number in range(100_000)))
    lines = render_tree(tree).splitlines()
    assert len(lines) == 22
    assert names_of(render_tree(tree))[:20] == [f"m{number}" for number in range(20)]
    assert lines[-1] == "└── … 99,980 more: 99,980 running"


def test_of_many_siblings_the_failed_ones_come_first_then_those_that_do_not_run() -> None:
    states = {30: "backoff", 31: "starting", 40: "failed", 50: "failed", 60: "ended"}
    tree = node("pool", "running", *(node(f"m{number}", states.get(number, "running")) for number in range(100)))
    assert names_of(render_tree(tree, limit=7))[:7] == ["m0", "m1", "m30", "m31", "m40", "m50", "m60"]
    assert names_of(render_tree(tree, limit=4))[:4] == ["m0", "m30", "m40", "m50"]


def test_a_running_supervisor_over_a_failed_child_is_not_folded() -> None:
    groups = [node(f"g{number}", "running", node("a"), node("b")) for number in range(9)]
    groups[7] = node("g7", "running", node("a"), node("b", "failed"))
    lines = render_tree(node("root", "running", *groups), limit=3).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("├── ")] == ["g0", "g1", "g7"]
    assert lines[-1] == "└── … 6 more: 6 running; 12 below them"


def test_the_line_of_the_folded_counts_their_states() -> None:
    states = ["running"] * 5 + ["backoff"] * 3 + ["running"] * 10
    tree = node("pool", "running", *(node(f"m{number}", state) for number, state in enumerate(states)))
    assert render_tree(tree, limit=2).splitlines()[-1] == "└── … 16 more: 14 running, 2 backoff"


def test_a_tree_without_any_line_is_refused() -> None:
    with pytest.raises(ValueError, match=r"render_tree\(limit=0\)"):
        render_tree(node("pool"), limit=0)


def test_siblings_in_any_phase_can_be_chosen_from() -> None:
    phases = [phase.value for phase in Phase]
    tree = node("pool", "running", *(node(f"m_{state}", state) for state in phases))
    assert names_of(render_tree(tree, limit=2))[:2] == ["m_waiting", "m_failed"]
