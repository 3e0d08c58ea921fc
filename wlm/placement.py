"""Where a workload, a shard or a worker is to run."""

from collections.abc import Sequence
from dataclasses import dataclass

from ssasync.wlm.errors import PlacementError


@dataclass(frozen=True, slots=True)
class Placement:
    """Hosts by name, in the order in which they are filled. Empty: the scheduler chooses."""

    hosts: tuple[str, ...] = ()

    def check(self, known: Sequence[str], scheduler: str) -> None:
        """Raise PlacementError for hosts outside `known`."""
        unknown = [host for host in self.hosts if host not in known]
        if unknown:
            raise PlacementError(unknown, known, scheduler)
