"""The health of one shard as a pure machine: events in, new state and instructions out.

It asks for a PING now and then (often after a slow answer, seldom while all is well) and dooms a shard that answered
nothing for long. A doomed shard is killed and never continued: a write that its clients have given up could still lie
in its socket, and would overwrite a later one (see `test_a_doomed_shard_stays_doomed_whatever_happens`). Time comes in
with the events. A process stopped by a signal is not judged here: the launcher reports it, and `Workload` kills it.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

__all__ = [
    "Answered",
    "Doom",
    "Event",
    "Health",
    "Instruction",
    "Ping",
    "PingFailed",
    "ShardState",
    "Tick",
    "Timing",
    "WakeAt",
    "step",
]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds."""

    #: A shard that answers nothing for so long is dead. Overwriting 5 GiB blocks a healthy engine for 0.4 s.
    silence_limit: float = 10.0
    shortest_interval: float = 0.25  #: between pings, at first and after a slow answer
    longest_interval: float = 4.0
    slow: float = 0.05  #: an answer that took longer is slow


@dataclass(frozen=True, slots=True)
class ShardState:
    """What is known of a running shard. All times are readings of one clock."""

    interval: float
    next_ping: float
    in_flight: bool = False  #: a PING is on its way
    waiting_since: float | None = None  #: when the first PING without an answer was sent
    doomed: bool = False

    @classmethod
    def ready(cls, at: float, timing: Timing) -> "ShardState":
        """A shard that just answered for the first time."""
        return cls(interval=timing.shortest_interval, next_ping=at + timing.shortest_interval)


@dataclass(frozen=True, slots=True)
class Tick:
    """The time asked for by WakeAt has come (any other tick is harmless)."""

    at: float


@dataclass(frozen=True, slots=True)
class Answered:
    """The PING on its way was answered."""

    at: float


@dataclass(frozen=True, slots=True)
class PingFailed:
    """The PING on its way got no answer: its connection broke, or could not be opened."""

    at: float


Event: TypeAlias = Tick | Answered | PingFailed


@dataclass(frozen=True, slots=True)
class Ping:
    """Send a PING and report Answered or PingFailed."""


@dataclass(frozen=True, slots=True)
class Health:
    """Tell those who watch how long the answer took."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send a Tick at this time; replaces an earlier WakeAt."""

    at: float


@dataclass(frozen=True, slots=True)
class Doom:
    """Kill the process: it is dead for its clients, after this many seconds of silence."""

    silence: float


Instruction: TypeAlias = Ping | Health | WakeAt | Doom


def step(state: ShardState, event: Event, timing: Timing) -> tuple[ShardState, tuple[Instruction, ...]]:
    """One event. The instructions end with exactly one WakeAt, or with Doom, after which there are none."""
    if state.doomed:
        return state, ()
    told: tuple[Instruction, ...] = ()
    match event:
        case Answered(at):
            state, told = _answered(state, at, timing)
        case PingFailed(at):
            state = replace(state, in_flight=False, next_ping=at + timing.shortest_interval)
        case Tick():
            pass
    return _due(state, event.at, timing, told)


def _answered(state: ShardState, at: float, timing: Timing) -> tuple[ShardState, tuple[Instruction, ...]]:
    seconds = at - (at if state.waiting_since is None else state.waiting_since)
    interval = timing.shortest_interval if seconds > timing.slow else min(2 * state.interval, timing.longest_interval)
    state = replace(state, in_flight=False, waiting_since=None, interval=interval, next_ping=at + interval)
    return state, (Health(seconds),)


def _due(
    state: ShardState, at: float, timing: Timing, told: tuple[Instruction, ...]
) -> tuple[ShardState, tuple[Instruction, ...]]:
    if state.waiting_since is not None and at >= state.waiting_since + timing.silence_limit:
        return replace(state, doomed=True), (*told, Doom(timing.silence_limit))
    if not state.in_flight and at >= state.next_ping:
        waiting_since = at if state.waiting_since is None else state.waiting_since
        state = replace(state, in_flight=True, waiting_since=waiting_since)
        told = (*told, Ping())
    deadlines = [] if state.in_flight else [state.next_ping]
    if state.waiting_since is not None:
        deadlines.append(state.waiting_since + timing.silence_limit)
    return state, (*told, WakeAt(min(deadlines)))
