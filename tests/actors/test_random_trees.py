"""Random supervision trees, shaken: after every step the real tree must be where the model of OTP says, on both loops.

`make test` runs a fixed choice of examples. SSASYNC_RANDOM_TREES=N runs N on each loop, other ones every time.
"""

import asyncio
import copy
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import pairwise

import pytest
import uvloop
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ssasync.actors import (
    Act,
    ActorCrashed,
    ActorError,
    ActorRef,
    ActorStopped,
    ActorSystem,
    AutoShutdown,
    Backoff,
    Intensity,
    Journal,
    Restart,
    RestartPolicy,
    Strategy,
    TakesNoMessages,
    TreeNode,
    remove_child,
    render_tree,
    restart_child,
    start_child,
    stop_child,
)
from tests.actors.otp_model import Ambiguous, Crew, Model, Node, Plan
from tests.actors.otp_story import Step, Story, assert_follows
from tests.actors.puppets import BY_LEAVING, BY_RAISING, EXITS, PATIENCE, End, Link, Records, Stage, Watcher, flat

RANDOM_TREES = int(os.environ.get("SSASYNC_RANDOM_TREES", "0"))
IDLE = "idle"  # the name of those that have no started(), so that they may be parked in a pool
OVER = ("stopped", "ended", "failed")
AFTER = {
    "started": {"running"},
    "exited": {"ended"},
    "stopped": {"stopped"},
    "gave up": {"failed", "stopped"},  # stopped: with an earlier incarnation of its supervisor
}
OF_THE_SYSTEM = {"actor system t", "runner of pool members"}  # tasks that are no actors
LOG = logging.getLogger("ssasync.actors")
HOUR = 3600.0  # the model's time stands still: no restart may be forgotten while an example runs

# Trees.

intensities = st.builds(Intensity, st.integers(0, 3), st.just(HOUR))
policies = st.builds(
    RestartPolicy,
    application=intensities,
    infrastructure=intensities,
    backoff=st.sampled_from([Backoff(0.0), Backoff(0.0), Backoff(0.0), Backoff(0.001, jitter=False)]),
    kinds=st.fixed_dictionaries({}, optional={"time_limit": intensities, "out_of_memory": st.none() | intensities}),
)


@st.composite
def plans(draw: st.DrawFn, name: str, depth: int, auto_shutdown: AutoShutdown = AutoShutdown.NEVER) -> Plan:
    restart = draw(st.sampled_from(Restart))
    may_be_significant = auto_shutdown is not AutoShutdown.NEVER and restart is not Restart.PERMANENT
    idle = name == IDLE
    return Plan(
        name,
        restart=restart,
        significant=may_be_significant and draw(st.booleans()),
        policy=draw(policies),
        turns=0 if idle else draw(st.integers(0, 2)),
        idle=idle,
        crew=draw(crews(depth - 1)) if depth > 1 and not idle and draw(st.booleans()) else None,
    )


@st.composite
def crews(draw: st.DrawFn, depth: int) -> Crew:
    auto_shutdown = draw(st.sampled_from(AutoShutdown))
    escalate = draw(st.booleans())
    policy = draw(st.none() | policies)
    if draw(st.integers(0, 4)) == 4:
        return Crew((), Strategy.ONE_FOR_ONE, False, escalate, policy, auto_shutdown, pool=True)
    names = ["a", "b", "c", IDLE, "d"][: draw(st.integers(0, 5))]
    return Crew(
        children=tuple(draw(plans(name, depth, auto_shutdown)) for name in names),
        strategy=draw(st.sampled_from(Strategy)),
        ordered=draw(st.booleans()),
        escalate=escalate,
        policy=policy,
        auto_shutdown=auto_shutdown,
    )


#: Which of the candidates: any number, taken modulo.
picks = st.integers(0, 30)
#: What `started()` and `stopped()` of some will raise in the next step.
scripts = st.tuples(
    st.lists(
        st.tuples(picks, st.lists(st.sampled_from([*BY_RAISING, "hang"]), min_size=1, max_size=3)),
        max_size=2,
    ),
    st.lists(picks, max_size=2),
)
Script = tuple[list[tuple[int, list[str]]], list[int]]
NO_SCRIPT: Script = ([], [])
Storm = list[tuple[str, int, str]]
storms = st.lists(
    st.tuples(
        st.sampled_from(["tell", "stop", "restart", "remove", "add", "link", "turn"]),
        picks,
        st.sampled_from([how for how in BY_RAISING if how != "stray"]),  # which cannot be told from an asked-for one
    ),
    max_size=8,
)


