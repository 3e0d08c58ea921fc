"""What a worker needs from a backend: load bytes, run arrays. One file a backend, imported when its first model comes."""

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ssasync.store._worker_front import BFLOAT16
from ssasync.store.worker_errors import UnknownBackend

__all__ = ["BFLOAT16", "Array", "LoadedModel", "Runtime", "runtime_for"]

Array = np.ndarray[Any, Any]

#: Backend, as in a model's metadata: where its Runtime is, and what to install for it.
_RUNTIMES = {
    "TORCH": ("ssasync.store.torch_runtime", "TorchRuntime", "pip install 'ssasync[torch]'"),
    "TORCHSCRIPT": ("ssasync.store.torch_script", "TorchScriptRuntime", "pip install 'ssasync[torch]'"),
}


class LoadedModel(Protocol):
    """One version of a model or script, ready to run. Called by one thread at a time, not always the same one."""

    def run(self, function: str, inputs: Sequence[Array]) -> Sequence[Array]:
        """The outputs, in order.

        function: of the script; empty for a model. inputs: any strides, aligned to 64 bytes, valid during the call and as
        long as something refers to them. Raises InputRefused, ModelRaised; any other exception counts as ModelRaised.
        """


class Runtime(Protocol):
    """A backend on one device."""

    def load(self, name: str, version: str, blob: bytes, device: str, threads: int) -> LoadedModel:
        """Make a model of its bytes; may take seconds. device: the worker's. Raises UnloadableModel."""


def runtime_for(backend: str) -> Runtime:
    """The runtime of a backend, its library imported. Raises UnknownBackend."""
    if backend not in _RUNTIMES:
        raise UnknownBackend(backend, f"known ones are {', '.join(_RUNTIMES)}")
    module, name, remedy = _RUNTIMES[backend]
    try:
        runtime: Runtime = getattr(importlib.import_module(module), name)()
    except ImportError as error:
        raise UnknownBackend(backend, f"{error}; install it in the worker's environment: {remedy}") from error
    return runtime
