"""The keys of what is ours (WIRE.md, "Keys"), for those who write it from Python: workers and their supervisors."""

from __future__ import annotations

from dataclasses import dataclass

WORKER_LIST_KEY = b"{ssa:workers:all}list"


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
