"""From names to keys (WIRE.md, "Keys"): ensemble prefixes, and the keys of what is ours."""

from __future__ import annotations

from dataclasses import dataclass

from ssasync.cyclient.errors import InvalidArgument

WORKER_LIST_KEY = b"{ssa:workers:all}list"


def checked_name(kind: str, name: str) -> str:
    """The name itself, if it can be one. Raises InvalidArgument."""
    if not isinstance(name, str):
        raise TypeError(f"{kind} must be a str, not {type(name).__name__}")
    if not name:
        raise InvalidArgument(kind, "empty", "give it a name")
    if "{" in name or "}" in name:
        raise InvalidArgument(kind, repr(name), "braces decide which shard holds a key; leave them out")
    return name


@dataclass(frozen=True, slots=True)
class ModelKeys:
    """The keys of one model or script, all in one slot."""

    name: str
    kind: str = "model"  #: or "script"

    @property
    def current(self) -> bytes:
        return self._key("current")

    @property
    def counter(self) -> bytes:
        return self._key("counter")

    def blob(self, version: str) -> bytes:
        return self._key(f"{version}.blob")

    def metadata(self, version: str) -> bytes:
        return self._key(f"{version}.meta")

    def _key(self, part: str) -> bytes:
        return f"{{ssa:{self.kind}:{self.name}}}{part}".encode()


class KeyNames:
    """The prefixes of one client. Writing uses its own prefix, reading that of its data source."""

    def __init__(self, write_prefix: str, read_prefixes: tuple[str, ...]) -> None:
        for prefix in (write_prefix, *read_prefixes):
            if prefix:
                checked_name("prefix", prefix)
        self._write = write_prefix
        self._known = read_prefixes
        self._read = read_prefixes[0] if read_prefixes else ""

    def set_data_source(self, source: str) -> None:
        """Read from this producer from now on: one of SSKEYIN, or the client's own prefix. Raises InvalidArgument."""
        if source not in self._known and source != self._write:
            known = ", ".join(dict.fromkeys((*self._known, self._write))) or "none"
            raise InvalidArgument("data source", repr(source), f"known ones are: {known} (SSKEYIN, SSKEYOUT)")
        self._read = source

    def written(self, kind: str, name: str) -> bytes:
        """The key under which this client writes `name`."""
        checked_name(kind, name)
        return f"{self._write}.{name}".encode() if self._write else name.encode()

    def read(self, kind: str, name: str) -> bytes:
        """The key under which this client reads `name`."""
        checked_name(kind, name)
        return f"{self._read}.{name}".encode() if self._read else name.encode()
