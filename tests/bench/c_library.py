"""The C library as a subject: `c_client.c`, compiled and linked as `ssasync config` says."""

import shlex
import subprocess
import sys
from pathlib import Path

from tests.bench.programs import ProgramError, compile_program


def compile_c_client(directory: Path) -> Path:
    """The program. Raises ProgramError: why there is none."""
    asked = subprocess.run(
        [sys.executable, "-m", "ssasync.cli", "config", "--cflags", "--libs"],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        raise ProgramError(f"not built: `ssasync config` says {(asked.stderr.strip().splitlines() or ['nothing'])[-1]}")
    return compile_program("c_client", directory, *shlex.split(asked.stdout))
