"""The parameters of each member."""

import pytest

from ssasync.permutation import permutations


def test_all_combinations_the_last_parameter_fastest():
    assert permutations({"a": [1, 2], "b": ["x", "y"]}, "all_perm") == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]


def test_step_takes_first_with_first_and_single_values_for_all():
    assert permutations({"a": [1, 2], "b": 0.5}, "step") == [{"a": 1, "b": 0.5}, {"a": 2, "b": 0.5}]


@pytest.mark.parametrize(
    ("params", "strategy", "text"),
    [
        ({"a": [1, 2, 3], "b": [1, 2]}, "step", "one length"),
        ({"a": []}, "all_perm", "no values"),
        ({"a": [None]}, "all_perm", "None"),
        ({"a": [True]}, "all_perm", "True"),
        ({"a": [1]}, "random", "'random'"),
    ],
)
def test_what_has_no_meaning_is_refused(params, strategy, text):
    with pytest.raises(ValueError, match=text):
        permutations(params, strategy)
