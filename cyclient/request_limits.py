"""What a worker takes in one request (WIRE.md, "Workers"): checked before it is sent, since the worker hangs up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ssasync.cyclient.errors import InvalidArgument

LONGEST_NAME = 1024  #: bytes of a model's name
LONGEST_KEY = 4096  #: bytes
MOST_INPUTS = (1024 - 6) // 2  #: a request has 1,024 elements, two for each input
MOST_BYTES = 2 << 30  #: of all inputs


def check_request(model: str, inputs: Sequence[np.ndarray[Any, Any] | bytes]) -> None:
    """Raises InvalidArgument: a name or key too long, too many inputs, too many bytes."""
    if len(model.encode()) > LONGEST_NAME:
        raise InvalidArgument("model", f"a name of {len(model.encode())} bytes", f"use at most {LONGEST_NAME}")
    if len(inputs) > MOST_INPUTS:
        raise InvalidArgument("inputs", f"{len(inputs)} tensors", f"a request takes at most {MOST_INPUTS}; join some")
    if any(isinstance(key, bytes) and len(key) > LONGEST_KEY for key in inputs):
        raise InvalidArgument("inputs", "a longer key than workers take", f"use at most {LONGEST_KEY} bytes")
    total = sum(array.nbytes for array in inputs if not isinstance(array, bytes))
    if total > MOST_BYTES - (1 << 20):
        raise InvalidArgument("inputs", f"{total} bytes", f"a request takes at most {MOST_BYTES}; split the batch")
