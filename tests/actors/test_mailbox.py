import asyncio
from collections.abc import Callable

import pytest

from ssasync.actors import MailboxFull
from ssasync.actors.mailbox import Ask, Mailbox


def ask(message: object) -> Ask:
    return Ask(message, asyncio.get_running_loop().create_future())


async def test_full_mailbox_refuses_what_may_not_wait() -> None:
    mailbox = Mailbox("/a", limit=2)
    mailbox.put_nowait(1)
    mailbox.put_nowait(2)
    with pytest.raises(MailboxFull, match=r"/a holds its limit of 2"):
        mailbox.put_nowait(3)


async def test_senders_beyond_the_limit_wait_in_line() -> None:
    mailbox = Mailbox("/a", limit=1)
    mailbox.put_nowait(0)
    async with asyncio.TaskGroup() as group:
        for message in (1, 2, 3):
            group.create_task(mailbox.put(message))
        await asyncio.sleep(0)
        assert mailbox.statistics().waiting == 3
        assert mailbox.statistics().depth == 1
        taken = []
        for _ in range(4):
            if not mailbox.messages:
                await mailbox.sleep()
            taken.append(mailbox.take())
    assert taken == [0, 1, 2, 3]


async def test_a_sender_cancelled_in_line_sends_nothing() -> None:
    mailbox = Mailbox("/a", limit=1)
    mailbox.put_nowait(0)
    async with asyncio.TaskGroup() as group:
        first, second = group.create_task(mailbox.put(1)), group.create_task(mailbox.put(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        assert mailbox.take() == 0
        await second
    assert [mailbox.take()] == [2]
    assert not mailbox.messages


@pytest.mark.parametrize("wake", [lambda box: box.post("x"), lambda box: box.put_nowait("x"), lambda box: box.wake()])
async def test_messages_and_urgent_things_wake_the_reader(wake: Callable[[Mailbox], None]) -> None:
    mailbox = Mailbox("/a", limit=10)
    reader = mailbox.sleep()
    assert not reader.done()
    wake(mailbox)
    assert reader.done()


async def test_a_reader_does_not_sleep_over_something_urgent() -> None:
    mailbox = Mailbox("/a", limit=10)
    mailbox.post("system")
    assert mailbox.sleep().done()
    assert mailbox.lane is not None
    assert list(mailbox.lane) == ["system"]


async def test_a_dropped_ask_makes_room_at_once() -> None:
    mailbox = Mailbox("/a", limit=1)
    dropped = ask("dropped")
    mailbox.put_ask(dropped)
    async with asyncio.TaskGroup() as group:
        sender = group.create_task(mailbox.put("next"))
        await asyncio.sleep(0)
        mailbox.drop(dropped)
        await sender
    assert mailbox.statistics().depth == 1
    assert mailbox.take().dropped
    assert mailbox.take() == "next"
    assert mailbox.statistics().depth == 0


async def test_dropped_asks_do_not_pile_up_behind_a_busy_actor() -> None:
    mailbox = Mailbox("/a", limit=10)
    for n in range(1000):
        given_up = ask(n)
        mailbox.put_ask(given_up)
        mailbox.drop(given_up)
    assert len(mailbox.messages) <= 11
    assert mailbox.statistics().depth == 0
    assert mailbox.statistics().dropped_asks == 1000


async def test_an_ask_dropped_in_line_leaves_it() -> None:
    mailbox = Mailbox("/a", limit=1)
    mailbox.put_nowait(0)
    waiting = ask(1)
    mailbox.put_ask(waiting)
    assert mailbox.statistics().waiting == 1
    mailbox.drop(waiting)
    assert mailbox.statistics().waiting == 0


async def test_closing_fails_all_who_wait_and_returns_dead_letters() -> None:
    mailbox = Mailbox("/a", limit=2)
    queued, waiting = ask("queued"), ask("waiting")
    mailbox.put_nowait("letter")
    mailbox.put_ask(queued)
    mailbox.put_ask(waiting)
    held = asyncio.gather(mailbox.put("held"), return_exceptions=True)
    await asyncio.sleep(0)
    assert mailbox.close(lambda: RuntimeError("over")) == ["letter"]
    (failure,) = await held
    assert isinstance(failure, RuntimeError)
    for failed in (queued, waiting):
        with pytest.raises(RuntimeError, match="over"):
            await failed.reply
    with pytest.raises(RuntimeError, match="over"):
        mailbox.put_nowait("late")
    assert mailbox.statistics().dead_letters == 1


async def test_messages_with_strange_equality_pass() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        __hash__ = None  # type: ignore[assignment]

    mailbox = Mailbox("/a", limit=1)
    mailbox.put_nowait(Odd())
    given_up = ask(Odd())
    mailbox.put_ask(given_up)
    mailbox.drop(given_up)
    assert isinstance(mailbox.take(), Odd)


async def test_an_ask_given_up_after_its_mailbox_closed_is_counted_once() -> None:
    mailbox = Mailbox("/a", limit=2)
    queued, in_line = ask(1), ask(3)
    mailbox.put_ask(queued)
    mailbox.put_nowait(2)
    mailbox.put_ask(in_line)
    mailbox.close(RuntimeError)
    for given_up in (queued, in_line):
        assert isinstance(given_up.reply.exception(), RuntimeError)
        mailbox.drop(given_up)
    mailbox.reopen()
    assert mailbox.statistics().depth == 0
    mailbox.put_nowait(1)
    mailbox.put_nowait(2)
    with pytest.raises(MailboxFull):
        mailbox.put_nowait(3)
