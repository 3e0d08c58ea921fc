"""Where a shard or a worker listens: `host:port`, `[ipv6]:port` or `unix:///path`."""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass

from ssasync.cyclient.errors import InvalidArgument

_TCP = re.compile(r"(?:tcp://)?(?:\[(?P<v6>[0-9a-fA-F:.%\w]+)\]|(?P<host>[^\s:/\[\],]+)):(?P<port>[0-9]{1,5})")

# Bytes; the kernel doubles it, and grants what net.core.wmem_max allows. With the usual 208 KiB a put of 1 MiB is sent in
# five turns of an event loop: 0.75 of the time on asyncio, 0.83 on uvloop, 0.85 blocking. TCP grows its buffers itself.
_UNIX_SEND_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Address:
    """One address; either `path` (a unix socket) or `host` and `port`."""

    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `host:port`, `tcp://host:port`, `[ipv6]:port` or `unix:///path`. Raises InvalidArgument."""
        if text.startswith("unix://") and len(text) > len("unix://"):
            return cls(path=text.removeprefix("unix://"))
        match = _TCP.fullmatch(text)
        if match is None or not 0 < int(match["port"]) < 65536:
            raise InvalidArgument("address", repr(text), "write host:port, [ipv6]:port or unix:///path")
        return cls(host=match["v6"] or match["host"], port=int(match["port"]))

    @classmethod
    def parse_list(cls, text: str) -> tuple[Address, ...]:
        """Read a comma list of addresses, as in SSDB."""
        return tuple(cls.parse(part.strip()) for part in text.split(",") if part.strip())

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def socket_and_target(self) -> tuple[socket.socket, str | tuple[str, int]]:
        """A new stream socket of the right family, not connected, and what to connect it to. Resolves names."""
        if self.path:
            stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            with contextlib.suppress(OSError):
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNIX_SEND_BUFFER)
            return stream, self.path
        family, kind, protocol, _, target = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
        stream = socket.socket(family, kind, protocol)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream, (str(target[0]), int(target[1]))
