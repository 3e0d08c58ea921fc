"""The connections of a blocking client, shared by its threads: each is used by one at a time, and nothing is overtaken.

Threads that operate at the same time have connections of their own. What a thread leaves unanswered (an operation that was
started and not waited for, or one whose deadline passed) must not be overtaken by what any thread does next: while there is
such a member all operations go its way. Then several threads take turns on it. One drives its engine for all of them; the
others sleep until theirs is done or nobody drives; and who has something to start asks the one that drives to step back.

Batches, waits, polls and what is started for later (future.py) always go to the first member: so there is one such way, not
several that would have to wait for each other, and threads that wait keep no connection from others.

A signal's handler may raise (Ctrl-C) between any two instructions, and may use the client itself. So a turn on a member is
taken and left where no signal comes between (_members.pxi), and what this file does between the two may end anywhere.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from math import inf
from time import monotonic
from typing import Any

from ssasync.cyclient import _core
from ssasync.cyclient.arguments import seconds
from ssasync.cyclient.errors import ForkedClient, InvalidArgument, OperationTimeout
from ssasync.cyclient.operations import Operations


class Pool:
    """The members of one client, and whose turn it is on each."""

    MOST_MEMBERS = 32

    def __init__(self, make_engine: Callable[[], _core.Engine]) -> None:
        self._make_engine = make_engine
        self._pid = os.getpid()
        self._lock = threading.RLock()  # over what follows; a signal's handler may come back here
        self._configuring = threading.RLock()
        self._changes: dict[str, Callable[[_core.Engine], None]] = {}  # by kind: what was set last, for further members
        self._is_closed = False
        self._turns = _core.Turns()
        self.first = self._new_member()
        self._members = [self.first]

    def check_process(self) -> None:
        """Raises ForkedClient."""
        if not self.first.engine.is_at_home:
            raise ForkedClient(self._pid)

    def check_usable(self) -> None:
        """Raises ForkedClient, Disconnected: it is closed."""
        self.check_process()
        self.first.engine.check_usable()

    # ---- for an operation

    def enter(self, timeout: float | None) -> _core.Turn:
        """A turn on a member on which an operation overtakes nothing. Raises OperationTimeout, ForkedClient."""
        if not self.first.engine.is_at_home:
            raise ForkedClient(self._pid)
        turn = self._turns.take_any(self._members)
        if turn is None:
            return self._enter(None, timeout)
        turn.left = timeout
        return turn

    def enter_first(self, timeout: float | None) -> _core.Turn:
        """The same, and it is on the first."""
        self.check_process()
        return self._enter(self.first, timeout)

    def claim_first(self) -> _core.Turn:
        """A turn on the first member, for what sends nothing. Raises ForkedClient, Disconnected."""
        self.check_usable()
        return self._claim(self.first)

    def wait(self, member: _core.Member, requests: Sequence[_core.Request[Any]], timeout: float | None) -> bool:
        """Until one of them is done: True; False after so many seconds. 0: only look, which waits for nobody."""
        if timeout is not None and not seconds("timeout", timeout) >= 0:
            raise InvalidArgument("timeout", timeout, "give seconds from 0 on, or None for as long as it may take")
        until = inf if timeout is None else monotonic() + timeout
        one = requests[0] if len(requests) == 1 else None
        while not any(request.done for request in requests):
            turn = self._turn_to_drive(member, requests, until)
            if turn is None:
                break
            with turn:
                member.engine.drive(one, None if until == inf else max(0.0, until - monotonic()))
            if monotonic() >= until:
                break
        return any(request.done for request in requests)

    def cancel(self, member: _core.Member, request: _core.Request[Any]) -> None:
        """Its caller's memory has been given back when this returns."""
        if request.done:
            return
        with self._claim(member):
            request.cancel()

    # ---- for all members

    def configure(self, kind: str, change: Callable[[_core.Engine], None]) -> None:
        """Change all engines, those to come too: of changes of one kind the last counts.

        Raises what the change raises, then none is changed.
        """
        self.check_usable()
        with self._configuring:
            self._change(self.first, change)
            with self._lock:
                self._changes[kind] = change
                others = self._members[1:]
            for member in others:
                self._change(member, change)

    def _change(self, member: _core.Member, change: Callable[[_core.Engine], None]) -> None:
        with self._claim(member):
            change(member.engine)

    def statistics(self) -> _core.Statistics:
        """The sums over all members."""
        with self._lock:
            counted = [member.engine.statistics() for member in self._members]
        total = counted[0]
        for one in counted[1:]:
            for name in total:
                total[name] += one[name]  # type: ignore[literal-required]
        return total

    def close(self) -> None:
        """Close all; what is under way in any thread ends with Disconnected."""
        if not self.first.engine.is_at_home:
            return
        with self._lock:
            self._is_closed = True
            members = list(self._members)
        for member in members:
            member.engine.close()
        for member in members:  # that are driven: the thread that drives does it
            while True:
                heard = member.bell.count
                if member.engine.closed:
                    break
                member.bell.sleep(heard, inf)

    # ---- inside

    def _enter(self, wanted: _core.Member | None, timeout: float | None) -> _core.Turn:
        limit = self._seconds(timeout)
        until = monotonic() + limit
        has_waited = False
        while True:
            heard = self._turns.bell.count
            way = wanted or (self.first if self.first.is_overdue else self._turns.late(self._members))
            late = self._turns.late(self._members, way)
            if late is not None:
                has_waited = True
                self._drain(late, until, limit)
                continue
            turn = self._claim(way) if way else self._turns.take_any(self._members) or self._take_another()
            if turn is None:
                if monotonic() >= until:
                    raise OperationTimeout(
                        f"no free connection within {limit:g} s: other threads use all"
                        f" {self.MOST_MEMBERS} of this client. Give some of them a client of their own."
                    )
                has_waited = True
                self._turns.bell.sleep(heard, until - monotonic())
            elif self._turns.late(self._members, turn.member) is None:
                turn.left = max(0.0, until - monotonic()) if has_waited else timeout
                return turn
            else:  # somebody has left another one with something unanswered meanwhile
                with turn:
                    continue

    def _drain(self, late: _core.Member, until: float, limit: float) -> None:
        """Get it on towards where nothing of it is unanswered. Raises OperationTimeout."""
        with self._claim(late):
            late.engine.drain(max(0.0, until - monotonic()))
            if late.engine.unanswered and monotonic() >= until:
                raise OperationTimeout(
                    f"no answer from {late.engine.description} to earlier commands of this client within"
                    f" {limit:g} s. They must not be overtaken: nothing was sent."
                )

    def _seconds(self, timeout: float | None) -> float:
        return self.first.engine.timeout if timeout is None else seconds("timeout", timeout)

    def _take_another(self) -> _core.Turn | None:
        """A turn on a new member. None: there are as many as may be, or something is overdue."""
        with self._lock:
            if len(self._members) >= self.MOST_MEMBERS:
                return None
            member = self._new_member()
            member.engine.share_model_versions(self.first.engine)
            made: dict[str, Callable[[_core.Engine], None]] = {}
            while made != self._changes:  # again, if a signal's handler has set something meanwhile
                made = dict(self._changes)
                for change in made.values():
                    change(member.engine)
            if self._is_closed:
                member.engine.close()
            self._members.append(member)
        return self._turns.take_any(self._members)

    def _new_member(self) -> _core.Member:
        engine = self._make_engine()
        return _core.Member(self._turns, engine, Operations(engine))

    def _claim(self, member: _core.Member) -> _core.Turn:
        """A turn on just this one, for an instant, to start or end something: who drives it steps back."""
        with member.claim():
            while True:
                heard = member.bell.count
                turn = member.take(claimed=True)
                if turn is not None:
                    return turn
                member.engine.ask_back()
                member.bell.sleep(heard, inf)

    def _turn_to_drive(
        self, member: _core.Member, requests: Sequence[_core.Request[Any]], until: float
    ) -> _core.Turn | None:
        """A turn for who is to drive the member; None: one of the requests is done, or the time is over."""
        while True:
            heard = member.bell.count
            if any(request.done for request in requests):
                return None
            turn = member.take()
            if turn is not None:
                return turn
            if monotonic() >= until:
                return None
            member.bell.sleep(heard, until - monotonic())
