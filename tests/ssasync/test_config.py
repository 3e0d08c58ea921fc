"""`ssasync config`: options, table, and what it says where there is no library."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ssasync.cli import CONFIG_OPTIONS, main
from ssasync.config import LibraryFiles, answers
from tests.commands import run

ROOT = Path(__file__).resolve().parents[2]


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["config", *options]) == 0
    return capsys.readouterr().out


def test_the_checkout_has_its_library_where_config_says(capsys):
    assert Path(printed(capsys, "--includedir").strip(), "ssasync.h").is_file()
    assert Path(printed(capsys, "--libdir").strip(), "libssasync.so.0").is_file()
    assert Path(printed(capsys, "--pkgconfigdir").strip(), "ssasync.pc").is_file()
    assert Path(printed(capsys, "--cmakedir").strip(), "ssasync-config.cmake").is_file()


def test_options_are_answered_in_one_line_whatever_their_order(capsys):
    line = printed(capsys, "--libs", "--cflags")
    assert line == f"{printed(capsys, '--cflags').strip()} {printed(capsys, '--libs').strip()}\n"


def test_without_an_option_all_is_printed(capsys):
    lines = [line.split(maxsplit=1) for line in printed(capsys).splitlines()]
    assert dict(lines) == answers()
    assert list(answers()) == list(CONFIG_OPTIONS)


def test_flags_are_quoted_for_a_shell():
    files = LibraryFiles(Path("/some where/cyclient"))
    assert shlex.join(files.cflags) == "'-I/some where/cyclient/include'"
    assert shlex.split(shlex.join(files.libs)) == files.libs


def test_a_wrong_option_is_refused(capsys):
    with pytest.raises(SystemExit) as refused:
        main(["config", "--lib-flags"])
    assert refused.value.code == 2
    assert "--lib-flags" in capsys.readouterr().err


def test_an_installation_without_the_library_says_so(tmp_path):
    package = tmp_path / "ssasync"
    package.mkdir()
    for name in ("__init__.py", "cli.py", "config.py", "errors.py"):
        shutil.copy(ROOT / "ssasync" / name, package)
    command = [sys.executable, "-c", "import sys, ssasync.cli; sys.exit(ssasync.cli.main(['config', '--libs']))"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"ssasync config: ssasync was installed without its C library: {package}/cyclient/lib "
    )


def test_config_loads_neither_numpy_nor_the_client():
    probe = "import sys; from ssasync.cli import main; main(['config']); print(sorted(sys.modules))"
    modules = run(sys.executable, "-c", probe, cwd=ROOT).splitlines()[-1]
    assert "ssasync.config" in modules
    for heavy in ("numpy", "asyncio", "ssasync.cyclient", "torch"):
        assert f"'{heavy}'" not in modules
