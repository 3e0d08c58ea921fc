"""When a peer that owes an answer counts as lost: what moved on a connection between two looks. Pure."""

from __future__ import annotations

from typing import NamedTuple

from ssasync.cyclient import _core


class Progress(NamedTuple):
    """What one look saw."""

    received: int
    sent: int
    sending: bool  #: more was to be sent than the socket took


NOTHING = Progress(0, 0, False)


def progress_of(core: _core.Connection) -> Progress:
    """The bytes that have moved so far."""
    statistics = core.statistics()
    return Progress(statistics["bytes_received"], statistics["bytes_sent"], core.wants_write)


def was_silent(before: Progress, now: Progress) -> bool:
    """Nothing came. What is taken of a long request is a sign of life, that short ones fit in the socket is none."""
    return now.received == before.received and (now.sent == before.sent or not (now.sending or before.sending))
