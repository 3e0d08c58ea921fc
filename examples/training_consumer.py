"""The training beside the runs: takes snapshots from the store as they arrive, puts better networks back.

async with anyio.create_task_group() as group:
    await group.start(partial(train, client, ["member_0", "member_1"], parameters, record, members_done=done))
    ...                       # the first network is in the store: run the ensemble
    done.set()                # train() makes its last judgement and returns
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence

import anyio
import numpy as np
import numpy.typing as npt
from anyio.abc import ObjectReceiveStream, ObjectSendStream, TaskStatus

from examples.closure_training import ClosureTrainer, TrainingSettings
from examples.ocean_member import SNAPSHOT_SLOTS
from examples.ocean_solver import OceanParameters
from examples.training_record import PublishedNetwork, TrainingRecord
from ssasync import Client

Snapshot = npt.NDArray[np.float32]

#: Snapshots that wait for the trainer; past this, members overwrite their own oldest ones in the store.
WAITING_SNAPSHOTS = 16

#: Seconds to wait for one snapshot before looking again. Not an error: a member may be down for a restart, or done.
PATIENCE = 30.0


async def train(
    client: Client,
    members: Sequence[str],
    parameters: OceanParameters,
    record: TrainingRecord,
    *,
    members_done: anyio.Event,
    model: str = "closure",
    settings: TrainingSettings | None = None,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Learn from the snapshots of `members` until `members_done`, and publish `model` whenever it got better.

    parameters: grid, size and stratification, which the members share. One gradient step is made for each snapshot, so
    that training keeps the pace of the runs. The first network, which answers zero, is in the store when `task_status`
    says started. How long it lasts is the members' affair: there is no deadline. Raises what the client raises.
    """
    # In a thread: the first use of torch takes a second, which the event loop has not.
    trainer = await anyio.to_thread.run_sync(ClosureTrainer, parameters, settings)
    await publish(client, model, trainer, record, held_out_loss=1.0)
    task_status.started()
    sink, source = anyio.create_memory_object_stream[tuple[str, Snapshot]](WAITING_SNAPSHOTS)
    async with anyio.create_task_group() as learning:
        learning.start_soon(learn_from, source, client, model, trainer, record)
        # Leaving this block closes the stream, and what still waits in it is learned.
        async with sink, anyio.create_task_group() as feeds:
            for member in members:
                feeds.start_soon(feed, client, member, sink)
            await members_done.wait()
            feeds.cancel_scope.cancel()
    await publish_if_better(client, model, trainer, record)


async def feed(client: Client, member: str, sink: ObjectSendStream[tuple[str, Snapshot]]) -> None:
    """Pass on a member's snapshots, slot after slot, until cancelled.

    A restarted member fills slots a second time that were read before: equal or newer fields, that are read when their
    turn comes. Waiting on the next slot never blocks for good, because the member comes past it once a round.
    """
    # The first snapshot of a run goes into slot 1.
    for number in itertools.count(1):
        name = f"{member}.snapshot_{number % SNAPSHOT_SLOTS}"
        await snapshot_arrives(client, name)
        pv = await client.get_tensor(name)
        await sink.send((member, pv))
        await client.delete_tensor(name)


async def snapshot_arrives(client: Client, name: str) -> None:
    """Return once the tensor exists, however long that takes; `train` ends the wait when the members are done."""
    while True:
        with contextlib.suppress(TimeoutError):
            await client.wait_for_tensor(name, timeout=PATIENCE)
            return


async def learn_from(
    source: ObjectReceiveStream[tuple[str, Snapshot]],
    client: Client,
    model: str,
    trainer: ClosureTrainer,
    record: TrainingRecord,
) -> None:
    """A gradient step for each snapshot, in a thread so that the driver's event loop stays free."""

    def add_and_learn(pv: Snapshot) -> float | None:
        trainer.add(pv)
        return trainer.learn()

    async with source:
        async for member, pv in source:
            record.snapshots[member] += 1
            loss = await anyio.to_thread.run_sync(add_and_learn, pv)
            if loss is not None:
                record.losses.append((record.now(), loss))
                if trainer.time_to_judge():
                    await publish_if_better(client, model, trainer, record)


async def publish_if_better(client: Client, model: str, trainer: ClosureTrainer, record: TrainingRecord) -> None:
    """Judge the network by the held-out snapshots, and put it in the store if it beats the one there."""
    if trainer.gradient_steps:
        loss = await anyio.to_thread.run_sync(trainer.improved_loss)
        if loss is not None:
            await publish(client, model, trainer, record, held_out_loss=loss)


async def publish(
    client: Client, model: str, trainer: ClosureTrainer, record: TrainingRecord, *, held_out_loss: float
) -> None:
    """Put the network in use into the store; the members' next questions are answered by it."""
    network = await anyio.to_thread.run_sync(trainer.network_in_use)
    await client.set_model(model, network, backend="TORCH", device="CPU")
    record.published.append(PublishedNetwork(record.now(), len(record.published) + 1, held_out_loss))
