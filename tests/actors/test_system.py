import asyncio
import logging
import subprocess
import sys
from typing import Any

import anyio
import pytest
import uvloop

from ssasync.actors import (
    Act,
    Actor,
    ActorStopped,
    ActorSystem,
    Backoff,
    ChildSpec,
    ExitReason,
    FailedToStart,
    Intensity,
    Intent,
    InternalError,
    JournalFailed,
    Restart,
    RestartPolicy,
    Supervisor,
    SystemClosed,
    UnknownActor,
    WrongLoop,
)

AT_ONCE = RestartPolicy(Intensity(1000, 60.0), backoff=Backoff(0.0))


class Noted(Actor):
    """Notes its starts, stops and kills; needs a turn of the loop to stop."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    async def started(self) -> None:
        self.log.append(f"+{self.name}")

    async def receive(self, message: Any) -> Any:
        if message == "close":
            await self.system.close()
        return message

    async def stopped(self, reason: ExitReason) -> None:
        await asyncio.sleep(0)
        self.log.append(f"-{self.name}")

    def kill(self) -> None:
        self.log.append(f"x{self.name}")


def noted(log: list[str], name: str, **options: Any) -> ChildSpec:
    return ChildSpec(name, lambda: Noted(log, name), policy=AT_ONCE, **options)


async def fill(system: ActorSystem, log: list[str]) -> None:
    """a, then a supervisor of b and c, then d."""
    await system.start_child(noted(log, "a"))
    await system.start_child(ChildSpec("s", lambda: Supervisor([noted(log, "b"), noted(log, "c")])))
    await system.start_child(noted(log, "d"))
    log.clear()


def no_other_task() -> bool:
    return asyncio.all_tasks() == {asyncio.current_task()}


REVERSED = ["-d", "-c", "-b", "-a"]


async def test_leaving_stops_everything_in_reverse_and_leaves_no_task() -> None:
    log: list[str] = []
    async with ActorSystem("test") as system:
        await fill(system, log)
    assert log == REVERSED
    assert no_other_task()


async def test_opened_in_one_task_and_closed_in_another() -> None:
    log: list[str] = []
    system = ActorSystem("test")
    await asyncio.create_task(system.open())
    await asyncio.create_task(fill(system, log))
    await asyncio.create_task(system.close())
    assert log == REVERSED
    assert no_other_task()


async def test_opened_by_a_fixture(system: ActorSystem) -> None:
    await fill(system, [])


async def test_an_error_in_the_body_is_raised_after_the_shutdown() -> None:
    log: list[str] = []

    async def body() -> None:
        async with ActorSystem("test") as system:
            await fill(system, log)
            raise LookupError

    with pytest.raises(LookupError):
        await body()
    assert log == REVERSED


async def test_cancelling_the_task_inside_the_body_shuts_down_in_order() -> None:
    """As Ctrl-C does to the main task."""
    log: list[str] = []
    inside = asyncio.Event()

    async def body() -> None:
        async with ActorSystem("test") as system:
            await fill(system, log)
            inside.set()
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(body())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == REVERSED
    assert no_other_task()


async def test_a_cancelled_scope_around_the_body_shuts_down_in_order() -> None:
    log: list[str] = []
    with anyio.move_on_after(5) as scope:
        async with ActorSystem("test") as system:
            await fill(system, log)
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert log == REVERSED


async def test_a_second_cancellation_kills() -> None:
    log: list[str] = []
    stopping, gate = asyncio.Event(), asyncio.Event()

    class Slow(Noted):
        async def stopped(self, reason: ExitReason) -> None:
            stopping.set()
            await gate.wait()
            await super().stopped(reason)

        def kill(self) -> None:
            super().kill()
            gate.set()

    system = ActorSystem("test")
    await system.open()
    await fill(system, log)
    await system.start_child(ChildSpec("slow", lambda: Slow(log, "slow")))
    log.clear()
    closing = asyncio.create_task(system.close())
    await stopping.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert log == ["xslow", "xd", "xc", "xb", "xa", "-slow", *REVERSED]
    assert no_other_task()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_loop_that_ends_with_an_open_system_shuts_it_down_in_order(run: Any) -> None:
    log: list[str] = []

    async def main() -> None:
        system = ActorSystem("test")
        await system.open()
        await fill(system, log)

    run(main())
    assert log == REVERSED


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_an_interrupt_that_strikes_inside_an_actor_reaches_the_program(run: Any) -> None:
    log: list[str] = []

    class Struck(Noted):
        async def receive(self, message: Any) -> Any:
            raise KeyboardInterrupt

    async def main() -> None:
        async with ActorSystem("test") as system:
            await fill(system, log)
            ref = await system.start_child(ChildSpec("e", lambda: Struck(log, "e"), restart=Restart.TEMPORARY))
            await ref.tell("go")
            await asyncio.get_running_loop().create_future()

    with pytest.raises(KeyboardInterrupt):
        run(main())
    # Its stopped() may have been cut off by asyncio.run(), which cancels all tasks: then it is killed.
    assert log[:2] in (["+e", "-e"], ["+e", "xe"])
    assert log[2:] == REVERSED


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_loop_that_ends_while_children_have_not_begun(run: Any) -> None:
    log: list[str] = []

    async def main() -> None:
        system = ActorSystem("test")
        await system.open()
        system.start_child_nowait(ChildSpec("s", lambda: Supervisor([noted(log, "b")])))
        await asyncio.sleep(0)
        system.start_child_nowait(noted(log, "a"))

    run(main())
    assert all(f"-{line[1:]}" in log for line in log if line.startswith("+"))


async def test_a_second_cancellation_of_the_host_kills() -> None:
    log: list[str] = []
    gate = asyncio.Event()

    class Slow(Noted):
        async def stopped(self, reason: ExitReason) -> None:
            host.cancel()
            await gate.wait()

        def kill(self) -> None:
            super().kill()
            gate.set()

    system = ActorSystem("test")
    before = asyncio.all_tasks()
    await system.open()
    (host,) = (task for task in asyncio.all_tasks() - before if task.get_name() == "actor system test")
    await fill(system, log)
    ref = await system.start_child(ChildSpec("slow", lambda: Slow(log, "slow")))
    log.clear()
    host.cancel()
    await ref.terminated(5)
    await system.close()
    assert log == ["xslow", "xd", "xc", "xb", "xa", *REVERSED]
    assert no_other_task()


async def test_kill_now_kills_all_and_restarts_none() -> None:
    log: list[str] = []
    async with ActorSystem("test") as system:
        await fill(system, log)
        system.kill_now()
        assert log == ["xd", "xc", "xb", "xa"]
        log.clear()
    assert log == REVERSED


async def test_kill_now_starts_nothing_again() -> None:
    log: list[str] = []

    class Process(Noted):
        def kill(self) -> None:
            self.exit(ExitReason("signal", ExitReason.normal().blame, "9"))

    async with ActorSystem("test") as system:
        await system.start_child(ChildSpec("p", lambda: Process(log, "p"), policy=AT_ONCE))
        system.kill_now()
    assert log == ["+p", "-p"]


async def test_an_actor_may_begin_the_end_of_its_own_system() -> None:
    log: list[str] = []
    system = ActorSystem("test")
    await system.open()
    await fill(system, log)
    assert await system.lookup("/test/a").ask("close") == "close"
    await system.close()
    assert log == REVERSED


async def test_a_system_is_used_once_and_only_while_it_is_open() -> None:
    system = ActorSystem("test")
    with pytest.raises(SystemClosed, match="'test' is not opened yet: use it inside `async with`, or after open"):
        system.start_child_nowait(ChildSpec("a", Actor))
    await system.open()
    with pytest.raises(SystemClosed, match="is open: it is opened once, use it as it is"):
        await system.open()
    ref = await system.start_child(ChildSpec("a", Actor))
    await system.close()
    await system.close()
    with pytest.raises(SystemClosed, match="is closed: make a new ActorSystem"):
        await system.start_child(ChildSpec("a", Actor))
    with pytest.raises(ActorStopped, match="Its actor system is closed, or being closed: make a new one"):
        await ref.tell("late")


async def test_children_are_started_and_systems_closed_in_their_own_loop_only(system: ActorSystem) -> None:
    spec = ChildSpec("a", Actor)

    async def elsewhere() -> None:
        with pytest.raises(WrongLoop):
            await system.start_child(spec)
        with pytest.raises(WrongLoop):
            system.start_child_nowait(spec)
        with pytest.raises(WrongLoop):
            await system.stop_child("any")
        with pytest.raises(WrongLoop, match=r"close\(\) outside of the event loop"):
            await asyncio.wait_for(system.close(), 10)

    def without_a_loop() -> None:
        with pytest.raises(WrongLoop):
            system.start_child_nowait(spec)

    await asyncio.to_thread(asyncio.run, elsewhere())
    await asyncio.to_thread(without_a_loop)
    assert system.tree().children == ()
    await system.start_child(spec)


def test_between_two_runs_of_its_loop_a_system_takes_children_and_is_bound_to_it() -> None:
    system, loop = ActorSystem("test"), asyncio.new_event_loop()
    with pytest.raises(SystemClosed, match="not opened yet"):
        asyncio.run(system.root.ask("too early"))
    try:
        loop.run_until_complete(system.open())
        ref = system.start_child_nowait(ChildSpec("a", Actor))
        loop.run_until_complete(ref.ready(10))
        with pytest.raises(WrongLoop, match="ask of /test/a"):
            asyncio.run(ref.ask("hello"))
    finally:
        loop.run_until_complete(system.close())
        loop.close()
    with pytest.raises(ActorStopped):
        asyncio.run(ref.ask("hello"))
    asyncio.run(system.close())


async def test_closing_what_was_never_opened() -> None:
    await ActorSystem("test").close()


async def test_lookup_follows_the_path(system: ActorSystem) -> None:
    await fill(system, [])
    assert system.lookup("/test/s/c").path == "/test/s/c"
    assert system.lookup("/test") is system.root
    for path in ("/test/s/z", "/other/s"):
        with pytest.raises(UnknownActor, match=path):
            system.lookup(path)


class Ledger:
    """A journal that fails for names that begin with "bad"."""

    def __init__(self) -> None:
        self.intents: list[Intent] = []

    async def record(self, intent: Intent) -> None:
        await asyncio.sleep(0)
        if intent.path.startswith("/test/bad") and (intent.act is Act.START or intent.path.endswith("stop")):
            raise OSError("disk full")
        self.intents.append(intent)


async def test_intents_are_recorded_before_the_acts() -> None:
    journal, log = Ledger(), []

    class Late(Noted):
        async def started(self) -> None:
            log.append(len(journal.intents))

        async def stopped(self, reason: ExitReason) -> None:
            log.append(len(journal.intents))

    async with ActorSystem("test", journal=journal) as system:
        await system.start_child(ChildSpec("a", lambda: Late([], "a")))
        await system.stop_child("a")
    acts = [(intent.act, intent.path, intent.attempt) for intent in journal.intents]
    assert acts == [(Act.START, "/test", 1), (Act.START, "/test/a", 1), (Act.STOP, "/test/a", 1)]
    assert log == [2, 3]


async def test_what_cannot_be_recorded_is_not_started() -> None:
    async with ActorSystem("test", journal=Ledger()) as system:
        with pytest.raises(FailedToStart, match="disk full"):
            await system.start_child(ChildSpec("bad", Actor, restart=Restart.TEMPORARY))


async def test_a_system_whose_beginning_cannot_be_recorded_does_not_open() -> None:
    class Full:
        async def record(self, intent: Intent) -> None:
            raise OSError("disk full")

    with pytest.raises(FailedToStart, match=r"/test failed to start: .*disk full"):
        await ActorSystem("test", journal=Full()).open()
    assert no_other_task()


async def test_what_cannot_be_recorded_is_stopped_all_the_same() -> None:
    class ForgetsStops(Ledger):
        async def record(self, intent: Intent) -> None:
            if intent.act is Act.STOP:
                raise OSError("disk full")

    async with ActorSystem("test", journal=ForgetsStops()) as system:
        events = system.events()
        await system.start_child(ChildSpec("a", Actor))
        assert (await system.stop_child("a")).kind == "shutdown"
    failed = [event async for event in events if isinstance(event, JournalFailed)]
    assert [event.error for event in failed] == ["OSError: disk full"]


def test_at_exit_what_an_abandoned_loop_left_is_killed() -> None:
    script = """
