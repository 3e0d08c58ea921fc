"""The list of workers as clients read it (WIRE.md, "List of workers")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ssasync.cyclient.address import Address
from ssasync.cyclient.errors import InternalError, InvalidArgument

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class WorkerEntry:
    """One incarnation of a worker."""

    id: str
    incarnation: int
    device: str
    addresses: tuple[Address, ...]

    def reachable_addresses(self) -> tuple[Address, ...]:
        """Unix sockets are of use where their file is; on another host only the others are."""
        return tuple(a for a in self.addresses if not a.path or Path(a.path).exists())


@dataclass(frozen=True, slots=True)
class WorkerList:
    """One version of the list."""

    version: int = 0
    entries: tuple[WorkerEntry, ...] = ()

    @classmethod
    def parse(cls, value: bytes | None) -> WorkerList:
        """Read the stored value; None (no such key): an empty list of version 0. Raises InternalError."""
        if value is None:
            return cls()
        try:
            head, *lines = value.decode("ascii").splitlines()
            form, version = head.split(" ")
            if form != "1":
                raise InternalError(f"the list of workers has the unknown format {form!r}")
            return cls(int(version), tuple(_entry(line) for line in lines))
        except (ValueError, InvalidArgument) as error:
            raise InternalError(f"the list of workers cannot be read ({error}): {value[:200]!r}") from None


def _entry(line: str) -> WorkerEntry:
    identifier, incarnation, device, addresses = line.split(" ")
    if not _ID.fullmatch(identifier):
        raise ValueError(f"{identifier!r} is no worker id")
    return WorkerEntry(identifier, int(incarnation), device, Address.parse_list(addresses))
