"""What may be given to an operation, in Python's types: turned into what the core takes, or refused with a remedy.

What depends on the values alone (ranges, names) is checked in C, for all faces.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Sequence
from typing import Any, Literal, SupportsFloat, SupportsIndex, get_args

import numpy as np

from ssasync.cyclient.errors import InvalidArgument, WrongType

Array = np.ndarray[Any, Any]
Names = str | Sequence[str]
Order = Literal["K", "C", "F"]

_ORDERS = get_args(Order)
_INT64 = range(-(1 << 63), 1 << 63)


def unknown_option(name: str, known: Sequence[str]) -> TypeError:
    """What to raise for an option of a client that there is not. Those of the environment are called otherwise."""
    meant = name.lower().removeprefix("ssa_").removeprefix("ssdb_")
    close = difflib.get_close_matches("address" if meant == "ssdb" else meant, known, n=1, cutoff=0.4)
    hint = f"; did you mean {close[0]}?" if close else "."
    return TypeError(f"a client has no option {name!r}{hint} There are: {', '.join(known)}.")


def whole_number(argument: str, value: SupportsIndex) -> int:
    """A number that C counts with; those of numpy are some. Raises WrongType, InvalidArgument."""
    try:
        number = operator.index(value)
    except TypeError:
        raise WrongType(argument, value, "give a whole number") from None
    if number not in _INT64:
        raise InvalidArgument(argument, number, "give a number of at most 63 bits")
    return number


def switch(argument: str, value: bool) -> bool:
    """True or False: of any other value, such as "no", it cannot be told what is meant. Raises WrongType."""
    if not isinstance(value, bool | np.bool_):
        raise WrongType(argument, value, "give True or False")
    return bool(value)


def seconds(argument: str, value: SupportsFloat) -> float:
    """A time. Raises WrongType."""
    if not isinstance(value, str | bytes | bytearray):  # which float() reads
        try:
            return float(value)
        except (TypeError, OverflowError):
            pass
    raise WrongType(argument, value, "give a number of seconds")


def names(argument: str, given: Names, remedy: str = "give a name, or several in a list") -> list[str]:
    """One name, or several, as a list. Raises WrongType."""
    if isinstance(given, str):
        return [given]
    try:
        listed = list(given)
    except TypeError:
        raise WrongType(argument, given, remedy) from None
    for name in listed:
        if not isinstance(name, str):
            raise WrongType(f"a name in {argument}", name, remedy)
    return listed


def names_in_one_text(argument: str, given: Names) -> list[str]:
    """Names that are stored with commas between them. Raises WrongType, InvalidArgument."""
    listed = names(argument, given)
    for name in listed:
        if "," in name:
            raise InvalidArgument(f"a name in {argument}", repr(name), "commas part the names; leave them out of each")
    return listed


def array(argument: str, value: Any) -> Array:
    """An array that can be sent. Raises WrongType (none can be made of it), InvalidArgument (it would lose its mask)."""
    if type(value) is np.ndarray:
        return value
    try:
        made: Array = np.asanyarray(value)
    except (TypeError, ValueError) as error:
        reason = str(error).rstrip(".")
        raise WrongType(argument, value, f"convert it first; numpy says: {reason}") from error
    if isinstance(made, np.ma.MaskedArray) and np.ma.is_masked(made):
        raise InvalidArgument(
            argument, _masked(made), "masks are not stored; put .filled(value), and the mask by itself"
        )
    plain: Array = made.view(np.ndarray)
    return plain


def _masked(value: np.ma.MaskedArray[Any, Any]) -> str:
    masked = int(np.sum(np.ma.getmaskarray(value)))
    return f"an array with {masked} masked element{'s' if masked > 1 else ''}"


def writable_array(argument: str, value: Array) -> Array:
    """An array to unpack into. Raises WrongType, InvalidArgument."""
    if not isinstance(value, np.ndarray):
        raise WrongType(argument, value, "give a numpy array of the stored dtype and shape")
    if not value.flags.writeable:
        raise InvalidArgument(argument, "a read-only array", "pass one that can be written")
    if value.size and _may_overlap(value):
        what = f"an array with strides {value.strides}"
        raise InvalidArgument(argument, what, "its elements lie upon each other; pass a copy")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise InvalidArgument(argument, _masked(value), "what is read there would stay masked; pass value.data")
    return value


def _may_overlap(value: Array) -> bool:
    """Whether an element could be written twice, and have two values.

    No step from one element to the next along a dimension is shorter than all that lies within: true of every part of an
    array, and what a layout that is no such part would have to prove.
    """
    extent = value.itemsize
    for step, count in sorted((abs(step), count) for step, count in zip(value.strides, value.shape, strict=True)):
        if count > 1:
            if step < extent:
                return True
            extent += step * (count - 1)
    return False


def memory_order(value: Order) -> Order:
    """How an array is to lie in memory. Raises WrongType, InvalidArgument."""
    remedy = 'give "C" (row-major), "F" (column-major) or "K" (as it was put)'
    if not isinstance(value, str):
        raise WrongType("order", value, remedy)
    if value not in _ORDERS:
        raise InvalidArgument("order", repr(value), remedy)
    return value


def in_order(value: Array, order: Order) -> Array:
    """The array itself where it lies in that order, else a copy that does."""
    return value if order == "K" else np.asarray(value, order=order)


def buffer(argument: str, value: Any) -> memoryview:
    """The memory of anything that has a buffer. Raises WrongType."""
    try:
        return memoryview(value)
    except TypeError:
        remedy = "encode the text first" if isinstance(value, str) else "give bytes, or what has a buffer"
        raise WrongType(argument, value, remedy) from None


def bytes_in_one_piece(argument: str, value: Any) -> memoryview:
    """The bytes of anything whose memory has no gaps. Raises WrongType, InvalidArgument."""
    view = buffer(argument, value)
    if not view.c_contiguous:
        raise InvalidArgument(argument, "memory in several pieces", "pass a copy in one piece")
    return view.cast("B") if view.nbytes else memoryview(b"")