class RandomTree(RuleBasedStateMachine):
    """One example: a tree, steps that are compared one by one, and a storm that only has to leave it whole."""

    new_loop: Callable[[], asyncio.AbstractEventLoop]

    def __init__(self) -> None:
        super().__init__()
        self.loop = type(self).new_loop()
        self.stage = Stage()
        self.records = Records()
        self.model = Model("t")
        self.alive: set[tuple[str, int]] = set()  # incarnations, by what was compared
        self.compared = (0, 0)  # steps of the watcher and lines of the stage's log
        self.sound = True
        self.storm: Storm = []
        LOG.disabled = True  # hundreds of crashes that were all meant

    @initialize(first=plans("a", 3), second=plans("b", 2), journal=st.booleans(), storm=storms)
    def plant(self, first: Plan, second: Plan, journal: bool, storm: Storm) -> None:
        self.storm = storm
        self.loop.run_until_complete(self._open(self.records if journal else None))
        for plan in (first, second):
            self._add("/t", plan, NO_SCRIPT)

    async def _open(self, journal: Journal | None) -> None:
        self.system = ActorSystem("t", journal=journal)
        await self.system.open()
        self.watcher = Watcher(self.system)

    # What happens to it.

    @rule(pick=picks, how=st.sampled_from(BY_RAISING), asked=st.booleans(), script=scripts)
    def crash(self, pick: int, how: str, asked: bool, script: Script) -> None:
        path = self._pick(pick, lambda node: node.state == "running")
        if path is not None:
            self._step(script, lambda model: model.crash(path, EXITS[how]), lambda: self._end(path, End(how), asked))

    @rule(pick=picks, how=st.sampled_from(BY_LEAVING), script=scripts)
    def leave(self, pick: int, how: str, script: Script) -> None:
        path = self._pick(pick, lambda node: node.state == "running")
        if path is not None:
            end = End(how, leave=True)
            self._step(script, lambda model: model.crash(path, EXITS[how]), lambda: self._end(path, end, asked=False))

    @rule(
        chain=st.lists(picks, min_size=2, max_size=4),
        how=st.sampled_from([*BY_RAISING, "normal", "shutdown"]),
        script=scripts,
    )
    def crash_linked(self, chain: list[int], how: str, script: Script) -> None:
        picked = [self._pick(pick, lambda node: node.state == "running" and node.plan.crew is None) for pick in chain]
        paths = [path for path in dict.fromkeys(picked) if path is not None]
        if how == "normal":
            paths = paths[:2]  # it takes nobody along: a longer chain would stay linked
        if len(paths) > 1:
            end = End(how, leave=how not in BY_RAISING)
            self._step(
                script, lambda model: model.crash_linked(paths, EXITS[how]), lambda: self._end_linked(paths, end)
            )

    @rule(pick=picks, script=scripts)
    def stop(self, pick: int, script: Script) -> None:
        path = self._pick(pick, _is_within_reach)
        if path is not None:
            self._step(script, lambda model: model.stop(path), lambda: self._by_hand(stop_child, path))

    @rule(pick=picks, script=scripts)
    def restart(self, pick: int, script: Script) -> None:
        path = self._pick(pick, _is_within_reach)
        if path is not None:
            self._step(script, lambda model: model.restart(path), lambda: self._by_hand(restart_child, path))

    @rule(pick=picks, script=scripts)
    def remove(self, pick: int, script: Script) -> None:
        path = self._pick(pick, _is_within_reach)
        if path is not None:
            self._step(script, lambda model: model.remove(path), lambda: self._by_hand(remove_child, path))

    @rule(pick=picks, name=st.sampled_from(["a", "b", "e", IDLE]), data=st.data(), script=scripts)
    def add(self, pick: int, name: str, data: st.DataObject, script: Script) -> None:
        path = self._pick(pick, lambda node: node.plan.crew is not None and node.state == "running", root=True)
        assert path is not None
        node = self.model.find(path)
        if name not in node.children or node.children[name].state in OVER:
            plan = data.draw(plans(name, 4 - path.count("/"), node.crew.auto_shutdown))
            self._add(path, plan, script)

    def _add(self, parent: str, plan: Plan, script: Script) -> None:
        async def add() -> None:
            with suppress(ActorStopped):  # it was over before it was ready: the model knows
                await start_child(self.system.lookup(parent), self.stage.spec(plan))

        self._step(script, lambda model: model.start(parent, plan), add, added=(parent, plan))

    async def _end(self, path: str, end: End, asked: bool) -> None:
        ref = self.system.lookup(path)
        if not asked:
            await ref.tell(end)
            return
        raised = len(self.stage.raised)
        with pytest.raises(ActorCrashed) as crash:
            await ref.ask(end)
        assert crash.value.reason.exception is self.stage.raised[raised]

    async def _end_linked(self, paths: list[str], end: End) -> None:
        refs = [self.system.lookup(path) for path in paths]
        for one, other in pairwise(refs):
            await one.ask(Link(other))
        await refs[0].tell(end)

    async def _by_hand(self, act: Callable[[ActorRef, str], Awaitable[object]], path: str) -> None:
        supervisor, _, name = path.rpartition("/")
        with suppress(ActorStopped, ActorCrashed):  # of the child, or of the supervisor meanwhile: the model knows
            await act(self.system.lookup(supervisor), name)

    # One step of both.

    def _pick(self, pick: int, choice: Callable[[Node], bool], root: bool = False) -> str | None:
        """The path of one that fits, if there is any."""
        nodes = [node for node in self.model.root.all_below() if choice(node) and (root or node.parent is not None)]
        return nodes[pick % len(nodes)].path if nodes else None

    def _step(
        self,
        script: Script,
        in_model: Callable[[Model], Story],
        really: Callable[[], Awaitable[None]],
        added: tuple[str, Plan] | None = None,
    ) -> None:
        self.sound = False
        model = copy.deepcopy(self.model)
        self._write(script, model, added)
        try:
            story = in_model(model)
        except Ambiguous:
            self._tear_up(self.model)
            self.sound = True
            return
        self.model = model
        self.loop.run_until_complete(self._compare(story, really))
        assert model.bad_stops == self.stage.bad_stops
        self._tear_up(model)
        self.sound = True

    def _write(self, script: Script, model: Model, added: tuple[str, Plan] | None) -> None:
        """What is to go wrong in this step, for the model and for the puppets."""
        known = {node.path: node.plan for node in model.root.all_below()}
        if added is not None:
            known.update(_paths(*added))
        del known["/t"]
        paths = sorted(known)
        for pick, hows in script[0] if paths else ():
            path = paths[pick % len(paths)]
            if known[path].idle:
                continue
            self.stage.bad_starts[path], model.bad_starts[path] = list(hows), [EXITS[how] for how in hows]
        for pick in script[1] if paths else ():
            self.stage.bad_stops.add(paths[pick % len(paths)])
        model.bad_stops.update(self.stage.bad_stops)

    def _tear_up(self, model: Model) -> None:
        for script in (self.stage.bad_starts, self.stage.bad_stops, model.bad_starts, model.bad_stops):
            script.clear()

    async def _compare(self, story: Story, really: Callable[[], Awaitable[None]]) -> None:
        expected = "\n".join(story.lines("  "))
        try:
            async with asyncio.timeout(PATIENCE):
                await really()
                await self.watcher.until(self.compared[0] + len(list(story.steps())))
                for node in self.model.root.all_below():  # those who answer have seen all that was reported to them
                    if node.state == "running":
                        with suppress(TakesNoMessages):  # the root
                            assert await self.system.lookup(node.path).ask("attempt") == node.attempt
                await self.watcher.up_to_now()
        except (TimeoutError, ActorError) as error:
            seen = "\n".join(f"  {step}" for step in self.watcher.steps[self.compared[0] :])
            raise AssertionError(f"expected\n{expected}\nbut saw\n{seen}\n{render_tree(self.system.tree())}") from error
        steps, acts = self.watcher.steps[self.compared[0] :], self.stage.log[self.compared[1] :]
        self.compared = (len(self.watcher.steps), len(self.stage.log))
        assert_follows(story, steps)
        assert_follows(_acts(story, self.alive), [Step(*act) for act in acts])
        self._assert_at_rest()

    def _assert_at_rest(self) -> None:
        assert list(_rows_of_tree(self.system.tree())) == list(_rows_of_model(self.model.root))
        running = {node.path: node for node in self.model.root.all_below() if node.state == "running"}
        on_runners = {path for path, node in running.items() if node.parent is not None and node.parent.crew.pool}
        tasks = Counter(task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task())
        for name in OF_THE_SYSTEM:
            del tasks[name]
        assert set(tasks) | on_runners == set(running), render_tree(self.system.tree())
        assert max(tasks.values(), default=1) == 1, tasks
        statistics = self.system.statistics()
        assert (statistics.abandoned, statistics.deadlines.pending) == (0, 0)
        assert len(tasks) <= statistics.tasks <= len(running)

    # The end.

    def teardown(self) -> None:
        try:
            if hasattr(self, "watcher"):
                self.loop.run_until_complete(self._finish())
        finally:
            self.loop.close()
            LOG.disabled = False

    async def _finish(self) -> None:
        # In a task of its own: a close() that never ended would not let itself be cancelled either.
        closing = asyncio.create_task(self._close())
        await asyncio.wait({closing}, timeout=PATIENCE)
        if not closing.done():
            tasks = "\n".join(sorted(map(repr, asyncio.all_tasks())))
            raise AssertionError(f"not closed:\n{render_tree(self.system.tree())}\n{tasks}")
        await closing
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def _close(self) -> None:
        if not self.sound:  # a step has failed: its story is told already
            await self.system.close()
            return
        if self.storm:
            calls = await self._rage()
            if len(self.storm) % 2:  # else it is closed in the midst of it
                await self._settle(calls)
            await self.system.close()
            for result in await asyncio.gather(*calls, return_exceptions=True):
                assert not isinstance(result, BaseException) or isinstance(result, ActorError), repr(result)
            await self.watcher.rest()
        else:
            story = self.model.close()
            await self.system.close()
            await self.watcher.rest()
            assert_follows(story, self.watcher.steps[self.compared[0] :])
        _assert_lives(self.watcher.steps)
        acts = [Step("exited" if act[0] == "over" else act[0], *act[1:]) for act in self.stage.log]
        _assert_lives(acts, gaps=True)  # who is stopped before its first step does nothing
        assert all(row[1] != "running" for row in _rows_of_tree(self.system.tree()))
        if self.system.journal is not None:
            recorded = {(intent.path, intent.attempt) for intent in self.records.intents if intent.act is Act.START}
            assert {act[1:] for act in self.stage.log} <= recorded
        # By their texts, each of which tells a number: what the kernel keeps are copies without frames.
        told = {(type(error), str(error)) for reason in self.watcher.exits for error in flat(reason.exception)}
        lost = [error for error in self.stage.raised if (type(error), str(error)) not in told]
        assert not lost

    async def _rage(self) -> list[asyncio.Task[object]]:
        """Much at once, without waiting for any of it."""
        calls: list[asyncio.Task[object]] = []
        for number, (what, pick, how) in enumerate(self.storm):
            paths = [path for path, *_ in _rows_of_tree(self.system.tree())][1:]
            if what == "turn" or not paths:
                await asyncio.sleep(0)
                continue
            path, other = paths[pick % len(paths)], paths[(pick + 1) % len(paths)]
            with suppress(ActorStopped):
                match what:
                    case "tell":
                        self.system.lookup(path).tell_nowait(End(how))
                    case "link":
                        self.system.lookup(path).tell_nowait(Link(self.system.lookup(other)))
                    case "add":
                        spec = self.stage.spec(Plan(f"new{number}", turns=number % 3))
                        calls.append(asyncio.create_task(start_child(self.system.lookup(path), spec)))
                    case _:
                        act = {"stop": stop_child, "restart": restart_child, "remove": remove_child}[what]
                        calls.append(asyncio.create_task(self._by_hand(act, path)))
        return calls

    async def _settle(self, calls: list[asyncio.Task[object]]) -> None:
        """The storm is over: nobody is on his way, and what is told last of everybody is what the tree shows."""
        if calls:
            await asyncio.wait(calls)
        while {state for _, state, _ in _rows_of_tree(self.system.tree())} - {"running", *OVER}:  # noqa: ASYNC110
            await asyncio.sleep(0)  # bounded by our caller; what there is to wait for differs from tree to tree
        await self.watcher.up_to_now()
        last = {step.path: step for step in self.watcher.steps}
        for path, state, attempt in list(_rows_of_tree(self.system.tree()))[1:]:
            assert state in AFTER[last[path].what], f"{path} is {state} after {last[path]}"
            assert attempt == last[path].attempt
        running = {path for path, state, _ in _rows_of_tree(self.system.tree()) if state == "running"}
        assert {name for task in asyncio.all_tasks() if (name := task.get_name()).startswith("/")} <= running


