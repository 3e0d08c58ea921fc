"""Actors that do what a test tells them to, in a tree that is made from plans, and everything they did."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ssasync.actors import (
    Actor,
    ActorRef,
    ActorSystem,
    Backoff,
    Blame,
    ChildExited,
    ChildGaveUp,
    ChildSpec,
    ChildStarted,
    ChildStarting,
    ChildStopped,
    Event,
    ExitReason,
    Intensity,
    Intent,
    Journal,
    Pool,
    RestartPolicy,
    Subscription,
    Supervisor,
)
from tests.actors.otp_model import BUG, Crew, Plan
from tests.actors.otp_story import Step

PATIENCE = 10.0  #: seconds after which something that must come will not


HOUR = 3600.0
#: Restarts at once, and more often than any test makes it.
AT_ONCE = RestartPolicy(Intensity(1000, HOUR), Intensity(1000, HOUR), Backoff(0.0))


def times(restarts: int) -> RestartPolicy:
    """So many restarts, without backoff; none for the infrastructure."""
    return RestartPolicy(Intensity(restarts, HOUR), Intensity(0, HOUR), Backoff(0.0))


def plans(names: str, **options: Any) -> tuple[Plan, ...]:
    """Workers named by single letters."""
    return tuple(Plan(name, **{"policy": AT_ONCE, **options}) for name in names)


class Boom(Exception):
    """A crash of a puppet, or whatever else its `exit_reason` says."""

    def __init__(self, number: int, exit_reason: ExitReason | None = None) -> None:
        super().__init__(f"boom {number}")
        if exit_reason is not None:
            self.exit_reason = exit_reason


class Harder(BaseException):
    """What `except Exception` would let through."""


#: Ways to end, with the exit they lead to.
EXITS = {
    "bug": BUG,
    "harder": BUG,
    "stray": ExitReason("cancelled", Blame.APPLICATION),
    "node": ExitReason("node_failure", Blame.INFRASTRUCTURE),
    "time": ExitReason("time_limit", Blame.APPLICATION),
    "memory": ExitReason("out_of_memory", Blame.APPLICATION),
    "hopeless": ExitReason("no_such_program", Blame.APPLICATION, hopeless=True),
    "hang": ExitReason("start_timeout", Blame.APPLICATION),
    "normal": ExitReason.normal(),
    "shutdown": ExitReason.shutdown(),
    "requested": ExitReason("cancelled_job", Blame.REQUESTED),
}
BY_RAISING = ("bug", "harder", "stray", "node", "time", "memory", "hopeless")
BY_LEAVING = ("normal", "shutdown", "requested", "node")


@dataclass(frozen=True)
class End:
    """Told to a puppet: end like this."""

    how: str
    leave: bool = False


@dataclass(frozen=True)
class Link:
    """Told to a puppet: link yourself to another."""

    to: ActorRef


@dataclass
class Stage:
    """What puppets share: their script, by path, and a log of what they did."""

    bad_starts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    bad_stops: set[str] = field(default_factory=set)
    log: list[tuple[str, str, int]] = field(default_factory=list)
    raised: list[BaseException] = field(default_factory=list)

    async def act(self, how: str) -> None:
        """Raise what `how` says, or wait for ever."""
        if how == "hang":
            await asyncio.get_running_loop().create_future()
        if how == "stray":
            future = asyncio.get_running_loop().create_future()
            future.cancel(f"stray {len(self.raised)}")
            try:
                await future
            except asyncio.CancelledError as error:
                self.raised.append(error)
                raise
        number, reason = len(self.raised), EXITS[how]
        failure = Harder(number) if how == "harder" else Boom(number, None if reason == BUG else reason)
        self.raised.append(failure)
        raise failure

    def spec(self, plan: Plan) -> ChildSpec:
        """The child that `plan` means."""
        crew = plan.crew
        worker = Idler if plan.idle else Puppet
        return ChildSpec(
            plan.name,
            (lambda: worker(self, plan)) if crew is None else (lambda: director(self, plan)),
            restart=plan.restart,
            significant=plan.significant,
            policy=plan.policy,
            start_timeout=0.005 if plan.can_hang else 60.0,
        )


class Idler(Actor):
    """A worker that has nothing to start, notes nothing, and ends as it is told."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self.stage, self.plan = stage, plan

    async def receive(self, message: Any) -> Any:
        await self._turns()
        if isinstance(message, End):
            if message.leave:
                self.exit(EXITS[message.how])
            else:
                await self.stage.act(message.how)
        elif isinstance(message, Link):
            self.link(message.to)
        return self.attempt

    async def stopped(self, reason: ExitReason) -> None:
        path = self.ref.path
        try:
            await self._turns()
            if path in self.stage.bad_stops:
                self.stage.bad_stops.discard(path)
                await self.stage.act("bug")
        finally:
            if not self.plan.idle:
                self.stage.log.append(("over", path, self.attempt))

    async def _turns(self) -> None:
        for _ in range(self.plan.turns):
            await asyncio.sleep(0)