import asyncio
from ssasync.actors import Actor, ActorSystem, ChildSpec

class Process(Actor):
    def kill(self):
        print("killed", flush=True)

loop = asyncio.new_event_loop()
system = ActorSystem("test")
loop.run_until_complete(system.open())
loop.run_until_complete(system.start_child(ChildSpec("a", Process)))
loop.stop()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "killed\n"
    assert "GeneratorExit" not in done.stderr
    assert "RuntimeError" not in done.stderr


def test_ctrl_c_shuts_down_in_order() -> None:
    script = """
import asyncio, os, signal
from ssasync.actors import Actor, ActorSystem, ChildSpec

class Noted(Actor):
    def __init__(self, name):
        self.name = name
    async def stopped(self, reason):
        print(self.name, reason.kind, flush=True)

async def main():
    async with ActorSystem("test") as system:
        for name in "abc":
            await system.start_child(ChildSpec(name, lambda name=name: Noted(name)))
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "c shutdown\nb shutdown\na shutdown\n"
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")


def test_a_second_ctrl_c_kills_at_once() -> None:
    """The actor would take a minute to stop; its grace allows it that."""
    script = """
import asyncio, os, signal
from ssasync.actors import Actor, ActorSystem, ChildSpec

class Slow(Actor):
    async def stopped(self, reason):
        print("stopping", flush=True)
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
        await self.killed.wait()
    async def started(self):
        self.killed = asyncio.Event()
    def kill(self):
        print("killed", flush=True)
        self.killed.set()

