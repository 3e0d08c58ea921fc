"""infer of a 32-64-64-8 float32 network from 1, 4 and 16 processes, against torch in the process itself."""

import asyncio
import contextlib
import io
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ssasync import Client
from ssasync.blocking import Client as BlockingClient
from tests.bench.inference_report import InferenceRow
from tests.bench.placement import PINNED, placed
from tests.bench.programs import Program, compile_program
from tests.bench.rounds import Comparison, Quartiles, Timed, compare, times, times_awaited
from tests.bench.store_process import StoreUnderTest
from tests.bench.tensor_subjects import LOOPS, Array
from tests.cyclient.wire_format import bulk, encode_request, encode_tensor

MODEL = "bench_network"
JOINED = "bench_network_joined"  # the same one, whose requests a worker may join into one call
JOINED_ROWS = 64
PROCESSES = (4, 16)
REPETITIONS = 100
SECONDS = 0.5  # a round of many processes
#: Nanoseconds over torch in process and an echo of the same bytes between the same cores.
AIM_BLOCKING, AIM_ASYNC = 25_000, 60_000


def network() -> torch.jit.ScriptModule:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Linear(32, 64), torch.nn.Tanh(), torch.nn.Linear(64, 64), torch.nn.Tanh(), torch.nn.Linear(64, 8)
    )
    return torch.jit.script(layers.eval())


def measure(store: StoreUnderTest, directory: Path, *, rounds: int, report: Callable[[InferenceRow], None]) -> None:
    """Measure one process in all placements, then many."""
    torch.set_num_threads(1)
    module = network()
    blob = io.BytesIO()
    torch.jit.save(module, blob)
    x = np.random.default_rng(0).random((1, 32), dtype=np.float32)

    def in_process() -> Array:
        with torch.inference_mode():
            output: Array = module(torch.from_numpy(x)).numpy()
            return output

    with BlockingClient() as client:
        client.set_model(MODEL, blob.getvalue(), "TORCH")
        client.set_model(JOINED, blob.getvalue(), "TORCH", batch_size=JOINED_ROWS)
        for name in (MODEL, JOINED):
            np.testing.assert_allclose(client.infer(name, x), in_process(), rtol=1e-5, atol=1e-6)
        for row in _one_process(store, directory, client, x, partial(times, in_process), rounds):
            report(row)
    for count in PROCESSES:
        for name, label in ((MODEL, "ssasync blocking"), (JOINED, "the same, joined")):
            report(_many_processes(count, name, label, partial(times, in_process), max(3, rounds // 5)))


def _one_process(
    store: StoreUnderTest, directory: Path, client: BlockingClient, x: Array, torch_timed: Timed, rounds: int
) -> Iterator[InferenceRow]:
    request, reply = _bytes_of_one(x)
    socket = directory / "echo.sock"
    program = compile_program("echo_worker", directory)
    with Program(program, "serve", socket, request, reply) as server:
        server.wait_until_ready()
        with Program(program, "call", socket, request, reply) as caller, contextlib.ExitStack() as open_clients:
            subjects: dict[str, tuple[Timed, int]] = {
                "ssasync blocking": (partial(times, lambda: client.infer(MODEL, x)), AIM_BLOCKING)
            }
            for loop, factory in LOOPS.items():
                runner = open_clients.enter_context(asyncio.Runner(loop_factory=factory))
                client_of_loop = runner.run(_connected())
                open_clients.callback(client_of_loop.close)
                subjects[f"ssasync {loop}"] = (_awaited(runner, _inference(client_of_loop, x)), AIM_ASYNC)
            for placement in PINNED:
                servers, clients = [store.worker_pid, server.pid], [os.getpid(), caller.pid]
                with placed(placement, servers=servers, clients=clients):
                    measured = [
                        (name, aim, Floor(torch_timed, lambda n: caller.ask(f"echo {n}")), timed)
                        for name, (timed, aim) in subjects.items()
                    ]
                    comparisons = [Comparison(timed, floor.timed) for _, _, floor, timed in measured]
                    compare(comparisons, rounds=rounds, repetitions=REPETITIONS)
                for (name, aim, floor, _), comparison in zip(measured, comparisons, strict=True):
                    over = np.subtract(comparison.subject_medians, comparison.limit_medians)
                    yield InferenceRow(
                        processes=1,
                        placement=placement.name,
                        subject=name,
                        latencies=comparison.subject_times,
                        rate=1e9 / float(np.mean(comparison.subject_times)),
                        torch_time=floor.torch_time,
                        echo_time=floor.echo_time,
                        ratio=comparison.ratio,
                        over=Quartiles.of([float(value) for value in over]),
                        aim=aim,
                    )


class Floor:
    """torch in process and an echo, one after the other: no inference elsewhere takes less."""

    def __init__(self, torch_timed: Timed, echo_timed: Timed) -> None:
        self._torch, self._echo = torch_timed, echo_timed
        self._torch_times: list[int] = []
        self._echo_times: list[int] = []

    def timed(self, repetitions: int) -> Sequence[int]:
        computed, echoed = self._torch(repetitions), self._echo(repetitions)
        self._torch_times += computed
        self._echo_times += echoed
        # Of the sorted ones, so that the median of the sums is the sum of the medians.
        return [a + b for a, b in zip(sorted(computed), sorted(echoed), strict=True)]

    @property
    def torch_time(self) -> float:
        return float(np.median(self._torch_times))

    @property
    def echo_time(self) -> float:
        return float(np.median(self._echo_times))


def _bytes_of_one(x: Array) -> tuple[int, int]:
    """What one inference sends and receives (WIRE.md, "Run"); its reply is one row of 8 numbers."""
    request = encode_request("SSA.RUN", 1000, 1, 60_000, MODEL, "", "T", encode_tensor(x))
    reply = b"*3\r\n:1000\r\n" + bulk(b"1") + bulk(encode_tensor(x[:, :8]))
    return len(request), len(reply)


def _awaited(runner: asyncio.Runner, call: Callable[[], Awaitable[object]]) -> Timed:
    return lambda repetitions: runner.run(times_awaited(call, repetitions))


async def _connected() -> Client:
    return await Client.connect()


def _inference(client: Client, x: Array) -> Callable[[], Awaitable[object]]:
    return lambda: client.infer(MODEL, x)


def _many_processes(count: int, model: str, label: str, torch_timed: Timed, rounds: int) -> InferenceRow:
    """All processes ask as fast as they are answered; torch runs alone, before each of their rounds."""
    latencies: list[int] = []
    rates: list[float] = []
    torch_times: list[int] = []
    ratios: list[float] = []
    with contextlib.ExitStack() as started, ThreadPoolExecutor(count) as threads:
        ranks = [
            started.enter_context(Program(Path(sys.executable), "-m", "tests.bench.infer_rank", model))
            for _ in range(count)
        ]
        for rank in ranks:
            rank.wait_until_ready()
        for _ in range(rounds):
            computed = torch_timed(2000)
            answers = list(threads.map(lambda rank: rank.ask(f"run {SECONDS}"), ranks))
            torch_times += computed
            latencies += [time for answer in answers for time in answer]
            rates.append(sum(len(answer) for answer in answers) / SECONDS)
            ratios.append(float(np.median(computed)) * rates[-1] / 1e9)
    return InferenceRow(
        processes=count,
        placement="",
        subject=label,
        latencies=latencies,
        rate=float(np.median(rates)),
        torch_time=float(np.median(torch_times)),
        echo_time=None,
        ratio=Quartiles.of(ratios),
        over=None,
        aim=None,
    )
