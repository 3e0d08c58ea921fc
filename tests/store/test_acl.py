"""The roles, on a real engine: what is forbidden is refused, what is allowed passes."""

import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotLetIn
from redis.exceptions import NoPermissionError, ResponseError

from ssasync.cyclient import Client, ScriptNotFound
from ssasync.store.acl import ADMIN, READ_ONLY, ROLES, WORKLOAD
from ssasync.store.credentials import Credentials, Secret
from ssasync.store.engine_configuration import EngineOptions
from ssasync.wlm.runtime_directory import RuntimeDirectory
from tests.model_archive import archive_of
from tests.store.engines import connection, options_for, running_engine

#: What the roles are for, in the words of the wire.
WRITES = """
SET k v|GET k|MGET k l|STRLEN k|TYPE k|EXISTS k|PTTL k|PEXPIRE k 100000|INCR n
HSET h a 1|HGETALL h|HGET h a|HMGET h a b|HEXISTS h a|HDEL h a|RPUSH q 1|LPUSH q 0|LLEN q|LRANGE q 0 -1
COPY k l|RENAME l m|WATCH k|UNWATCH|MULTI|SET k w|EXEC|MULTI|DISCARD|EXPIRE k 100|TTL k|PERSIST k|GETRANGE k 0 1
SCAN 0|DEL m|UNLINK n|INFO|PING
"""
READS = """
GET k|MGET k l|GETRANGE k 0 1|STRLEN k|TYPE k|EXISTS k|TTL k|PTTL k|HGETALL h|HGET h a|HMGET h a b|HEXISTS h a
LLEN q|LRANGE q 0 -1|MULTI|GET k|EXEC|SCAN 0|INFO|PING
"""
#: What the engine, which is no cluster here, refuses for that reason alone.
OF_CLUSTERS = "CLUSTER SLOTS|CLUSTER SHARDS|CLUSTER MYID|CLUSTER INFO|ASKING"
CONNECTION = "CLIENT ID|CLIENT SETNAME me|CLIENT TRACKING ON OPTIN|CLIENT CACHING YES|EXISTS k"
FORBIDDEN = """
FLUSHDB|FLUSHALL|CONFIG GET *|CONFIG SET maxmemory 1|SAVE|BGSAVE|SHUTDOWN|KEYS *|DBSIZE|EVAL return 0
FUNCTION LIST|SCRIPT FLUSH|MODULE LIST|CLIENT LIST|CLIENT KILL ID 1|CLIENT PAUSE 1|ACL LIST|ACL WHOAMI
REPLICAOF no one|MONITOR|SUBSCRIBE c|PSUBSCRIBE *|PUBLISH c m|CLUSTER NODES|MIGRATE h 1 k 0 1|SWAPDB 0 1
SORT k|GETDEL k|LPOP q|BLPOP q 1|EVALSHA 0 0|RESTORE k 0 x|DUMP k|FAILOVER|CLUSTER MEET 127.0.0.1 1|CLUSTER RESET
CLUSTER FORGET n|CLUSTER FAILOVER
"""


def commands(text: str) -> list[str]:
    return text.strip().replace("\n", "|").split("|")


@pytest.fixture
async def engine() -> AsyncIterator[EngineOptions]:
    with RuntimeDirectory.create() as runtime:
        options = options_for(runtime.path)
        async with running_engine(options):
            yield options


async def run(connected: Redis, text: str) -> object:
    async with connected.client() as client:
        return [await client.execute_command(*command.split()) for command in commands(text)][-1]


async def test_a_workload_may_send_what_the_client_core_sends(engine: EngineOptions) -> None:
    async with connection(engine, WORKLOAD.name, engine.credentials.workload) as workload:
        assert await run(workload, WRITES) is True
        assert await run(workload, CONNECTION) == 1
        await let_through(workload, OF_CLUSTERS)


async def let_through(connected: Redis, text: str) -> None:
    for command in commands(text):
        with pytest.raises(ResponseError, match="cluster support disabled"):
            await connected.execute_command(*command.split())


async def test_a_workload_may_send_all_that_the_client_sends_and_the_client_sends_nothing_else(
    engine: EngineOptions,
) -> None:
    assert WORKLOAD.commands is not None
    async with connection(engine, ADMIN.name, engine.credentials.admin) as admin:
        await admin.config_resetstat()
        await use_all_operations(engine)
        statistics = await admin.info("commandstats")
        refused = await admin.execute_command("ACL", "LOG")
    sent = {name.removeprefix("cmdstat_") for name, counts in statistics.items() if counts["calls"]}
    assert {"set", "get", "exists", "unlink", "incr", "hset", "hgetall", "multi", "exec", "hello"} <= sent
    assert sent - {"config|resetstat"} <= WORKLOAD.commands
    assert refused == []


