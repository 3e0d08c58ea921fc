"""Who puts and gets tensors: our clients and redis-py, each timed around one operation at a time.

All move the same bytes: a tensor as WIRE.md has it. redis-py is given the encoded bytes, ready made, and gives bytes back.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import Any, Protocol

import numpy as np
import redis
import redis.asyncio
import uvloop

from ssasync import Client
from ssasync.blocking import Client as BlockingClient
from ssasync.cyclient._core import encode_tensor
from tests.bench.rounds import Timed

Array = np.ndarray[Any, Any]

#: The names in raw_client.c.
PUT_NAME, GET_NAME = "bench_put", "bench_get"


class Subject(Protocol):
    """A client; `operation` gives what puts, gets or unpacks `data`, or None when it cannot do that."""

    name: str

    def operation(self, operation: str, data: Array) -> Timed | None: ...

    def close(self) -> None: ...


def repeat(call: Callable[[], object]) -> Timed:
    def timed(repetitions: int) -> list[int]:
        times = []
        for _ in range(repetitions):
            begin = perf_counter_ns()
            call()
            times.append(perf_counter_ns() - begin)
        return times

    return timed


def repeat_async(runner: asyncio.Runner, call: Callable[[], Awaitable[object]]) -> Timed:
    async def all_of_them(repetitions: int) -> list[int]:
        times = []
        for _ in range(repetitions):
            begin = perf_counter_ns()
            await call()
            times.append(perf_counter_ns() - begin)
        return times

    return lambda repetitions: runner.run(all_of_them(repetitions))


class Blocking:
    name = "ssasync blocking"

    def __init__(self) -> None:
        self.client = BlockingClient()

    def operation(self, operation: str, data: Array) -> Timed | None:
        target = np.empty_like(data)
        calls: dict[str, Callable[[], object]] = {
            "put": lambda: self.client.put_tensor(PUT_NAME, data),
            "get": lambda: self.client.get_tensor(GET_NAME),
            "unpack": lambda: self.client.unpack_tensor(GET_NAME, target),
        }
        return repeat(calls[operation])

    def close(self) -> None:
        self.client.close()


class Async:
    def __init__(self, loop: str) -> None:
        self.name = f"ssasync {loop}"
        self.runner = asyncio.Runner(loop_factory=LOOPS[loop])
        self.client: Client = self.runner.run(_connected())

    def operation(self, operation: str, data: Array) -> Timed | None:
        target = np.empty_like(data)
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "put": lambda: self.client.put_tensor(PUT_NAME, data),
            "get": lambda: self.client.get_tensor(GET_NAME),
            "unpack": lambda: self.client.unpack_tensor(GET_NAME, target),
        }
        return repeat_async(self.runner, calls[operation])

    def close(self) -> None:
        self.client.close()
        self.runner.close()


LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


async def _connected() -> Client:
    return await Client.connect()


class RedisBlocking:
    name = "redis-py"

    def __init__(self, socket: str, user: str, password: str) -> None:
        self.client = redis.Redis(unix_socket_path=socket, username=user, password=password, protocol=3)

    def operation(self, operation: str, data: Array) -> Timed | None:
        value = encode_tensor(data)
        calls: dict[str, Callable[[], object]] = {
            "put": lambda: self.client.set(PUT_NAME, value),
            "get": lambda: self.client.get(GET_NAME),
        }
        return repeat(calls[operation]) if operation in calls else None

    def close(self) -> None:
        self.client.close()


class RedisAsync:
    name = "redis-py asyncio"

    def __init__(self, socket: str, user: str, password: str) -> None:
        self.runner = asyncio.Runner()
        self.client = redis.asyncio.Redis(unix_socket_path=socket, username=user, password=password, protocol=3)

    def operation(self, operation: str, data: Array) -> Timed | None:
        value = encode_tensor(data)
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "put": lambda: self.client.set(PUT_NAME, value),
            "get": lambda: self.client.get(GET_NAME),
        }
        return repeat_async(self.runner, calls[operation]) if operation in calls else None

    def close(self) -> None:
        self.runner.run(self.client.aclose())
        self.runner.close()
