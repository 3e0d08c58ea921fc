"""The health of a shard, with plain values."""

import random

import pytest

from ssasync.store.shard_state import (
    Answered,
    Doom,
    Event,
    Health,
    Instruction,
    Ping,
    PingFailed,
    ShardState,
    Tick,
    Timing,
    WakeAt,
    step,
)

TIMING = Timing(silence_limit=10.0, shortest_interval=0.25, longest_interval=4.0, slow=0.05)


class Trial:
    """A machine and a clock."""

    def __init__(self) -> None:
        self.state = ShardState.ready(0.0, TIMING)
        self.told: tuple[Instruction, ...] = ()

    def __call__(self, event: Event) -> tuple[Instruction, ...]:
        self.state, self.told = step(self.state, event, TIMING)
        return self.told


def test_pings_become_rare_while_answers_are_quick() -> None:
    trial, at, gaps = Trial(), 0.0, []
    for _ in range(7):
        due = trial.state.next_ping
        gaps.append(due - at)
        assert Ping() in trial(Tick(due))
        at = due + 0.001
        assert trial(Answered(at)) == (Health(pytest.approx(0.001)), WakeAt(trial.state.next_ping))
    assert gaps == pytest.approx([0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0], abs=0.01)


def test_a_slow_answer_makes_pings_frequent_again() -> None:
    trial = Trial()
    trial(Tick(0.25))
    trial(Answered(0.26))
    trial(Tick(0.76))
    trial(Answered(0.96))
    assert trial.state.next_ping == pytest.approx(0.96 + 0.25)


def test_no_second_ping_is_sent_while_one_is_on_its_way() -> None:
    trial = Trial()
    trial(Tick(0.25))
    assert trial(Tick(3.0)) == (WakeAt(10.25),)


def test_silence_dooms_the_shard() -> None:
    trial = Trial()
    trial(Tick(0.25))
    assert trial(Tick(10.24)) == (WakeAt(10.25),)
    assert trial(Tick(10.25)) == (Doom(10.0),)


def test_failed_pings_are_repeated_and_count_as_one_silence() -> None:
    trial = Trial()
    trial(Tick(0.25))
    at, pings = 0.3, 0
    while not trial.state.doomed:
        trial(PingFailed(at))
        at = round(at + 0.25, 6)
        pings += Ping() in trial(Tick(at))
    assert 10.25 <= at < 10.6
    assert pings == 39
    assert trial.told == (Doom(10.0),)


def test_a_doomed_shard_stays_doomed_whatever_happens() -> None:
    trial = Trial()
    trial(Tick(0.25))
    trial(Tick(11.0))
    for event in (Answered(11.2), Tick(11.3), PingFailed(11.5)):
        assert trial(event) == ()
        assert trial.state.doomed


def test_every_step_ends_with_one_wake_up_or_with_doom() -> None:
    chance = random.Random(4)
    for _ in range(300):
        trial, at = Trial(), 0.0
        while not trial.state.doomed and at < 60:
            at += chance.expovariate(4)
            event = chance.choice([Tick, Tick, Answered, PingFailed])(at)
            if isinstance(event, Answered | PingFailed) and not trial.state.in_flight:
                continue
            *others, last = trial(event)
            assert isinstance(last, Doom) if trial.state.doomed else isinstance(last, WakeAt)
            assert not any(isinstance(other, WakeAt | Doom) for other in others)
            assert sum(isinstance(other, Ping) for other in others) <= 1
            if isinstance(last, WakeAt):
                assert last.at > at
            if trial.state.in_flight:
                assert trial.state.waiting_since is not None
