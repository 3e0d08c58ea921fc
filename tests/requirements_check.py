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
    "valgrind": ("valgrind", "valgrind"),
}
#: The same for `make fuzz`, which needs no other of them.
FUZZ_TOOLS = {"clang": ("clang with libFuzzer", "clang libclang-rt-dev")}
TOOLS = {"tests": TEST_TOOLS, "fuzz": FUZZ_TOOLS}


def missing(purpose: str = "") -> dict[str, str]:
    """What is missing: a description, and the Debian package that has it.

    purpose: "" to build, "tests" or "fuzz" for these too.
    """
    found = {}
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        found["a C compiler"] = "gcc"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        found["the headers of Python"] = "python3-dev"
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        found["the venv module of Python"] = "python3-venv"
    if purpose == "tests" and not has_header("openssl/ssl.h"):
        found["the headers of OpenSSL"] = "libssl-dev"
    if purpose == "tests" and not (shutil.which("redis-server") or shutil.which("redis-check-rdb")):
        found["a Redis that speaks TLS"] = "redis-tools"
    found.update(row for tool, row in TOOLS.get(purpose, {}).items() if shutil.which(tool) is None)
    return found


def has_header(name: str) -> bool:
    """Whether the C compiler finds it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return False
    command = [compiler, "-fsyntax-only", "-x", "c", "-"]
    return (
        subprocess.run(command, input=f"#include <{name}>\n".encode(), capture_output=True, check=False).returncode == 0
    )


def main() -> None:
    """Check, install if it can be done, and say plainly what is missing if not."""
    if sys.version_info < (3, 11):  # noqa: UP036 - that is the question here
        sys.exit(
            f"ssasync needs Python 3.11 or later; {sys.executable} is {sys.version.split()[0]}. Give make PYTHON=..."
        )
    purpose = sys.argv[1] if sys.argv[1:] else ""
    lacking = missing(purpose)
    if lacking and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing", ", ".join(lacking.values()))
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=APT_ENVIRONMENT)
        packages = " ".join(lacking.values()).split()
        subprocess.run(["apt-get", "install", "-y", "-qq", *packages], check=False, env=APT_ENVIRONMENT)
        lacking = missing(purpose)
    if lacking:
        who = {"tests": "The test suite of ssasync", "fuzz": "Fuzzing"}.get(purpose, "ssasync")
        sys.exit(
            f"{who} needs {' and '.join(lacking)}: install it (Debian: apt-get install {' '.join(lacking.values())})."
        )


if __name__ == "__main__":
    main()
