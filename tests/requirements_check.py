"""What the build needs from the system; with the argument `tests` also what the tests start.

On Debian or Ubuntu and as root it is installed; elsewhere one sentence says what.
Uses nothing but the standard library: it runs before anything is installed.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

APT_ENVIRONMENT = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
#: Program that only tests start: what it is, and the Debian package that has it.
TEST_TOOLS = {
    "c++": ("a C++ compiler", "g++"),
    "cmake": ("CMake", "cmake"),
    "pkg-config": ("pkg-config", "pkg-config"),
    "readelf": ("the programs of binutils", "binutils"),
}


def missing(tests: bool = False) -> dict[str, str]:
    """What is missing: a description, and the Debian package that has it."""
    found = {}
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        found["a C compiler"] = "gcc"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        found["the headers of Python"] = "python3-dev"
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        found["the venv module of Python"] = "python3-venv"
    if tests:
        found.update(row for tool, row in TEST_TOOLS.items() if shutil.which(tool) is None)
    return found


def main() -> None:
    """Check, install if it can be done, and say plainly what is missing if not."""
    if sys.version_info < (3, 11):  # noqa: UP036 - that is the question here
        sys.exit(
            f"ssasync needs Python 3.11 or later; {sys.executable} is {sys.version.split()[0]}. Give make PYTHON=..."
        )
    tests = sys.argv[1:] == ["tests"]
    lacking = missing(tests)
    if lacking and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing", ", ".join(lacking.values()))
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=APT_ENVIRONMENT)
        subprocess.run(["apt-get", "install", "-y", "-qq", *lacking.values()], check=False, env=APT_ENVIRONMENT)
        lacking = missing(tests)
    if lacking:
        who = "The test suite of ssasync" if tests else "ssasync"
        sys.exit(
            f"{who} needs {' and '.join(lacking)}: install it (Debian: apt-get install {' '.join(lacking.values())})."
        )


if __name__ == "__main__":
    main()
