"""How a program is to be launched: the command, its arguments, its environment.

Names are SmartSim's. What it ignores or guesses is an error here: setters that mean nothing to a launcher, a value
where a flag takes none, arguments that the settings set themselves. Values such as 0 and "" are values; a flag without
a value has None.
"""

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import ClassVar, Literal

from ssasync.wlm.errors import SettingsError

Argument = str | int | float | os.PathLike[str]
#: None: a flag without a value.
RunArguments = Mapping[str, str | int | float | None]
EnvironmentValue = str | int | float | bool
MpiImplementation = Literal["mpich", "openmpi"]


class RunSettings:
    """How to start one program, by itself or through `run_command`.

    exe_args: a string is split as a shell would (quotes count, nothing is expanded); a list is taken as it is.
    run_args: arguments of `run_command`: `{"n": 4, "verbose": None}` becomes `-n 4 --verbose`.
    env_vars: added to the environment; values are never put on a command line.
    The executable is looked up where and when the program starts, not here.
    Raises SettingsError, with all mistakes at once.
    """

    #: Arguments that have a setter or are ours to decide, with what to use instead.
    reserved: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        exe: str | os.PathLike[str],
        exe_args: str | Sequence[Argument] | None = None,
        run_command: str | None = None,
        run_args: RunArguments | None = None,
        env_vars: Mapping[str, EnvironmentValue] | None = None,
    ) -> None:
        self.exe = os.fspath(exe)
        self.exe_args: list[str] = []
        self.run_command = run_command or None
        self.run_args: dict[str, str | int | float | None] = {}
        self.env_vars: dict[str, str] = {}
        self.hosts: tuple[str, ...] = ()
        mistakes = [] if self.exe else ["exe is empty: name a program"]
        if run_args and not self.run_command:
            mistakes.append(f"run_args {dict(run_args)!r} without a run_command that could take them")
        steps: list[Callable[[], None]] = [
            partial(self.add_exe_args, exe_args or ()),
            partial(self.update_env, env_vars or {}),
            *(partial(self.set, name, value) for name, value in (run_args or {}).items() if self.run_command),
        ]
        for step in steps:
            try:
                step()
            except SettingsError as error:
                mistakes += error.mistakes
        if mistakes:
            raise SettingsError(mistakes)

    def add_exe_args(self, args: str | Sequence[Argument]) -> None:
        """Append arguments of the program; see the class for strings. Raises SettingsError."""
        if isinstance(args, str):
            try:
                self.exe_args += shlex.split(args)
            except ValueError as error:
                raise SettingsError([f"exe_args {args!r} cannot be split: {error}; give a list"]) from None
            return
        wrong = [arg for arg in args if not _is_argument(arg)]
        if wrong:
            raise SettingsError([f"exe_args holds {arg!r}: give strings, numbers or paths" for arg in wrong])
        self.exe_args += [os.fspath(arg) if isinstance(arg, os.PathLike) else str(arg) for arg in args]

    def update_env(self, env_vars: Mapping[str, EnvironmentValue]) -> None:
        """Add variables; a later value replaces an earlier one. Raises SettingsError."""
        mistakes = [
            f"the variable name {name!r} is empty or holds '=' or NUL"
            for name in env_vars
            if not name or "=" in name or "\0" in name
        ]
        mistakes += [
            f"{name} is a {type(value).__name__}: give str, int, float or bool"
            for name, value in env_vars.items()
            if not _is_environment_value(value)
        ]
        if mistakes:
            raise SettingsError(mistakes)
        self.env_vars.update({name: str(value) for name, value in env_vars.items()})

    def set(self, arg: str, value: str | int | float | None = None, condition: bool = True) -> None:
        """Set an argument of the run command, with or without its leading dashes; None: a flag without a value.

        Does nothing where `condition` is false. Raises SettingsError: no run command, a bool (write None for a flag),
        or an argument that a setter of these settings owns.
        """
        name = arg.lstrip("-")
        if not condition:
            return
        if not self.run_command:
            raise SettingsError([f"{arg!r} cannot be set: there is no run_command that could take it"])
        if isinstance(value, bool):
            raise SettingsError([f"{arg!r} is {value}: write None for a flag without a value, or leave it out"])
        if not name or any(c.isspace() for c in name):
            raise SettingsError([f"{arg!r} is no name of an argument"])
        if name in self.reserved:
            raise SettingsError([f"{arg!r} is set by ssasync: use {self.reserved[name]}"])
        self.run_args[name] = value

    def set_hostlist(self, host_list: str | Sequence[str]) -> None:
        """Place it on these hosts, in this order; a string is split at commas. Raises SettingsError: a blank name."""
        hosts = host_list.split(",") if isinstance(host_list, str) else list(host_list)
        hosts = [host.strip() for host in hosts]
        if not hosts or not all(hosts) or any(c.isspace() for host in hosts for c in host):
            raise SettingsError([f"the host list {host_list!r} holds an empty name or a blank"])
        self.hosts = tuple(hosts)

    def set_nodes(self, nodes: int) -> None:
        """Number of nodes."""
        self._refuse("set_nodes", nodes)

    def set_tasks(self, tasks: int) -> None:
        """Number of processes (ranks)."""
        self._refuse("set_tasks", tasks)

    def set_tasks_per_node(self, tasks_per_node: int) -> None:
        """Number of processes on each node."""
        self._refuse("set_tasks_per_node", tasks_per_node)

    def set_cpus_per_task(self, cpus_per_task: int) -> None:
        """Number of cores for each process."""
        self._refuse("set_cpus_per_task", cpus_per_task)

    def command(self) -> list[str]:
        """The argument list that starts the program."""
        if not self.run_command:
            return [self.exe, *self.exe_args]
        return [self.run_command, *_formatted(self.run_args), self.exe, *self.exe_args]

    def __repr__(self) -> str:
        # The values of variables may be secrets.
        return f"<{type(self).__name__} {shlex.join([self.run_command or '', self.exe, *self.exe_args]).lstrip()!r}>"

    def _refuse(self, setter: str, value: object) -> None:
        who = type(self).__name__
        mistake = f"{setter}({value!r}) means nothing to {who}: use MpirunSettings, or set() for the run_command"
        raise SettingsError([mistake])