def _is_within_reach(node: Node) -> bool:
    """Its supervisor is there to obey."""
    return node.parent is not None and node.parent.plan.crew is not None and node.parent.state == "running"


def _paths(parent: str, plan: Plan) -> Iterator[tuple[str, Plan]]:
    path = f"{parent}/{plan.name}"
    yield path, plan
    for child in plan.crew.children if plan.crew is not None else ():
        yield from _paths(path, child)


def _rows_of_model(node: Node) -> Iterator[tuple[str, str, int]]:
    yield node.path, node.state, node.attempt
    for child in node.children.values():
        yield from _rows_of_model(child)


def _rows_of_tree(node: TreeNode) -> Iterator[tuple[str, str, int]]:
    yield node.path, node.state, node.attempt
    for child in node.children:
        yield from _rows_of_tree(child)


def _acts(story: Story, alive: set[tuple[str, int]]) -> Story:
    """What the puppets themselves do in a story: they are started, and they are over."""
    acts = Story(story.side_by_side)
    for part in story.parts:
        if isinstance(part, Story):
            acts.parts.append(_acts(part, alive))
        elif part.path.endswith(IDLE):
            continue  # notes nothing
        elif part.what == "starting":
            alive.add((part.path, part.attempt))
            acts.parts.append(Step("starting", part.path, part.attempt))
        elif part.what in ("exited", "stopped") and (part.path, part.attempt) in alive:
            alive.remove((part.path, part.attempt))
            acts.parts.append(Step("over", part.path, part.attempt))
    return acts


