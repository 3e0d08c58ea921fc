"""The actor kernel: actors, supervisors and what they stand on. Knows nothing of HPC; could be published alone.

May import anyio, msgpack and the standard library. Runs on asyncio and uvloop.
"""

from ssasync.actors.actor import Actor
from ssasync.actors.child import Phase, Transition
from ssasync.actors.child_spec import ActorFactory, AutoShutdown, ChildSpec, Restart, Strategy
from ssasync.actors.crash_log import CrashLogStatistics, CrashReport, render_crash
from ssasync.actors.deadlines import DeadlineStatistics
from ssasync.actors.errors import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    AskSelf,
    AskTimeout,
    EventsOverflow,
    FailedToStart,
    IllegalTransition,
    InternalError,
    MailboxFull,
    NameTaken,
    NoNewActor,
    NotRunning,
    NotStarted,
    NotSupervisor,
    RegisteredName,
    SystemClosed,
    TakesNoMessages,
    UnknownActor,
    UnknownName,
    WaitTimeout,
    WrongLoop,
)
from ssasync.actors.event_bus import BusStatistics, Subscription
from ssasync.actors.events import (
    ActorAbandoned,
    ActorStuck,
    ChildExited,
    ChildGaveUp,
    ChildStarted,
    ChildStarting,
    ChildStopped,
    DeadLetter,
    Event,
    JournalFailed,
    StateChanged,
)
from ssasync.actors.exit_reason import Blame, ExitReason
from ssasync.actors.journal import Act, Intent, Journal
from ssasync.actors.mailbox import MailboxStatistics
from ssasync.actors.pool import Pool
from ssasync.actors.reference import ActorRef
from ssasync.actors.registry import RegistryStatistics
from ssasync.actors.restart_policy import Backoff, Intensity, RestartPolicy
from ssasync.actors.state_machine import StateMachine, StateTransition
from ssasync.actors.supervisor import (
    Supervisor,
    SupervisorStatistics,
    remove_child,
    restart_child,
    start_child,
    start_children,
    stop_child,
)
from ssasync.actors.system import ActorSystem, SystemStatistics
from ssasync.actors.timers import Timer
from ssasync.actors.tree import LastCrash, TreeNode, render_tree
from ssasync.actors.watch import Down, LinkedExit, Terminated, Up

__all__ = [
    "Act",
    "Actor",
    "ActorAbandoned",
    "ActorCrashed",
    "ActorError",
    "ActorFactory",
    "ActorRef",
    "ActorStopped",
    "ActorStuck",
    "ActorSystem",
    "AskSelf",
    "AskTimeout",
    "AutoShutdown",
    "Backoff",
    "Blame",
    "BusStatistics",
    "ChildExited",
    "ChildGaveUp",
    "ChildSpec",
    "ChildStarted",
    "ChildStarting",
    "ChildStopped",
    "CrashLogStatistics",
    "CrashReport",
    "DeadLetter",
    "DeadlineStatistics",
    "Down",
    "Event",
    "EventsOverflow",
    "ExitReason",
    "FailedToStart",
    "IllegalTransition",
    "Intensity",
    "Intent",
    "InternalError",
    "Journal",
    "JournalFailed",
    "LastCrash",
    "LinkedExit",
    "MailboxFull",
    "MailboxStatistics",
    "NameTaken",
    "NoNewActor",
    "NotRunning",
    "NotStarted",
    "NotSupervisor",
    "Phase",
    "Pool",
    "RegisteredName",
    "RegistryStatistics",
    "Restart",
    "RestartPolicy",
    "StateChanged",
    "StateMachine",
    "StateTransition",
    "Strategy",
    "Subscription",
    "Supervisor",
    "SupervisorStatistics",
    "SystemClosed",
    "SystemStatistics",
    "TakesNoMessages",
    "Terminated",
    "Timer",
    "Transition",
    "TreeNode",
    "UnknownActor",
    "UnknownName",
    "Up",
    "WaitTimeout",
    "WrongLoop",
    "remove_child",
    "render_crash",
    "render_tree",
    "restart_child",
    "start_child",
    "start_children",
    "stop_child",
]
