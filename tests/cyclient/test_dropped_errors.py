"""A failed operation keeps the caller's arrays and the client no longer than its error lives: no circle of references."""

import asyncio
import gc
import weakref

import numpy as np
import pytest

from ssasync.cyclient import Client, ConnectionFailed
from ssasync.cyclient.blocking import Client as BlockingClient
from tests.cyclient.faces import LOOPS


@pytest.fixture(autouse=True)
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_of_the_blocking_client(tmp_path):
    client = BlockingClient(f"unix://{tmp_path}/none")
    data = np.ones(3)
    kept = [weakref.ref(data), weakref.ref(client)]
    with pytest.raises(ConnectionFailed):
        client.put_tensor("t", data, timeout=0)
    del data, client
    assert all(reference() is None for reference in kept)


@pytest.mark.parametrize("loop", LOOPS)
def test_of_the_asyncio_client(tmp_path, loop):
    async def fail_and_forget():
        client = Client(f"unix://{tmp_path}/none")
        data = np.ones(3)
        kept = [weakref.ref(data), weakref.ref(client)]
        with pytest.raises(ConnectionFailed):
            await client.put_tensor("t", data, timeout=0)
        del data, client
        await asyncio.sleep(0)  # the loop's own callbacks
        assert all(reference() is None for reference in kept)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(fail_and_forget())
