"""What the build needs from the system. On Debian or Ubuntu and as root it is installed; elsewhere one sentence says what.

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


def missing() -> dict[str, str]:
    """What is missing: a description, and the Debian package that has it."""
    found = {}
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        found["a C compiler"] = "gcc"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        found["the headers of Python"] = "python3-dev"
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        found["the venv module of Python"] = "python3-venv"
    return found


def main() -> None:
    """Check, install if it can be done, and say plainly what is missing if not."""
    if sys.version_info < (3, 11):  # noqa: UP036 - that is the question here
        sys.exit(
            f"ssasync needs Python 3.11 or later; {sys.executable} is {sys.version.split()[0]}. Give make PYTHON=..."
        )
    lacking = missing()
    if lacking and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing", ", ".join(lacking.values()))
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=APT_ENVIRONMENT)
        subprocess.run(["apt-get", "install", "-y", "-qq", *lacking.values()], check=False, env=APT_ENVIRONMENT)
        lacking = missing()
    if lacking:
        sys.exit(
            f"ssasync needs {' and '.join(lacking)}: install it (Debian: apt-get install {' '.join(lacking.values())})."
        )


if __name__ == "__main__":
    main()
