"""An ensemble: models that are started, supervised and stopped together."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ssasync.actors import RestartPolicy
from ssasync.errors import InvalidExperiment
from ssasync.model import Model, name_mistakes
from ssasync.permutation import Strategy, Value, permutations
from ssasync.wlm import RunSettings


class Ensemble:
    """Members `<name>_0`, `<name>_1` … of one program; made by `Experiment.create_ensemble`.

    replicas        so many members alike; or
    params          values of parameters: a member for each combination ("all_perm") or each position ("step")
    params_as_args  the parameters that become arguments; see Model
    The failure of a member is its own: it is restarted by its policy, the others are not touched. Each has the prefix of
    its name in the store and a directory of its own below that of the ensemble.
    Raises InvalidExperiment with all mistakes at once.
    """

    def __init__(
        self,
        name: str,
        run_settings: RunSettings,
        *,
        params: Mapping[str, Value | Iterable[Value]] | None = None,
        params_as_args: Sequence[str] = (),
        replicas: int | None = None,
        perm_strategy: Strategy = "all_perm",
        path: str | Path | None = None,
        restart_policy: RestartPolicy | None = None,
        grace: float = 5.0,
    ) -> None:
        self.name = name
        self.path = None if path is None else Path(path).absolute()
        self.members: list[Model] = []
        mistakes = []
        parameter_sets: list[dict[str, Value]] = []
        if (params is None) == (replicas is None):
            mistakes.append(f"ensemble {name!r}: give either params or replicas")
        elif replicas is not None and replicas < 1:
            mistakes.append(f"ensemble {name!r}: replicas={replicas}: give 1 or more")
        elif params is not None:
            try:
                parameter_sets = permutations(params, perm_strategy)
            except ValueError as error:
                mistakes.append(f"ensemble {name!r}: {error}")
        if mistakes:
            raise InvalidExperiment(mistakes)
        for index, member_params in enumerate(parameter_sets or [{} for _ in range(replicas or 0)]):
            member = Model(
                f"{name}_{index}",
                copy.deepcopy(run_settings),
                path=None if self.path is None else self.path / f"{name}_{index}",
                params=member_params,
                params_as_args=params_as_args,
                restart_policy=restart_policy,
                grace=grace,
            )
            member.enable_key_prefixing()
            self.members.append(member)

    def register_incoming_entity(self, entity: Model) -> None:
        """Let the clients of all members read what `entity` wrote under its prefix."""
        for member in self.members:
            member.register_incoming_entity(entity)

    def mistakes(self) -> list[str]:
        """What cannot work, whatever the machine."""
        return [*name_mistakes(self.name), *(mistake for member in self.members for mistake in member.mistakes())]

    def __iter__(self) -> Iterator[Model]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, name: str) -> Model:
        for member in self.members:
            if member.name == name:
                return member
        raise KeyError(f"ensemble {self.name!r} has no member {name!r}; it has {[m.name for m in self.members]}")

    def __repr__(self) -> str:
        return f"<Ensemble {self.name!r}, {len(self)} members>"
