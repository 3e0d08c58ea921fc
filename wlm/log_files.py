"""Where the output of each attempt goes: numbered files, and a link of a stable name to the latest.

`member_0.out` -> `member_0.3.out`. Numbers go on across experiments in the same directory: nothing is overwritten.
"""

import contextlib
import os
import re
from pathlib import Path
from typing import NamedTuple

from ssasync.wlm.errors import OutputFileError, WorkingDirectoryError
from ssasync.wlm.job import Job

#: What `tail` reads of the end of a file, whatever the length of its lines.
_TAIL_BYTES = 16 * 1024


class LogFiles(NamedTuple):
    """The files of one attempt."""

    output: Path
    error: Path


def next_log_files(job: Job) -> LogFiles:
    """Create the files of the next attempt and turn the links to them.

    A plain file where the link goes is kept under a number of its own. Raises OutputFileError (no such folder, not
    writable), WorkingDirectoryError (the files lie in a working directory that is not there).
    """
    number = 1 + max(_latest_number(job.output), _latest_number(job.error))
    output = _numbered(job.output, number)
    error = _numbered(job.error, number)
    for stream, link, file in (("stdout", job.output, output), ("stderr", job.error, error)):
        try:
            if link.exists() and not link.is_symlink():
                os.replace(link, _numbered(link, 0 if not _numbered(link, 0).exists() else number))  # noqa: PTH105
            file.touch(mode=0o666)
            _turn_link(link, file)
        except OSError as problem:
            if not job.cwd.is_dir():
                raise WorkingDirectoryError(job.name, job.cwd, problem.errno or 0) from None
            raise OutputFileError(job.name, stream, file, problem.errno or 0) from None
    return LogFiles(output, error)


def tail(path: Path, lines: int = 20) -> list[str]:
    """The last lines of a file; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return text.splitlines()[-lines:]


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.{number}{path.suffix}")


def _latest_number(path: Path) -> int:
    pattern = re.compile(re.escape(path.stem) + r"\.(\d+)" + re.escape(path.suffix))
    numbers = [0]
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        numbers += [int(match[1]) for entry in entries if (match := pattern.fullmatch(entry.name))]
    return max(numbers)


def _turn_link(link: Path, target: Path) -> None:
    """Never without the link: whoever follows it sees the old file or the new one."""
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    fresh.symlink_to(target.name)
    fresh.replace(link)
