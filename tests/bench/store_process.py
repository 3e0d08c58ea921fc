"""The store under test, with one model worker, in an experiment of its own process: measuring blocks an event loop.

`python -m tests.bench.store_process DIRECTORY` prints one line of JSON when it is ready and ends with its stdin.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil  # type: ignore[import-untyped]

from ssasync import Experiment, Orchestrator


class StoreUnderTest:
    """A running store: the environments of its workloads, and the processes that serve it."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.store_process", directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the store did not start: exit status {self._process.wait()}")
        ready = json.loads(line)
        #: By the transport on which a workload then reaches it.
        self.environments: dict[str, dict[str, str]] = {"unix": ready["unix"], "tcp": ready["tcp"]}
        self.admin_password: str = ready["admin_password"]
        self.engine_pid = self._find("valkey-server")
        self.worker_pid = self._find("ssasync.store.model_worker")

    @property
    def socket(self) -> str:
        return self.environments["unix"]["SSDB"].removeprefix("unix://")

    def _find(self, word: str) -> int:
        """The process itself: its launcher has the same words, after a `--`."""
        for process in psutil.Process(self._process.pid).children(recursive=True):
            line = process.cmdline()
            if any(word in argument for argument in line) and "--" not in line:
                return int(process.pid)
        raise RuntimeError(f"no process of the store runs {word}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)


async def _serve(directory: str) -> None:
    async with Experiment("bench", exp_path=directory) as experiment:
        store: Orchestrator = experiment.create_database()
        await experiment.start(store)
        ready = {
            "unix": store.address.environment(),
            "tcp": store.address.environment(local=False),
            "admin_password": store.address.credentials.admin.reveal(),
        }
        print(json.dumps(ready), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
