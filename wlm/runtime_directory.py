"""The host-local directory of one experiment: its lock, the locks and status records of attempts, its sockets.

It is private (0700), its path is short (the path of a unix socket has about 100 bytes), and it goes with the
experiment: the driver removes it, or the last launcher when the driver was killed.
"""

import contextlib
import errno
import fcntl
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ssasync.wlm.errors import RuntimeDirectoryError

#: A launcher that looks whether a driver is there shares the lock for microseconds; another driver holds it for long.
_LOCK_TRIES = 40
_LOCK_PAUSE = 0.005
#: Room for `/attempts/...` is not needed in sockets: they lie in the directory itself, `/<port>.sock`.
_LONGEST_PATH = 80


@dataclass(frozen=True, slots=True)
class AttemptFiles:
    """Where one attempt's lock and record are. `lock_fd` is locked; its holder is the attempt's proof of life."""

    lock: Path
    lock_fd: int
    record: Path


class RuntimeDirectory:
    """The directory, held by this driver through a flock on `driver.lock` until `close`.

    records: where status records go; default: inside, so that they vanish with it. A folder of the experiment's own
    directory keeps them for a later driver.
    """

    def __init__(self, path: Path, *, records: Path | None = None) -> None:
        self.path = path
        self.driver_lock = path / "driver.lock"
        self._attempts = path / "attempts"
        self._records = records or self._attempts
        self._numbers: dict[str, int] = {}
        self._lock_fd: int | None = self._acquire()
        self._attempts.mkdir(mode=0o700, exist_ok=True)
        self._records.mkdir(mode=0o700, exist_ok=True, parents=True)

    @classmethod
    def create(cls, *, parent: Path | None = None, records: Path | None = None) -> Self:
        """A fresh directory under `parent`, default XDG_RUNTIME_DIR or the temporary directory.

        Raises RuntimeDirectoryError: no such place is writable and short enough.
        """
        complaints = []
        for base in [parent] if parent is not None else _candidates():
            try:
                path = Path(tempfile.mkdtemp(prefix="ssa-", dir=base))
            except OSError as error:
                complaints.append(f"{base}: {error.strerror}")
                continue
            if len(os.fsencode(path)) <= _LONGEST_PATH:
                return cls(path, records=records)
            path.rmdir()
            complaints.append(f"{base}: the path is too long for unix sockets")
        raise RuntimeDirectoryError(
            f"no place for the runtime directory ({'; '.join(complaints)}). Set XDG_RUNTIME_DIR or TMPDIR to a "
            f"writable directory of this host with a path of fewer than {_LONGEST_PATH - 13} bytes."
        )

    def new_attempt(self, name: str) -> AttemptFiles:
        """Files for the next attempt of `name`; the caller closes `lock_fd`."""
        stem = re.sub(r"[^\w.-]", "_", name)[:100]
        while True:
            number = self._numbers[stem] = self._numbers.get(stem, 0) + 1
            lock = self._attempts / f"{stem}.{number}.lock"
            record = self._records / f"{stem}.{number}.status"
            if record.exists():  # of an earlier driver
                continue
            with contextlib.suppress(FileExistsError):
                fd = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return AttemptFiles(lock, fd, record)

    def close(self) -> None:
        """Remove the directory; one in which an attempt still lives is left to the last launcher. May be repeated."""
        if self._lock_fd is None:
            return
        if not any(_is_held(lock) for lock in self._attempts.glob("*.lock")):
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock_fd)
        self._lock_fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _acquire(self) -> int:
        for _ in range(_LOCK_TRIES):
            fd = os.open(self.driver_lock, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A launcher may have removed the file between open and lock: what is locked must be what lies there.
                if os.path.samestat(os.fstat(fd), self.driver_lock.stat()):
                    return fd
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.ENOENT):
                    os.close(fd)
                    raise
            os.close(fd)
            time.sleep(_LOCK_PAUSE)
        raise RuntimeDirectoryError(
            f"another driver holds {self.driver_lock}: the experiment is running. Wait for it, or stop it first."
        )


def _candidates() -> list[Path]:
    """XDG_RUNTIME_DIR when it is ours and writable, then the temporary directory, then /tmp."""
    wanted = [tempfile.gettempdir(), "/tmp"]  # noqa: S108 - the private directory is made by mkdtemp
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    with contextlib.suppress(OSError):
        if runtime and Path(runtime).stat().st_uid == os.getuid():
            wanted.insert(0, runtime)
    return [Path(place) for place in dict.fromkeys(wanted)]


def _is_held(lock: Path) -> bool:
    try:
        fd = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        # Shared, as launchers look: theirs must not seem an attempt that lives, nor ours to them.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False
