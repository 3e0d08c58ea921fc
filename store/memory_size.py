"""Sizes of memory: what people write, what engines read, and the default for a shard."""

import math
import os
import re
from pathlib import Path

__all__ = ["SMALLEST_MAXMEMORY", "default_maxmemory", "format_size", "memory_of_machine", "parse_size"]

#: An empty engine uses 1-3 MiB; below this it could refuse its first tensor.
SMALLEST_MAXMEMORY = 16 << 20

# A store of the glibc build grows to 1.6 times what it reports as used, and a value that arrives counts beside those
# stored (measured: churn of 4 KiB to 16 MiB values). So of the half of the machine that the store may fill, an eighth
# is left to values in flight and the rest is divided by 1.7.
_SHARE_OF_MACHINE = 0.5
_SHARE_IN_FLIGHT = 0.125
_RESIDENT_PER_USED = 1.7

_UNITS = {"": 1, "b": 1} | {
    prefix + ending: factor
    for power, prefix in enumerate("kmgt", start=1)
    for ending, factor in (("", 1024**power), ("ib", 1024**power), ("b", 1000**power))
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def parse_size(value: int | str) -> int:
    """Bytes from a number or from text such as `8 GiB`, `512 MiB`, `2.5GB`, `1000000`.

    k/KiB, M/MiB, G/GiB, T/TiB count in powers of 1024, kB, MB, GB, TB in powers of 1000.
    Raises ValueError, which quotes the text, for anything else and for sizes that are not positive.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{value!r} is not a size; write bytes as a number, or text such as '8 GiB'")
    if isinstance(value, int):
        size = value
    else:
        match = _SIZE.fullmatch(value)
        unit = match[2].lower() if match else ""
        if match is None or unit not in _UNITS:
            raise ValueError(f"{value!r} is not a size; write bytes as a number, or text such as '8 GiB'")
        size = math.floor(float(match[1]) * _UNITS[unit]) if "." in match[1] else int(match[1]) * _UNITS[unit]
    if size <= 0:
        raise ValueError(f"{value!r} is not a size: it must be more than 0 bytes")
    return size


def format_size(size: int) -> str:
    """`size` bytes as people read them: `8.0 GiB`."""
    amount, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if amount < 1024 or unit == "TiB":
            break
        amount /= 1024
    return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"


def memory_of_machine() -> int:
    """Bytes of memory this process may use: of the machine, or of its control group where that is less."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    # cgroup v2 and v1; an unlimited v1 group answers with a number beyond any machine.
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            sizes.append(int(text))
    return min(sizes)


def default_maxmemory(machine: int, shards: int = 1) -> int:
    """Bytes of values that each of `shards` on a machine of `machine` bytes holds if the caller names no limit.

    Half of the machine, less an eighth for values in flight, divided by the engine's fragmentation (1.7), shared among
    the shards: 0.26 of the machine for one.
    """
    resident = machine * _SHARE_OF_MACHINE * (1 - _SHARE_IN_FLIGHT)
    return max(SMALLEST_MAXMEMORY, math.floor(resident / _RESIDENT_PER_USED / shards))
