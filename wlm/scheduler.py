"""What every workload manager must answer.

Adapters of batch systems are tables and pure functions around this; the local one (`local.py`) hears of every end by
itself, so polling it costs nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from ssasync.wlm.job import Job, JobId, JobState


class Scheduler(Protocol):
    """Something that runs jobs."""

    @property
    def name(self) -> str:
        """The word that users give as `launcher=`."""

    async def submit(self, job: Job) -> JobId:
        """Hand over a job; done when the scheduler has accepted it. Raises a LaunchError or PlacementError."""

    async def poll(self, ids: Sequence[JobId]) -> Mapping[JobId, JobState]:
        """The states of these jobs, however many, in one question. Raises UnknownJob."""

    async def cancel(self, ids: Sequence[JobId]) -> None:
        """Ask these jobs to end, gracefully; does not wait for it. Jobs that are over are left alone."""

    async def hosts(self) -> tuple[str, ...]:
        """The hosts on which jobs can be placed."""