async def main():
    async with ActorSystem("test") as system:
        await system.start_child(ChildSpec("slow", Slow, grace=60.0))
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.splitlines()[:2] == ["stopping", "killed"]
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")


async def test_statistics_count_what_is_alive_and_what_was(system: ActorSystem) -> None:
    class Fragile(Actor):
        async def receive(self, message: Any) -> Any:
            raise ValueError(message)

    policy = RestartPolicy(application=Intensity(0, 60.0))
    ref = await system.start_child(ChildSpec("fragile", Fragile, policy=policy))
    system.register("china", ref)
    before = system.statistics()
    assert (before.tasks, before.registry.names, before.crashes.total) == (2, 1, 0)
    for message in ("crash", "never read", "nor this"):
        await ref.tell(message)
    await ref.terminated(10)
    after = system.statistics()
    assert (after.tasks, after.dead_letters, after.registry.names) == (1, 2, 0)
    assert after.crashes.kinds == {"exception": 1}
    (report,) = system.crashes()
    assert (report.path, report.attempt) == ("/test/fragile", 1)
    assert "ValueError: crash" in report.trace


class BadFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        raise OSError("the filter is broken")


async def test_a_broken_log_filter_takes_nobody_along(system: ActorSystem, capsys: pytest.CaptureFixture[str]) -> None:
    class Fragile(Actor):
        async def receive(self, message: Any) -> Any:
            if message == "crash":
                raise ValueError(message)
            return self.attempt

    ref = await system.start_child(ChildSpec("fragile", Fragile, policy=AT_ONCE))
    other = await system.start_child(ChildSpec("other", Fragile))
    bad = BadFilter()
    logging.getLogger("ssasync.actors").addFilter(bad)
    try:
        await ref.tell("crash")
        await ref.ready(10, after=1)
    finally:
        logging.getLogger("ssasync.actors").removeFilter(bad)
    assert (await ref.ask("which"), await other.ask("which")) == (2, 1)
    assert "the filter is broken" in capsys.readouterr().err


