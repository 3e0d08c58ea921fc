"""Which keys a push of a shard is about (WIRE.md, "Shards")."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any


def invalidated_keys(push: list[Any], tracked: Set[bytes]) -> Iterable[bytes]:
    """Those of the tracked keys that may have changed; none for any other push."""
    match push:
        case ["invalidate" | b"invalidate", None]:  # the server forgot all keys it tracked (FLUSHALL)
            return tracked
        case ["invalidate" | b"invalidate", list(keys)]:
            return [key for key in keys if isinstance(key, bytes) and key in tracked]
    return ()