class MpirunSettings(RunSettings):
    """How to start a parallel program with `mpirun` of MPICH (Hydra, so Intel MPI too) or Open MPI.

    implementation: whose mpirun it is; default: ask it (`mpirun --version`) once, and only where their arguments
    differ. The environment reaches the ranks by inheritance; on other hosts Open MPI is told the names alone.
    """

    reserved: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("n", "np"), "set_tasks"),
        **dict.fromkeys(("ppn", "npernode", "N"), "set_tasks_per_node"),
        **dict.fromkeys(("host", "hosts", "H"), "set_hostlist"),
        **dict.fromkeys(("wd", "wdir"), "the path of the model"),
        **dict.fromkeys(("env", "envlist", "genv", "genvlist", "x"), "env_vars"),
    }

    def __init__(
        self,
        exe: str | os.PathLike[str],
        exe_args: str | Sequence[Argument] | None = None,
        run_args: RunArguments | None = None,
        env_vars: Mapping[str, EnvironmentValue] | None = None,
        *,
        run_command: str = "mpirun",
        implementation: MpiImplementation | None = None,
    ) -> None:
        super().__init__(exe, exe_args, run_command, run_args, env_vars)
        self.tasks: int | None = None
        self.tasks_per_node: int | None = None
        self.cpus_per_task: int | None = None
        self._implementation = implementation

    def set_tasks(self, tasks: int) -> None:
        """Number of ranks: `-n`. Raises SettingsError unless it is positive."""
        self.tasks = _positive("tasks", tasks)

    def set_tasks_per_node(self, tasks_per_node: int) -> None:
        """Ranks on each node: `-ppn`, or `--map-by ppr:N:node`. Raises SettingsError unless it is positive."""
        self.tasks_per_node = _positive("tasks_per_node", tasks_per_node)

    def set_cpus_per_task(self, cpus_per_task: int) -> None:
        """Cores for each rank: `-bind-to core:N`, or `PE=N` of `--map-by`. Raises SettingsError unless positive."""
        self.cpus_per_task = _positive("cpus_per_task", cpus_per_task)

    def command(self) -> list[str]:
        """The argument list that starts the ranks. Raises SettingsError: mpirun did not say whose it is."""
        given = [] if self.tasks is None else ["-n", str(self.tasks)]
        if self.hosts or self.tasks_per_node or self.cpus_per_task:
            given += self._mpich_arguments() if self._who() == "mpich" else self._openmpi_arguments()
        return [self.run_command or "mpirun", *given, *_formatted(self.run_args), self.exe, *self.exe_args]

    def _mpich_arguments(self) -> list[str]:
        given: list[str] = []
        if self.hosts:
            given += ["-hosts", ",".join(self.hosts)]
        if self.tasks_per_node:
            given += ["-ppn", str(self.tasks_per_node)]
        if self.cpus_per_task:
            given += ["-bind-to", f"core:{self.cpus_per_task}"]
        return given

    def _openmpi_arguments(self) -> list[str]:
        given: list[str] = []
        if self.hosts:
            given += ["--host", ",".join(self.hosts)]
            # It does not pass the environment on to other hosts; a name without a value keeps secrets off this line.
            given += [part for name in sorted(self.env_vars) for part in ("-x", name)]
        if self.tasks_per_node or self.cpus_per_task:
            unit = f"ppr:{self.tasks_per_node}:node" if self.tasks_per_node else "slot"
            given += ["--map-by", unit + (f":PE={self.cpus_per_task}" if self.cpus_per_task else "")]
        return given

    def _who(self) -> MpiImplementation:
        return self._implementation or _ask_mpirun(self.run_command or "mpirun")