class Puppet(Idler):
    """A worker that starts as its script says, and notes its starts and ends."""

    async def started(self) -> None:
        path = self.ref.path
        self.stage.log.append(("starting", path, self.attempt))
        await self._turns()
        if self.stage.bad_starts[path]:
            how = self.stage.bad_starts[path].pop(0)
            await self.stage.act("bug" if how == "hang" and not self.plan.can_hang else how)


class Director(Puppet, Supervisor):
    """A supervisor that can be told to end, too."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self.stage, self.plan = stage, plan
        crew = plan.crew
        assert crew is not None
        Supervisor.__init__(
            self,
            [stage.spec(child) for child in crew.children],
            strategy=crew.strategy,
            ordered=crew.ordered,
            escalate=crew.escalate,
            policy=crew.policy,
            auto_shutdown=crew.auto_shutdown,
        )


class PoolDirector(Puppet, Pool):
    """The same for a pool."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self.stage, self.plan = stage, plan
        crew = plan.crew
        assert crew is not None
        Pool.__init__(self, escalate=crew.escalate, policy=crew.policy, auto_shutdown=crew.auto_shutdown)


def director(stage: Stage, plan: Plan) -> Actor:
    """The supervisor that `plan` means."""
    assert plan.crew is not None
    return PoolDirector(stage, plan) if plan.crew.pool else Director(stage, plan)


class Records(Journal):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.intents: list[Intent] = []

    async def record(self, intent: Intent) -> None:
        self.intents.append(intent)


@dataclass(frozen=True, kw_only=True)
class Mark(Event):
    """Published by a test: all that was published before has been read when this is."""


class Watcher:
    """A lossless subscription, read as steps of the model."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._events: Subscription = system.events(lossless=True, limit=1_000_000)
        self.exits: list[ExitReason] = []
        self.steps: list[Step] = []

    async def until(self, count: int) -> None:
        """Until `count` steps were read. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while len(self.steps) < count:
                self._note(await anext(self._events))

    async def up_to_now(self) -> None:
        """Read all that is there."""
        mark = Mark(path="")
        self._system.publish(mark)
        while (event := await anext(self._events)) is not mark:
            self._note(event)

    async def rest(self) -> None:
        """Read on until the bus is closed."""
        async with asyncio.timeout(PATIENCE):
            async for event in self._events:
                self._note(event)

    def _note(self, event: Event) -> None:
        step = step_of(event)
        if step is not None:
            self.steps.append(step)
        if isinstance(event, ChildExited | ChildStopped):
            self.exits.append(event.reason)


class Play:
    """A supervisor `s` under the root, what its children did, and what happened."""

    def __init__(self, system: ActorSystem) -> None:
        self.system = system
        self.stage = Stage()
        self.watcher = Watcher(system)
        self._read = 0

    async def begin(self, crew: Crew, **options: Any) -> ActorRef:
        """Start it, with options of its own plan."""
        return await self.system.start_child(self.stage.spec(Plan("s", crew=crew, **options)))

    def child(self, name: str) -> ActorRef:
        """A child of it."""
        return self.system.lookup(f"/{self.system.name}/s/{name}")

    async def end(self, name: str, how: str = "bug") -> None:
        """Let a child end."""
        await self.child(name).tell(End(how, leave=how not in BY_RAISING))

    async def until(self, what: str, name: str, attempt: int = 1) -> Step:
        """Until that has happened to a child, or to `s`; steps before it are skipped."""
        path = f"/{self.system.name}/{name}" if name == "s" else f"/{self.system.name}/s/{name}"
        while True:
            await self.watcher.until(self._read + 1)
            step = self.watcher.steps[self._read]
            self._read += 1
            if (step.what, step.path, step.attempt) == (what, path, attempt):
                return step

    def acts(self) -> list[str]:
        """What puppets did since the last call: `+name` for a start, `-name` for an end."""
        log, self.stage.log[:] = list(self.stage.log), []
        return [f"{'+' if what == 'starting' else '-'}{path.rpartition('/')[2]}" for what, path, _ in log]


def step_of(event: Event) -> Step | None:
    """The event as a step of the model; None for those it does not know."""
    match event:
        case ChildStarting(path=path, attempt=attempt):
            return Step("starting", path, attempt)
        case ChildStarted(path=path, attempt=attempt):
            return Step("started", path, attempt)
        case ChildExited(path=path, attempt=attempt, reason=reason, will_restart=again):
            return Step("exited", path, attempt, reason.kind, again)
        case ChildStopped(path=path, attempt=attempt, reason=reason, will_restart=again):
            return Step("stopped", path, attempt, reason.kind, again)
        case ChildGaveUp(path=path, attempt=attempt, reason=reason):
            return Step("gave up", path, attempt, reason.kind)
    return None


def flat(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, or those in a group."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from flat(inner)
    elif error is not None:
        yield error
