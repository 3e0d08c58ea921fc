"""Errors as values: they cross the borders of processes, and are copied, with their class, text and notes."""

import copy
import inspect
import pickle
import re
from typing import Any

import pytest

from ssasync.cyclient import errors
from ssasync.cyclient.errors import InvalidArgument, StoreError, error_from_status

CLASSES = sorted(
    (
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, (StoreError, InvalidArgument))
    ),
    key=lambda each: each.__name__,
)
EXAMPLES = {"str": "a 'word'", "int": 7, "object": 1.5, "Sequence[str]": ["x", "y"]}
#: of ssasync.h, from SSA_ENOMEM on
STATUSES = range(-40, 0)
KINDS = range(6)

WAYS = {
    **{f"pickle {number}": lambda error, n=number: pickle.loads(pickle.dumps(error, n)) for number in range(6)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def made(kind: type[Exception]) -> Exception:
    """One as the code makes it."""
    if not inspect.isfunction(kind.__init__):
        return kind("what happened, where, and what to do")
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return kind(*(EXAMPLES[parameter.annotation] for parameter in parameters))


def described(error: BaseException) -> tuple[Any, ...]:
    return type(error), str(error), repr(error), error.args, vars(error)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("kind", CLASSES)
def test_a_copy_of_an_error_says_the_same(kind, way):
    error = made(kind)
    error.add_note("of member 7")
    assert described(way(error)) == described(error)
    assert described(way(way(error))) == described(error)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_a_copy_of_an_error_of_the_core_says_the_same(way):
    seen = set()
    for status in STATUSES:
        for kind in KINDS:
            error = error_from_status(status, f"text of {status}", kind)
            seen.add(type(error))
            assert described(way(error)) == described(error)
    assert len(seen) > 25


def test_a_group_of_them_is_copied_whole():
    group = ExceptionGroup("batch", [made(kind) for kind in CLASSES])
    again = pickle.loads(pickle.dumps(group))
    assert [described(each) for each in again.exceptions] == [described(each) for each in group.exceptions]
    assert len(again.exceptions) > 30


def test_every_class_is_in_the_tree_that_opens_the_module():
    assert {kind.__name__ for kind in CLASSES} <= set(re.findall(r"\w+", errors.__doc__))
