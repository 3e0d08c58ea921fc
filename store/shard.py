"""The actor of one shard: an engine under a launcher, ready when it answers, killed when it does not.

`shard_state.py` decides about its health; this file obeys.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ssasync.actors import Blame, ExitReason
from ssasync.store.administration import administrator
from ssasync.store.engine import Engine
from ssasync.store.engine_configuration import EngineOptions, configuration_text, engine_environment
from ssasync.store.errors import PortTaken, ShardSilent
from ssasync.store.events import DataLost, ShardHealth, ShardReady
from ssasync.store.ports import free_port
from ssasync.store.server_process import ServerProcess
from ssasync.store.shard_state import (
    Answered,
    Doom,
    Event,
    Health,
    Ping,
    PingFailed,
    ShardState,
    Tick,
    Timing,
    WakeAt,
    step,
)
from ssasync.wlm import Job, JobFailed, Local, Placement

__all__ = ["Shard", "ShardPlace", "ShardSpec"]

#: Seconds that an engine may take until its first answer. An empty one needs 10 to 20 ms.
_START_LIMIT = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05
#: The kind of the exit of a shard that was killed since it did not answer.
_SILENT = "silent"
#: What Valkey, Redis and KeyDB log before they exit.
_TAKEN = "Address already in use"


@dataclass(frozen=True, slots=True)
class ShardSpec:
    """What every incarnation of a shard is started with."""

    name: str  #: of its files and in errors: `orchestrator.shard_0`
    engine: Engine
    options: EngineOptions  #: its port is the one that the caller wants; 0: any
    log_directory: Path
    durability: str = "none"
    placement: Placement = field(default_factory=Placement)
    grace: float = 5.0  #: seconds from SIGTERM to SIGKILL
    orphan_timeout: float = 600.0  #: seconds without any driver after which its launcher ends it
    timing: Timing = field(default_factory=Timing)


@dataclass(slots=True)
class ShardPlace:
    """What lasts of a shard through its restarts: clients find it at the address they know."""

    port: int = 0  #: 0: none has been ready yet
    incarnations: int = 0  #: that became ready
    health: ShardHealth | None = None  #: the latest
    on_ready: list[Callable[[], None]] = field(default_factory=list)


class _Examine:
    """To itself: send the PING that the machine asked for."""


class Shard(ServerProcess):
    """Runs the engine of one shard.

    Ready when the engine has answered a PING on its unix socket (it binds TCP before). When the engine ends, the actor
    exits with the true reason and the end of the log. Every incarnation has the port of the first that became ready.
    """

    def __init__(self, spec: ShardSpec, place: ShardPlace, local: Local) -> None:
        self._spec = spec
        self._place = place
        port = place.port or spec.options.port or free_port(spec.options.host)
        self._options = replace(spec.options, port=port)
        self._file = self._options.runtime / f"{spec.name}.conf"
        self._state: ShardState | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._admin: Redis | None = None
        log = spec.log_directory / f"{spec.name}.log"
        job = Job(
            name=spec.name,
            argv=(str(spec.engine.path), str(self._file)),
            cwd=self._options.runtime,
            env=engine_environment(),
            stdout=log,
            stderr=log,
            grace=spec.grace,
            orphan_timeout=spec.orphan_timeout,
            placement=spec.placement,
        )
        super().__init__(job, local, label=f"shard {spec.name!r}")

    async def started(self) -> None:
        """Start the engine and wait for its first answer.

        Raises PortTaken, ShardSilent, JobFailed (it ended, with the end of its log), LaunchError.
        """
        loop = asyncio.get_running_loop()
        begin = loop.time()
        self._file.touch(mode=0o600)
        self._file.write_text(configuration_text(self._options))
        await super().started()
        try:
            await self.unless_it_ends(self._first_answer())
        except JobFailed as ended:
            if any(_TAKEN in line for line in self.log_tail()):
                raise PortTaken(
                    self._options.host, self._options.port, chosen_by_caller=bool(self._spec.options.port)
                ) from ended
            raise
        self._became_ready(loop.time() - begin)
        self._state = ShardState.ready(loop.time(), self._spec.timing)
        self._handle(Tick(loop.time()))

    async def receive(self, message: object) -> None:
        """Take the wish of the machine for a PING, and a SendSignal."""
        if isinstance(message, _Examine):
            await self._examine()
        else:
            await super().receive(message)

    async def stopped(self, reason: ExitReason) -> None:
        """SIGTERM, grace, SIGKILL; then nothing of it is left in the runtime directory."""
        if self._timer is not None:
            self._timer.cancel()
        self._state = None
        if self._admin is not None:
            with contextlib.suppress(RedisError, OSError):
                await self._admin.aclose()
        await super().stopped(reason)
        for path in (self._file, self._options.socket):
            path.unlink(missing_ok=True)

    async def _first_answer(self) -> None:
        """Engines announce nothing (systemd's protocol is compiled out of most): knock until one answers."""
        password = self._options.credentials.admin
        self._admin = administrator(self._options.socket, password, timeout=2 * self._spec.timing.silence_limit)
        pause = _FIRST_PAUSE
        try:
            async with asyncio.timeout(_START_LIMIT):
                while True:
                    with contextlib.suppress(RedisError, OSError):
                        await self._admin.ping()
                        return
                    await asyncio.sleep(pause)
                    pause = min(1.5 * pause, _LONGEST_PAUSE)
        except TimeoutError:
            raise self._silent(_START_LIMIT) from None

    def _became_ready(self, seconds: float) -> None:
        place, options = self._place, self._options
        self.serves = True
        place.port = options.port
        place.incarnations += 1
        addresses = (f"unix://{options.socket}", f"{options.host}:{options.port}")
        pid = self.process.pid if self.process else 0
        self.publish(
            ShardReady(path=self.ref.path, attempt=self.attempt, addresses=addresses, pid=pid, seconds=seconds)
        )
        if place.incarnations > 1 and self._spec.durability == "none":
            self.publish(DataLost(path=self.ref.path, attempt=self.attempt, durability=self._spec.durability))
        for callback in place.on_ready:
            callback()

    # ---- health: the machine decides ----

    def _handle(self, event: Event) -> Health | None:
        """One step of the machine, from a callback of the loop or a handler; returns what is to be published."""
        if self._state is None:
            return None
        self._state, told = step(self._state, event, self._spec.timing)
        loop, health = asyncio.get_running_loop(), None
        for instruction in told:
            match instruction:
                case Ping():
                    self.ref.tell_nowait(_Examine())
                case Health():
                    health = instruction
                case WakeAt(at):
                    if self._timer is not None:
                        self._timer.cancel()
                    self._timer = loop.call_at(at, lambda: self._handle(Tick(loop.time())))
                case Doom(silence):
                    self._end_silent(silence)
        return health

    async def _examine(self) -> None:
        """Ask for its use of memory, which any engine that answers at all does at once."""
        loop = asyncio.get_running_loop()
        if self._admin is None:
            return
        try:
            memory = await self._admin.info("memory")
        except (RedisError, OSError):
            self._handle(PingFailed(loop.time()))
            return
        health = self._handle(Answered(loop.time()))
        if health is not None:
            self._place.health = ShardHealth(
                path=self.ref.path,
                attempt=self.attempt,
                seconds=health.seconds,
                used=memory["used_memory"],
                resident=memory["used_memory_rss"],
                maxmemory=memory["maxmemory"],
            )
            self.publish(self._place.health)

    def _end_silent(self, seconds: float) -> None:
        self.kill()
        error = self._silent(seconds)
        self.exit(ExitReason(_SILENT, Blame.APPLICATION, str(error), error))

    def _silent(self, seconds: float) -> ShardSilent:
        return ShardSilent(self.label, seconds, self.log, self.log_tail())
