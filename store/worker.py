"""The actor of one model worker: its process, its readiness, its place in the list of workers."""

import asyncio
import os
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ssasync.actors import ExitReason
from ssasync.cyclient.errors import BadWorkerList
from ssasync.cyclient.worker_list import WorkerEntry, new_worker_id
from ssasync.store.errors import WorkerMisreported
from ssasync.store.notify_socket import NotifySocket
from ssasync.store.server_process import ServerProcess
from ssasync.store.worker_registry import ListWorker, RegistryPlace, UnlistWorker
from ssasync.wlm import Job, Local, Placement

__all__ = ["Worker", "WorkerSpec"]

#: Seconds after SIGTERM in which it finishes what is queued; the launcher's ladder goes on a little later.
_FINISHING = 5.0


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What every incarnation of a worker is started with."""

    name: str  #: of its files and in errors: `orchestrator.worker_0`
    device: str
    threads: int
    host: str  #: address to bind; the worker takes any free port
    registry: RegistryPlace
    #: the store it serves, with the password; asked for at every start, since the address comes with the first shard
    environment: Callable[[], Mapping[str, str]] = field(repr=False)
    runtime: Path  #: directory of its sockets, 0700
    log_directory: Path
    placement: Placement = field(default_factory=Placement)
    grace: float = _FINISHING
    orphan_timeout: float = 600.0
    #: of the program, without its options
    command: tuple[str, ...] = (sys.executable, "-m", "ssasync.store.model_worker")


class Worker(ServerProcess):
    """Runs one worker process under a fresh random id.

    Ready when the process reported where it listens and the list of workers tells the clients so. It is taken from the
    list as soon as it is known to end, so that clients ask another.
    """

    def __init__(self, spec: WorkerSpec, local: Local) -> None:
        self._spec = spec
        self.worker_id = new_worker_id()
        self._listed = False
        self._notify: NotifySocket | None = None
        self._report: asyncio.Future[Mapping[str, str]] | None = None
        # Short names, for the path of a socket is short; 48 random bits suffice in a directory of our own.
        stem = spec.runtime / self.worker_id[:12]
        self._socket = stem.with_suffix(".sock")
        self._notify_path = stem.with_suffix(".ready")
        log = spec.log_directory / f"{spec.name}.log"
        job = Job(
            name=spec.name,
            argv=(*spec.command, *self._options()),
            cwd=spec.runtime,
            env={**_import_path(), **spec.environment(), "NOTIFY_SOCKET": str(self._notify_path)},
            stdout=log,
            stderr=log,
            grace=spec.grace + 1.0,
            orphan_timeout=spec.orphan_timeout,
            placement=spec.placement,
        )
        super().__init__(job, local, label=f"worker {spec.name!r} ({spec.device})")

    def _options(self) -> list[str]:
        spec = self._spec
        options = {
            "--worker-id": self.worker_id,
            "--device": spec.device,
            "--unix": str(self._socket),
            "--bind": spec.host,
            "--threads": str(spec.threads),
            "--grace": f"{spec.grace:g}",
        }
        return [text for option in options.items() for text in option]

    async def started(self) -> None:
        """Start the process, hear from it, list it.

        Raises JobFailed (it ended, with the end of its log), WorkerMisreported, LaunchError.
        """
        self._report = asyncio.get_running_loop().create_future()
        self._notify = NotifySocket(self._notify_path, self._heard)
        await super().started()
        addresses = _addresses(await self.unless_it_ends(self._report), self.label)
        try:
            entry = WorkerEntry(self.worker_id, self.attempt, self._spec.device, addresses)
        except BadWorkerList as error:
            raise WorkerMisreported(self.label, str(error)) from error
        self._listed = self.serves = True
        await self._spec.registry.list_worker(ListWorker(entry, self.ref.path))

    async def stopped(self, reason: ExitReason) -> None:
        """SIGTERM, the time to finish what is queued, SIGKILL; then nothing of it is left in the runtime directory."""
        self._unlist()
        await super().stopped(reason)
        if self._notify is not None:
            self._notify.close()
        self._socket.unlink(missing_ok=True)

    def exit(self, reason: ExitReason | None = None) -> None:
        """End this incarnation; see Actor.exit."""
        self._unlist()
        super().exit(reason)

    def _heard(self, report: Mapping[str, str]) -> None:
        if report.get("READY") == "1" and self._report is not None and not self._report.done():
            self._report.set_result(report)
        if report.get("STOPPING") == "1":
            self._unlist()

    def _unlist(self) -> None:
        if self._listed:
            self._listed = False
            gone = UnlistWorker(self.worker_id, self._spec.device, self.attempt, self.ref.path)
            self._spec.registry.tell_nowait(gone)


def _addresses(report: Mapping[str, str], label: str) -> tuple[str, ...]:
    addresses = tuple(filter(None, report.get("SSA_ADDRESS", "").split(",")))
    if not addresses:
        raise WorkerMisreported(label, " ".join(f"{name}={value}" for name, value in report.items()))
    return addresses


def _import_path() -> dict[str, str]:
    """PYTHONPATH with which the process imports the very package that runs here, a checkout for instance.

    Nothing for an installed package: its folder must not come before the standard library.
    """
    root = str(Path(sys.modules[__name__.partition(".")[0]].__path__[0]).parent)
    if root in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
