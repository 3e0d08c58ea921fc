"""Where an unpacked tensor goes: straight into the array where it lies in one piece, through a copy elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from ssasync.cyclient import _core
from ssasync.cyclient.errors import InvalidArgument, TensorMismatch

Array = np.ndarray[Any, Any]


def check_target(out: Array) -> None:
    """Raises TypeError or InvalidArgument if nothing can be unpacked into it."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a numpy array, not {type(out).__name__}")
    if not out.flags.writeable:
        raise InvalidArgument("out", "a read-only array", "pass one that can be written")


def queue_unpack(connection: _core.Connection, name: str, key: bytes, out: Array) -> _core.Command:
    """Queue the get that fills `out`, directly if it can."""
    if (out.flags.c_contiguous or out.flags.f_contiguous) and out.dtype.isnative:
        return connection.get_tensor_into(name, key, out)
    return connection.get_tensor(name, key)


def finish_unpack(value: Array, name: str, address: str, out: Array) -> Array:
    """`out`, filled. Raises TensorMismatch."""
    if value is out:
        return out
    if value.dtype != out.dtype.newbyteorder("=") or value.shape != out.shape:
        raise TensorMismatch(name, address, f"{value.dtype} {value.shape}", f"{out.dtype} {out.shape}")
    out[...] = value
    return out
