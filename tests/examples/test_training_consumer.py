from functools import partial
from typing import Any, cast

import anyio
import numpy as np
import pytest

from examples import training_consumer
from examples.closure_training import TrainingSettings
from examples.ocean_member import SNAPSHOT_SLOTS
from examples.ocean_solver import OceanModel, OceanParameters
from examples.subgrid_forcing import Float32Array
from examples.training_consumer import train
from examples.training_record import TrainingRecord
from ssasync import Client

PARAMETERS = OceanParameters(grid_points=32)
SETTINGS = TrainingSettings(rows=4, judge_every=5)


class StoreInMemory:
    """The operations of the client that the consumer uses, on a dict."""

    def __init__(self) -> None:
        self.tensors: dict[str, Float32Array] = {}
        self.models: list[tuple[str, bytes]] = []
        self.most_tensors = 0
        self._changed = anyio.Event()

    def put(self, name: str, data: Float32Array) -> None:
        self.tensors[name] = data
        self.most_tensors = max(self.most_tensors, len(self.tensors))
        self._wake()

    async def wait_for_tensor(self, name: str, *, timeout: float) -> None:
        with anyio.fail_after(timeout):
            while name not in self.tensors:
                await self._changed.wait()

    async def get_tensor(self, name: str) -> Float32Array:
        return self.tensors[name]

    async def delete_tensor(self, name: str) -> None:
        del self.tensors[name]
        self._wake()

    async def set_model(self, name: str, model: bytes, *, backend: str, device: str) -> None:
        assert (backend, device) == ("TORCH", "CPU")
        self.models.append((name, model))

    async def is_read(self, name: str) -> None:
        with anyio.fail_after(30):
            while name in self.tensors:
                await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


@pytest.fixture(scope="module")
def field() -> Float32Array:
    ocean = OceanModel.from_random_eddies(PARAMETERS, seed=2)
    for _ in range(50):
        ocean.step()
    return ocean.pv().astype(np.float32)


async def test_consumer_learns_from_all_members_and_publishes_improvements(field: Float32Array) -> None:
    store, record, done = StoreInMemory(), TrainingRecord(), anyio.Event()
    consumer = partial(
        train, cast(Client, store), ["member_0", "member_1"], PARAMETERS, record, members_done=done, settings=SETTINGS
    )
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            await group.start(consumer)
            assert [name for name, _ in store.models] == ["closure"]  # before the first member asks
            for number in range(1, 31):
                slot = number % SNAPSHOT_SLOTS
                for member in ("member_0", "member_1"):
                    store.put(f"{member}.snapshot_{slot}", field)
                    await store.is_read(f"{member}.snapshot_{slot}")
            done.set()
    assert record.snapshots == {"member_0": 30, "member_1": 30}
    assert store.tensors == {}
    assert len(store.models) == len(record.published) > 1
    assert record.published[-1].held_out_loss < 0.9
    assert [network.version for network in record.published] == list(range(1, len(record.published) + 1))
    assert [seconds for seconds, _ in record.losses] == sorted(seconds for seconds, _ in record.losses)


async def test_consumer_outlives_a_member_that_pauses_and_repeats_steps(
    field: Float32Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_consumer, "PATIENCE", 0.01)  # every wait runs out several times
    store, record, done = StoreInMemory(), TrainingRecord(), anyio.Event()
    consumer = partial(
        train, cast(Client, store), ["member_0"], PARAMETERS, record, members_done=done, settings=SETTINGS
    )
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            await group.start(consumer)
            numbers = [*range(1, 13), *range(9, 30)]  # killed after the twelfth, continued from the eighth
            for number in numbers:
                store.put(f"member_0.snapshot_{number % SNAPSHOT_SLOTS}", field)
                with anyio.move_on_after(0.03):
                    await store.is_read(f"member_0.snapshot_{number % SNAPSHOT_SLOTS}")
            await store.is_read(f"member_0.snapshot_{29 % SNAPSHOT_SLOTS}")
            done.set()
    assert store.most_tensors <= SNAPSHOT_SLOTS
    assert record.snapshots["member_0"] >= 29 - SNAPSHOT_SLOTS


async def test_failing_store_ends_the_training_with_its_error() -> None:
    class FullStore(StoreInMemory):
        async def set_model(self, *_: Any, **__: Any) -> None:
            raise MemoryError("store is full")

    with pytest.raises(MemoryError, match="store is full"):
        await train(cast(Client, FullStore()), ["member_0"], PARAMETERS, TrainingRecord(), members_done=anyio.Event())
