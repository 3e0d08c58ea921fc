"""A small executable model of OTP's supervisors: all that follows from one event in a tree at rest.

Written from the manual pages of OTP ("Supervisor Behaviour" in the Design Principles, supervisor(3) in stdlib), not from
supervisor_state.py: no events, no phases, no queue. The tree is at rest, one thing happens, and a few recursive
functions follow it until the tree is at rest again. What they return is a `Story`: every start and every end, in order,
or side by side where OTP leaves the order open.

Where the kernel departs from OTP on purpose the model does, too: a failed start counts as a crash, at the first start as
well; budgets are kept for each child and for two blames apart (and for all children together only where the supervisor
has a policy); a child that used them up may be left as failed, and comes back by hand with a fresh budget; a supervisor
that gave up has failed, so that a transient one is restarted. Time stands still: every restart counts.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from ssasync.actors import AutoShutdown, Blame, ExitReason, Intensity, Restart, RestartPolicy, Strategy
from tests.actors.otp_story import Step, Story

BUG = ExitReason("exception", Blame.APPLICATION)
SHUTDOWN = ExitReason.shutdown()


class Ambiguous(Exception):
    """What follows depends on which of several children is up first: there is no one right answer to compare with."""


@dataclass(frozen=True)
class Plan:
    """What a child is made from, in the model as in the real tree.

    turns: of the loop, that it needs for its start, for a message, and for its stop. idle: it has no `started`.
    """

    name: str
    restart: Restart = Restart.PERMANENT
    significant: bool = False
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    turns: int = 0
    idle: bool = False
    crew: "Crew | None" = None

    @property
    def can_hang(self) -> bool:
        """Its start_timeout may be next to nothing, since its start never waits unless it hangs."""
        return self.crew is None and self.turns == 0

    def __repr__(self) -> str:
        facts = [self.name, self.restart.value, _short(self.policy)]
        facts += ["significant"] * self.significant + [f"{self.turns} turns"] * bool(self.turns)
        return " ".join(facts) + (f" {self.crew!r}" if self.crew is not None else "")

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # how hypothesis prints it
        printer.text(repr(self))


@dataclass(frozen=True)
class Crew:
    """What makes a child a supervisor."""

    children: tuple[Plan, ...] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    ordered: bool = True
    escalate: bool = True
    policy: RestartPolicy | None = None
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    pool: bool = False

    def __repr__(self) -> str:
        facts = ["pool" if self.pool else self.strategy.value, "escalates" if self.escalate else "does not escalate"]
        facts += ["unordered"] * (not self.ordered and not self.pool)
        facts += [self.auto_shutdown.value] * (self.auto_shutdown is not AutoShutdown.NEVER)
        facts += [_short(self.policy)] if self.policy is not None else []
        return f"({', '.join(facts)}: {list(self.children)})"


@dataclass(eq=False)
class Node:
    """A child. `spent`: the exits after which it was restarted; `spent_below`: the same of all its children."""

    plan: Plan
    parent: "Node | None"
    attempt: int = 0
    state: str = "waiting"  # running, or over: stopped, ended, failed
    spent: list[ExitReason] = field(default_factory=list)
    spent_below: list[ExitReason] = field(default_factory=list)
    children: "dict[str, Node]" = field(default_factory=dict)

    @property
    def path(self) -> str:
        """As the kernel writes it."""
        return f"{self.parent.path if self.parent else ''}/{self.plan.name}"

    @property
    def crew(self) -> Crew:
        """Only for supervisors."""
        assert self.plan.crew is not None
        return self.plan.crew

    def all_below(self) -> "Iterator[Node]":
        """This one and all below, parents first."""
        yield self
        for child in self.children.values():
            yield from child.all_below()


class Model:
    """The tree. `bad_starts` and `bad_stops` say, by path, what the next `started()` and `stopped()` will raise."""

    def __init__(self, name: str) -> None:
        self.root = Node(Plan(name, crew=Crew(escalate=False)), None, attempt=1, state="running")
        self.bad_starts: dict[str, list[ExitReason]] = {}
        self.bad_stops: set[str] = set()
        self._story = Story()

    def find(self, path: str) -> Node:
        """The node at `path`; KeyError if there is none."""
        node = self.root
        for name in path.split("/")[2:]:
            node = node.children[name]
        return node

    # What may happen. Each returns its story.

    def start(self, parent: str, plan: Plan) -> Story:
        """A child is added; one of that name that is over is replaced, and goes to the end of the line."""
        self._story = Story()
        supervisor = self.find(parent)
        former = supervisor.children.pop(plan.name, None)
        self._line_up(supervisor, plan, former)
        self._go_on(supervisor)
        return self._story

    def crash(self, path: str, reason: ExitReason) -> Story:
        """An incarnation ends by itself, well or badly."""
        self._story = Story()
        self._end(self.find(path), reason)
        return self._story

    def crash_linked(self, paths: list[str], reason: ExitReason) -> Story:
        """The first of a chain of linked workers ends by itself, and each takes the next one along.

        Raises Ambiguous unless what follows of each is apart from what follows of the others.
        """
        nodes = [self.find(path) for path in paths]
        whole, seen = Story(side_by_side=True), set[str]()
        for node in nodes:
            if node.state != "running" or not self._knows(node.path) or self.find(node.path) is not node:
                raise Ambiguous  # taken along by its supervisor already
            self._story = Story()
            final = self._end(node, reason)
            touched = set(self._touched())
            if any(_is_above(one, other) or _is_above(other, one) for one in touched for other in seen):
                raise Ambiguous
            seen |= touched
            whole.parts.append(self._story)
            if final.kind == "normal":
                break
            reason = ExitReason(final.kind, final.blame)
        return whole

    def stop(self, path: str) -> Story:
        """Stopped by hand."""
        self._story = Story()
        node = self.find(path)
        if node.state == "running":
            self._take_down(node, again=False)
        return self._story

    def restart(self, path: str) -> Story:
        """Stopped by hand if it lives, and started (again)."""
        self._story = Story()
        node = self.find(path)
        assert node.parent is not None
        if node.state == "running":
            self._tell("stopped", node, self._close(node, SHUTDOWN), again=True)
        elif node.state == "failed":
            node.spent = []  # whoever starts it again has mended what was wrong
        node.state = "waiting"
        self._go_on(node.parent)
        return self._story

    def remove(self, path: str) -> Story:
        """Stopped by hand if it lives, and forgotten."""
        story = self.stop(path)
        node = self.find(path) if self._knows(path) else None
        if node is not None and node.parent is not None:
            self._forget(node)
        return story

    def close(self) -> Story:
        """The whole system goes down."""
        self._story = Story()
        self._close(self.root, SHUTDOWN)
        return self._story

    # An incarnation ends by itself, and its supervisor decides.

    def _end(self, node: Node, reason: ExitReason) -> ExitReason:
        """All that follows from it; returns its final exit."""
        assert node.parent is not None
        final = self._close(node, reason)
        verdict = self._judge(node, final)
        if verdict is None:
            self._go_on(node.parent)
        else:
            self._end(node.parent, verdict)
        return final

    def _go_on(self, supervisor: Node) -> None:
        """Start what waits; if that makes the supervisor end, follow it up the tree."""
        verdict = self._bring_up(supervisor)
        if verdict is not None:
            self._end(supervisor, verdict)

    def _judge(self, child: Node, reason: ExitReason) -> ExitReason | None:
        """What becomes of a child that ended by itself. Returns the exit of its supervisor if it is to end, too."""
        supervisor = child.parent
        assert supervisor is not None
        crew = supervisor.crew
        if not _is_restarted(child.plan.restart, reason):
            self._tell("exited", child, reason)
            self._over(child, "ended")
            return self._automatic_shutdown(child)
        purses = [(child.plan.policy, child.spent)]
        if crew.policy is not None:
            purses.append((crew.policy, supervisor.spent_below))
        if reason.hopeless or not all(_affords(policy, spent, reason) for policy, spent in purses):
            self._tell("exited", child, reason)
            self._tell("gave up", child, reason)
            self._over(child, "failed")
            blame = Blame.INFRASTRUCTURE if reason.blame is Blame.INFRASTRUCTURE else Blame.APPLICATION
            return ExitReason("gave_up", blame) if crew.escalate or child.plan.significant else None
        child.spent.append(reason)
        supervisor.spent_below.append(reason)
        self._tell("exited", child, reason, again=True)
        child.state = "waiting"
        self._take_down_group(child)
        return None

    def _automatic_shutdown(self, child: Node) -> ExitReason | None:
        assert child.parent is not None
        siblings = child.parent.children.values()
        match child.parent.crew.auto_shutdown:
            case AutoShutdown.ANY_SIGNIFICANT if child.plan.significant:
                return SHUTDOWN
            case AutoShutdown.ALL_SIGNIFICANT if child.plan.significant:
                others = [other for other in siblings if other.plan.significant and other is not child]
                return None if any(other.state in ("running", "waiting") for other in others) else SHUTDOWN
        return None

    def _take_down_group(self, child: Node) -> None:
        """Those whom the crash of `child` takes along, the last first; also those that were over come up again."""
        supervisor = child.parent
        assert supervisor is not None
        crew = supervisor.crew
        if crew.strategy is Strategy.ONE_FOR_ONE:
            return
        line = list(supervisor.children.values())
        group = line if crew.strategy is Strategy.ONE_FOR_ALL else line[line.index(child) :]
        living = [other for other in group if other.state == "running"]
        with self._side_by_side(not crew.ordered):
            for other in reversed(living):
                with self._in_turn():
                    self._take_down(other, again=True)
        for other in group:
            if other.state in ("stopped", "ended") and other.plan.restart is not Restart.TEMPORARY:
                other.state = "waiting"

    # Starting.

    def _bring_up(self, supervisor: Node) -> ExitReason | None:
        """Start what waits, each when those before it are up. Returns the exit of the supervisor if it is to end."""
        while waiting := [child for child in supervisor.children.values() if child.state == "waiting"]:
            if supervisor.crew.ordered or len(waiting) == 1:
                verdict = self._try(waiting[0])
                if verdict is not None:
                    return verdict
                continue
            with self._side_by_side():
                for child in waiting:
                    with self._in_turn():
                        self._try_beside_others(child)
        return None

    def _try(self, child: Node) -> ExitReason | None:
        failure = self._start(child)
        return None if failure is None else self._judge(child, failure)

    def _try_beside_others(self, child: Node) -> None:
        crew = child.parent.crew if child.parent is not None else Crew()
        while child.state == "waiting":
            failure = self._start(child)
            if failure is None:
                return
            if crew.strategy is not Strategy.ONE_FOR_ONE or crew.policy is not None:
                raise Ambiguous
            if self._judge(child, failure) is not None:
                raise Ambiguous

    def _start(self, node: Node) -> ExitReason | None:
        """One attempt. Returns the exit of an incarnation that did not become ready."""
        node.attempt += 1
        self._tell("starting", node)
        dynamic = dict(node.children)
        if node.plan.crew is not None:
            node.spent_below = []
            for plan in node.crew.children:
                dynamic.pop(plan.name, None)
                self._line_up(node, plan, node.children.pop(plan.name, None))
        bad = self.bad_starts.get(node.path)
        if bad:
            reason = bad.pop(0)
            return self._close(node, BUG if reason.kind == "start_timeout" and not node.plan.can_hang else reason)
        for child in dynamic.values():  # what was added by hand is lost with the supervisor it was added to
            self._forget(child)
        if node.plan.crew is not None:
            verdict = self._bring_up(node)
            if verdict is not None:
                return self._close(node, verdict)
        node.state = "running"
        self._tell("started", node)
        return None

    def _line_up(self, supervisor: Node, plan: Plan, former: Node | None) -> None:
        """Waiting, at the end of the line; a former child of that name bequeathes its number and what it stood over."""
        node = Node(plan, supervisor)
        if former is not None:
            node.attempt = former.attempt
            node.children = former.children
            for child in node.children.values():
                child.parent = node
        supervisor.children[plan.name] = node

    # Stopping.

    def _take_down(self, node: Node, *, again: bool) -> None:
        """Stopped by its supervisor: for good, or to be started `again`, which a temporary one never is."""
        reason = self._close(node, SHUTDOWN)
        again = again and node.plan.restart is not Restart.TEMPORARY
        self._tell("stopped", node, reason, again=again)
        if again:
            node.state = "waiting"
        else:
            self._over(node, "stopped")

    def _close(self, node: Node, reason: ExitReason) -> ExitReason:
        """An incarnation releases what it has: first its children, the last first. Returns its final exit."""
        if node.plan.crew is not None:
            children = list(node.children.values())
            living = [child for child in children if child.state == "running"]
            with self._side_by_side():
                for child in children:
                    if child.state == "waiting":
                        self._tell("stopped", child, SHUTDOWN)
                        self._over(child, "stopped")
                with self._side_by_side(not node.crew.ordered):
                    for child in reversed(living):
                        with self._in_turn():
                            self._take_down(child, again=False)
        if node.path in self.bad_stops:
            self.bad_stops.discard(node.path)
            return reason if reason.failed else BUG
        return reason

    # Small things.

    def _knows(self, path: str) -> bool:
        try:
            self.find(path)
        except KeyError:
            return False
        return True

    def _over(self, node: Node, state: str) -> None:
        """Whoever may come up again, by hand or with its group, stays known."""
        node.state = state
        if node.plan.restart is Restart.TEMPORARY or (node.parent is not None and node.parent.crew.pool):
            self._forget(node)

    def _forget(self, node: Node) -> None:
        assert node.parent is not None
        node.parent.children.pop(node.plan.name, None)

    def _touched(self) -> Iterator[str]:
        """Whom the story tells of (with all below), and the purses it spent from that belong to several."""
        for step in self._story.steps():
            yield step.path
            supervisor = step.path.rpartition("/")[0]
            if step.what == "exited" and self._knows(supervisor):
                crew = self.find(supervisor).crew
                if crew.policy is not None:
                    yield f"purse of {supervisor}"
                if step.again and crew.strategy is not Strategy.ONE_FOR_ONE:
                    yield supervisor  # a group, and whoever of it was about to end by himself

    def _tell(self, what: str, node: Node, reason: ExitReason | None = None, *, again: bool = False) -> None:
        self._story.parts.append(Step(what, node.path, node.attempt, reason.kind if reason else "", again))

    @contextmanager
    def _side_by_side(self, really: bool = True) -> Iterator[None]:
        outer, self._story = self._story, Story(side_by_side=really)
        outer.parts.append(self._story)
        yield
        self._story = outer

    def _in_turn(self) -> AbstractContextManager[None]:
        return self._side_by_side(False)


def _is_restarted(restart: Restart, reason: ExitReason) -> bool:
    """Design Principles, Child Specification, `restart`."""
    match restart:
        case Restart.PERMANENT:
            return True
        case Restart.TRANSIENT:
            return reason.kind not in ("normal", "shutdown") and reason.blame is not Blame.REQUESTED
    return False


def _is_above(one: str, other: str) -> bool:
    """Whether the first path is that of a supervisor of the second, or the same."""
    return other == one or other.startswith(f"{one}/")


def _affords(policy: RestartPolicy, spent: list[ExitReason], reason: ExitReason) -> bool:
    """Whether one more restart after `reason` is within the budget it is taken from."""

    def purse(exit_: ExitReason) -> str:
        if exit_.kind in policy.kinds:
            return f"kind {exit_.kind}"
        return "infrastructure" if exit_.blame is Blame.INFRASTRUCTURE else "application"

    budget: Intensity | None = {
        "infrastructure": policy.infrastructure,
        "application": policy.application,
        **{f"kind {kind}": budget for kind, budget in policy.kinds.items()},
    }[purse(reason)]
    return budget is not None and sum(purse(exit_) == purse(reason) for exit_ in spent) < budget.restarts


def _short(policy: RestartPolicy) -> str:
    budgets: dict[str, Intensity | None] = {"app": policy.application, "infra": policy.infrastructure, **policy.kinds}
    return ",".join(f"{name}:{budget.restarts if budget is not None else None}" for name, budget in budgets.items())
