"""The actor kernel alone: a worker that crashes and heals, one that watches it, a timer, a pool of a thousand.

    python -m examples.actors_quickstart

Nothing here is about simulations, and `ssasync.actors` needs no other part of ssasync. It takes about a second.
"""

from __future__ import annotations

import logging
from typing import Any

import anyio

from ssasync.actors import (
    Actor,
    ActorCrashed,
    ActorSystem,
    Backoff,
    ChildExited,
    ChildSpec,
    ChildStarted,
    Down,
    Intensity,
    Pool,
    RestartPolicy,
    Subscription,
    Supervisor,
    Timer,
    Up,
    render_tree,
    start_children,
)


class Squares(Actor):
    """Answers with the square of a number. What is no number crashes it: no code here expects that."""

    async def started(self) -> None:
        self.register("squares")  # found by this name, whatever stands above it in the tree

    async def receive(self, message: str) -> float:
        return float(message) ** 2


class Monitor(Actor):
    """Is told when Squares goes down and when it is back; meanwhile its timer rings every 50 ms."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.timer: Timer | None = None

    async def started(self) -> None:
        self.watch(self.system.whereis("squares"))

    async def receive(self, message: Any) -> Any:
        match message:
            case Up(_, attempt):
                if self.timer is not None:
                    self.timer.cancel()
                self.log.append(f"up (attempt {attempt})")
            case Down(_, _, reason):
                self.timer = self.send_interval(0.05, "still down")
                self.log.append(f"down ({reason.kind})")
            case "report":
                return ", ".join(self.log)
            case text:
                self.log.append(text)
        return None


class Account(Actor):
    """One of a thousand: a number that only it may change. Idle, it has not even a task."""

    def __init__(self) -> None:
        self.balance = 0

    async def receive(self, amount: int) -> int:
        self.balance += amount
        return self.balance


#: Three crashes within a minute are forgiven. The first restart comes after 0.18 s, the next ones take longer.
PATIENT = RestartPolicy(application=Intensity(restarts=3, seconds=60.0), backoff=Backoff(initial=0.18, jitter=False))

#: Started in this order, each when the one before it is ready; stopped in reverse.
OFFICE = [ChildSpec("squares", Squares, policy=PATIENT), ChildSpec("monitor", Monitor)]


async def main() -> None:
    """Start a tree, break it, look at it; leaving the system stops everything in it."""
    async with anyio.create_task_group() as observers, ActorSystem("quickstart") as system:
        observers.start_soon(tell_events, system.events())  # ends when the system is closed
        await system.start_child(ChildSpec("office", lambda: Supervisor(OFFICE)))
        squares = system.whereis("squares")
        print("the square of 12 is", await squares.ask("12"))
        try:
            await squares.ask("twelve")
        except ActorCrashed as error:
            print("the caller is told:", error.reason)
        answer = await squares.ask("13")  # waits until it is back
        print("the monitor has seen:", await system.lookup("/quickstart/office/monitor").ask("report"))
        print("the same reference, another incarnation: the square of 13 is", answer)

        pool = await system.start_child(ChildSpec("accounts", Pool))
        accounts = await start_children(pool, [ChildSpec(f"account:{number}", Account) for number in range(1000)])
        for number, account in enumerate(accounts):
            await account.tell(number)  # returns when it is queued; `ask` waits for the answer
        print("a thousand accounts hold", sum([await account.ask(0) for account in accounts]))
        print(render_tree(system.tree(), limit=4))


async def tell_events(events: Subscription) -> None:
    """Print what happens to whom; the thousand accounts are left out."""
    async for event in events:
        if "/account:" in event.path:
            continue
        match event:
            case ChildStarted(path=path, attempt=attempt):
                print(f"    event: {path} runs (attempt {attempt})")
            case ChildExited(path=path, reason=reason, delay=delay):
                print(f"    event: {path} crashed ({reason.detail}), to be restarted in {delay:.2f} s")


if __name__ == "__main__":
    logging.getLogger("ssasync.actors").setLevel(logging.CRITICAL)  # crashes are logged, too; here the events tell them
    anyio.run(main)
