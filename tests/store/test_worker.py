"""One worker process under supervision, and the list of workers, with the real engine and a stand-in for the models."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from ssasync.actors import (
    ActorRef,
    ActorSystem,
    Blame,
    ChildExited,
    ChildSpec,
    ChildStopped,
    FailedToStart,
    Subscription,
)
from ssasync.cyclient.key_names import WORKER_LIST_KEY
from ssasync.cyclient.worker_list import WorkerList
from ssasync.store.engine_configuration import EngineOptions
from ssasync.store.errors import WorkerMisreported
from ssasync.store.events import WorkerListed, WorkerUnlisted
from ssasync.store.orchestrator import WORKER_POLICY
from ssasync.store.worker import Worker, WorkerSpec
from ssasync.store.worker_registry import Publish, RegistryPlace, WorkerRegistry
from ssasync.wlm import Local, RuntimeDirectory, WorkloadRunning
from tests.store.engines import options_for, running_engine
from tests.store.systems import (
    all_text_under,
    command_lines,
    environment_of,
    eventually,
    is_socket,
    lives,
    next_event,
    pid_of_worker,
)

STAND_IN = Path(__file__).with_name("stand_in_worker.py")


@dataclass
class Setting:
    """A system with a registry, a store for it, and the spec of a worker that a test may change."""

    system: ActorSystem
    events: Subscription
    spec: WorkerSpec
    local: Local
    options: EngineOptions
    admin: Redis

    async def start(self, manner: str = "works") -> ActorRef:
        return await self.system.start_child(self._child(manner))

    def start_nowait(self, manner: str) -> ActorRef:
        return self.system.start_child_nowait(self._child(manner))

    def _child(self, manner: str) -> ChildSpec:
        spec = replace(self.spec, command=(sys.executable, str(STAND_IN), manner))
        grace = spec.grace + 4.0
        return ChildSpec(name="worker:0", start=lambda: Worker(spec, self.local), grace=grace, policy=WORKER_POLICY)

    async def listed(self) -> WorkerList:
        return WorkerList.decode(await self.admin.get(WORKER_LIST_KEY))


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    with RuntimeDirectory.create() as runtime:
        options = options_for(runtime.path)
        async with (
            running_engine(options) as admin,
            ActorSystem("test") as system,
            system.events(lossless=True) as events,
        ):
            place = RegistryPlace()
            await system.start_child(
                ChildSpec(
                    name="registry",
                    start=lambda: WorkerRegistry(place, options.socket, options.credentials.admin),
                )
            )
            spec = WorkerSpec(
                name="worker_0",
                device="CPU",
                threads=1,
                host="127.0.0.1",
                registry=place,
                environment=lambda: {"SSDB_PASSWORD": options.credentials.workload.reveal()},
                runtime=runtime.path,
                log_directory=tmp_path,
                grace=1.0,
            )
            yield Setting(system, events, spec, Local(runtime), options, admin)
        left = {path.name for path in runtime.path.iterdir()}
        assert left <= {"attempts", "driver.lock", "engine.conf"}
        assert not command_lines(runtime.path)


async def test_a_worker_is_ready_when_clients_can_find_it(setting: Setting) -> None:
    assert await setting.listed() == WorkerList(version=1)
    await setting.start()
    (entry,) = (await setting.listed()).workers
    assert (entry.incarnation, entry.device) == (1, "CPU")
    unix, tcp = entry.addresses
    assert is_socket(unix)
    assert tcp.startswith("127.0.0.1:")
    event = await next_event(setting.events, WorkerListed)
    assert (event.worker_id, event.addresses, event.path) == (entry.worker_id, entry.addresses, "/test/worker:0")


async def test_a_killed_worker_leaves_the_list_and_comes_back_under_a_new_id(setting: Setting) -> None:
    await setting.start()
    first = await next_event(setting.events, WorkerListed)
    before = await setting.listed()
    os.kill(pid_of_worker(first.worker_id), signal.SIGKILL)
    gone = await next_event(setting.events, ChildExited)
    assert gone.reason.blame is Blame.INFRASTRUCTURE
    assert gone.delay < 0.1
    second = await next_event(setting.events, WorkerListed)
    after = await setting.listed()
    assert second.worker_id != first.worker_id
    assert [(entry.worker_id, entry.incarnation) for entry in after.workers] == [(second.worker_id, 2)]
    assert after.version == before.version + 2


async def test_a_worker_that_is_killed_again_and_again_keeps_coming_back(setting: Setting) -> None:
    await setting.start()
    for incarnation in range(1, 11):
        listed = await next_event(setting.events, WorkerListed)
        assert listed.attempt == incarnation
        os.kill(pid_of_worker(listed.worker_id), signal.SIGKILL)
    assert (await next_event(setting.events, WorkerListed)).attempt == 11


async def test_a_stopped_worker_is_killed_after_a_second_and_replaced(setting: Setting) -> None:
    await setting.start()
    first = await next_event(setting.events, WorkerListed)
    os.kill(pid_of_worker(first.worker_id), signal.SIGSTOP)
    gone = await next_event(setting.events, ChildExited)
    assert "A signal had stopped it for more than 1 s" in gone.reason.detail
    assert (await next_event(setting.events, WorkerListed)).worker_id != first.worker_id


async def test_a_worker_that_cannot_start_is_given_up_soon_and_tells_why(setting: Setting) -> None:
    with pytest.raises(FailedToStart, match=r"worker 'worker_0' \(CPU\) ended by EXIT_CODE") as failure:
        await setting.start("crashes")
    assert "no module named torch" in str(failure.value)
    assert len(failure.value.story) > 3
    assert (await setting.listed()).workers == ()


@pytest.mark.parametrize("manner", ["misreports", "homeless"])
async def test_a_worker_that_does_not_say_where_it_is_is_refused(setting: Setting, manner: str) -> None:
    with pytest.raises(FailedToStart, match=r"worker 'worker_0' \(CPU\) reported") as failure:
        await setting.start(manner)
    assert isinstance(failure.value.reason.exception, WorkerMisreported)


async def test_a_worker_that_ends_takes_itself_from_the_list_first(setting: Setting) -> None:
    await setting.start("lingers")
    pid = pid_of_worker((await next_event(setting.events, WorkerListed)).worker_id)
    os.kill(pid, signal.SIGTERM)
    await next_event(setting.events, WorkerUnlisted)
    assert (await setting.listed()).workers == ()
    assert lives(pid)


async def test_a_worker_that_ignores_its_end_is_unlisted_at_once_and_killed_after_the_grace(setting: Setting) -> None:
    await setting.start("ignores")
    listed = await next_event(setting.events, WorkerListed)
    assert not (await setting.system.stop_child("worker:0")).failed
    assert not command_lines(listed.worker_id)
    unlisted = await next_event(setting.events, WorkerUnlisted)
    stopped = await next_event(setting.events, ChildStopped)
    assert stopped.at - unlisted.at > setting.spec.grace
    assert (await setting.listed()).workers == ()


async def test_a_worker_can_be_stopped_while_it_loads(setting: Setting) -> None:
    setting.start_nowait("silent")
    await next_event(setting.events, WorkloadRunning)
    assert not (await setting.system.stop_child("worker:0")).failed
    await next_event(setting.events, ChildStopped)


async def test_the_password_is_in_the_environment_alone(setting: Setting) -> None:
    await setting.start()
    listed = await next_event(setting.events, WorkerListed)
    secret = setting.options.credentials.workload.reveal()
    environment = environment_of(pid_of_worker(listed.worker_id))
    assert f"SSDB_PASSWORD={secret}\0" in environment
    assert not command_lines(secret)
    assert secret not in all_text_under(setting.spec.log_directory)
    assert secret not in f"{setting.spec} {listed}"


async def test_the_list_is_written_again_when_a_shard_came_back_empty(setting: Setting) -> None:
    await setting.start()
    before = await setting.listed()
    await setting.admin.delete(WORKER_LIST_KEY)
    registry = setting.system.lookup("/test/registry")
    await registry.ask(Publish())
    assert await setting.listed() == before


async def test_a_list_that_the_shard_did_not_take_is_written_later(setting: Setting) -> None:
    await setting.start()
    before = await setting.listed()
    await setting.admin.delete(WORKER_LIST_KEY)
    away = setting.options.socket.with_suffix(".away")
    setting.options.socket.rename(away)
    await setting.admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await setting.system.lookup("/test/registry").ask(Publish())
    assert await setting.admin.exists(WORKER_LIST_KEY) == 0
    away.rename(setting.options.socket)
    await eventually(lambda: setting.admin.exists(WORKER_LIST_KEY))
    assert await setting.listed() == before
