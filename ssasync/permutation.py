"""From lists of parameter values to the parameters of each member."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Literal

Value = str | int | float
Strategy = Literal["all_perm", "step"]


def permutations(params: Mapping[str, Value | Iterable[Value]], strategy: Strategy) -> list[dict[str, Value]]:
    """The parameters of each member. "all_perm": every combination; "step": first with first, second with second.

    A single value counts for all members. Raises ValueError: an empty list, "step" with lists of unequal length, another
    strategy, a value that is neither str, int nor float.
    """
    values = {name: _values(name, given) for name, given in params.items()}
    if strategy == "all_perm":
        return [dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())]
    if strategy != "step":
        raise ValueError(f"perm_strategy {strategy!r} is unknown: write 'all_perm' or 'step'")
    length = max((len(v) for v in values.values()), default=0)
    uneven = {name: len(v) for name, v in values.items() if len(v) not in (1, length)}
    if uneven:
        raise ValueError(f"perm_strategy 'step' needs lists of one length ({length}), not {uneven}")
    return [{name: v[i] if len(v) > 1 else v[0] for name, v in values.items()} for i in range(length)]


def _values(name: str, given: Value | Iterable[Value]) -> list[Value]:
    values = [given] if isinstance(given, str | int | float) else list(given)
    if not values:
        raise ValueError(f"parameter {name!r} has no values: give at least one")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"parameter {name!r} has the value {value!r}: give str, int or float")
    return values
