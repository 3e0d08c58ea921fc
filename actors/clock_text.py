"""How moments are written in stories, histories and crash reports."""

import time


def clock_text(at: float, *, date: bool = False) -> str:
    """Wall-clock seconds as local time with milliseconds, such as `12:03:59.250`, after the day if `date`."""
    return time.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S", time.localtime(at)) + f".{int(at % 1 * 1000):03d}"
