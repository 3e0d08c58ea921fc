"""A supervisor for very many children of one kind."""

from ssasync.actors.cell import Cell
from ssasync.actors.child_spec import AutoShutdown
from ssasync.actors.restart_policy import RestartPolicy
from ssasync.actors.supervisor import Supervisor


class Pool(Supervisor):
    """Children that are added and removed as needed, by the thousand (OTP's simple_one_for_one).

    Its members are peers: no order, no groups, none given beforehand. A member without anything to do has no task: it
    gets one when a message, a timer, a watched or linked actor wakes it. One that is over is forgotten, so that a pool
    whose members come and go for weeks does not grow. Members do not come back when the pool itself is restarted. The tasks
    that serve them are shared: context variables that a member sets do not last from one message to the next.

    escalate, policy, auto_shutdown: as in Supervisor.
    """

    _members_park = True
    _keeps_over = False

    def __init__(
        self,
        *,
        escalate: bool = True,
        policy: RestartPolicy | None = None,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    ) -> None:
        super().__init__(ordered=False, escalate=escalate, policy=policy, auto_shutdown=auto_shutdown)

    def _spawn(self, cell: Cell) -> None:
        if self.system.journal is not None:  # the actor is made after the record, and may be a supervisor
            super()._spawn(cell)
        elif not cell.begin_parked():
            if cell.parks:
                self.system.runners.add(cell)
            else:
                super()._spawn(cell)