def mpi_implementation(version_text: str) -> MpiImplementation | None:
    """Whose `mpirun --version` this is; None: nobody's that is known here.

    MPICH 4.0 to 5.0 and Intel MPI 2021 print "HYDRA build details" or "Intel(R) MPI Library"; Open MPI 4 prints
    "mpirun (Open MPI) 4.1.4", Open MPI 5 "mpirun (Open MPI) 5.0.11".
    """
    text = version_text.lower()
    if "open mpi" in text or "openrte" in text or "prrte" in text:
        return "openmpi"
    return "mpich" if "hydra" in text or "intel(r) mpi" in text else None


@lru_cache(maxsize=16)
def _ask_mpirun(run_command: str) -> MpiImplementation:
    try:
        answer = subprocess.run(
            [run_command, "--version"],
            capture_output=True,
            text=True,
            timeout=10,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SettingsError([f"{run_command!r} does not say whose MPI it is: {error}; give implementation="]) from None
    implementation = mpi_implementation(answer.stdout + answer.stderr)
    if implementation is None:
        raise SettingsError(
            [f"{run_command} --version names neither MPICH nor Open MPI; give implementation='mpich' or 'openmpi'"]
        )
    return implementation


# What users give is checked, whatever the annotations promise.
def _is_argument(value: object) -> bool:
    return isinstance(value, str | int | float | os.PathLike) and not isinstance(value, bool)


def _is_environment_value(value: object) -> bool:
    return isinstance(value, str | int | float)


def _positive(what: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SettingsError([f"{what} is {value!r}: give a whole number of at least 1"])
    return value


def _formatted(run_args: RunArguments) -> list[str]:
    """`-n 4` for a name of one letter, `--name value` for longer ones."""
    parts: list[str] = []
    for name, value in run_args.items():
        parts.append(f"-{name}" if len(name) == 1 else f"--{name}")
        if value is not None:
            parts.append(str(value))
    return parts
