"""The hook by which intents are made to survive the driver: recorded before the act, not after it.

The bus is no journal: it tells what has happened and may drop. Where the records go is the business of who gives one.
"""

import enum
from dataclasses import dataclass
from typing import Protocol


class Act(enum.Enum):
    """What is about to be done to a child."""

    START = "start"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Intent:
    """A supervisor is about to do `act` to the incarnation `attempt` of the child at `path`."""

    act: Act
    path: str
    attempt: int


class Journal(Protocol):
    """Whatever keeps intents."""

    async def record(self, intent: Intent) -> None:
        """Return when `intent` is safe; the act follows.

        Raising before a start makes the start fail; raising before a stop does not hinder it.
        Many calls may be under way at once, so that an implementation can commit them together.
        """
        ...
