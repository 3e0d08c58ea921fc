"""Scripts: source text that TorchScript compiles. Nothing of it is ever run by the Python interpreter."""

import math
import types
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.jit._builtins import _find_builtin

from ssasync.store.model_runtime import Array
from ssasync.store.torch_runtime import run_torch
from ssasync.store.worker_errors import InputRefused, UncompilableScript

__all__ = ["TorchScript", "TorchScriptRuntime"]

_LONGEST = 600
#: Operations that TorchScript has and a script may not use: they read and write files of the worker.
_OF_FILES = ("aten::from_file", "aten::save")


class TorchScript:
    """The functions of one script."""

    def __init__(self, unit: torch.jit.CompilationUnit) -> None:
        functions = unit.get_functions()
        self._functions: dict[str, Callable[..., Any]] = {function.name: function for function in functions}
        self._takes_a_list = {function.name for function in functions if _takes_a_list(function.schema)}

    def run(self, function: str, inputs: Sequence[Array]) -> Sequence[Array]:
        """See LoadedModel. function: the name of one of its functions."""
        call = self._functions.get(function)
        if call is None:
            known = ", ".join(sorted(self._functions)) or "none"
            raise InputRefused(f"the script has no function '{function}'; it has {known}")
        return run_torch(call, inputs, as_list=function in self._takes_a_list)


class TorchScriptRuntime:
    """Compiles scripts."""

    def load(self, name: str, version: str, blob: bytes, device: str, threads: int) -> TorchScript:
        """See Runtime. device: "CPU". threads: of torch, for one operation, in the whole process."""
        torch.set_num_threads(threads)
        unit = torch.jit.CompilationUnit()
        try:
            # The parser wants the end of a line, which a source read from a string often lacks.
            unit.define(blob.decode() + "\n", NAMES.get)
        except Exception as error:  # any failure of the compiler means the same
            raise UncompilableScript(name, version, " ".join(str(error).split())[:_LONGEST]) from error
        for function in unit.get_functions():
            for operation in _OF_FILES:
                if function.graph.findAllNodes(operation, True):
                    raise UncompilableScript(name, version, f"{function.name} uses {operation}, which touches files")
        return TorchScript(unit)


def _takes_a_list(schema: Any) -> bool:
    return len(schema.arguments) == 1 and str(schema.arguments[0].type) == "List[Tensor]"


def _allowed(value: object) -> bool:
    """Operations of TorchScript, and functions of torch that TorchScript compiles."""
    if isinstance(value, torch.dtype | torch.layout | torch.memory_format | float):
        return True
    if isinstance(value, types.FunctionType) and value.__module__ in ("torch.functional", "torch.nn.functional"):
        return True
    return callable(value) and _find_builtin(value) is not None  # type: ignore[no-untyped-call]


def _module_of(name: str, **members: object) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(members)
    return module


def _only_operations(module: types.ModuleType, **submodules: types.ModuleType) -> types.ModuleType:
    """A module with what a script may name of this one.

    Given torch itself, the compiler would look up `torch.os` as well, and take Python functions that it finds on the way.
    """
    public = ((name, getattr(module, name)) for name in dir(module) if not name.startswith("_"))
    return _module_of(module.__name__, **{name: value for name, value in public if _allowed(value)}, **submodules)


_functional = _only_operations(torch.nn.functional)
_errors = (
    ArithmeticError,
    AssertionError,
    Exception,
    IndexError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    TypeError,
)
#: All names beside those of the language and of the script that a script may use.
NAMES: dict[str, types.ModuleType | type[Exception]] = {
    **{error.__name__: error for error in (*_errors, ValueError)},
    "F": _functional,
    "math": _only_operations(math),
    "torch": _only_operations(
        torch,
        nn=_module_of("torch.nn", functional=_functional),
        jit=_module_of("torch.jit", annotate=torch.jit.annotate, isinstance=torch.jit.isinstance),
        fft=_only_operations(torch.fft),
        linalg=_only_operations(torch.linalg),
        special=_only_operations(torch.special),
    ),
}
