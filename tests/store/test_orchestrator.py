"""A whole store: the tree, its restarts, its address, and what it leaves behind."""

import contextlib
import io
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from redis.asyncio import Redis

from ssasync.actors import ActorSystem, ChildExited, ChildGaveUp, ChildStarting, Subscription, TreeNode
from ssasync.cyclient import Client
from ssasync.cyclient.key_names import WORKER_LIST_KEY
from ssasync.cyclient.worker_list import WorkerList
from ssasync.store import orchestrator
from ssasync.store import worker as worker_module
from ssasync.store.errors import AddressUnknown, InterfaceUnknown, InvalidOrchestrator
from ssasync.store.events import ShardHealth, ShardReady, WorkerListed
from ssasync.store.network_interface import address_of_interface
from ssasync.store.orchestrator import Store, StoreStatistics
from ssasync.store.orchestrator_spec import OrchestratorSpec
from ssasync.wlm import Local, RuntimeDirectory
from tests.store.systems import all_text_under, command_lines, eventually, next_event, pid_of_worker

STAND_IN = Path(__file__).with_name("stand_in_worker.py")


@dataclass
class Setting:
    """A system, and stores made for it."""

    system: ActorSystem
    events: Subscription
    logs: Path
    local: Local

    def store(self, **chosen: object) -> Store:
        return Store(OrchestratorSpec(self.logs, **chosen), self.local)  # type: ignore[arg-type]


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    with RuntimeDirectory.create() as runtime:
        async with ActorSystem("demo") as system, system.events(lossless=True) as events:
            yield Setting(system, events, tmp_path, Local(runtime))
        assert sorted(path.name for path in runtime.path.iterdir()) == ["attempts", "driver.lock"]
        assert not command_lines(runtime.path)
    assert not runtime.path.exists()


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the workers be stand-ins of a manner: for tests in which models do not matter."""

    def use(manner: str) -> None:
        spec = worker_module.WorkerSpec

        def with_command(**fields: object) -> object:
            return spec(**fields, command=(worker_module.sys.executable, str(STAND_IN), manner))  # type: ignore[arg-type]

        monkeypatch.setattr(orchestrator, "WorkerSpec", with_command)

    return use


def client_of(store: Store) -> Redis:
    (address,) = store.address.unix
    environment = store.address.environment(suffix=False)
    return Redis(
        unix_socket_path=address.removeprefix("unix://"),
        username=environment["SSDB_USER"],
        password=environment["SSDB_PASSWORD"],
    )


def outline(node: TreeNode, depth: int = 0) -> list[str]:
    inner = [line for child in node.children for line in outline(child, depth + 1)]
    return [f"{'  ' * depth}{node.name} {node.state}", *inner]


async def listed(store: Store) -> WorkerList:
    async with client_of(store) as client:
        return WorkerList.decode(await client.get(WORKER_LIST_KEY) or b"")


async def test_a_store_is_a_tree_of_shards_registry_and_workers(
    setting: Setting, stand_in: Callable[[str], None]
) -> None:
    stand_in("works")
    store = setting.store(workers=2, maxmemory="64 MiB")
    await setting.system.start_child(store.child_spec())
    (node,) = setting.system.tree().children
    assert outline(node) == [
        "orchestrator running",
        "  shards running",
        "    shard:0 running",
        "  registry running",
        "  workers running",
        "    worker:0 running",
        "    worker:1 running",
    ]
    assert [entry.device for entry in (await listed(store)).workers] == ["CPU", "CPU"]
    async with client_of(store) as client:
        assert (await client.info("memory"))["maxmemory"] == 64 << 20


async def test_the_environment_leads_to_the_store(setting: Setting) -> None:
    store = setting.store(workers=0)
    with pytest.raises(AddressUnknown, match="orchestrator 'orchestrator' has no address yet"):
        _ = store.address
    await setting.system.start_child(store.child_spec())
    address = store.address
    assert address.environment() == {
        "SSDB": address.unix[0],
        "SSDB_SOCKETS": str(setting.local.runtime.path),
        "SSDB_USER": "workload",
        "SSDB_PASSWORD": store.credentials.workload.reveal(),
        "SSDB_OWNED": "1",
        "SR_DB_TYPE": "Standalone",
    }
    remote = address.environment(local=False)
    assert remote["SSDB"] == address.tcp[0]
    assert "SSDB_SOCKETS" not in remote
    assert store.credentials.workload.reveal() not in f"{address} {store} {store.checked}"


async def test_two_stores_of_one_experiment_do_not_meet(setting: Setting) -> None:
    first, second = setting.store(workers=0), setting.store(workers=0, name="features")
    await setting.system.start_child(first.child_spec())
    await setting.system.start_child(second.child_spec())
    assert first.address.tcp != second.address.tcp
    assert first.credentials != second.credentials
    assert set(second.address.environment()) == {
        "SSDB_features",
        "SSDB_SOCKETS_features",
        "SSDB_USER_features",
        "SSDB_PASSWORD_features",
        "SSDB_OWNED_features",
        "SR_DB_TYPE_features",
    }
    assert "SSDB" in second.address.environment(suffix=False)


async def test_a_store_serves_on_the_interface_it_was_given_and_on_no_other(setting: Setting) -> None:
    addresses = {}
    for _, interface in socket.if_nameindex():
        with contextlib.suppress(InterfaceUnknown):
            addresses[interface] = address_of_interface(interface)
    for index, (interface, host) in enumerate(addresses.items()):
        store = setting.store(workers=0, interface=interface, name=f"on_{index}")
        await setting.system.start_child(store.child_spec())
        (address,) = store.address.tcp
        port = int(address.removeprefix(f"{host}:"))
        secret = store.credentials.workload.reveal()
        async with Redis(host=host, port=port, username="workload", password=secret) as client:
            assert await client.ping()
        for other in set(addresses.values()) - {host}:
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((other, port), timeout=5)


async def test_a_killed_shard_restarts_nothing_else_and_gets_its_list_back(
    setting: Setting, stand_in: Callable[[str], None]
) -> None:
    stand_in("works")
    store = setting.store()
    await setting.system.start_child(store.child_spec())
    ready = await next_event(setting.events, ShardReady)
    before, address = await listed(store), store.address
    os.kill(ready.pid, signal.SIGKILL)
    await next_event(setting.events, ChildExited)
    starting = await next_event(setting.events, ChildStarting)
    assert starting.path == "/demo/orchestrator/shards/shard:0"
    again = await next_event(setting.events, ShardReady)
    assert store.address == address

    async def restored() -> bool:
        async with client_of(store) as client:
            return bool(await client.exists(WORKER_LIST_KEY))

    await eventually(restored)
    assert await listed(store) == before
    assert again.attempt == 2
    health = await next_event(setting.events, ShardHealth, lambda health: health.attempt == 2)
    assert store.statistics() == StoreStatistics(2, health, before)
    assert pid_of_worker(before.workers[0].worker_id)


async def test_workers_that_give_up_leave_the_shards_alone(setting: Setting, stand_in: Callable[[str], None]) -> None:
    stand_in("crashes")
    store = setting.store()
    await setting.system.start_child(store.child_spec())
    gave_up = await next_event(setting.events, ChildGaveUp)
    assert gave_up.path == "/demo/orchestrator/workers/worker:0"
    assert "no module named torch" in gave_up.reason.detail
    async with client_of(store) as client:  # round trips, in which an escalation would have had its time
        for _ in range(100):
            await client.ping()
    (node,) = setting.system.tree().children
    assert outline(node)[1:3] == ["  shards running", "    shard:0 running"]
    assert outline(node)[-1] == "    worker:0 failed"
    assert (await listed(store)).workers == ()


async def test_the_registry_may_crash(setting: Setting, stand_in: Callable[[str], None]) -> None:
    stand_in("works")
    store = setting.store()
    await setting.system.start_child(store.child_spec())
    await next_event(setting.events, WorkerListed)
    before = await listed(store)
    await setting.system.lookup("/demo/orchestrator/registry").tell("nonsense")
    await next_event(setting.events, WorkerListed)
    after = await listed(store)
    assert after.version > before.version
    assert [entry.incarnation for entry in after.workers] == [2]
    assert store.address.tcp


async def test_passwords_show_nowhere(setting: Setting, stand_in: Callable[[str], None]) -> None:
    stand_in("works")
    store = setting.store()
    await setting.system.start_child(store.child_spec())
    events = str([await next_event(setting.events, WorkerListed), setting.system.tree(), store.checked])
    shown = events + all_text_under(setting.logs) + all_text_under(setting.local.runtime.path)
    for secret in (store.credentials.workload, store.credentials.read_only, store.credentials.admin):
        assert secret.reveal() not in shown
        assert not command_lines(secret.reveal())


async def test_models_run_and_outlive_the_death_of_their_worker(setting: Setting) -> None:
    store = setting.store()
    await setting.system.start_child(store.child_spec())
    listed = await next_event(setting.events, WorkerListed)
    secret = store.credentials.workload.reveal()
    async with await Client.connect(store.address.unix[0], user="workload", password=secret, timeout=60) as client:
        await client.set_model("double", doubling_model(), "TORCH", "CPU")
        x = np.arange(6, dtype=np.float32).reshape(2, 3)
        np.testing.assert_array_equal(await client.infer("double", x), 2 * x)
        os.kill(pid_of_worker(listed.worker_id), signal.SIGKILL)
        np.testing.assert_array_equal(await client.infer("double", x + 1), 2 * x + 2)
    again = await next_event(setting.events, WorkerListed)
    assert again.attempt == 2
    assert not command_lines(secret)
    assert secret not in all_text_under(setting.logs)


def doubling_model() -> bytes:
    class Double(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * x

    archive = io.BytesIO()
    torch.jit.save(torch.jit.trace(Double(), torch.zeros(1, 3)), archive)
    return archive.getvalue()


def test_nothing_starts_when_a_setting_is_wrong(tmp_path: Path) -> None:
    with RuntimeDirectory.create() as runtime:
        with pytest.raises(InvalidOrchestrator, match="shards=2"):
            Store(OrchestratorSpec(tmp_path, shards=2), Local(runtime))
        assert sorted(path.name for path in runtime.path.iterdir()) == ["attempts", "driver.lock"]
