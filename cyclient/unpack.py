"""Where an unpacked tensor goes: straight into the array where it lies in one piece, through a copy elsewhere."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ssasync.cyclient import _core
from ssasync.cyclient.arguments import writable_array
from ssasync.cyclient.errors import TensorMismatch

Array = np.ndarray[Any, Any]


def unpack_request(engine: _core.Engine, name: str, out: Array) -> _core.Request[Array]:
    """The get that fills `out`, directly if it can. Raises WrongType, InvalidArgument: nothing can be unpacked into it."""
    if _core.is_plain(out):  # as nearly all are: nothing is left to be looked at
        return engine.unpack_tensor(name, out)
    writable_array("out", out)
    if (out.flags.c_contiguous or out.flags.f_contiguous) and out.dtype.isnative:
        return engine.unpack_tensor(name, out)
    return engine.get_tensor(name).then(partial(_fill, name=name, address=engine.description, out=out))


def _fill(value: Array, *, name: str, address: str, out: Array) -> Array:
    if value.dtype != out.dtype.newbyteorder("=") or value.shape != out.shape:
        raise TensorMismatch(name, address, f"{value.dtype} {value.shape}", f"{out.dtype} {out.shape}")
    out[...] = value
    return out
