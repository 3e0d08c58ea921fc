"""The status record that a launcher leaves about one attempt: bytes in, typed values out.

The table of offsets is in `wlm/c/status_record.h`; the launcher is the only writer.
"""

import enum
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from ssasync.wlm.errors import BadStatusRecord

SIZE = 512
_LAYOUT = struct.Struct("<8s6I2Q2q3iIiI3q4I40s256s84xI")
_MAGIC = b"SSALNCH\0"
_VERSION = 1


class State(enum.IntEnum):
    """Where an attempt is, as its launcher sees it."""

    STARTING = 1  #: nothing runs yet
    RUNNING = 2
    STOPPED = 3  #: by a signal: alive, but does nothing
    CONTINUED = 4  #: runs again after a stop
    ENDING = 5  #: the main process is over, leftovers are being ended
    EXITED = 6  #: final: nothing is left
    FAILED_TO_START = 7  #: final: the program was never reached

    @property
    def final(self) -> bool:
        """Whether nothing of the workload is left."""
        return self in (State.EXITED, State.FAILED_TO_START)

    @property
    def end_known(self) -> bool:
        """Whether exit code or signal are known."""
        return self is State.ENDING or self.final


class Step(enum.IntEnum):
    """The step of a start that failed."""

    NONE = 0
    FORK = 1
    SETUP = 2  #: session, parent-death signal, /dev/null
    CWD = 3
    OUTPUT = 4
    ERROR = 5
    EXEC = 6


class Cause(enum.IntEnum):
    """Who asked for the end."""

    ITSELF = 0  #: nobody
    DRIVER = 1
    SIGNAL = 2  #: the launcher got SIGTERM, SIGINT or SIGHUP from outside
    ORPHAN = 3  #: no driver for orphan_timeout


class Rung(enum.IntEnum):
    """How far up the stop ladder it went."""

    NONE = 0
    SIGNAL = 1  #: the job's own stop signal
    TERM = 2
    KILL = 3


@dataclass(frozen=True, slots=True)
class StatusRecord:
    """What is known about one attempt. Times of the wall clock are in seconds since 1970, `ended` is None before."""

    state: State
    sequence: int
    launcher_pid: int
    workload_pid: int  #: 0 before the start; leads the workload's process group and session
    launcher_start: int  #: clock ticks since boot; 0: this system does not say
    workload_start: int
    started: float
    ended: float | None
    exit_code: int | None
    signal: int | None
    stop_signal: int | None  #: the one that last stopped it
    core_dumped: bool
    error_number: int
    error_step: Step
    user_seconds: float
    system_seconds: float
    maxrss: int  #: bytes
    leftovers: int  #: processes still there when the main process was over
    stops: int
    cause: Cause
    rung: Rung
    boot_id: str
    host: str


def parse(data: bytes) -> StatusRecord:
    """The record in `data`.

    Raises BadStatusRecord: not 512 bytes, another magic or version, a wrong checksum (a write was under way: read
    again), or a word outside the table.
    """
    if len(data) != SIZE:
        raise BadStatusRecord(f"{len(data)} bytes instead of {SIZE}")
    # fmt: off
    (
        magic, version, size, state, sequence, launcher_pid, workload_pid, launcher_start, workload_start,
        started, ended, exit_code, end_signal, stop_signal, core_dumped, error_number, error_step,
        user, system, maxrss, leftovers, stops, cause, rung, boot_id, host, checksum,
    ) = _LAYOUT.unpack(data)
    # fmt: on
    if (magic, version, size) != (_MAGIC, _VERSION, SIZE):
        raise BadStatusRecord(f"magic {magic!r}, version {version}, size {size}")
    if zlib.crc32(data[:-4]) != checksum:
        raise BadStatusRecord("the checksum does not fit")
    try:
        return StatusRecord(
            state=State(state),
            sequence=sequence,
            launcher_pid=launcher_pid,
            workload_pid=workload_pid,
            launcher_start=launcher_start,
            workload_start=workload_start,
            started=started / 1e9,
            ended=ended / 1e9 if ended else None,
            exit_code=exit_code if exit_code >= 0 else None,
            signal=end_signal or None,
            stop_signal=stop_signal or None,
            core_dumped=bool(core_dumped),
            error_number=error_number,
            error_step=Step(error_step),
            user_seconds=user / 1e6,
            system_seconds=system / 1e6,
            maxrss=maxrss * 1024,
            leftovers=leftovers,
            stops=stops,
            cause=Cause(cause),
            rung=Rung(rung),
            boot_id=boot_id.rstrip(b"\0").decode("ascii", "replace"),
            host=os.fsdecode(host.rstrip(b"\0")),
        )
    except ValueError as unknown:
        raise BadStatusRecord(str(unknown)) from unknown


def read(path: Path) -> StatusRecord | None:
    """The record at `path`; None while there is no file.

    Raises BadStatusRecord (see `parse`) when three readings in a row do not fit.
    """
    for attempts_left in (2, 1, 0):
        try:
            return parse(path.read_bytes())
        except FileNotFoundError:
            return None
        except BadStatusRecord:
            # The writer replaces it in one call of microseconds, but the page may be read half way.
            if not attempts_left:
                raise
    raise AssertionError("unreachable")
