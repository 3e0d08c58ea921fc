"""TorchScript archives on the CPU, and how arrays pass through torch. Only this file and torch_script.py import torch."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ssasync.store.model_runtime import BFLOAT16, Array
from ssasync.store.worker_errors import InputRefused, ModelRaised, UnloadableModel

__all__ = ["TorchModel", "TorchRuntime", "run_torch"]

_TELLING_LINES = 2
_LONGEST = 600


class TorchModel:
    """A TorchScript module in evaluation mode."""

    def __init__(self, module: torch.jit.ScriptModule) -> None:
        # Not all that getattr finds may be called by a client: only what the archive itself defines.
        self._functions: dict[str, Callable[..., Any]] = {
            name: getattr(module, name) for name in module._c._method_names()
        }
        # Calling the module takes twice as long as its method, and does more only where hooks were scripted with it.
        hooks = [*module._c._get_forward_pre_hooks(), *module._c._get_forward_hooks()]
        self._functions[""] = module if hooks else self._functions["forward"]

    def run(self, function: str, inputs: Sequence[Array]) -> Sequence[Array]:
        """See LoadedModel. function: name of an exported method; empty: forward."""
        call = self._functions.get(function)
        if call is None:
            known = ", ".join(sorted(name for name in self._functions if name))
            raise InputRefused(f"the model has no function '{function}'; it has {known}")
        return run_torch(call, inputs)


class TorchRuntime:
    """Loads TorchScript archives."""

    def load(self, name: str, version: str, blob: bytes, device: str, threads: int) -> TorchModel:
        """See Runtime. device: "CPU". threads: of torch, for one operation, in the whole process."""
        torch.set_num_threads(threads)
        try:
            module = torch.jit.load(io.BytesIO(blob), map_location="cpu")  # type: ignore[no-untyped-call]
        except Exception as error:  # any failure of the parser means the same
            raise UnloadableModel(name, version, "TORCH", blob, telling_lines(str(error))) from error
        return TorchModel(module.eval())


def run_torch(call: Callable[..., Any], inputs: Sequence[Array], *, as_list: bool = False) -> Sequence[Array]:
    """Arrays in, arrays out, without gradients. as_list: all inputs in one argument. Raises as LoadedModel.run."""
    with torch.inference_mode():
        tensors = [_to_torch(index, array) for index, array in enumerate(inputs)]
        try:
            outputs = call(tensors) if as_list else call(*tensors)
        except (torch.jit.Error, torch.OutOfMemoryError) as error:  # raised by the script itself, or by the machine
            raise ModelRaised(telling_lines(str(error))) from error
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            # A model is a pure function: an operation in it fails because of what it was given.
            raise InputRefused(f"{telling_lines(str(error))}; the inputs were {_describe(inputs)}") from error
        return [_to_numpy(index, output) for index, output in enumerate(_as_sequence(outputs))]


def telling_lines(message: str) -> str:
    """The end of one of torch's messages: it begins with pages of traceback, the reason stands last."""
    lines = [line.strip() for line in message.splitlines()]
    lines = [line for line in lines if line and set(line) - set("~^ ") and "<--- HERE" not in line]
    reason = next((i for i in reversed(range(len(lines))) if lines[i].startswith("RuntimeError: ")), None)
    chosen = (
        lines[reason:] if reason is not None else lines[:1] if len(lines) <= _TELLING_LINES else lines[-_TELLING_LINES:]
    )
    return " ".join(chosen).removeprefix("RuntimeError: ")[:_LONGEST] or "no reason given"


def _describe(inputs: Sequence[Array]) -> str:
    return ", ".join(f"{array.dtype}{list(array.shape)}" for array in inputs) or "none"


def _to_torch(index: int, array: Array) -> torch.Tensor:
    if array.dtype == BFLOAT16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    try:
        return torch.from_numpy(array)
    except TypeError as error:
        raise InputRefused(f"input {index} has dtype {array.dtype}, which torch does not take") from error


def _as_sequence(outputs: object) -> Sequence[object]:
    return outputs if isinstance(outputs, tuple | list) else (outputs,)


def _to_numpy(index: int, output: object) -> Array:
    if not isinstance(output, torch.Tensor):
        raise ModelRaised(f"output {index} of the model is a {type(output).__name__}, not a tensor")
    try:
        tensor = output if output.is_contiguous() else output.contiguous()
        if tensor.is_conj() or tensor.is_neg():
            tensor = tensor.resolve_conj().resolve_neg()
        if tensor.dtype == torch.bfloat16:
            return tensor.view(torch.int16).numpy().view(BFLOAT16)
        return tensor.numpy()
    except (RuntimeError, TypeError) as error:
        raise ModelRaised(f"output {index} of the model cannot be sent: {telling_lines(str(error))}") from error
