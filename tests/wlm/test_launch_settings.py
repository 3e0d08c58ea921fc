from pathlib import Path

import pytest

from ssasync.wlm import MpirunSettings, RunSettings, SettingsError
from ssasync.wlm.launch_settings import mpi_implementation

OPENMPI_4 = "mpirun (Open MPI) 4.1.4\n\nReport bugs to http://www.open-mpi.org/community/help/\n"
MPICH_5 = "Usage: ./mpiexec [global opts] ...\n\nHYDRA build details:\n    Version:   5.0.2\n"
INTEL = "Intel(R) MPI Library for Linux* OS, Version 2021.9 Build 20230307\n"


def test_program_alone_is_its_own_command():
    assert RunSettings("solver", ["-n", 4, 0.5, Path("/in put")]).command() == ["solver", "-n", "4", "0.5", "/in put"]


def test_string_of_arguments_is_split_as_a_shell_would():
    settings = RunSettings("solver", "--title 'two words' -x \"a b\"")
    settings.add_exe_args("last")
    assert settings.exe_args == ["--title", "two words", "-x", "a b", "last"]


def test_values_that_are_false_are_values_and_none_is_a_flag():
    settings = RunSettings("solver", run_command="wrap", run_args={"n": 0, "tag": "", "verbose": None})
    assert settings.command() == ["wrap", "-n", "0", "--tag", "", "--verbose", "solver"]


def test_set_strips_dashes_and_obeys_its_condition():
    settings = RunSettings("solver", run_command="wrap")
    settings.set("--depth", 3)
    settings.set("-q", condition=False)
    settings.set("depth", 4)
    assert settings.command() == ["wrap", "--depth", "4", "solver"]


def test_environment_is_text_and_not_printed():
    settings = RunSettings("solver", env_vars={"N": 3, "F": 0.5, "B": True})
    settings.update_env({"N": "4", "SECRET": "hunter2"})
    assert settings.env_vars == {"N": "4", "F": "0.5", "B": "True", "SECRET": "hunter2"}
    assert "hunter2" not in repr(settings)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(SettingsError) as caught:
        RunSettings("", ["a", None], run_args={"n": 1}, env_vars={"A=B": 1, "C": [1]})  # type: ignore[dict-item, list-item]
    text = str(caught.value)
    for part in ("exe is empty", "without a run_command", "exe_args holds None", "'A=B'", "C is a list"):
        assert part in text


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda s: s.set("verbose", True), "write None for a flag"),
        (lambda s: s.set("--", 1), "no name of an argument"),
        (lambda s: s.set_hostlist("a,,b"), "empty name"),
        (lambda s: s.set_hostlist([]), "empty name"),
        (lambda s: s.set_tasks(4), r"set_tasks\(4\) means nothing to RunSettings: use MpirunSettings"),
        (lambda s: s.set_nodes(2), "means nothing"),
        (lambda s: s.set_tasks_per_node(2), "means nothing"),
        (lambda s: s.set_cpus_per_task(2), "means nothing"),
        (lambda s: s.add_exe_args("'unclosed"), "cannot be split"),
        (lambda s: s.update_env({"A": None}), "A is a NoneType"),
    ],
)
def test_what_means_nothing_is_refused(wrong, complaint):
    with pytest.raises(SettingsError, match=complaint):
        wrong(RunSettings("solver", run_command="wrap"))


def test_argument_without_run_command_is_refused():
    with pytest.raises(SettingsError, match="no run_command"):
        RunSettings("solver").set("n", 4)


@pytest.mark.parametrize(
    ("implementation", "expected"),
    [
        ("mpich", ["-hosts", "a,b", "-ppn", "2", "-bind-to", "core:3"]),
        ("openmpi", ["--host", "a,b", "-x", "SSDB", "-x", "SSDB_PASSWORD", "--map-by", "ppr:2:node:PE=3"]),
    ],
)
def test_mpirun_speaks_the_language_of_its_implementation(implementation, expected):
    secret = {"SSDB_PASSWORD": "hunter2", "SSDB": "h:1"}
    settings = MpirunSettings("solver", ["-v"], {"verbose": None}, secret, implementation=implementation)
    settings.set_tasks(4)
    settings.set_hostlist("a, b")
    settings.set_tasks_per_node(2)
    settings.set_cpus_per_task(3)
    assert settings.command() == ["mpirun", "-n", "4", *expected, "--verbose", "solver", "-v"]


def test_mpirun_is_not_asked_for_what_all_understand():
    settings = MpirunSettings("solver", run_command="/no/such/mpirun")
    settings.set_tasks(4)
    assert settings.command() == ["/no/such/mpirun", "-n", "4", "solver"]
    settings.set_tasks_per_node(2)
    with pytest.raises(SettingsError, match=r"does not say whose MPI it is: .*No such file.*give implementation="):
        settings.command()


def test_mpirun_that_is_nobodys_is_refused(tmp_path):
    (tmp_path / "mpirun").write_text("#!/bin/sh\necho strange 1.0\n")
    (tmp_path / "mpirun").chmod(0o755)
    settings = MpirunSettings("solver", run_command=str(tmp_path / "mpirun"))
    settings.set_tasks_per_node(2)
    with pytest.raises(SettingsError, match="names neither MPICH nor Open MPI"):
        settings.command()


@pytest.mark.parametrize("name", ["n", "-np", "--ppn", "hosts", "x", "genv", "wdir"])
def test_arguments_that_have_a_setter_are_refused(name):
    with pytest.raises(SettingsError, match="is set by ssasync: use"):
        MpirunSettings("solver", run_args={name: "1"})


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "4"])
def test_counts_are_positive_whole_numbers(value):
    for setter in ("set_tasks", "set_tasks_per_node", "set_cpus_per_task"):
        with pytest.raises(SettingsError, match="whole number of at least 1"):
            getattr(MpirunSettings("solver"), setter)(value)


@pytest.mark.parametrize(
    ("text", "whose"), [(OPENMPI_4, "openmpi"), (MPICH_5, "mpich"), (INTEL, "mpich"), ("slurm 22.05.8", None)]
)
def test_version_text_tells_whose_mpirun_it_is(text, whose):
    assert mpi_implementation(text) == whose
