"""Runs the programs of c_engine/, which use the whole C core, on a store."""

import os
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent / "c_engine"


def run(program: Path, mode: str, addresses: str, password: str, *words: str, timeout: float = 110) -> str:
    """What it says; it must find nothing wrong."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SS", "SR_"))}
    command = [program, mode, addresses, password, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout
