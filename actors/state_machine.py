"""A table of states and moves for actors that have states: what is not in the table cannot happen in silence."""

import enum
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ssasync.actors.clock_text import clock_text
from ssasync.actors.errors import IllegalTransition

S = TypeVar("S", bound=enum.Enum)


@dataclass(frozen=True, slots=True)
class StateTransition(Generic[S]):
    """One move of a machine; `at` is what its clock said, seconds since the epoch unless told otherwise."""

    at: float
    before: S
    after: S
    detail: str = ""

    def __str__(self) -> str:
        text = f"{clock_text(self.at)} {state_text(self.before)} → {state_text(self.after)}"
        return f"{text} {self.detail}" if self.detail else text


class StateMachine(Generic[S]):
    """Holds one state of an enum and moves it along a table; any other move is an error that carries the last ones.

    name: for error messages. initial: the first state; its class is the enum. table: for every state of the enum those
    that may follow it; an empty row is a final state, and only a state in its own row may follow itself.
    on_change: called with before, after and detail when the state has changed already; if it raises, so does `to`, and
    the change stays. history: how many of the last moves are kept. clock: seconds since the epoch.
    Raises ValueError that lists all mistakes of the table: missing rows, strangers, states that nothing leads to.
    """

    __slots__ = ("_clock", "_history", "_on_change", "_since", "_state", "_table", "name")

    def __init__(
        self,
        name: str,
        initial: S,
        table: Mapping[S, Collection[S]],
        *,
        on_change: Callable[[S, S, str], None] | None = None,
        history: int = 20,
        clock: Callable[[], float] = time.time,
    ) -> None:
        mistakes = list(_mistakes(initial, table))
        if history < 1:
            mistakes.append(f"history={history} keeps nothing to tell after an illegal move; give 1 or more")
        if mistakes:
            raise ValueError(f"state machine {name!r}: " + "; ".join(mistakes))
        self.name = name
        # Rows in the order of the enum, whatever collection they came in: error messages are the same in every run.
        self._table: dict[S, tuple[S, ...]] = {
            state: tuple(after for after in type(initial) if after in targets) for state, targets in table.items()
        }
        self._state = initial
        self._on_change = on_change
        self._history: deque[StateTransition[S]] = deque(maxlen=history)
        self._clock = clock
        self._since = clock()

    @property
    def state(self) -> S:
        """The present state."""
        return self._state

    @property
    def since(self) -> float:
        """When the present state was entered, by the machine's clock."""
        return self._since

    @property
    def history(self) -> tuple[StateTransition[S], ...]:
        """The last moves, oldest first."""
        return tuple(self._history)

    def can(self, new: S) -> bool:
        """Whether the table leads from the present state to `new`."""
        return new in self._table[self._state]

    def to(self, new: S, detail: str = "") -> None:
        """Move to `new`. Raises IllegalTransition, the state unchanged, if the table does not lead there."""
        before = self._state
        allowed = self._table[before]
        if new not in allowed:
            words = [state_text(state) for state in allowed]
            raise IllegalTransition(self.name, state_text(before), state_text(new), words, self.history)
        self._state = new
        self._since = self._clock()
        self._history.append(StateTransition(self._since, before, new, detail))
        if self._on_change is not None:
            self._on_change(before, new, detail)

    def __repr__(self) -> str:
        return f"StateMachine({self.name!r}, {state_text(self._state)})"


def state_text(state: enum.Enum) -> str:
    """A state in words: its value if that is text, else its name."""
    value = getattr(state, "value", state)
    return value if isinstance(value, str) else getattr(state, "name", repr(state))


def _mistakes(initial: Any, table: Mapping[Any, Collection[Any]]) -> Iterator[str]:
    states = type(initial)
    if not isinstance(initial, enum.Enum):
        yield f"the initial state {initial!r} is no member of an enum"
        return
    for row in table:
        if not isinstance(row, states):
            yield f"the table has a row for {row!r}, which is no {states.__name__}"
    for state in states:
        if state not in table:
            yield f"{state.name} has no row in the table; give it an empty one if nothing follows it"
            continue
        for after in table[state]:
            if not isinstance(after, states):
                yield f"the row of {state.name} leads to {after!r}, which is no {states.__name__}"
    reached = _reached(initial, table)
    for state in states:
        if state not in reached:
            yield f"{state.name} cannot be reached from {initial.name}"


def _reached(initial: enum.Enum, table: Mapping[Any, Collection[Any]]) -> set[object]:
    reached: set[object] = {initial}
    border: list[object] = [initial]
    while border:
        for after in table.get(border.pop(), ()):
            if after not in reached:
                reached.add(after)
                border.append(after)
    return reached
