"""What an engine is told: options in, the text of its configuration file out.

A file, not arguments: the command line of a process is public. Nothing here opens a socket or starts a process.
"""

import resource
from dataclasses import dataclass
from pathlib import Path

from ssasync.store.acl import acl_lines
from ssasync.store.credentials import Credentials
from ssasync.store.socket_path import check_socket_path

__all__ = ["EngineOptions", "configuration_text", "engine_environment", "largest_maxclients", "listen_backlog"]

#: Enough for the largest jobs that were measured (7,680 clients of two connections), with room.
_MOST_CLIENTS = 65536
#: Descriptors that the engine keeps for itself (CONFIG_MIN_RESERVED_FDS is 32), doubled.
_RESERVED_FILES = 64

# With glibc's default the engine maps and unmaps every large value: the page faults of a 64 MiB put cost 46 ms against
# 11 ms from the heap. Both must be raised (32 MiB, the old maximum of the threshold, does nothing for 64 MiB values);
# 4 GiB is no faster than 1 GiB and keeps more free memory.
_KEEP_ON_HEAP = str(1 << 30)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Everything that the configuration of one shard depends on."""

    kind: str  #: of the engine: valkey, redis, keydb
    host: str  #: address to bind
    port: int
    runtime: Path  #: directory of the socket, 0700
    maxmemory: int  #: bytes of values
    credentials: Credentials
    maxclients: int = 10_000
    backlog: int = 511
    #: 1: the engine's main thread does everything. Two on two cores made a 64 MiB put 4 to 20 times slower and small
    #: requests no faster; more may help where cores are idle.
    io_threads: int = 1

    @property
    def socket(self) -> Path:
        """Its unix socket, named after the port so that a client maps `host:port` to it."""
        return self.runtime / f"{self.port}.sock"


def configuration_text(options: EngineOptions) -> str:
    """The configuration file of one shard. Holds digests of passwords: write it 0600.

    Raises SocketPathTooLong.
    """
    check_socket_path(options.socket)
    size = options.maxmemory
    lines = [
        f"bind {options.host}",
        f"port {options.port}",
        f"unixsocket {_quoted(options.socket)}",
        "unixsocketperm 700",
        "protected-mode yes",
        "daemonize no",
        'logfile ""',
        f"dir {_quoted(options.runtime)}",
        'save ""',
        "appendonly no",
        f"maxmemory {size}",
        "maxmemory-policy noeviction",
        # One value may be as large as the store; the query buffer holds its command around it.
        f"proto-max-bulk-len {size}",
        f"client-query-buffer-limit {size + (1 << 20)}",
        # Replies are as large as values, so ordinary clients have no limit; a subscriber that does not read has.
        "client-output-buffer-limit normal 0 0 0",
        "client-output-buffer-limit pubsub 64mb 16mb 60",
        "repl-diskless-sync-delay 0",
        f"maxclients {options.maxclients}",
        f"tcp-backlog {options.backlog}",
        f"{'server-threads' if options.kind == 'keydb' else 'io-threads'} {options.io_threads}",
        *acl_lines(options.credentials),
    ]
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def engine_environment() -> dict[str, str]:
    """Variables for the engine's process: large values are kept on the heap of glibc."""
    return {"MALLOC_MMAP_THRESHOLD_": _KEEP_ON_HEAP, "MALLOC_TRIM_THRESHOLD_": _KEEP_ON_HEAP}


def largest_maxclients() -> int:
    """As many clients as the hard limit of open files allows (the engine raises its soft limit itself)."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return _MOST_CLIENTS if hard == resource.RLIM_INFINITY else max(32, min(_MOST_CLIENTS, hard - _RESERVED_FILES))


def listen_backlog() -> int:
    """The longest queue of connections that the kernel grants; the engine warns about more."""
    try:
        return int(Path("/proc/sys/net/core/somaxconn").read_text())
    except (OSError, ValueError):
        return 511
