"""What a training did and when, for the progress bar and the figure."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PublishedNetwork:
    """One version of the network, as the store got it.

    Each is better than the one before it on the same fields. From version to version the loss may yet rise, because the
    oceans go on and get harder to guess.
    """

    seconds: float  #: since the start of the training
    version: int
    held_out_loss: float  #: 1 for the first, which answers zero


@dataclass(slots=True)
class TrainingRecord:
    """What happened so far; the driver may read it at any time. Times are seconds since `started`."""

    started: float = field(default_factory=time.monotonic)
    losses: list[tuple[float, float]] = field(default_factory=list)  #: (time, loss) of each gradient step
    published: list[PublishedNetwork] = field(default_factory=list)
    snapshots: Counter[str] = field(default_factory=Counter)  #: taken from each member

    def now(self) -> float:
        """Seconds since the training started."""
        return time.monotonic() - self.started
