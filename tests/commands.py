"""Start a program and wait for it; a failure shows what it said."""

import subprocess
from pathlib import Path


def run(*command: str | Path, cwd: Path, environment: dict[str, str] | None = None) -> str:
    """The program's standard output; AssertionError with all of its output when it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout
