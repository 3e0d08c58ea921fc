"""Who puts and gets tensors: our clients and others. Each makes calls that `tensor_client.py` times.

All move the same bytes: a tensor as WIRE.md has it. A client that knows no tensors is given the encoded bytes, ready made,
and gives bytes back. Other libraries are imported by the subject that needs them: one that is missing is one subject less.
"""

import asyncio
import importlib.metadata
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np
import uvloop

from tests.cyclient.wire_format import encode_tensor

Array = np.ndarray[Any, Any]
#: Does one operation: gives its result, or an awaitable of it.
Call = Callable[[], Any]

#: The names in raw_client.c and c_client.c; those of a batch end in _0, _1 ….
PUT_NAME, GET_NAME = "bench_put", "bench_get"
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class CannotError(Exception):
    """The subject has no such operation; the text says what it has instead."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the shard is, and as whom to speak to it; from the environment, as workloads have it."""

    user: str = field(default_factory=lambda: os.environ["SSDB_USER"])
    password: str = field(default_factory=lambda: os.environ["SSDB_PASSWORD"], repr=False)
    address: str = field(default_factory=lambda: os.environ["SSDB"])

    @property
    def socket(self) -> str | None:
        """Path of the unix socket; None: it is reached by TCP."""
        return self.address.removeprefix("unix://") if self.address.startswith("unix://") else None

    @property
    def host_and_port(self) -> tuple[str, int]:
        host, port = self.address.rsplit(":", 1)
        return host, int(port)


