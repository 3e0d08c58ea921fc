"""The Python tests of the client under allocators that check: `python -m tests.cyclient.check_malloc [pytest arguments]`.

glibc verifies its heap at every call and fills memory that is fresh or freed (MALLOC_CHECK_, MALLOC_PERTURB_); Python's own
allocators do the same (PYTHONMALLOC=debug). Only this process: engines and workers that tests start run as always.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: Since glibc 2.34 MALLOC_CHECK_ works only with this library loaded first.
DEBUG_LIBRARY = "libc_malloc_debug.so.0"
SETTINGS = {"PYTHONMALLOC": "debug", "MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "165", "LD_PRELOAD": DEBUG_LIBRARY}

#: One byte behind what was taken, where malloc does not look. Raw: from malloc, or from Python's debug allocator before it.
MISTAKE = """
import ctypes
python = ctypes.pythonapi
python.PyMem_RawMalloc.restype = ctypes.c_void_p
python.PyMem_RawFree.argtypes = [ctypes.c_void_p]
where = python.PyMem_RawMalloc(32)
ctypes.memset(where + 32, 1, 1)
python.PyMem_RawFree(where)
"""


def stops(settings: dict[str, str]) -> bool:
    """Whether a program with the mistake is stopped."""
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS} | settings
    return (
        subprocess.run([sys.executable, "-c", MISTAKE], env=environment, capture_output=True, check=False).returncode
        < 0
    )


class ThisProcessAlone:
    """A pytest plugin: what tests start does not inherit the settings."""

    def pytest_configure(self) -> None:
        """Called before anything is collected."""
        for name in SETTINGS:
            os.environ.pop(name, None)


def main() -> int:
    """Check the checkers, then run the tests in a process that has them."""
    if all(os.environ.get(name) == value for name, value in SETTINGS.items()):
        # What an allocator says before it ends the process must not be captured.
        options = ["-q", "--capture=sys"]
        return int(pytest.main([*(sys.argv[1:] or [str(HERE)]), *options], plugins=[ThisProcessAlone()]))
    if not stops({**SETTINGS, "PYTHONMALLOC": "malloc"}):
        sys.exit(f"the checking malloc of glibc does not check here: it needs glibc with {DEBUG_LIBRARY}.")
    if not stops({"PYTHONMALLOC": "debug"}):
        sys.exit("Python's debug allocator does not check here.")
    command = [sys.executable, "-m", "tests.cyclient.check_malloc", *sys.argv[1:]]
    return subprocess.run(command, env={**os.environ, **SETTINGS}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
