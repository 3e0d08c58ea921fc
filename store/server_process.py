"""What shards and workers have in common: programs that serve until they are told to stop."""

from dataclasses import replace
from pathlib import Path

from ssasync.actors import Blame, ExitReason
from ssasync.wlm import Job, Local, Workload, tail

__all__ = ["ServerProcess"]

#: Seconds after which a program that a signal had stopped counts as dead: its clients have gone elsewhere by then.
_STOPPED_LIMIT = 1.0


class ServerProcess(Workload):
    """A workload that serves others.

    An end after it was ready is charged to the infrastructure's budget, whatever its reason: what kills a server at
    work is mostly outside of it (a signal, the memory, a model). A program that cannot even start uses up the small
    budget of the application, and its supervisor gives up soon.
    """

    def __init__(self, job: Job, local: Local, *, label: str) -> None:
        super().__init__(job, local, label=label, stopped_limit=_STOPPED_LIMIT)
        self.label = label
        self.serves = False  #: it was ready; set by the deriving class

    def exit(self, reason: ExitReason | None = None) -> None:
        """End this incarnation; see Actor.exit."""
        reason = ExitReason.normal() if reason is None else reason
        unasked = self.serves and reason.blame is not Blame.REQUESTED
        super().exit(replace(reason, blame=Blame.INFRASTRUCTURE) if unasked else reason)

    @property
    def log(self) -> Path | None:
        """The file to which this incarnation writes."""
        return self.process.logs.output if self.process else None

    def log_tail(self) -> list[str]:
        """The last lines of its log."""
        return tail(self.log) if self.log else []
