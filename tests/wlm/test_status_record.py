"""The record's reader, against bytes made here; what the launcher writes is read in test_process.py."""

import struct
import zlib

import pytest

from ssasync.wlm import BadStatusRecord, State
from ssasync.wlm.status_record import Cause, Rung, Step, parse, read


def record(**fields: tuple[str, int, object]) -> bytes:
    """The table of wlm/c/status_record.h by offsets, so that a slip in either layout shows."""
    data = bytearray(512)
    known = {
        "magic": ("8s", 0, b"SSALNCH\0"),
        "version": ("<I", 8, 1),
        "size": ("<I", 12, 512),
        "state": ("<I", 16, 6),
        "sequence": ("<I", 20, 3),
        "launcher_pid": ("<I", 24, 100),
        "workload_pid": ("<I", 28, 101),
        "launcher_start": ("<Q", 32, 2**40),
        "workload_start": ("<Q", 40, 2**40 + 1),
        "started": ("<q", 48, 1_700_000_000_500_000_000),
        "ended": ("<q", 56, 1_700_000_010_000_000_000),
        "exit_code": ("<i", 64, 3),
        "signal": ("<i", 68, 0),
        "stop_signal": ("<i", 72, 19),
        "core": ("<I", 76, 1),
        "errno": ("<i", 80, 2),
        "step": ("<I", 84, 6),
        "user": ("<q", 88, 1_500_000),
        "system": ("<q", 96, 250_000),
        "maxrss": ("<q", 104, 4),
        "leftovers": ("<I", 112, 5),
        "stops": ("<I", 116, 6),
        "cause": ("<I", 120, 2),
        "rung": ("<I", 124, 3),
        "boot": ("40s", 128, b"boot-id"),
        "host": ("256s", 168, b"node7"),
    }
    for layout, offset, value in {**known, **fields}.values():
        struct.pack_into(layout, data, offset, value)
    struct.pack_into("<I", data, 508, zlib.crc32(data[:508]))
    return bytes(data)


def test_every_field_is_read_from_its_place():
    got = parse(record())
    assert (got.state, got.sequence, got.launcher_pid, got.workload_pid) == (State.EXITED, 3, 100, 101)
    assert (got.launcher_start, got.workload_start) == (2**40, 2**40 + 1)
    assert (got.started, got.ended) == (1_700_000_000.5, 1_700_000_010.0)
    assert (got.exit_code, got.signal, got.stop_signal, got.core_dumped) == (3, None, 19, True)
    assert (got.error_number, got.error_step) == (2, Step.EXEC)
    assert (got.user_seconds, got.system_seconds, got.maxrss) == (1.5, 0.25, 4096)
    assert (got.leftovers, got.stops, got.cause, got.rung) == (5, 6, Cause.SIGNAL, Rung.KILL)
    assert (got.boot_id, got.host) == ("boot-id", "node7")


def test_what_is_not_known_yet_is_none():
    got = parse(record(state=("<I", 16, 2), ended=("<q", 56, 0), exit_code=("<i", 64, -1)))
    assert (got.ended, got.exit_code, got.signal) == (None, None, None)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "0 bytes instead of 512"),
        (record()[:-1], "511 bytes"),
        (record(magic=("8s", 0, b"PK\3\4")), "magic"),
        (record(version=("<I", 8, 2)), "version 2"),
        (record()[:100] + b"\1" + record()[101:], "checksum"),
        (record(state=("<I", 16, 77)), "77 is not a valid State"),
        (record(cause=("<I", 120, 9)), "9 is not a valid Cause"),
    ],
)
def test_what_no_launcher_wrote_is_refused(data, complaint):
    with pytest.raises(BadStatusRecord, match=complaint):
        parse(data)


def test_missing_file_is_no_record_and_a_broken_one_an_error(tmp_path):
    assert read(tmp_path / "none") is None
    (tmp_path / "broken").write_bytes(b"\0" * 512)
    with pytest.raises(BadStatusRecord):
        read(tmp_path / "broken")
