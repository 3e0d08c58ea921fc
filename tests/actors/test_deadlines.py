import asyncio
import math

import pytest

from ssasync.actors.deadlines import Deadlines


async def test_calls_come_in_the_order_of_their_times() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())
    done = asyncio.get_running_loop().create_future()
    called: list[str] = []
    deadlines.after(0.02, lambda: done.set_result(None))
    deadlines.after(0.01, lambda: called.append("second"))
    deadlines.after(0.0, lambda: called.append("first"))
    async with asyncio.timeout(5):
        await done
    assert called == ["first", "second"]
    assert len(deadlines) == 0


async def test_a_cancelled_deadline_is_not_called() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())
    done = asyncio.get_running_loop().create_future()
    called: list[str] = []
    cancelled = deadlines.after(0.0, lambda: called.append("cancelled"))
    deadlines.after(0.01, lambda: done.set_result(None))
    cancelled.cancel()
    cancelled.cancel()
    async with asyncio.timeout(5):
        await done
    assert called == []
    assert len(deadlines) == 0


async def test_cancelled_deadlines_do_not_pile_up() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())
    kept = deadlines.after(1000.0, lambda: None)
    for _ in range(10_000):
        deadlines.after(1000.0, lambda: None).cancel()
    assert len(deadlines) == 1
    assert len(deadlines._heap) < 200
    kept.cancel()
    deadlines.close()


async def test_infinity_is_never() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())
    never = deadlines.after(math.inf, lambda: None)
    assert len(deadlines) == 0
    never.cancel()
    assert len(deadlines) == 0


async def test_a_call_may_set_and_cancel_others() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())
    done = asyncio.get_running_loop().create_future()
    second = deadlines.after(0.001, lambda: done.set_exception(AssertionError("was cancelled")))

    def first() -> None:
        second.cancel()
        deadlines.after(0.0, lambda: done.set_result(None))

    deadlines.after(0.0, first)
    async with asyncio.timeout(5):
        await done


async def test_a_call_that_raises_does_not_keep_the_others_from_their_time() -> None:
    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context.get("exception")))
    deadlines = Deadlines(loop)
    done = loop.create_future()
    failure = ValueError("in a call")

    def fail() -> None:
        raise failure

    deadlines.after(0.0, fail)
    deadlines.after(0.001, lambda: done.set_result(None))
    async with asyncio.timeout(5):
        await done
    assert told == [failure]


async def test_what_is_no_number_of_seconds_is_refused() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())
    with pytest.raises(ValueError, match="nan"):
        deadlines.after(math.nan, lambda: None)
    assert len(deadlines) == 0
