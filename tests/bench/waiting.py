"""Thousands of waiters on one shard: what a SET costs beside them, and how long until all are woken that wait for it."""

import contextlib
import operator
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

import redis

from tests.bench.client_report import WaitersRow
from tests.bench.programs import Program, ProgramError, compile_program
from tests.bench.rounds import Quartiles
from tests.bench.store_process import StoreUnderTest
from tests.bench.tensor_subjects import tensor_of
from tests.cyclient.wire_format import encode_request, encode_tensor

#: Waiters: the ranks of a large job, and fewer for a quick look.
COUNT, QUICK_COUNT = 7680, 500
RAW, OURS = "raw program", "ssasync asyncio"
#: SETs of another key, before and beside.
SETS = 1000
VALUE = encode_tensor(tensor_of(1 << 10))
#: Seconds until all must wait.
PATIENCE = 60.0


class _Shard:
    """The shard as its administrator sees it, and one plain connection that sets keys."""

    def __init__(self, store: StoreUnderTest) -> None:
        self._admin = redis.Redis(unix_socket_path=store.socket, username="admin", password=store.admin_password)
        self._setter = socket.socket(socket.AF_UNIX)
        self._setter.connect(store.socket)
        environment = store.environments["unix"]
        self._command("AUTH", environment["SSDB_USER"], environment["SSDB_PASSWORD"])

    def __enter__(self) -> "_Shard":
        return self

    def __exit__(self, *_: object) -> None:
        self._setter.close()
        self._admin.close()

    def _command(self, *parts: str | bytes) -> None:
        self._setter.sendall(encode_request(*parts))
        answer = self._setter.recv(64)
        if answer != b"+OK\r\n":
            raise RuntimeError(f"the shard said {answer!r}")

    def set(self, key: str) -> tuple[int, int]:
        """When it was sent and when it was answered."""
        command = encode_request("SET", key, VALUE)
        begin = perf_counter_ns()
        self._setter.sendall(command)
        answer = self._setter.recv(64)
        end = perf_counter_ns()
        if answer != b"+OK\r\n":
            raise RuntimeError(f"the shard said {answer!r}")
        return begin, end

    def delete(self, keys: list[str]) -> None:
        self._admin.delete(*keys)

    def info(self, name: str) -> int:
        info: dict[str, Any] = self._admin.info()
        return int(info[name])

    def maxclients(self) -> int:
        return int(str(self._admin.config_get("maxclients")["maxclients"]))

    def wait_until(self, name: str, reached: Callable[[int], bool], what: str) -> None:
        """Until INFO says so: there is nothing that tells. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE
        while not reached(value := self.info(name)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{value} {what} after {PATIENCE:.0f} s")
            time.sleep(0.01)

    def memory_of_idle_connections(self) -> int:
        """Bytes that the engine uses when it has taken back the buffers that nobody needs: it looks for them each second."""
        deadline = time.monotonic() + PATIENCE
        before, now = 0, self.info("used_memory")
        while abs(now - before) > 0.01 * now and time.monotonic() < deadline:
            time.sleep(2.0)
            before, now = now, self.info("used_memory")
        return now


def limits_text(store: StoreUnderTest) -> str:
    """What the engine was granted."""
    lines = Path(f"/proc/{store.engine_pid}/limits").read_text().splitlines()
    (files,) = (line.split() for line in lines if line.startswith("Max open files"))
    with _Shard(store) as shard:
        return f"maxclients {shard.maxclients():,}; open files of the engine: soft {files[3]}, hard {files[4]}"


def measure(
    store: StoreUnderTest, directory: Path, *, quick: bool, report: Callable[[WaitersRow], None]
) -> dict[str, str]:
    """Both kinds of waiters; returns why a kind could not be measured."""
    count, rounds = (QUICK_COUNT, 2) if quick else (COUNT, 5)
    waiters = compile_program("waiters", directory)
    environment = store.environments["unix"]
    raw_client = compile_program("raw_client", directory)
    failed = {}
    with _Shard(store) as shard:
        others = shard.info("connected_clients")
    for subject in (RAW, OURS):
        with contextlib.ExitStack() as running:
            raw = running.enter_context(Program(raw_client, environment=environment))
            lone = running.enter_context(Program(waiters, environment=environment))
            many = running.enter_context(
                Program(waiters, environment=environment)
                if subject == RAW
                else Program.module("tests.bench.waiting_clients", environment=environment)
            )
            shard = running.enter_context(_Shard(store))
            try:
                # Those of the subject before are not gone at once, and their memory would be taken for free.
                shard.wait_until("connected_clients", lambda clients: clients <= others + 3, "clients are left")
                report(_measure_one(shard, raw, lone, many, subject, count, rounds))
            except (ProgramError, TimeoutError) as error:
                failed[subject] = str(error)
    return failed


def _measure_one(
    shard: _Shard, raw: Program, lone: Program, many: Program, subject: str, count: int, rounds: int
) -> WaitersRow:
    for program in (raw, lone, many):
        program.wait_until_ready()
    lone.ask("open 1")
    _sets(raw)
    set_before = median(_sets(raw))
    memory = shard.info("used_memory")
    opened, connected = many.ask(f"open {count}")
    sets: list[float] = []
    herd_sets: list[float] = []
    all_woken: list[float] = []
    one_woken: list[float] = []
    keys = []
    memory_fresh, memory_idle = shard.info("used_memory"), 0
    for number in range(rounds):
        # New keys each time: after the wait the shard still tells the waiters of changes of the old ones.
        key, lone_key = f"bench_awaited_{number}", f"bench_awaited_alone_{number}"
        keys += [key, lone_key]
        tracked = shard.info("tracking_total_items")
        many.tell(f"wait {key}")
        lone.tell(f"wait {lone_key}")
        # So many pairs of a key and a client that is to be told: then no waiter is still on its way.
        awaited = tracked + opened + 1
        shard.wait_until("tracking_total_items", partial(operator.le, awaited), f"of {awaited} waits")
        if not number:
            memory_idle = shard.memory_of_idle_connections()
        sets.append(median(_sets(raw)))
        begin, _ = shard.set(lone_key)
        one_woken.append(lone.numbers()[1] - begin)
        begin, end = shard.set(key)
        herd_sets.append(end - begin)
        all_woken.append(many.numbers()[1] - begin)
    shard.delete(keys)
    return WaitersRow(
        subject=subject,
        count=opened,
        connected=connected,
        set_before=set_before,
        set_with=Quartiles.of(sets),
        herd_set=Quartiles.of(herd_sets),
        all_woken=Quartiles.of(all_woken),
        one_woken=Quartiles.of(one_woken),
        memory_fresh=(memory_fresh - memory) // opened,
        memory_idle=(memory_idle - memory) // opened,
        rounds=rounds,
    )


def _sets(raw: Program) -> list[int]:
    return raw.ask(f"put {len(VALUE)} 1 {SETS}")