def tensor_of(size: int, number: int = 0) -> Array:
    """What every subject puts and expects: so many bytes of elements; `number`: its place in a batch."""
    return np.arange(number, number + size // 8, dtype=np.float64)


class Subject:
    """A client that is open inside `async with`; `needs` is the package that it is."""

    needs: ClassVar[str] = "ssasync"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def call(self, operation: str, size: int, count: int) -> Call:
        """What puts, gets or unpacks a tensor, or a batch of `count`. Raises CannotError."""
        raise NotImplementedError

    def same(self, result: Any, size: int, count: int) -> bool:
        """Whether a get gave what was put."""
        raise NotImplementedError

    @classmethod
    def version(cls) -> str:
        return importlib.metadata.version(cls.needs)


class _Ours(Subject):
    """The calls of both our faces: the same names; those of asyncio give awaitables."""

    client: Any

    def call(self, operation: str, size: int, count: int) -> Call:
        client = self.client
        tensors = [tensor_of(size, number) for number in range(count)]
        name = PUT_NAME if operation.startswith("put") else GET_NAME
        names = [f"{name}_{number}" for number in range(count)]
        data, target = tensors[0], np.empty_like(tensors[0])
        calls: dict[str, Call] = {
            "put": lambda: client.put_tensor(PUT_NAME, data),
            "get": lambda: client.get_tensor(GET_NAME),
            "unpack": lambda: client.unpack_tensor(GET_NAME, target),
            "put_batch": lambda: self.put_batch(names, tensors),
            "get_batch": lambda: self.get_batch(names),
        }
        return calls[operation]

    def put_batch(self, names: list[str], tensors: list[Array]) -> Any:
        batch = self.client.batch()
        for name, tensor in zip(names, tensors, strict=True):
            batch.put_tensor(name, tensor)
        return batch.execute()

    def get_batch(self, names: list[str]) -> Any:
        raise NotImplementedError

    def same(self, result: Any, size: int, count: int) -> bool:
        tensors = result if isinstance(result, list) else [result]
        return len(tensors) == count and all(
            np.array_equal(tensor, tensor_of(size, number)) for number, tensor in enumerate(tensors)
        )


class Blocking(_Ours):
    """ssasync.blocking."""

    async def __aenter__(self) -> Self:
        from ssasync.blocking import Client

        self.client = Client()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.client.close()

    def get_batch(self, names: list[str]) -> list[Array]:
        batch = self.client.batch()
        handles = [batch.get_tensor(name) for name in names]
        batch.execute()
        return [handle.value for handle in handles]


class Async(_Ours):
    """ssasync on whatever loop runs."""

    async def __aenter__(self) -> Self:
        from ssasync import Client

        self.client = await Client.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.client.close()

    async def get_batch(self, names: list[str]) -> list[Array]:
        batch = self.client.batch()
        handles = [batch.get_tensor(name) for name in names]
        await batch.execute()
        return [handle.value for handle in handles]


class _Bytes(Subject):
    """A client that moves bytes; its `set` and `get` give results or awaitables."""

    client: Any

    def call(self, operation: str, size: int, count: int) -> Call:
        client = self.client
        values = [encode_tensor(tensor_of(size, number)) for number in range(count)]
        name = PUT_NAME if operation.startswith("put") else GET_NAME
        names = [f"{name}_{number}" for number in range(count)]
        value = values[0]
        calls: dict[str, Call] = {
            "put": lambda: client.set(PUT_NAME, value),
            "get": lambda: client.get(GET_NAME),
            "put_batch": lambda: self.put_batch(names, values),
            "get_batch": lambda: self.get_batch(names),
        }
        if operation not in calls:
            raise CannotError(f"no {operation}: it gives memory of its own")
        return calls[operation]

    def put_batch(self, names: list[str], values: list[bytes]) -> Any:
        pipeline = self.client.pipeline(transaction=False)
        for name, value in zip(names, values, strict=True):
            pipeline.set(name, value)
        return pipeline.execute()

    def get_batch(self, names: list[str]) -> Any:
        pipeline = self.client.pipeline(transaction=False)
        for name in names:
            pipeline.get(name)
        return pipeline.execute()

    def same(self, result: Any, size: int, count: int) -> bool:
        values = [result] if isinstance(result, bytes) else list(result)
        return len(values) == count and all(
            value == encode_tensor(tensor_of(size, number)) for number, value in enumerate(values)
        )


class RedisBlocking(_Bytes):
    """redis-py, which uses hiredis where it is installed."""

    needs = "redis"

    async def __aenter__(self) -> Self:
        import redis

        self.client = redis.Redis(**_redis_options(Server()))
        self.client.ping()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.client.close()


class RedisAsync(_Bytes):
    """redis.asyncio, with the pool that it makes by default: a connection for each task that waits."""

    needs = "redis"

    async def __aenter__(self) -> Self:
        import redis.asyncio

        self.client = redis.asyncio.Redis(**_redis_options(Server()))
        await self.client.ping()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()


def _redis_options(server: Server) -> dict[str, Any]:
    options: dict[str, Any] = {"username": server.user, "password": server.password, "protocol": 3}
    if server.socket is not None:
        return {**options, "unix_socket_path": server.socket}
    host, port = server.host_and_port
    return {**options, "host": host, "port": port}


class Coredis(_Bytes):
    """coredis, as it comes."""

    needs = "coredis"

    async def __aenter__(self) -> Self:
        import coredis

        server = Server()
        if server.socket is not None:
            self.client = coredis.Redis(unix_socket_path=server.socket, username=server.user, password=server.password)
        else:
            host, port = server.host_and_port
            self.client = coredis.Redis(host, port, username=server.user, password=server.password)
        await self.client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.__aexit__(kind, error, trace)

    async def put_batch(self, names: list[str], values: list[bytes]) -> Any:
        async with self.client.pipeline(transaction=False) as pipeline:
            for name, value in zip(names, values, strict=True):
                pipeline.set(name, value)
        return pipeline.results

    async def get_batch(self, names: list[str]) -> Any:
        async with self.client.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.get(name)
        return pipeline.results


class Glide(_Bytes):
    """valkey-glide: its core in Rust, on threads of its own. It ends a request after 250 ms if it is not told otherwise."""

    needs = "valkey-glide"

    async def __aenter__(self) -> Self:
        import glide

        server = Server()
        if server.socket is not None:
            node = glide.NodeAddress(unix_socket_path=server.socket)
        else:
            node = glide.NodeAddress(*server.host_and_port)
        options = glide.GlideClientConfiguration(
            [node], credentials=glide.ServerCredentials(server.password, server.user), request_timeout=60_000
        )
        self._batch: Callable[[], Any] = partial(glide.Batch, is_atomic=False)
        self.client = await glide.GlideClient.create(options)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    def put_batch(self, names: list[str], values: list[bytes]) -> Awaitable[Any]:
        batch = self._batch()
        for name, value in zip(names, values, strict=True):
            batch.set(name, value)
        result: Awaitable[Any] = self.client.exec(batch, raise_on_error=True)
        return result

    def get_batch(self, names: list[str]) -> Awaitable[Any]:
        batch = self._batch()
        for name in names:
            batch.get(name)
        result: Awaitable[Any] = self.client.exec(batch, raise_on_error=True)
        return result


#: How each is called in tables and on the command line, what it is, and the loop it runs on.
SUBJECTS: dict[str, tuple[type[Subject], str]] = {
    "ssasync blocking": (Blocking, "asyncio"),
    "ssasync asyncio": (Async, "asyncio"),
    "ssasync uvloop": (Async, "uvloop"),
    "redis-py": (RedisBlocking, "asyncio"),
    "redis-py asyncio": (RedisAsync, "asyncio"),
    "redis-py uvloop": (RedisAsync, "uvloop"),
    "coredis": (Coredis, "asyncio"),
    "valkey-glide": (Glide, "asyncio"),
}
