"""A picture of the supervision tree at one moment, as data and as text."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ssasync.actors.child import Child, Phase
from ssasync.actors.exit_reason import ExitReason
from ssasync.actors.state_machine import state_text

#: Which of many siblings are looked at first: those that need somebody. The rest are as good as each other.
_URGENCY = {
    Phase.FAILED.value: 0,
    Phase.BACKOFF.value: 1,
    Phase.STOPPING.value: 2,
    Phase.STARTING.value: 2,
    Phase.WAITING.value: 2,
    Phase.STOPPED.value: 3,
    Phase.ENDED.value: 3,
    Phase.RUNNING.value: 4,
}
#: Columns are aligned up to these widths; a longer name pushes its own line only.
_NAME_WIDTH = 40
_KIND_WIDTH = 24


@dataclass(frozen=True, slots=True)
class LastCrash:
    """The last bad end of a child: the kind of its exit, and how many seconds ago."""

    kind: str
    ago: float


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One child and all below it.

    kind: the class of the actor, or "-" while there is none. state: a Phase by its value. status: the state of the
    actor's own state machine, "" if it has none. restarts: incarnations after the first. mailbox: queued messages.
    uptime: seconds in the present state.
    """

    name: str
    path: str
    kind: str
    state: str
    status: str
    attempt: int
    restarts: int
    mailbox: int
    uptime: float
    last_exit: ExitReason | None
    last_crash: LastCrash | None
    children: tuple["TreeNode", ...]


def tree_of(child: Child) -> TreeNode:
    """The present state of `child` and all below it."""
    return _node(child, time.monotonic())


def render_tree(node: TreeNode, *, limit: int = 20) -> str:
    """The tree as text, one line an actor.

    limit: lines that siblings may take. Of more of them the failed ones are shown, then those that do not run, and a
    few of the first; the others are counted in one line.
    """
    if limit < 1:
        raise ValueError(f"render_tree(limit={limit}): at least one of the siblings must be shown")
    lines = list(_lines(node, "", "", limit))
    shown = [line for line in lines if isinstance(line, _Line)]
    name = min(_NAME_WIDTH, max(len(line.name) for line in shown))
    kind = min(_KIND_WIDTH, max(len(line.kind) for line in shown))
    state = max(len(line.state) for line in shown)
    return "\n".join(
        f"{line.name:{name}}  {line.kind:{kind}}  {line.state:{state}}  {line.facts}"
        if isinstance(line, _Line)
        else line
        for line in lines
    )


@dataclass(frozen=True, slots=True)
class _Line:
    name: str  # with the branches before it
    kind: str
    state: str
    facts: str


def _node(child: Child, now: float) -> TreeNode:
    actor = child.cell.actor if child.cell is not None else None
    machine = actor._machine if actor is not None else None
    crash = child.last_crash
    return TreeNode(
        name=child.spec.name,
        path=child.path,
        kind=type(actor).__name__ if actor is not None else "-",
        state=child.phase.value,
        status=state_text(machine.state) if machine is not None else "",
        attempt=child.attempt,
        restarts=max(0, child.attempt - 1),
        mailbox=child.mailbox.statistics().depth,
        uptime=now - child.since,
        last_exit=child.last_exit,
        last_crash=LastCrash(crash[1].kind, now - crash[0]) if crash is not None else None,
        children=tuple(_node(kid, now) for kid in child.kids.values()),
    )


def _lines(node: TreeNode, first: str, rest: str, limit: int) -> Iterator[_Line | str]:
    state = f"{node.state} ({node.status})" if node.status else node.state
    yield _Line(first + node.name, "" if node.kind == "-" else node.kind, state, ", ".join(_facts(node)))
    shown, folded = _chosen(node.children, limit)
    for place, child in enumerate(shown, start=1):
        last = place == len(shown) and not folded
        yield from _lines(child, rest + ("└── " if last else "├── "), rest + ("    " if last else "│   "), limit)
    if folded:
        yield f"{rest}└── {_fold(folded)}"


def _facts(node: TreeNode) -> Iterator[str]:
    yield _span(node.uptime)
    if node.restarts:
        yield f"{node.restarts:,} restart{'s' if node.restarts > 1 else ''}"
    if node.mailbox:
        yield f"{node.mailbox:,} queued"
    if node.last_crash is not None:
        yield f"crashed {_span(node.last_crash.ago)} ago ({node.last_crash.kind})"
    if node.last_exit is not None and not (node.last_crash is not None and node.last_exit.failed):
        yield f"last exit {node.last_exit.kind}"


def _chosen(siblings: Sequence[TreeNode], limit: int) -> tuple[list[TreeNode], list[TreeNode]]:
    """Those to be shown and those to be folded, both in their order."""
    if len(siblings) <= limit:
        return list(siblings), []
    first = (limit + 3) // 4
    # sorted() is stable: among equals the first ones.
    others = sorted(range(first, len(siblings)), key=lambda place: _urgency(siblings[place]))
    places = {*range(first), *others[: limit - first]}
    shown = [sibling for place, sibling in enumerate(siblings) if place in places]
    return shown, [sibling for place, sibling in enumerate(siblings) if place not in places]


def _urgency(node: TreeNode) -> int:
    """By its own state or that of the worst below it: a supervisor that runs may stand over a child that failed."""
    return min([_URGENCY[node.state], *(_urgency(child) for child in node.children)])


def _fold(folded: Sequence[TreeNode]) -> str:
    states = Counter(node.state for node in folded).most_common()
    below = sum(_below(node) for node in folded)
    text = f"… {len(folded):,} more: " + ", ".join(f"{count:,} {state}" for state, count in states)
    return f"{text}; {below:,} below them" if below else text


def _below(node: TreeNode) -> int:
    return len(node.children) + sum(_below(child) for child in node.children)


def _span(seconds: float) -> str:
    for unit, size in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