async def use_all_operations(engine: EngineOptions) -> None:
    secret = engine.credentials.workload.reveal()
    async with await Client.connect(f"unix://{engine.socket}", user=WORKLOAD.name, password=secret) as client:
        field = np.arange(6.0)
        await client.put_tensor("u", field)
        await client.wait_for_tensor("u", timeout=10)
        await client.get_tensor("u")
        await client.unpack_tensor("u", np.empty(6))
        assert await client.tensor_exists("u")
        for _ in range(3):  # the third version removes the first
            await client.set_model("m", archive_of(b"no further"), "TORCH", "CPU")
        assert await client.model_exists("m")
        await client.get_model_blob("m", await client.get_model_version("m"))
        with pytest.raises(ScriptNotFound):
            await client.get_script_version("s")
        batch = client.batch()
        batch.put_tensor("v", field)
        batch.get_tensor("u")
        batch.delete_tensor("v")
        await batch.execute()
        await client.delete_tensor("u")


#: Words in capitals that the sources of the core may have although no workload may send such a command.
NOT_OF_WORKLOADS = {
    "bgsave": "of the admin",
    "config": "of the admin",
    "flushall": "of the admin",
    "flushdb": "of the admin",
    "readonly": "the code of an error: somebody wrote to a replica",
    "save": "of the admin",
}


async def test_a_workload_may_send_every_command_that_the_sources_of_the_core_name(engine: EngineOptions) -> None:
    """Operations that the test above does not run count as well: a command stands in the sources as a word in capitals."""
    async with connection(engine, ADMIN.name, engine.credentials.admin) as admin:
        known = {name.decode() for name in await admin.execute_command("COMMAND LIST") if b"|" not in name}
    assert WORKLOAD.commands is not None
    allowed = {command.partition("|")[0] for command in WORKLOAD.commands}
    named = known & {word.lower() for word in words_in_capitals()}
    assert {"set", "get", "hgetall", "multi", "exec", "incr"} <= named  # the sources are found and read
    assert named - allowed <= NOT_OF_WORKLOADS.keys()


def words_in_capitals() -> set[str]:
    """Every string of the core's sources that is one word in capitals, or begins with one, in C, Cython and Python."""
    folder = Path(sys.modules["ssasync.cyclient"].__path__[0])
    sources = [path for suffix in ("*.py", "*.pyx", "*.pxi", "c/*.c", "c/*.h") for path in folder.glob(suffix)]
    return {word for path in sources for word in re.findall(r'"([A-Z]+)[" ]', path.read_text())}


async def test_a_reader_may_read_and_nothing_else(engine: EngineOptions) -> None:
    async with connection(engine, WORKLOAD.name, engine.credentials.workload) as workload:
        await run(workload, "SET k v|HSET h a 1")
    async with connection(engine, READ_ONLY.name, engine.credentials.read_only) as reader:
        await run(reader, READS)
        assert await run(reader, CONNECTION) == 1
        await let_through(reader, OF_CLUSTERS)
        for command in commands(
            "SET k v|DEL k|INCR n|HSET h a 1|HDEL h a|RPUSH q 1|RENAME k l|EXPIRE k 1|UNLINK k|WATCH k"
        ):
            with pytest.raises(NoPermissionError, match="no permissions to run"):
                await reader.execute_command(*command.split())


@pytest.mark.parametrize("name", [WORKLOAD.name, READ_ONLY.name])
async def test_everything_else_is_refused(engine: EngineOptions, name: str) -> None:
    async with connection(engine, name, getattr(engine.credentials, name)) as connected:
        for command in commands(FORBIDDEN):
            with pytest.raises(NoPermissionError, match="no permissions to run"):
                await connected.execute_command(*command.split())


async def test_the_admin_may_do_all(engine: EngineOptions) -> None:
    async with connection(engine, ADMIN.name, engine.credentials.admin) as admin:
        assert await run(admin, "CONFIG GET maxmemory|CLIENT LIST|KEYS *|FLUSHALL") is True


async def test_nobody_comes_in_without_a_password(engine: EngineOptions) -> None:
    async with Redis(unix_socket_path=str(engine.socket), retry=Retry(NoBackoff(), 0)) as stranger:
        with pytest.raises(NotLetIn, match="must be called with the client already authenticated"):
            await stranger.ping()
    for user in ("default", *ROLES):
        async with connection(engine, user, Secret.random()) as stranger:
            with pytest.raises(NotLetIn, match="invalid username-password"):
                await stranger.ping()


async def test_one_role_does_not_open_with_the_password_of_another(engine: EngineOptions) -> None:
    async with connection(engine, ADMIN.name, engine.credentials.workload) as stranger:
        with pytest.raises(NotLetIn, match="invalid username-password"):
            await stranger.ping()


def test_secrets_are_masked_and_random() -> None:
    credentials = Credentials()
    texts = {credentials.workload.reveal(), credentials.read_only.reveal(), credentials.admin.reveal()}
    assert len(texts) == 3
    shown = f"{credentials} {credentials!r} {credentials.workload} {credentials.admin!r}"
    assert not any(text in shown for text in texts)
    assert credentials.workload == Secret(credentials.workload.reveal())
    with pytest.raises(TypeError, match="is not pickled"):
        credentials.workload.__reduce__()
