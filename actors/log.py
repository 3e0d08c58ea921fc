"""The kernel's log: what goes wrong there stays there."""

import logging
import sys
import traceback

log = logging.getLogger("ssasync.actors")


def tell_log(level: int, text: str, *arguments: object, error: BaseException | None = None) -> None:
    """Log, with the traceback of `error`; never fails.

    A filter or handler that the program added may raise. In a supervisor that would take all its children along, because
    one of them had something to be told; so it is printed instead, as logging does with the failures of `emit`.
    """
    try:
        log.log(level, text, *arguments, exc_info=error)
    except Exception:  # noqa: BLE001 -- see above
        if logging.raiseExceptions and sys.stderr is not None:
            traceback.print_exc()
