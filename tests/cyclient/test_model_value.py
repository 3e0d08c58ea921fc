"""What of a Python function is stored as a script: the text of a plain `def`; all else is refused, with the reason."""

import functools
import types

import pytest

from ssasync.cyclient import InvalidArgument
from ssasync.cyclient.model_value import script_bytes


def called(text):
    """A decorator with an argument, and one that wraps."""

    def decorate(function):
        @functools.wraps(function)
        def wrapper(*given):
            return text, function(*given)

        return wrapper

    return decorate


def plain(x):
    def inner(y):  # the def of it
        return y

    return inner(x)


@called("undef x")
@called("def of it")
def decorated(x):
    return x


async def asynchronous(x):
    return x


class Scale:
    def __init__(self, k):
        self.k = k

    def __call__(self, x):
        return x * self.k

    @staticmethod
    def halved(x):
        return x / 2


a_lambda = lambda x: x + 1  # the def of it


def test_a_plain_function_is_stored_from_its_def_on():
    assert script_bytes("s", plain) == (
        b"def plain(x):\n    def inner(y):  # the def of it\n        return y\n\n    return inner(x)\n"
    )
    assert script_bytes("s", decorated) == b"def decorated(x):\n    return x\n"
    assert script_bytes("s", Scale.halved) == b"def halved(x):\n    return x / 2\n"


def test_a_function_inside_another_is_stored_without_its_indentation():
    def local(x):
        return x

    assert script_bytes("s", local) == b"def local(x):\n    return x\n"


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (asynchronous, "it is async"),
        (a_lambda, "it is a lambda"),
        (Scale, "it is a class"),
        (Scale(2).__call__, "it is a method"),
        (Scale.__call__, "it is a method of Scale"),
        (Scale(2), "it is a Scale"),
        (functools.partial(plain, 1), "it is a partial"),
        (len, "it is a builtin_function_or_method"),
        (types.FunctionType(plain.__code__.replace(co_filename="<none>"), {}), "its source cannot be found"),
    ],
)
def test_what_is_no_plain_function_is_refused(function, why):
    with pytest.raises(
        InvalidArgument, match=rf"{why}\. Give a plain function \(def\), or its text: set_script\('s', text\)"
    ):
        script_bytes("s", function)
