"""How figures are written in the tables."""

from tests.bench.rounds import Quartiles


def size_text(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def time_text(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e3:.1f} µs" if abs(nanoseconds) < 1e6 else f"{nanoseconds / 1e6:.2f} ms"


def ratio_text(ratio: Quartiles, basis: str) -> str:
    return f"ratio {ratio.middle:.2f} ({ratio.low:.2f}–{ratio.high:.2f}, {basis})"


def quartiles_text(what: str, values: Quartiles) -> str:
    return f"{what} {values.middle:.2f} ({values.low:.2f}–{values.high:.2f})"


def verdict(met: bool) -> str:
    return "ok" if met else "missed"
