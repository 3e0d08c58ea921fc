"""A picture of the supervision tree at one moment, as data and as text."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from ssasync.actors.child import Child
from ssasync.actors.exit_reason import ExitReason


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One child and all below it.

    kind: the class of the actor, or "-" while there is none. state: a Phase by its value. restarts: incarnations after
    the first. mailbox: queued messages. uptime: seconds in the present state.
    """

    name: str
    path: str
    kind: str
    state: str
    attempt: int
    restarts: int
    mailbox: int
    uptime: float
    last_exit: ExitReason | None
    children: tuple["TreeNode", ...]


def tree_of(child: Child) -> TreeNode:
    """The present state of `child` and all below it."""
    actor = child.cell.actor if child.cell is not None else None
    return TreeNode(
        name=child.spec.name,
        path=child.path,
        kind=type(actor).__name__ if actor is not None else "-",
        state=child.phase.value,
        attempt=child.attempt,
        restarts=max(0, child.attempt - 1),
        mailbox=child.mailbox.statistics().depth,
        uptime=time.monotonic() - child.since,
        last_exit=child.last_exit,
        children=tuple(tree_of(kid) for kid in child.kids.values()),
    )


def render_tree(node: TreeNode) -> str:
    """The tree as text, one line an actor."""
    return "\n".join(_lines(node, "", ""))


def _lines(node: TreeNode, first: str, rest: str) -> Iterator[str]:
    facts = [node.state, f"{node.uptime:.1f} s"]
    if node.restarts:
        facts.append(f"{node.restarts} restart{'s' if node.restarts > 1 else ''}")
    if node.mailbox:
        facts.append(f"{node.mailbox} queued")
    if node.last_exit is not None:
        facts.append(f"last exit {node.last_exit.kind}")
    kind = "" if node.kind == "-" else f" {node.kind}"
    yield f"{first}{node.name}{kind}: {', '.join(facts)}"
    for place, child in enumerate(node.children, start=1):
        last = place == len(node.children)
        yield from _lines(child, rest + ("└── " if last else "├── "), rest + ("    " if last else "│   "))
