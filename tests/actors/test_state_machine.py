import enum
from collections.abc import Collection, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssasync.actors.errors import IllegalTransition
from ssasync.actors.state_machine import StateMachine, StateTransition, state_text


class Door(enum.Enum):
    SHUT = "shut"
    OPEN = "open"
    LOCKED = "locked"


DOOR: Mapping[Door, Collection[Door]] = {
    Door.SHUT: {Door.OPEN, Door.LOCKED},
    Door.OPEN: [Door.SHUT],
    Door.LOCKED: (Door.SHUT,),
}


class Light(enum.Enum):
    RED = 1
    GREEN = 2
    AMBER = 3
    OFF = 4


def clock_from(times: list[float]) -> Any:
    return iter(times).__next__


def test_moves_along_the_table_and_keeps_what_happened() -> None:
    machine = StateMachine("door", Door.SHUT, DOOR, clock=clock_from([1.0, 2.0, 3.0]))
    assert (machine.state, machine.since, machine.history) == (Door.SHUT, 1.0, ())
    machine.to(Door.OPEN, "somebody came")
    machine.to(Door.SHUT)
    assert (machine.state, machine.since) == (Door.SHUT, 3.0)
    assert machine.history == (
        StateTransition(2.0, Door.SHUT, Door.OPEN, "somebody came"),
        StateTransition(3.0, Door.OPEN, Door.SHUT),
    )
    assert str(machine.history[0]).endswith(" shut → open somebody came")
    assert repr(machine) == "StateMachine('door', shut)"


def test_an_illegal_move_changes_nothing_and_tells_the_last_moves() -> None:
    machine = StateMachine("front door", Door.SHUT, DOOR)
    machine.to(Door.LOCKED, "for the night")
    since = machine.since
    with pytest.raises(IllegalTransition) as caught:
        machine.to(Door.OPEN)
    assert (machine.state, machine.since, len(machine.history)) == (Door.LOCKED, since, 1)
    error = caught.value
    assert (error.machine, error.before, error.after, error.allowed) == ("front door", "locked", "open", ("shut",))
    assert error.history == machine.history
    text = str(error)
    assert text.startswith("state machine 'front door' is locked and was to become open; only shut may follow.")
    assert text.endswith("shut → locked for the night")


def test_a_final_state_says_so() -> None:
    machine = StateMachine(
        "light",
        Light.RED,
        {Light.RED: [Light.GREEN, Light.AMBER, Light.OFF], Light.GREEN: (), Light.AMBER: (), Light.OFF: ()},
    )
    with pytest.raises(IllegalTransition, match=r"only GREEN, AMBER, OFF may follow.*It had made no move before"):
        machine.to(Light.RED)  # a state follows itself only if its own row says so
    machine.to(Light.OFF)
    with pytest.raises(
        IllegalTransition, match="is OFF and was to become RED; nothing may follow, it is a final state"
    ):
        machine.to(Light.RED)


def test_a_state_in_its_own_row_may_follow_itself() -> None:
    table = {Door.SHUT: [Door.SHUT, Door.OPEN], Door.OPEN: [Door.LOCKED], Door.LOCKED: ()}
    machine = StateMachine("door", Door.SHUT, table)
    machine.to(Door.SHUT, "again")
    assert [move.detail for move in machine.history] == ["again"]


def test_on_change_is_called_when_the_state_has_changed() -> None:
    seen: list[tuple[Door, Door, str, Door]] = []
    machine = StateMachine(
        "door",
        Door.SHUT,
        DOOR,
        on_change=lambda before, after, detail: seen.append((before, after, detail, machine.state)),
    )
    machine.to(Door.OPEN, "hello")
    with pytest.raises(IllegalTransition):
        machine.to(Door.LOCKED)
    assert seen == [(Door.SHUT, Door.OPEN, "hello", Door.OPEN)]


def test_what_on_change_raises_reaches_the_caller_and_the_change_stays() -> None:
    def refuse(before: Door, after: Door, detail: str) -> None:
        raise OSError("the bell is broken")

    machine = StateMachine("door", Door.SHUT, DOOR, on_change=refuse)
    with pytest.raises(OSError, match="bell"):
        machine.to(Door.OPEN)
    assert (machine.state, len(machine.history)) == (Door.OPEN, 1)


def test_all_mistakes_of_a_table_are_told_at_once() -> None:
    table: Any = {Light.RED: [Light.GREEN, Door.OPEN], Light.GREEN: [Light.RED], Door.SHUT: (), Light.OFF: "on"}
    with pytest.raises(ValueError) as caught:
        StateMachine("crossing", Light.RED, table, history=0)
    assert str(caught.value) == (
        "state machine 'crossing': the table has a row for <Door.SHUT: 'shut'>, which is no Light; "
        "the row of RED leads to <Door.OPEN: 'open'>, which is no Light; "
        "AMBER has no row in the table; give it an empty one if nothing follows it; "
        "the row of OFF leads to 'o', which is no Light; the row of OFF leads to 'n', which is no Light; "
        "AMBER cannot be reached from RED; OFF cannot be reached from RED; "
        "history=0 keeps nothing to tell after an illegal move; give 1 or more"
    )


def test_the_initial_state_must_be_of_an_enum() -> None:
    initial: Any = "shut"
    with pytest.raises(ValueError, match="the initial state 'shut' is no member of an enum"):
        StateMachine("door", initial, {})


def test_the_table_may_change_afterwards() -> None:
    table = {state: set(after) for state, after in DOOR.items()}
    machine = StateMachine("door", Door.SHUT, table)
    table[Door.SHUT].clear()
    assert machine.can(Door.OPEN)


def test_states_without_words_are_called_by_their_names() -> None:
    assert (state_text(Door.SHUT), state_text(Light.AMBER)) == ("shut", "AMBER")


tables = st.fixed_dictionaries({state: st.sets(st.sampled_from(Light)) for state in Light})


@given(tables, st.sampled_from(Light))
def test_a_table_is_refused_exactly_if_something_cannot_be_reached(
    table: dict[Light, set[Light]], initial: Light
) -> None:
    reached = {initial}
    for _ in Light:  # as many rounds as there are states reach whatever can be reached
        reached |= {after for state in reached for after in table[state]}
    missing = [state for state in Light if state not in reached]
    if not missing:
        StateMachine("light", initial, table)
        return
    with pytest.raises(ValueError) as caught:
        StateMachine("light", initial, table)
    for state in missing:
        assert f"{state.name} cannot be reached from {initial.name}" in str(caught.value)


@given(tables, st.lists(st.sampled_from(Light), max_size=40), st.integers(1, 5))
def test_any_walk_follows_the_table(table: dict[Light, set[Light]], wishes: list[Light], history: int) -> None:
    table[Light.RED] = set(Light)  # all can be reached
    seen: list[tuple[Light, Light]] = []
    machine = StateMachine(
        "light", Light.RED, table, history=history, on_change=lambda before, after, _: seen.append((before, after))
    )
    state, made = Light.RED, 0
    for wish in wishes:
        assert machine.can(wish) is (wish in table[state])
        if wish in table[state]:
            machine.to(wish)
            state, made = wish, made + 1
        else:
            before = machine.history
            with pytest.raises(IllegalTransition):
                machine.to(wish)
            assert machine.history == before
        assert machine.state is state
        assert len(machine.history) == min(made, history)
    assert [(move.before, move.after) for move in machine.history] == seen[-history:]
    assert all(
        first.after is second.before for first, second in zip(machine.history, machine.history[1:], strict=False)
    )
