"""One shard under supervision, with the real engine."""

import contextlib
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ssasync.actors import (
    ActorRef,
    ActorSystem,
    Backoff,
    ChildExited,
    ChildSpec,
    ChildStarted,
    FailedToStart,
    Intensity,
    RestartPolicy,
    Subscription,
)
from ssasync.store import shard as shard_module
from ssasync.store.engine import Engine, find_engine
from ssasync.store.errors import PortTaken, ShardSilent
from ssasync.store.events import DataLost, ShardHealth, ShardReady
from ssasync.store.shard import Shard, ShardPlace, ShardSpec
from ssasync.store.shard_state import Timing
from ssasync.wlm import JobFailed, Local, RuntimeDirectory, WorkloadRunning, WorkloadStopped
from tests.store.engines import connection, options_for
from tests.store.systems import all_text_under, command_lines, next_event

ONCE = RestartPolicy(
    application=Intensity(restarts=0),
    infrastructure=Intensity(restarts=10),
    backoff=Backoff(initial=0.01, maximum=0.05),
)


@dataclass
class Setting:
    """A system, the spec of a shard that a test may change before it starts it, and what happens."""

    system: ActorSystem
    events: Subscription
    spec: ShardSpec
    place: ShardPlace
    local: Local

    async def start(self) -> ActorRef:
        def shard() -> Shard:
            return Shard(self.spec, self.place, self.local)

        return await self.system.start_child(ChildSpec(name="shard:0", start=shard, grace=8.0, policy=ONCE))

    async def ready(self) -> ShardReady:
        return await next_event(self.events, ShardReady)

    def client(self) -> Redis:
        options = replace(self.spec.options, port=self.place.port)
        return connection(options, "workload", options.credentials.workload)

    def script(self, text: str) -> None:
        """Let the engine be a shell script."""
        path = self.spec.log_directory / "engine.sh"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        self.spec = replace(self.spec, engine=Engine(path, "valkey", "9"))


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    with RuntimeDirectory.create() as runtime:
        spec = ShardSpec("shard_0", find_engine(), options_for(runtime.path, port=0), tmp_path)
        async with ActorSystem("test") as system, system.events(lossless=True) as events:
            yield Setting(system, events, spec, ShardPlace(), Local(runtime))
        left = [path.name for path in runtime.path.iterdir()]
        assert sorted(left) == ["attempts", "driver.lock"]
        assert not command_lines(runtime.path)
    assert not runtime.path.exists()


async def test_a_shard_is_ready_in_under_a_second_at_both_addresses(setting: Setting) -> None:
    await setting.start()
    ready = await setting.ready()
    assert ready.seconds < 1
    options = replace(setting.spec.options, port=setting.place.port)
    assert ready.addresses == (f"unix://{options.socket}", f"127.0.0.1:{options.port}")
    assert stat.S_IMODE((options.runtime / "shard_0.conf").stat().st_mode) == 0o600
    async with setting.client() as client:
        assert await client.set("k", "v")
    async with Redis(port=options.port, username="workload", password=options.credentials.workload.reveal()) as client:
        assert await client.get("k") == b"v"


async def test_a_killed_shard_comes_back_empty_at_its_address_and_says_so(setting: Setting) -> None:
    await setting.start()
    first = await setting.ready()
    async with setting.client() as client:
        await client.set("k", "v")
    os.kill(first.pid, signal.SIGKILL)
    gone = await next_event(setting.events, ChildExited)
    assert gone.will_restart
    assert isinstance(gone.reason.exception, JobFailed)
    assert gone.reason.exception.signal == signal.SIGKILL
    assert "Ready to accept connections" in gone.reason.detail
    second = await setting.ready()
    assert second.addresses == first.addresses
    assert second.attempt == 2
    assert await next_event(setting.events, DataLost) == DataLost(path="/test/shard:0", attempt=2, durability="none")
    async with setting.client() as client:
        assert await client.exists("k") == 0


async def test_a_shard_that_ends_by_itself_is_restarted(setting: Setting) -> None:
    await setting.start()
    first = await setting.ready()
    admin = connection(
        replace(setting.spec.options, port=setting.place.port), "admin", setting.spec.options.credentials.admin
    )
    async with admin:
        with contextlib.suppress(RedisError):
            await admin.execute_command("SHUTDOWN", "NOSAVE")
    assert (await setting.ready()).addresses == first.addresses


