"""The worker's server with models that are plain Python functions, for tests of what goes over its sockets."""

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ssasync.store._worker_front import Front
from ssasync.store.compute_threads import ComputeThreads
from tests.store.wire_client import WireClient

WORKER_ID = "0123456789abcdef" * 2
SECRET = b"the password of the user workload"
DEADLINE = 20.0


@dataclass
class FunctionModel:
    """A model that is a plain function; a script with several of them by name."""

    functions: dict[str, Callable[..., Any]]

    def run(self, function: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        outputs = self.functions[function](*inputs)
        return list(outputs) if isinstance(outputs, tuple) else [outputs]


class Server:
    """A front with compute threads, reachable by unix socket and TCP."""

    def __init__(self, directory: Path, threads: int = 1, **limits: int) -> None:
        self.front = Front(worker_id=WORKER_ID, secret=SECRET, **limits)
        self.threads = ComputeThreads(self.front)
        self.threads.ensure(threads)
        self.path = str(directory / "worker.sock")
        unix, tcp = socket.socket(socket.AF_UNIX), socket.socket()
        unix.bind(self.path)
        tcp.bind(("127.0.0.1", 0))
        self.address = tcp.getsockname()
        for listener in (unix, tcp):
            listener.listen(256)
            self.front.listen(listener)

    def model(self, name: str, function: Callable[..., Any], version: str = "1", **batching: int) -> None:
        self.front.model_ready(name, version, FunctionModel({"": function}), **batching)

    def script(self, name: str, version: str = "1", **functions: Callable[..., Any]) -> None:
        self.front.model_ready(name, version, FunctionModel(functions), script=True)

    def client(self, **options: Any) -> WireClient:
        return WireClient(self.path, WORKER_ID, SECRET, **options)

    def errand(self) -> tuple[int, str, int, int]:
        return until(self.front.next_errand)

    def close(self) -> None:
        self.front.close()
        assert self.threads.join(DEADLINE)


def until(condition: Callable[[], Any]) -> Any:
    """Ask until the answer is true; the deadline is an assertion."""
    deadline = time.monotonic() + DEADLINE
    while not (answer := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return answer


class Gate:
    """A model that computes until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self.entered.release()
        assert self.go.wait(DEADLINE)
        return x.copy()
