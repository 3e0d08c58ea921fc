"""The soak's book-keeping: a crash that no event tells must be missed."""

from ssasync.actors import Blame, ChildExited, ChildStarting, ChildStopped, ExitReason
from ssasync.actors.event_bus import EventBus
from tests.soak.ledger import Auditor, Ledger


async def audited(ledger: Ledger, *events: ChildExited | ChildStarting | ChildStopped) -> Auditor:
    bus, auditor = EventBus(), Auditor(ledger)
    subscription = bus.subscribe(lossless=True)
    for event in events:
        bus.publish(event)
    bus.close()
    await auditor.read(subscription)
    return auditor


def exited(attempt: int, reason: ExitReason) -> ChildExited:
    return ChildExited(path="/a", attempt=attempt, reason=reason, will_restart=True)


async def test_a_crash_is_told_by_text_or_by_any_exception_of_a_group() -> None:
    ledger = Ledger()
    text, single, inner = (ledger.crash("exception") for _ in range(3))
    missed = ledger.crash("exception")
    group = ExceptionGroup("two", [ValueError("other"), ExceptionGroup("one", [OSError(inner)])])
    auditor = await audited(
        ledger,
        ChildStarting(path="/a", attempt=1),
        exited(1, ExitReason("exit_code", Blame.APPLICATION, text)),
        ChildStarting(path="/a", attempt=2),
        exited(2, ExitReason("cancelled", Blame.APPLICATION, "", ValueError(single))),
        ChildStarting(path="/a", attempt=3),
        exited(3, ExitReason("exception", Blame.APPLICATION, "", group)),
    )
    assert {f"crash #{number} (exception)" for number in ledger.untold} == {missed}
    assert (auditor.failed_exits, auditor.open, auditor.mistakes) == (3, {}, [])


async def test_incarnations_that_overlap_or_do_not_end_are_seen() -> None:
    auditor = await audited(
        Ledger(),
        ChildStarting(path="/a", attempt=1),
        ChildStarting(path="/a", attempt=2),
        ChildStopped(path="/a", attempt=1, reason=ExitReason.shutdown()),
        ChildStarting(path="/b", attempt=1),
    )
    assert auditor.open == {"/b": 1}
    assert auditor.mistakes == [
        "/a: attempt 2 begins while 1 is not over",
        "/a: attempt 1 is over, which was not the one that ran",
    ]


async def test_a_crash_that_nobody_ordered_is_a_mistake_of_the_kernel_or_of_the_crew() -> None:
    auditor = await audited(
        Ledger(),
        ChildStarting(path="/a", attempt=1),
        exited(1, ExitReason.from_exception(AssertionError("came up twice"))),
    )
    assert auditor.mistakes == [
        "/a: attempt 1 ended by nobody's order: exception (AssertionError: came up twice)",
    ]
