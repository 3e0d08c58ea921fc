"""The list of workers in the store (WIRE.md, "List of workers"): supervisors write it, clients read it."""

import re
import secrets
from dataclasses import dataclass, replace

from ssasync.cyclient.errors import BadWorkerList

_FORMAT = "1"
_WORKER_ID = re.compile(r"[0-9a-f]{32}")
_DEVICE = re.compile(r"(CPU|GPU)(:\d+)?")
_UNIX = re.compile(r"unix://[^,\s]+")
_TCP = re.compile(r"(?:tcp://)?(?:\[[0-9a-fA-F:.%\w]+\]|[^\s:/\[\],]+):(?P<port>[0-9]{1,5})")


def new_worker_id() -> str:
    """A random id for one incarnation of a worker: 32 hexadecimal digits."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class WorkerEntry:
    """One worker that clients can reach now."""

    worker_id: str  #: new for every incarnation
    incarnation: int  #: how often this worker was started, from 1
    device: str  #: CPU, GPU or GPU:<n>
    addresses: tuple[str, ...]  #: `unix:///path` or `host:port`, the best one first

    def __post_init__(self) -> None:
        if not _WORKER_ID.fullmatch(self.worker_id):
            raise BadWorkerList(f"worker id {self.worker_id!r} is not 32 hexadecimal digits")
        if self.incarnation < 1:
            raise BadWorkerList(f"incarnation {self.incarnation} of worker {self.worker_id} is less than 1")
        if not _DEVICE.fullmatch(self.device):
            raise BadWorkerList(f"device {self.device!r} of worker {self.worker_id} is none of CPU, GPU, GPU:<n>")
        if not self.addresses:
            raise BadWorkerList(f"worker {self.worker_id} has no address")
        for address in self.addresses:
            if not _is_address(address):
                raise BadWorkerList(
                    f"address {address!r} of worker {self.worker_id} is no unix:///path and no host:port"
                )


@dataclass(frozen=True, slots=True)
class WorkerList:
    """All workers of a store. `version` grows with every change, so that a reader tells new from old."""

    version: int = 0
    workers: tuple[WorkerEntry, ...] = ()

    def with_worker(self, entry: WorkerEntry) -> "WorkerList":
        """With one more; an entry of the same id is replaced."""
        others = tuple(worker for worker in self.workers if worker.worker_id != entry.worker_id)
        return replace(self, version=self.version + 1, workers=(*others, entry))

    def without_worker(self, worker_id: str) -> "WorkerList":
        """With one fewer; the same list if it is not there."""
        others = tuple(worker for worker in self.workers if worker.worker_id != worker_id)
        return self if len(others) == len(self.workers) else replace(self, version=self.version + 1, workers=others)

    def encode(self) -> bytes:
        """The text that is stored."""
        lines = [f"{_FORMAT} {self.version}"]
        lines += [f"{w.worker_id} {w.incarnation} {w.device} {','.join(w.addresses)}" for w in self.workers]
        return ("\n".join(lines) + "\n").encode()

    @classmethod
    def decode(cls, data: bytes | None) -> "WorkerList":
        """The list from its text; None (no such key): an empty one of version 0. Raises BadWorkerList with the line."""
        if data is None:
            return cls()
        try:
            head, *lines = data.decode().splitlines() or [""]
        except UnicodeDecodeError as error:
            raise BadWorkerList(f"it is not text: {error}") from error
        match head.split(" "):
            case [version_of_format, version] if version_of_format == _FORMAT and version.isdecimal():
                return cls(int(version), tuple(map(_entry, lines)))
        raise BadWorkerList(f"its first line is {head!r}, not '{_FORMAT} <version>'")


def _is_address(text: str) -> bool:
    tcp = _TCP.fullmatch(text)
    return 0 < int(tcp["port"]) < 65536 if tcp else _UNIX.fullmatch(text) is not None


def _entry(line: str) -> WorkerEntry:
    fields = line.split(" ")
    if len(fields) != 4 or not fields[1].isdecimal():
        raise BadWorkerList(f"the line {line!r} is not '<worker id> <incarnation> <device> <addresses>'")
    return WorkerEntry(fields[0], int(fields[1]), fields[2], tuple(fields[3].split(",")))
