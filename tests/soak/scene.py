"""The tree of the soak, and what is done to it: crashes, traffic, children that come and go."""

import asyncio
import contextlib
import itertools
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from ssasync.actors import (
    Actor,
    ActorCrashed,
    ActorError,
    ActorRef,
    ActorStopped,
    ActorSystem,
    AskTimeout,
    Backoff,
    ChildSpec,
    Intensity,
    MailboxFull,
    Pool,
    Restart,
    RestartPolicy,
    Strategy,
    Subscription,
    Supervisor,
    remove_child,
    restart_child,
    start_child,
    start_children,
    stop_child,
)
from tests.soak.crew import Crash, Linked, Ticker, Trapper, Watcher, Work, Worker
from tests.soak.ledger import Ledger

T = TypeVar("T")

#: As many restarts as a soak has crashes; the count forgets them after a second.
ALWAYS = Intensity(restarts=1_000_000, seconds=1.0)
AT_ONCE = RestartPolicy(application=ALWAYS, infrastructure=ALWAYS, backoff=Backoff(0.0))
SOON = RestartPolicy(application=ALWAYS, infrastructure=ALWAYS, backoff=Backoff(initial=0.002, maximum=0.02))
#: Gives up at the third crash within a second.
IMPATIENT = RestartPolicy(application=Intensity(2, 1.0), infrastructure=Intensity(2, 1.0), backoff=Backoff(0.0))

POOL_SIZE = 300  #: about as many members as the pool has at any time
BATCH = 20  #: members that come, and go, together


