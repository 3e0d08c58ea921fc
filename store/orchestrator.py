"""The supervision tree of one store.

    orchestrator       rest_for_one: what stands on the shards is restarted with them, not the other way round
    ├── shards         one_for_one: a crash of one shard touches no other; healthy shards are never restarted
    │   └── shard:0
    ├── registry       keeps the list of workers in the store
    └── workers        one_for_one, never escalates: a poison model must not cost the data in the shards
        ├── worker:0
        └── ...

A cluster's actor will stand between shards and registry.
"""

from dataclasses import dataclass, replace

from ssasync.actors import Backoff, ChildSpec, Intensity, Restart, RestartPolicy, Strategy, Supervisor
from ssasync.cyclient.worker_list import WorkerList
from ssasync.store.credentials import Credentials
from ssasync.store.engine_configuration import EngineOptions, largest_maxclients, listen_backlog
from ssasync.store.errors import AddressUnknown
from ssasync.store.events import ShardHealth
from ssasync.store.orchestrator_spec import CheckedOrchestrator, OrchestratorSpec, check_orchestrator
from ssasync.store.shard import Shard, ShardPlace, ShardSpec
from ssasync.store.store_address import StoreAddress
from ssasync.store.worker import Worker, WorkerSpec
from ssasync.store.worker_registry import Publish, RegistryPlace, WorkerRegistry
from ssasync.wlm import Local, Placement
from ssasync.wlm.workload import KILL_MARGIN

__all__ = ["SHARD_POLICY", "WORKER_POLICY", "Store", "StoreStatistics"]

# What ServerProcess charges to the application is a program that cannot start: soon given up.
_CANNOT_START = Intensity(restarts=2, seconds=600.0)

#: A shard that was at work comes back at once; one that dies more often than that will not get better.
SHARD_POLICY = RestartPolicy(
    application=_CANNOT_START,
    infrastructure=Intensity(restarts=20, seconds=600.0),
    backoff=Backoff(initial=0.05, factor=2.0, maximum=5.0),
)

#: A worker that is killed every few seconds keeps coming back; past that its device counts as down (ChildGaveUp).
WORKER_POLICY = RestartPolicy(
    application=_CANNOT_START,
    infrastructure=Intensity(restarts=300, seconds=600.0),
    backoff=Backoff(initial=0.05, factor=1.5, maximum=2.0),
)

# The parts of a store are restarted by what stands under them, never by what stands over: their own budgets are spent
# when they fail, and another round of them would only hide that.
_NEVER = RestartPolicy(application=Intensity(restarts=0), infrastructure=Intensity(restarts=0))

#: Seconds until a worker is ready: the libraries of a backend are large, and file systems of clusters are slow.
_LOADING = 300.0


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """What is known of a store without asking anybody."""

    shard_incarnations: int  #: how many became ready; each after the first began empty
    health: ShardHealth | None  #: the latest of the shard
    workers: WorkerList  #: that clients are told of


class Store:
    """One store: made from a spec, run by handing `child_spec()` to a supervisor, found by `address`.

    Makes the passwords of the store. Starts nothing by itself.
    Raises InvalidOrchestrator with everything that is wrong with the spec, before anything is started.
    """

    def __init__(self, spec: OrchestratorSpec, local: Local) -> None:
        self.checked: CheckedOrchestrator = check_orchestrator(spec)
        self.credentials = Credentials()
        self._local = local
        self._registry = RegistryPlace()
        # A shard that was restarted came back without the list of workers.
        self._shard = ShardPlace(on_ready=[lambda: self._registry.tell_nowait(Publish())])
        self._options = EngineOptions(
            kind=self.checked.engine.kind,
            host=self.checked.host,
            port=spec.port or 0,
            runtime=local.runtime.path,
            maxmemory=self.checked.maxmemory,
            credentials=self.credentials,
            maxclients=largest_maxclients(),
            backlog=listen_backlog(),
            io_threads=spec.io_threads,
        )

    @property
    def name(self) -> str:
        """Of the store, and of its child in the tree."""
        return self.checked.spec.name

    @property
    def address(self) -> StoreAddress:
        """Where the store is; known once its shard was ready, and the same ever after. Raises AddressUnknown."""
        if not self._shard.port:
            raise AddressUnknown(self.name)
        options = replace(self._options, port=self._shard.port)
        return StoreAddress(
            name=self.name,
            unix=(f"unix://{options.socket}",),
            tcp=(f"{options.host}:{options.port}",),
            sockets=options.runtime,
            credentials=self.credentials,
        )

    def statistics(self) -> StoreStatistics:
        """How the store stands."""
        return StoreStatistics(self._shard.incarnations, self._shard.health, self._registry.list)

    def child_spec(self) -> ChildSpec:
        """The supervisor of the store, as a child. Ready when shards and workers are."""
        return ChildSpec(
            name=self.name,
            start=lambda: Supervisor(
                [self._shards(), self._registry_child(), self._workers()], strategy=Strategy.REST_FOR_ONE
            ),
            restart=Restart.TRANSIENT,
            policy=_NEVER,
        )

    def _shards(self) -> ChildSpec:
        spec = self.checked.spec
        shard = ShardSpec(
            name=f"{self.name}.shard_0",
            engine=self.checked.engine,
            options=self._options,
            log_directory=spec.log_directory.absolute(),
            durability=spec.durability,
            placement=Placement(spec.hosts),
            grace=spec.grace,
            orphan_timeout=spec.orphan_timeout,
        )
        child = ChildSpec(
            name="shard:0",
            start=lambda: Shard(shard, self._shard, self._local),
            grace=spec.grace + KILL_MARGIN,
            policy=SHARD_POLICY,
        )
        return ChildSpec(name="shards", start=lambda: Supervisor([child]), policy=_NEVER)

    def _registry_child(self) -> ChildSpec:
        def start() -> WorkerRegistry:
            socket = replace(self._options, port=self._shard.port).socket
            return WorkerRegistry(self._registry, socket, self.credentials.admin)

        return ChildSpec(name="registry", start=start)

    def _workers(self) -> ChildSpec:
        children = [self._worker(index, device) for index, device in enumerate(self.checked.devices)]
        return ChildSpec(
            name="workers", start=lambda: Supervisor(children, ordered=False, escalate=False), policy=_NEVER
        )

    def _worker(self, index: int, device: str) -> ChildSpec:
        spec = self.checked.spec
        worker = WorkerSpec(
            name=f"{self.name}.worker_{index}",
            device=device,
            threads=spec.worker_threads,
            host=self.checked.host,
            registry=self._registry,
            environment=lambda: self.address.environment(suffix=False),
            runtime=self._local.runtime.path,
            log_directory=spec.log_directory.absolute(),
            placement=Placement(spec.hosts),
            grace=spec.grace,
            orphan_timeout=spec.orphan_timeout,
        )
        return ChildSpec(
            name=f"worker:{index}",
            start=lambda: Worker(worker, self._local),
            grace=spec.grace + 1.0 + KILL_MARGIN,
            start_timeout=_LOADING,
            policy=WORKER_POLICY,
        )
