"""Every use of a client that was closed is refused with the same words."""

import numpy as np
import pytest

from ssasync.cyclient import Client, Disconnected
from ssasync.cyclient.blocking import Client as BlockingClient

X = np.ones(3)


@pytest.fixture
def refused():
    return pytest.raises(Disconnected, match=r"^the client is closed: open a new one$")


async def test_the_asyncio_client(engine, refused):
    client = Client(engine.unix, password=engine.password)
    await client.ping()
    batch = client.batch()
    client.close()
    for use in (
        client.batch,
        lambda: batch.put_tensor("t", X),
        lambda: client.watch_key(b"t", lambda: pytest.fail("called")),
        lambda: client.set_data_source("p"),
        lambda: client.use_list_ensemble_prefix(False),
    ):
        with refused:
            use()
    for operation in (client.ping, client.__aenter__, batch.execute):
        with refused:
            await operation()
    client.close()


def test_the_blocking_client(engine, refused):
    client = BlockingClient(engine.unix, password=engine.password)
    client.ping()
    batch = client.batch()
    client.close()
    for use in (
        client.ping,
        client.__enter__,
        client.batch,
        lambda: batch.put_tensor("t", X),
        batch.execute,
        lambda: client.start_get_tensor("t").result(),
        lambda: client.set_data_source("p"),
        lambda: client.use_list_ensemble_prefix(False),
    ):
        with refused:
            use()
    client.close()
