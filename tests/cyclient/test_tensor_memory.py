"""Memory of large tensors: kept for the next one of its size, never shared with one that lives."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from ssasync.cyclient import _core

ELEMENTS = 1 << 20
VALUE = _core.encode_tensor(np.arange(ELEMENTS, dtype=np.float64))


@pytest.fixture(autouse=True)
def counted() -> Iterator[None]:
    _core.fail_allocation(-1)
    yield
    _core.fail_allocation(-1)


def test_a_large_tensor_takes_the_memory_of_the_one_before() -> None:
    for _ in range(8):  # what other tests left is of other sizes: fill the list
        _core.decode_tensor(VALUE)
    before = _core.allocated_bytes()
    for _ in range(20):
        _core.decode_tensor(VALUE)
    assert _core.allocated_bytes() == before


def test_tensors_that_live_have_memory_of_their_own() -> None:
    tensors = [_core.decode_tensor(VALUE) for _ in range(6)]
    for number, tensor in enumerate(tensors):
        tensor[:] = number
    del tensors[::2]
    more = [_core.decode_tensor(VALUE) for _ in range(4)]
    for number, tensor in enumerate(tensors):
        assert (tensor == 2 * number + 1).all()
    assert all((tensor == np.arange(ELEMENTS)).all() for tensor in more)


def test_much_smaller_tensors_do_not_take_large_memory() -> None:
    _core.decode_tensor(VALUE)
    before = _core.allocated_bytes()
    half = _core.decode_tensor(_core.encode_tensor(np.zeros(ELEMENTS // 2 + 512)))
    assert _core.allocated_bytes() - before >= half.nbytes


def test_what_is_kept_is_bounded() -> None:
    large = [_core.encode_tensor(np.zeros(size << 17)) for size in (40, 50, 60)]  # MiB
    for value in large:
        _core.decode_tensor(value)
    before = _core.allocated_bytes()
    _core.decode_tensor(large[0])
    assert _core.allocated_bytes() - before >= 40 << 20, "150 MiB were kept"


def test_threads_may_free_and_take_at_once() -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(50):
            tensor = _core.decode_tensor(VALUE)
            tensor += number
            if tensor[0] != number or tensor[-1] != number + ELEMENTS - 1:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
