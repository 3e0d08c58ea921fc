from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssasync.actors.errors import RegisteredName, UnknownName
from ssasync.actors.reference import ActorRef
from ssasync.actors.registry import Registry, RegistryStatistics


def ref_to(path: str) -> ActorRef:
    """The registry asks a reference for nothing but its path."""
    child: Any = SimpleNamespace(path=path)
    return ActorRef(child)


def test_a_name_leads_to_its_child() -> None:
    registry, clock = Registry(), ref_to("/demo/clock")
    registry.register("time", clock)
    assert registry.whereis("time") is clock
    assert registry.registered() == {"time": clock}


def test_registering_the_same_child_again_changes_nothing() -> None:
    registry, clock = Registry(), ref_to("/demo/clock")
    registry.register("time", clock)
    registry.register("time", clock)
    assert registry.registered() == {"time": clock}
    assert registry.statistics() == RegistryStatistics(names=1, children=1)


def test_a_name_of_another_child_is_refused() -> None:
    registry, clock = Registry(), ref_to("/demo/clock")
    registry.register("time", clock)
    with pytest.raises(RegisteredName) as caught:
        registry.register("time", ref_to("/demo/sundial"))
    error = caught.value
    assert (error.name, error.path, error.owner) == ("time", "/demo/sundial", "/demo/clock")
    assert str(error).startswith("/demo/sundial cannot be registered as 'time': /demo/clock is, and is not over.")
    assert registry.whereis("time") is clock


def test_a_name_can_be_taken_back_and_given_to_another() -> None:
    registry, clock, sundial = Registry(), ref_to("/demo/clock"), ref_to("/demo/sundial")
    registry.register("time", clock)
    registry.unregister("time")
    assert registry.statistics() == RegistryStatistics(names=0, children=0)
    registry.register("time", sundial)
    assert registry.whereis("time") is sundial


def test_a_child_that_is_over_loses_all_its_names_and_no_others() -> None:
    registry, clock, sundial = Registry(), ref_to("/demo/clock"), ref_to("/demo/sundial")
    for name, ref in (("time", clock), ("sun", sundial), ("alarm", clock)):
        registry.register(name, ref)
    assert registry.unregister_child(clock) == ("time", "alarm")
    assert registry.unregister_child(clock) == ()
    assert registry.registered() == {"sun": sundial}


def test_an_unknown_name_tells_which_ones_there_are() -> None:
    registry = Registry()
    with pytest.raises(UnknownName, match="no actor is registered as 'time'; registered names: none"):
        registry.whereis("time")
    for number in range(12):
        registry.register(f"n{number}", ref_to(f"/demo/{number}"))
    with pytest.raises(UnknownName, match=r"as 'time'; registered names: 'n0', .* 'n9' and 2 more$"):
        registry.unregister("time")


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(ValueError, match="/demo/clock was to be registered under an empty name"):
        Registry().register("", ref_to("/demo/clock"))


def test_what_registered_returns_is_a_copy() -> None:
    registry = Registry()
    registry.register("time", ref_to("/demo/clock"))
    registry.registered().clear()
    assert list(registry.registered()) == ["time"]


names, children = st.sampled_from("abcde"), st.integers(0, 3)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("register"), names, children),
        st.tuples(st.just("unregister"), names, children),
        st.tuples(st.just("over"), names, children),
    ),
    max_size=40,
)


@given(steps)
def test_behaves_as_a_dictionary_that_forgets_children(steps: list[tuple[str, str, int]]) -> None:
    registry, refs = Registry(), [ref_to(f"/demo/{number}") for number in range(4)]
    model: dict[str, int] = {}
    for step, name, child in steps:
        if step == "over":
            names = [known for known, owner in model.items() if owner == child]
            assert sorted(registry.unregister_child(refs[child])) == sorted(names)
            model = {known: owner for known, owner in model.items() if owner != child}
        elif step == "unregister":
            if name in model:
                registry.unregister(name)
                del model[name]
            else:
                with pytest.raises(UnknownName):
                    registry.unregister(name)
        elif model.get(name, child) != child:
            with pytest.raises(RegisteredName):
                registry.register(name, refs[child])
        else:
            registry.register(name, refs[child])
            model[name] = child
        assert registry.registered() == {known: refs[owner] for known, owner in model.items()}
        assert registry.statistics() == RegistryStatistics(len(model), len(set(model.values())))