async def test_a_kill_that_raises_spares_nobody_else(system: ActorSystem) -> None:
    log: list[str] = []

    class Unkillable(Noted):
        def kill(self) -> None:
            super().kill()
            raise asyncio.CancelledError

    for name in "ab":
        await system.start_child(ChildSpec(name, lambda name=name: Unkillable(log, name)))  # type: ignore[misc]
    system.kill_now()
    assert log == ["+a", "+b", "xb", "xa"]


async def test_a_message_that_is_a_timer_is_only_a_message(system: ActorSystem) -> None:
    class Owner(Actor):
        async def receive(self, message: Any) -> Any:
            return self.send_after(60.0, "mine") if message == "set" else message

    owner = await system.start_child(ChildSpec("owner", Owner))
    other = await system.start_child(ChildSpec("other", Owner))
    timer = await owner.ask("set")
    assert await other.ask(timer) is timer
    timer.cancel()


async def test_a_root_that_failed_is_no_quiet_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of the kernel's own: its machine fails at the exit of a child."""

    def broken(self: object, event: object, now: float) -> None:
        raise LookupError("a bug")

    system = ActorSystem("test")
    await system.open()
    ref = await system.start_child(ChildSpec("a", Actor, grace=0.1))
    monkeypatch.setattr("ssasync.actors.supervisor_state.SupervisorState.handle", broken)
    await ref.tell("crash")
    await system.root.terminated(10)
    with pytest.raises(InternalError, match=r"the root of actor system 'test' failed: .*a bug"):
        await system.close()
    assert no_other_task()
