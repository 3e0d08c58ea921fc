"""A model: one program of an experiment, alone or as a member of an ensemble."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ssasync.actors import RestartPolicy
from ssasync.permutation import Value
from ssasync.wlm import RunSettings

_NAME = re.compile(r"[A-Za-z0-9][\w.:-]{0,127}", re.ASCII)


def name_mistakes(name: str) -> list[str]:
    """What keeps a name from being a directory, a place in the tree and a prefix in the store."""
    if _NAME.fullmatch(name):
        return []
    return [f"name {name!r}: use letters, digits, '_', '-', '.', ':' and begin with a letter or digit"]


class Model:
    """One program and how it is run; made by `Experiment.create_model` or as a member of an Ensemble.

    name            also its directory, the name of its logs and its prefix in the store
    run_settings    what to run, and how; copied, so that members do not share them
    path            its working directory; default: `<exp_path>/<name>`
    params          its parameters; those named in params_as_args become arguments: `--name=value` (`-n value` for one
                    letter), after the arguments of run_settings
    restart_policy  how often it is started again after a failure, and how soon; default: 3 times in 600 s
    grace           seconds from SIGTERM to SIGKILL when it is stopped
    """

    def __init__(
        self,
        name: str,
        run_settings: RunSettings,
        *,
        path: str | Path | None = None,
        params: Mapping[str, Value] | None = None,
        params_as_args: Sequence[str] = (),
        restart_policy: RestartPolicy | None = None,
        grace: float = 5.0,
    ) -> None:
        self.name = name
        self.run_settings = copy.deepcopy(run_settings)
        self.path = None if path is None else Path(path).absolute()
        self.params = dict(params or {})
        self.params_as_args = tuple(params_as_args)
        self.restart_policy = restart_policy or RestartPolicy()
        self.grace = grace
        self.key_prefixing = False
        self.incoming: list[str] = []

    def enable_key_prefixing(self) -> None:
        """Let what it writes to the store begin with its name (`SSKEYOUT`). Members of ensembles always do."""
        self.key_prefixing = True

    def register_incoming_entity(self, entity: Model) -> None:
        """Let its clients read what `entity` wrote under its prefix (`SSKEYIN`). Raises ValueError: registered before."""
        if entity.name in self.incoming:
            raise ValueError(f"{entity.name!r} is registered with {self.name!r} already")
        self.incoming.append(entity.name)

    def command(self) -> tuple[str, ...]:
        """The argument list that starts it."""
        arguments: list[str] = []
        for name in self.params_as_args:
            value = str(self.params[name])
            if name.startswith("-"):
                arguments += [name, value]
            else:
                arguments += ["-" + name, value] if len(name) == 1 else [f"--{name}={value}"]
        return (*self.run_settings.command(), *arguments)

    def mistakes(self) -> list[str]:
        """What cannot work, whatever the machine."""
        found = name_mistakes(self.name)
        missing = [name for name in self.params_as_args if name not in self.params]
        if missing:
            found.append(f"{self.name!r}: params_as_args names {missing}, which params does not have")
        unused = [name for name in self.params if name not in self.params_as_args]
        if unused:
            found.append(
                f"{self.name!r}: params {unused} would not reach the program: name them in params_as_args "
                "(input files are not yet written in this version)"
            )
        if not (math.isfinite(self.grace) and self.grace >= 0):
            found.append(f"{self.name!r}: grace={self.grace}: give 0 seconds or more, and an end")
        return found

    def __repr__(self) -> str:
        return f"<Model {self.name!r} {self.run_settings!r}>"
