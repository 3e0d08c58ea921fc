"""The connections of a blocking client, shared by its threads: each is used by one at a time, and nothing is overtaken.

Threads that operate at the same time have connections of their own. What a thread leaves unanswered (an operation that was
started and not waited for, or one whose deadline passed) must not be overtaken by what any thread does next: while there is
such a member all operations go its way. Then several threads take turns on it. One drives its engine for all of them; the
others sleep until theirs is done or nobody drives; and who has something to start asks the one that drives to step back.

Batches and what is started for later (future.py) always go to the first member: so there is one such way, not several that
would have to wait for each other.
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

_LONGEST_SLEEP = 3600.0  # seconds; a lock takes no infinity


class Member:
    """One connection to each shard."""

    __slots__ = ("claims", "engine", "operations")

    def __init__(self, engine: _core.Engine) -> None:
        self.engine = engine
        self.operations = Operations(engine)
        self.claims = 0  # threads that wait for just this one, to start something


class Pool:
    """The members of one client. A member that was entered, or claimed, is the thread's own until it leaves it."""

    MOST_MEMBERS = 32

    def __init__(self, make_engine: Callable[[], _core.Engine]) -> None:
        self._make_engine = make_engine
        self._pid = os.getpid()
        self._lock = threading.RLock()  # a signal's handler may come back here
        self._changed = threading.Condition(self._lock)
        self._sleeping = 0  # threads, for that
        self._configuring = threading.RLock()
        self._changes: list[Callable[[_core.Engine], None]] = []  # what was set since, for further members
        self._is_closed = False
        self.first = Member(make_engine())
        self._members = [self.first]
        self._free = [self.first]
        self._overdue: set[Member] = set()  # with something unanswered, when they were left

    def check_process(self) -> None:
        """Raises ForkedClient."""
        if not self.first.engine.is_at_home:
            raise ForkedClient(self._pid)

    # ---- for an operation

    def enter(self, timeout: float | None) -> Member:
        """A member on which an operation overtakes nothing. Raises OperationTimeout, ForkedClient."""
        if not self.first.engine.is_at_home:
            raise ForkedClient(self._pid)
        with self._lock:
            if not self._overdue and self._free and not self._free[-1].claims:
                return self._free.pop()
        return self._enter(None, timeout)

    def enter_first(self, timeout: float | None) -> Member:
        """The same, and it is the first."""
        self.check_process()
        return self._enter(self.first, timeout)

    def claim_first(self) -> Member:
        """The first member, for what sends nothing. Raises ForkedClient."""
        self.check_process()
        with self._lock:
            self._claim(self.first)
        return self.first

    def leave(self, member: Member) -> None:
        with self._lock:
            if member.engine.unanswered:
                self._overdue.add(member)
            elif self._overdue:
                self._overdue.discard(member)
            self._put_back(member)

    def finish(self, member: Member, request: _core.Request[Any]) -> None:
        """Wait for what was begun on a member that was left since. Whatever it raises: it is over, the memory given back."""
        try:
            self.wait(member, (request,), None)
        except BaseException:
            self.cancel(member, request)
            raise

    def wait(self, member: Member, requests: Sequence[_core.Request[Any]], timeout: float | None) -> bool:
        """Until one of them is done: True; False after so many seconds. 0: only look, which waits for nobody."""
        if timeout is not None and not seconds("timeout", timeout) >= 0:
            raise InvalidArgument("timeout", timeout, "give seconds from 0 on, or None for as long as it may take")
        until = inf if timeout is None else monotonic() + timeout
        one = requests[0] if len(requests) == 1 else None
        while not any(request.done for request in requests):
            if not self._drives(member, requests, until):
                break
            try:
                member.engine.drive(one, None if until == inf else max(0.0, until - monotonic()))
            finally:
                self.leave(member)
            if monotonic() >= until:
                break
        return any(request.done for request in requests)

    def cancel(self, member: Member, request: _core.Request[Any]) -> None:
        """Its caller's memory has been given back when this returns."""
        if request.done:
            return
        with self._lock:
            self._claim(member)
        try:
            request.cancel()
        finally:
            self.leave(member)

    # ---- for all members

    def configure(self, change: Callable[[_core.Engine], None]) -> None:
        """Change all engines, those to come too. Raises what the change raises, then none is changed."""
        self.check_process()
        with self._configuring:
            self._change(self.first, change)
            with self._lock:
                self._changes.append(change)
                others = self._members[1:]
            for member in others:
                self._change(member, change)

    def _change(self, member: Member, change: Callable[[_core.Engine], None]) -> None:
        with self._lock:
            self._claim(member)
        try:
            change(member.engine)
        finally:
            self.leave(member)

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
            for member in self._members:
                member.engine.close()
            self._changed.notify_all()
            while not all(member.engine.closed for member in self._members):  # the threads that drive them do that
                self._sleep(inf)

    # ---- inside

    def _enter(self, wanted: Member | None, timeout: float | None) -> Member:
        until: float | None = None
        while True:
            with self._lock:
                way = wanted or (self.first if self.first in self._overdue else next(iter(self._overdue), None))
                late = next(iter(self._overdue - {way}), None) if self._overdue else None
                if late is None:
                    member = self._claim(way) if way else self._take_any()
                    if member and not self._overdue - {member}:
                        return member
                    if member:  # somebody has left another one with something unanswered meanwhile
                        self._put_back(member)
                    else:  # all are in use
                        until = until or monotonic() + self._seconds(timeout)
                        if monotonic() >= until:
                            raise OperationTimeout(
                                f"no free connection within {self._seconds(timeout):g} s: other threads use all"
                                f" {self.MOST_MEMBERS} of this client. Give some of them a client of their own."
                            )
                        self._sleep(until)
                    continue
                self._claim(late)
            try:
                until = until or monotonic() + self._seconds(timeout)
                late.engine.drain(max(0.0, until - monotonic()))
                if late.engine.unanswered and monotonic() >= until:
                    raise OperationTimeout(
                        f"no answer from {late.engine.description} to earlier commands of this client within"
                        f" {self._seconds(timeout):g} s. They must not be overtaken: nothing was sent."
                    )
            finally:
                self.leave(late)

    def _seconds(self, timeout: float | None) -> float:
        return self.first.engine.timeout if timeout is None else seconds("timeout", timeout)

    def _take_any(self) -> Member | None:
        """With the lock. None: there are none."""
        for place in range(len(self._free) - 1, -1, -1):
            if not self._free[place].claims:
                return self._free.pop(place)
        if len(self._members) < self.MOST_MEMBERS:
            member = Member(self._make_engine())
            for change in self._changes:
                change(member.engine)
            if self._is_closed:
                member.engine.close()
            self._members.append(member)
            return member
        return None

    def _claim(self, member: Member) -> Member:
        """Just this one, for an instant, to start or end something: who drives it steps back. With the lock."""
        if member in self._free and not member.claims:
            self._free.remove(member)
            return member
        member.claims += 1
        try:
            while True:  # free already: for one who claimed it before
                if member not in self._free:
                    member.engine.ask_back()
                self._sleep(inf)
                if member in self._free:
                    self._free.remove(member)
                    return member
        finally:
            member.claims -= 1
            self._changed.notify_all()  # when this one was interrupted, the next may take it

    def _drives(self, member: Member, requests: Sequence[_core.Request[Any]], until: float) -> bool:
        """True: this thread is to drive the member; False: one of them is done, or the time is over."""
        with self._lock:
            while not any(request.done for request in requests):
                if member in self._free and not member.claims:
                    self._free.remove(member)
                    return True
                if monotonic() >= until:
                    return False
                self._sleep(until)
        return False

    def _put_back(self, member: Member) -> None:
        self._free.append(member)
        if self._sleeping:
            self._changed.notify_all()

    def _sleep(self, until: float) -> None:
        self._sleeping += 1
        try:
            self._changed.wait(min(until - monotonic(), _LONGEST_SLEEP))
        finally:
            self._sleeping -= 1