async def test_a_stopped_shard_is_killed_after_a_second_and_restarted(setting: Setting) -> None:
    await setting.start()
    first = await setting.ready()
    os.kill(first.pid, signal.SIGSTOP)
    stopped = await next_event(setting.events, WorkloadStopped)
    gone = await next_event(setting.events, ChildExited)
    assert 0.9 < gone.at - stopped.at < 2
    assert "A signal had stopped it for more than 1 s, so it was killed." in gone.reason.detail
    assert (await setting.ready()).pid != first.pid


async def test_a_shard_that_was_stopped_for_a_moment_goes_on(setting: Setting) -> None:
    await setting.start()
    first = await setting.ready()
    async with setting.client() as client:
        await client.set("k", "v")
        os.kill(first.pid, signal.SIGSTOP)
        await next_event(setting.events, WorkloadStopped)
        os.kill(first.pid, signal.SIGCONT)
        health = await next_event(setting.events, ShardHealth, lambda health: health.seconds < 0.05)
        assert await client.get("k") == b"v"
    assert health.attempt == 1
    assert 0 < health.used < health.maxmemory == 64 << 20


async def test_a_shard_that_runs_but_does_not_answer_is_killed(setting: Setting) -> None:
    setting.spec = replace(setting.spec, timing=Timing(silence_limit=0.5, shortest_interval=0.05, slow=0.1))
    await setting.start()
    first = await setting.ready()
    options = replace(setting.spec.options, port=setting.place.port)
    async with connection(options, "admin", options.credentials.admin) as admin:
        await admin.execute_command("CLIENT", "PAUSE", "60000", "ALL")
    gone = await next_event(setting.events, ChildExited)
    assert gone.reason.kind == "silent"
    assert isinstance(gone.reason.exception, ShardSilent)
    assert "shard 'shard_0' did not answer for 0.5 s and was killed." in gone.reason.detail
    assert (await setting.ready()).pid != first.pid


async def test_an_engine_that_ends_at_its_start_tells_why(setting: Setting) -> None:
    setting.script("echo 'cannot live on this machine'; exit 3")
    with pytest.raises(FailedToStart, match=r"shard 'shard_0' ended by EXIT_CODE \(exit code 3\)") as failure:
        await setting.start()
    assert "cannot live on this machine" in str(failure.value)


async def test_an_engine_that_never_answers_is_given_up(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_module, "_START_LIMIT", 0.3)
    setting.script("echo thinking; exec sleep 600")
    with pytest.raises(FailedToStart, match=r"did not answer for 0\.3 s and was killed") as failure:
        await setting.start()
    assert "thinking" in str(failure.value)


async def test_a_port_that_the_caller_chose_and_another_has_is_one_clear_error(setting: Setting) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        setting.spec = replace(setting.spec, options=replace(setting.spec.options, port=port))
        with pytest.raises(
            FailedToStart, match=rf"port {port} on 127.0.0.1 is taken .* Give Orchestrator\(port="
        ) as no:
            await setting.start()
        assert isinstance(no.value.reason.exception, PortTaken)


async def test_a_restarted_shard_that_lost_its_port_says_what_to_do(setting: Setting) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        setting.place = ShardPlace(port=other.getsockname()[1], incarnations=1)
        with pytest.raises(FailedToStart, match="must keep its address so that its clients find it again"):
            await setting.start()


async def test_a_shard_that_is_told_to_stop_stops_at_once(setting: Setting) -> None:
    await setting.start()
    reason = await setting.system.stop_child("shard:0")
    assert not reason.failed


async def test_a_shard_can_be_stopped_while_it_starts(setting: Setting) -> None:
    setting.script("exec sleep 600")
    setting.system.start_child_nowait(
        ChildSpec(name="shard:0", start=lambda: Shard(setting.spec, setting.place, setting.local), policy=ONCE)
    )
    await next_event(setting.events, WorkloadRunning)
    assert not (await setting.system.stop_child("shard:0")).failed


async def test_passwords_show_nowhere(setting: Setting) -> None:
    events: list[object] = []
    await setting.start()
    ready = await setting.ready()
    os.kill(ready.pid, signal.SIGKILL)
    events += [ready, await next_event(setting.events, ChildExited), await setting.ready()]
    events.append(await next_event(setting.events, ChildStarted))
    credentials = setting.spec.options.credentials
    shown = f"{events} {setting.spec!r} {setting.place!r} {all_text_under(setting.spec.log_directory)}"
    shown += all_text_under(setting.spec.options.runtime)
    for secret in (credentials.workload, credentials.read_only, credentials.admin):
        assert secret.reveal() not in shown
        assert not command_lines(secret.reveal(), secret.sha256())