def _assert_lives(steps: list[Step], *, gaps: bool = False) -> None:
    """Each incarnation is started once, after the one before is over, and ends once, within the life of its supervisor."""
    alive: dict[str, int] = {}
    last: dict[str, int] = defaultdict(int)
    ready: set[tuple[str, int]] = set()
    for before, step in zip([None, *steps], steps, strict=False):
        path, attempt = step.path, step.attempt
        match step.what:
            case "starting":
                assert path not in alive, f"{step}, while #{alive[path]} is alive"
                assert attempt in (1, last[path] + 1) or (gaps and attempt > last[path]), f"{step} after #{last[path]}"
                assert path.count("/") == 2 or path.rpartition("/")[0] in alive, f"{step} under nobody"
                alive[path] = last[path] = attempt
                ready.discard((path, attempt))
            case "started":
                assert alive.get(path) == attempt, str(step)
                assert (path, attempt) not in ready, f"{step} twice"
                ready.add((path, attempt))
            case "exited" | "stopped" if alive.get(path) == attempt:
                del alive[path]
                assert not [other for other in alive if other.startswith(f"{path}/")], f"{step} before those below it"
            case "stopped":  # it waited for its start
                assert attempt == last[path] or attempt == 0, f"{step} after #{last[path]}"
            case "gave up":
                assert before == Step("exited", path, attempt, step.kind), f"{step} after {before}"
            case _:
                raise AssertionError(f"{step}, but it is not alive")
    assert not alive


class RandomTreeOnAsyncio(RandomTree):
    new_loop = asyncio.new_event_loop


class RandomTreeOnUvloop(RandomTree):
    new_loop = uvloop.new_event_loop


#: Also a failure needs its time: it is shrunk first.
pytestmark = pytest.mark.timeout(600 + RANDOM_TREES)
SETTINGS = settings(
    max_examples=RANDOM_TREES or 150,
    stateful_step_count=25,
    derandomize=not RANDOM_TREES,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
TestOnAsyncio = RandomTreeOnAsyncio.TestCase
TestOnAsyncio.settings = SETTINGS
TestOnUvloop = RandomTreeOnUvloop.TestCase
TestOnUvloop.settings = SETTINGS
