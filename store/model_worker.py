"""The process of one model worker: `python -m ssasync.store.model_worker --worker-id ... --unix ... --bind ...`.

Started by the worker actor, which gives the store and the secret by environment (SSDB, SSDB_USER, SSDB_PASSWORD) and
hears of readiness by the protocol of sd_notify(3). SIGTERM: takes nothing new, answers what is queued, leaves.
"""

import argparse
import asyncio
import contextlib
import ipaddress
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import anyio

from ssasync.cyclient import Client, InvalidArgument
from ssasync.store._worker_front import Front
from ssasync.store.compute_threads import ComputeThreads
from ssasync.store.model_cache import ModelCache, ModelStore
from ssasync.store.model_runtime import Runtime, runtime_for
from ssasync.store.worker_errors import WorkerMisconfigured

__all__ = ["WorkerOptions", "main", "serve"]

logger = logging.getLogger(__name__)

_BACKLOG = 4096
#: Seconds for threads to see that the front is closed, after the grace.
_JOINING = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What a worker process is started with.

    worker_id  32 hexadecimal digits, new for every incarnation; clients must know it
    secret     what client and worker prove to each other: the password of the store's user
    device     "CPU"
    unix       path of the unix socket; None: none
    bind       address of the interface for TCP, the port is chosen by the kernel; None: no TCP
    threads    of the backend, for one operation
    grace      seconds between SIGTERM and leaving in which queued requests are answered
    most_requests, most_bytes  unanswered requests and bytes of their inputs; above them clients are told BUSY
    spin       microseconds that the idle worker looks for the next request before it sleeps: two thirds of the latency of
               small models across cores, for a core that is busy so long after each request (default 0)
    notify     unix datagram socket that is told READY=1 and STOPPING=1; None: nobody
    """

    worker_id: str
    secret: bytes = field(repr=False)
    device: str = "CPU"
    unix: Path | None = None
    bind: str | None = None
    threads: int = 1
    grace: float = 5.0
    most_requests: int = 65536
    most_bytes: int = 8 << 30
    spin: int = 0
    notify: str | None = None

    @classmethod
    def parse(cls, arguments: Sequence[str], environment: Mapping[str, str]) -> Self:
        """From the command line and the environment. Raises WorkerMisconfigured; argparse exits by itself."""
        parser = argparse.ArgumentParser(
            prog="python -m ssasync.store.model_worker",
            description="Serve the models of a store, which SSDB, SSDB_USER and SSDB_PASSWORD name.",
            argument_default=argparse.SUPPRESS,  # the defaults stand in the fields above
        )
        parser.add_argument("--worker-id", required=True, help="32 hexadecimal digits, new for every incarnation")
        parser.add_argument("--device")
        parser.add_argument("--unix", type=Path, help="path of the unix socket")
        parser.add_argument("--bind", help="address of the interface to serve TCP on")
        parser.add_argument("--threads", type=int, help="threads of the backend for one operation")
        parser.add_argument("--grace", type=float, help="seconds to answer what is queued after SIGTERM")
        parser.add_argument("--spin", type=int, help="microseconds to look for the next request before it sleeps")
        parser.add_argument("--most-requests", type=int)
        parser.add_argument("--most-bytes", type=int)
        found = parser.parse_args(arguments)
        secret = environment.get("SSDB_PASSWORD", "")
        if not secret:
            raise WorkerMisconfigured("SSDB_PASSWORD", "empty or unset", "give the password of the store's user")
        return cls(secret=secret.encode(), notify=environment.get("NOTIFY_SOCKET"), **vars(found))

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{32}", self.worker_id):
            raise WorkerMisconfigured("--worker-id", repr(self.worker_id), "give 32 hexadecimal digits")
        if self.device != "CPU":
            raise WorkerMisconfigured("--device", repr(self.device), "this version runs models on the CPU only")
        if self.unix is None and self.bind is None:
            raise WorkerMisconfigured("the address", "missing", "give --unix, --bind or both")
        if self.bind is not None and _is_wildcard(self.bind):
            raise WorkerMisconfigured("--bind", self.bind, "name one interface: clients are told this address")
        for option in ("threads", "grace", "most_requests", "most_bytes"):
            if not getattr(self, option) > 0:
                value = str(getattr(self, option))
                raise WorkerMisconfigured(f"--{option.replace('_', '-')}", value, "give a positive number")
        if not 0 <= self.spin <= 1_000_000:
            raise WorkerMisconfigured("--spin", str(self.spin), "give microseconds, a second at most")


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def listen(options: WorkerOptions, front: Front) -> list[str]:
    """Open the sockets and give them to the front; returns their addresses, the best first. Raises OSError."""
    addresses = []
    if options.unix is not None:
        listener = socket.socket(socket.AF_UNIX)
        with contextlib.closing(listener):
            listener.bind(str(options.unix))
            options.unix.chmod(0o600)
            listener.listen(_BACKLOG)
            front.listen(listener)
        addresses.append(f"unix://{options.unix}")
    if options.bind is not None:
        family, *_, address = socket.getaddrinfo(options.bind, 0, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family)
        with contextlib.closing(listener):
            listener.bind(address)
            listener.listen(_BACKLOG)
            host, port, *_ = listener.getsockname()
            front.listen(listener)
        addresses.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    return addresses


def notify(path: str | None, *lines: str) -> None:
    """Tell the supervisor, as sd_notify(3) does; one that is gone is no reason to fail."""
    if not path:
        return
    address = f"\0{path[1:]}" if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
        sender.sendto("\n".join(lines).encode(), address)


async def serve(
    options: WorkerOptions, store: ModelStore, stop: asyncio.Event, runtime: Callable[[str], Runtime] = runtime_for
) -> bool:
    """Serve until `stop` is set, then answer what is queued. False: a model was still computing after the grace.

    Raises OSError when an address cannot be opened.
    """
    front = Front(
        worker_id=options.worker_id,
        secret=options.secret,
        most_requests=options.most_requests,
        most_bytes=options.most_bytes,
        spin=options.spin,
    )
    threads = ComputeThreads(front)
    idle = asyncio.Event()
    try:
        addresses = listen(options, front)
        async with anyio.create_task_group() as tasks:
            cache = ModelCache(
                front,
                store,
                tasks,
                device=options.device,
                threads=options.threads,
                runtime=runtime,
                loaded=threads.ensure,
                idle=idle.set,
            )
            try:
                notify(options.notify, "READY=1", f"SSA_ADDRESS={','.join(addresses)}")
                logger.info("worker %s serves %s", options.worker_id, ", ".join(addresses))
                await stop.wait()  # without a deadline: a worker serves until it is told to stop
                notify(options.notify, "STOPPING=1")
                front.drain()
                with anyio.move_on_after(options.grace) as grace:
                    await idle.wait()
                if grace.cancelled_caught:
                    logger.warning("left after %g s with requests unanswered: %s", options.grace, front.statistics())
            finally:
                cache.close()
                tasks.cancel_scope.cancel()
    finally:
        front.close()
        if options.unix is not None:
            options.unix.unlink(missing_ok=True)
    return threads.join(_JOINING)


async def _run(options: WorkerOptions) -> bool:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # It connects when the first request comes: a shard that is just being restarted does not delay readiness or SIGTERM.
    with contextlib.closing(Client()) as store:
        return await serve(options, store, stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0; 1 when it could not start or had to leave a model behind; 2 for a wrong command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        options = WorkerOptions.parse(sys.argv[1:] if arguments is None else arguments, os.environ)
        finished = anyio.run(_run, options, backend_options={"use_uvloop": True})
    except (WorkerMisconfigured, InvalidArgument) as error:
        logger.error("%s", error)
        return 2
    except OSError as error:
        logger.error("worker %s cannot serve %s, %s: %s", options.worker_id, options.unix, options.bind, error)
        return 1
    return 0 if finished else 1


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    # At once: a thread may be inside a model, around which the interpreter cannot end; and taking torch down takes most
    # of a second, for nothing.
    os._exit(status)
