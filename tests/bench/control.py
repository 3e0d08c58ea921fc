"""A look whether anything was asked of a simulation, when nothing was: no round trip, but a look into the socket."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from ssasync import Client
from ssasync.blocking import Client as BlockingClient
from tests.bench.c_library import compile_c_client
from tests.bench.client_report import ControlRow
from tests.bench.programs import Program
from tests.bench.rounds import Quartiles, times, times_awaited
from tests.bench.store_process import StoreUnderTest

#: Nanoseconds that a poll may take.
AIM = 20_000
POLLS = 2000
ENTITY = "bench"  #: as in c_client.c
C, BLOCKING, ASYNCIO = SUBJECTS = ("ssasync C", "ssasync blocking", "ssasync asyncio")


def measure(store: StoreUnderTest, directory: Path, *, rounds: int, report: Callable[[ControlRow], None]) -> None:
    """All subjects in turn, round after round. Raises ProgramError: the C library is not there."""
    environment = store.environments["unix"]
    given = {"user": environment["SSDB_USER"], "password": environment["SSDB_PASSWORD"]}
    found: dict[str, list[float]] = {subject: [] for subject in SUBJECTS}
    looks: list[float] = []

    async def measure_asyncio() -> None:
        found[ASYNCIO].append(median(await times_awaited(partial(client.control_poll, ENTITY), POLLS)))

    with (
        Program(compile_c_client(directory), environment=environment) as program,
        BlockingClient(environment["SSDB"], **given) as blocking,
        asyncio.Runner() as runner,
    ):
        program.wait_until_ready()
        client = runner.run(Client.connect(environment["SSDB"], **given))
        try:
            for _ in range(rounds):
                looks.append(median(program.ask(f"look 8 1 {POLLS}")))
                found[C].append(median(program.ask(f"control_poll 8 1 {POLLS}")))
                found[BLOCKING].append(median(times(partial(blocking.control_poll, ENTITY), POLLS)))
                runner.run(measure_asyncio())
        finally:
            client.close()
    for subject in SUBJECTS:
        ratios = [time / look for time, look in zip(found[subject], looks, strict=True)]
        report(ControlRow(subject, Quartiles.of(found[subject]), median(looks), Quartiles.of(ratios), rounds, AIM))
