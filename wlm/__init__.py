"""Workloads and those who manage them: job descriptions, launch settings, schedulers, the launcher.

May import `ssasync.actors`, nothing else of ours.
"""

from ssasync.wlm.errors import (
    BadStatusRecord,
    ExecutableNotFound,
    ExecutableRefused,
    JobFailed,
    LauncherBroken,
    LaunchError,
    OutputFileError,
    PlacementError,
    ProcessStuck,
    RuntimeDirectoryError,
    SettingsError,
    UnknownJob,
    WorkingDirectoryError,
    WorkloadError,
    signal_name,
)
from ssasync.wlm.job import (
    Completed,
    Failed,
    Job,
    JobId,
    JobState,
    Queued,
    Reason,
    Running,
    Suspended,
    exit_reason,
)
from ssasync.wlm.launch_settings import MpirunSettings, RunSettings
from ssasync.wlm.local import Local
from ssasync.wlm.log_files import LogFiles, next_log_files, tail
from ssasync.wlm.placement import Placement
from ssasync.wlm.process import LocalProcess, ProcessExit, start_process_nowait
from ssasync.wlm.runtime_directory import RuntimeDirectory
from ssasync.wlm.scheduler import Scheduler
from ssasync.wlm.status_record import Cause, State, StatusRecord
from ssasync.wlm.workload import (
    SendSignal,
    Workload,
    WorkloadContinued,
    WorkloadRunning,
    WorkloadStopped,
    workload_spec,
)

__all__ = [
    "BadStatusRecord",
    "Cause",
    "Completed",
    "ExecutableNotFound",
    "ExecutableRefused",
    "Failed",
    "Job",
    "JobFailed",
    "JobId",
    "JobState",
    "LaunchError",
    "LauncherBroken",
    "Local",
    "LocalProcess",
    "LogFiles",
    "MpirunSettings",
    "OutputFileError",
    "Placement",
    "PlacementError",
    "ProcessExit",
    "ProcessStuck",
    "Queued",
    "Reason",
    "RunSettings",
    "Running",
    "RuntimeDirectory",
    "RuntimeDirectoryError",
    "Scheduler",
    "SendSignal",
    "SettingsError",
    "State",
    "StatusRecord",
    "Suspended",
    "UnknownJob",
    "WorkingDirectoryError",
    "Workload",
    "WorkloadContinued",
    "WorkloadError",
    "WorkloadRunning",
    "WorkloadStopped",
    "exit_reason",
    "next_log_files",
    "signal_name",
    "start_process_nowait",
    "tail",
    "workload_spec",
]
