"""ssasync: couple HPC simulations with machine learning. The face that users type; may import all other folders.

Names are loaded when they are first used: a simulation rank that imports `ssasync.blocking` loads the client alone.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssasync.actors import Backoff, Intensity, RestartPolicy, Subscription, render_tree
    from ssasync.cyclient import Batch, Client, ControlRequest, Dataset
    from ssasync.ensemble import Ensemble
    from ssasync.errors import ExperimentClosed, ExperimentError, InvalidExperiment, NotStarted
    from ssasync.experiment import Experiment
    from ssasync.model import Model
    from ssasync.orchestrator import Orchestrator
    from ssasync.runner import run
    from ssasync.wlm import JobFailed, MpirunSettings, RunSettings

__version__ = "0.1.0.dev0"

__all__ = [
    "Backoff",
    "Batch",
    "Client",
    "ControlRequest",
    "Dataset",
    "Ensemble",
    "Experiment",
    "ExperimentClosed",
    "ExperimentError",
    "Intensity",
    "InvalidExperiment",
    "JobFailed",
    "Model",
    "MpirunSettings",
    "NotStarted",
    "Orchestrator",
    "RestartPolicy",
    "RunSettings",
    "Subscription",
    "render_tree",
    "run",
]

_HOME = {
    "ssasync.actors": ("Backoff", "Intensity", "RestartPolicy", "Subscription", "render_tree"),
    "ssasync.cyclient": ("Batch", "Client", "ControlRequest", "Dataset"),
    "ssasync.ensemble": ("Ensemble",),
    "ssasync.errors": ("ExperimentClosed", "ExperimentError", "InvalidExperiment", "NotStarted"),
    "ssasync.experiment": ("Experiment",),
    "ssasync.model": ("Model",),
    "ssasync.orchestrator": ("Orchestrator",),
    "ssasync.runner": ("run",),
    "ssasync.wlm": ("JobFailed", "MpirunSettings", "RunSettings"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'ssasync' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