class Scene:
    """Opens the tree under a system and troubles it until it is told to end."""

    def __init__(self, system: ActorSystem, ledger: Ledger, luck: random.Random) -> None:
        self._system = system
        self._ledger = ledger
        self._luck = luck
        self._serial = itertools.count()
        self._members: deque[str] = deque()
        self.told: Counter[str] = Counter()  # what callers were told

    async def build(self) -> None:
        """Start the tree; done when all of it runs."""
        for spec in (
            self._supervisor("peers", Strategy.ONE_FOR_ONE, 4),
            self._supervisor("rest", Strategy.REST_FOR_ONE, 3),
            self._supervisor("all", Strategy.ONE_FOR_ALL, 3),
            ChildSpec("pool", Pool, policy=AT_ONCE),
            ChildSpec("ties", self._ties, policy=AT_ONCE),
            ChildSpec("escalating", lambda: Supervisor(self._workers(2, IMPATIENT)), policy=AT_ONCE),
            ChildSpec("giving_up", lambda: Supervisor(self._workers(2, IMPATIENT), escalate=False), policy=AT_ONCE),
            ChildSpec("churn", Supervisor, policy=AT_ONCE),
        ):
            await self._system.start_child(spec)

    def _supervisor(self, name: str, strategy: Strategy, size: int) -> ChildSpec:
        def make() -> Supervisor:
            return Supervisor(self._workers(size, SOON), strategy=strategy)

        return ChildSpec(name, make, policy=AT_ONCE)

    def _workers(self, size: int, policy: RestartPolicy) -> list[ChildSpec]:
        return [self._spec(f"worker_{number}", policy=policy) for number in range(size)]

    def _ties(self) -> Supervisor:
        here, peers = f"/{self._system.name}/ties", f"/{self._system.name}/peers"
        makers: dict[str, Callable[[], Actor]] = {
            "ticker": lambda: Ticker(self._ledger),
            "left": lambda: Linked(self._ledger, f"{here}/right"),
            "right": lambda: Linked(self._ledger, f"{here}/left"),
            "trapper": lambda: Trapper(self._ledger, f"{peers}/worker_0"),
            "watcher": lambda: Watcher(self._ledger, tuple(f"{peers}/worker_{number}" for number in range(4))),
        }
        return Supervisor([ChildSpec(name, make, policy=SOON) for name, make in makers.items()])

    def _spec(self, name: str, *, policy: RestartPolicy, restart: Restart = Restart.PERMANENT) -> ChildSpec:
        return ChildSpec(name, lambda: Worker(self._ledger), restart=restart, policy=policy, mailbox_limit=50)

    # Troubles. Each runs until it is cancelled, and never waits for an actor without a deadline.

    async def crash(self, mean: float) -> None:
        """A crash every `mean` seconds on average, at random moments.

        Some orders come to nothing: they lie in the mailbox of an actor that is stopped. Those are given again, and a
        machine that could not keep up for a while catches up, so that the average holds.
        """
        loop = asyncio.get_running_loop()
        begin = loop.time()
        async with anyio.create_task_group() as group:
            while True:
                await asyncio.sleep(self._luck.expovariate(1 / mean))
                due = int((loop.time() - begin) / mean)
                for _ in range(min(due - self._ledger.total, 3)):
                    self._order_crash(group)

    def _order_crash(self, group: anyio.abc.TaskGroup) -> None:
        ref, how = self._luck.choice(self._victims()), self._luck.choice(list(Crash))
        if self._luck.random() < 0.2:
            group.start_soon(self._ask, ref, how, 1.0)
        else:
            with contextlib.suppress(ActorStopped, MailboxFull):
                ref.tell_nowait(how)

    def _victims(self) -> list[ActorRef]:
        """All actors that are not over, but supervisors; of the members of the pool half as many as of the others."""
        kids = {name: tuple(supervisor.kids.values()) for name, supervisor in self._system._root.kids.items()}
        members = kids.pop("pool", ())
        victims = [kid.ref for group in kids.values() for kid in group if not kid.phase.over]
        few = self._luck.sample(members, min(len(victims) // 2, len(members)))
        return victims + [kid.ref for kid in few if not kid.phase.over]

    async def ask_and_tell(self) -> None:
        """A caller among others: tells, asks, gives up, takes back."""
        while True:
            ref = self._luck.choice(self._victims())
            match self._luck.randrange(4):
                case 0:
                    await self._tell(ref, Work())
                case 1:
                    await self._ask(ref, Work(), 1.0)
                case 2:
                    await self._ask(ref, Work(self._luck.random() * 0.01), 0.005)
                case 3:
                    with anyio.move_on_after(self._luck.random() * 0.005):
                        await self._ask(ref, Work(0.005), 1.0)
            await asyncio.sleep(0.002)

    async def _tell(self, ref: ActorRef, message: object) -> None:
        try:
            with anyio.move_on_after(1.0):
                await ref.tell(message)
                self.told["queued"] += 1
        except ActorStopped:
            self.told["stopped"] += 1

    async def _ask(self, ref: ActorRef, message: object, timeout: float) -> None:
        try:
            await ref.ask(message, timeout=timeout)
            self.told["answered"] += 1
        except ActorCrashed:
            self.told["crashed"] += 1
        except ActorStopped:
            self.told["stopped"] += 1
        except AskTimeout:
            self.told["too late"] += 1

    async def fill_pool(self) -> None:
        """Members of every kind come in batches, work a little, and go: by themselves, by hand, by a crash."""
        pool = self._system.lookup(f"/{self._system.name}/pool")
        while True:
            names = [f"member_{next(self._serial)}" for _ in range(BATCH)]
            specs = [self._spec(name, policy=AT_ONCE, restart=self._luck.choice(list(Restart))) for name in names]
            refs = await self._by_hand(start_children(pool, specs))
            self._members.extend(names)
            for ref in refs or ():
                await self._tell(ref, Work())
            while len(self._members) > POOL_SIZE:
                name = self._members.popleft()
                way = self._luck.randrange(3)
                if way == 0:
                    with contextlib.suppress(ActorError):
                        await self._tell(self._system.lookup(f"{pool.path}/{name}"), "end")
                # A permanent one comes back from its end, and a crash may have ended it already.
                await self._by_hand(stop_child(pool, name) if way == 1 else remove_child(pool, name))
            await asyncio.sleep(0.05)

    async def churn(self) -> None:
        """Children are added, restarted, stopped, started again and removed by hand, one after the other."""
        churn = self._system.lookup(f"/{self._system.name}/churn")
        watcher = self._system.lookup(f"/{self._system.name}/ties/watcher")
        giving_up = self._system.lookup(f"/{self._system.name}/giving_up")
        while True:
            name = f"passing_{next(self._serial)}"
            ref = await self._by_hand(start_child(churn, self._spec(name, policy=SOON)))
            if ref is not None:
                with contextlib.suppress(ActorError):
                    self._system.register(name, ref)
                await self._tell(watcher, ref)
                await self._by_hand(restart_child(churn, name))
                await self._by_hand(stop_child(churn, name))
                await self._by_hand(restart_child(churn, name))
            await self._by_hand(remove_child(churn, name))
            for kid in tuple(giving_up._child.kids.values()):
                if kid.phase.over:
                    await self._by_hand(restart_child(giving_up, kid.spec.name))
            await asyncio.sleep(0.02)

    async def _by_hand(self, act: Awaitable[T]) -> T | None:
        """Its result; None if crashes came in between, as they will, or if it takes more than a second."""
        try:
            with anyio.move_on_after(1.0):
                return await act
            self.told["by hand: too late"] += 1
        except (ActorError, ExceptionGroup) as error:  # a group: of many that were started, some failed
            self.told[f"by hand: {type(error).__name__}"] += 1
        return None

    async def read_slowly(self, events: Subscription) -> None:
        """A lossy subscriber that cannot keep up: it must lose events, and hold nobody back."""
        async for _ in events:
            await asyncio.sleep(0.05)
