# Whose turn it is: the members of a blocking client, each used by one thread at a time. Included by _core.pyx.
#
# All of it happens between two instructions of Python, under the GIL: neither another thread nor the handler of a signal (Ctrl-C)
# comes between. A turn and a claim end when they are dropped: an exception drops them on their way from here to the `with` that
# ends them. (If its traceback keeps them, they keep other threads out, not their own.) Nothing here may run Python code, nor,
# once it has begun to change something, make objects that the collector of garbage counts.

cdef double _LONGEST_SLEEP = 3600.0  # seconds; a lock takes no infinity


@cython.final
@cython.no_gc
cdef class Bell:
    """Wakes the threads that sleep until something has changed."""

    def __cinit__(self):
        self.sleepers = []

    cdef void ring(self) noexcept:
        self.count += 1
        while self.sleepers:
            self.sleepers.pop().release()

    def sleep(self, unsigned long heard, double seconds):
        """Until it rings, or has rung since its `count` was `heard`; so many seconds at most. Handles signals."""
        if self.count != heard:
            return
        lock = _thread.allocate_lock()
        lock.acquire()
        self.sleepers.append(lock)
        try:
            if self.count == heard:  # the collector may have run, and let others run
                lock.acquire(True, max(0.0, min(seconds, _LONGEST_SLEEP)))
        finally:
            if lock in self.sleepers:
                self.sleepers.remove(lock)


@cython.final
@cython.no_gc
cdef class Turn:
    def __cinit__(self):
        self.is_over = True  # until there is a member

    def __dealloc__(self):
        self.leave()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()

    cdef void leave(self) noexcept:
        cdef Member member = self.member
        cdef bint is_overdue
        if self.is_over:
            return
        self.is_over = True
        member.depth -= 1
        if member.depth:
            return
        is_overdue = ssa_engine_unanswered(member.engine.c) != 0
        member.turns.overdue += is_overdue - member.is_overdue
        member.is_overdue = is_overdue
        member.bell.ring()
        member.turns.bell.ring()


@cython.final
@cython.no_gc
cdef class Claim:
    def __cinit__(self):
        self.is_over = True  # until there is a member

    def __dealloc__(self):
        self.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    cdef void end(self) noexcept:
        if self.is_over:
            return
        self.is_over = True
        self.member.claims -= 1
        self.member.bell.ring()  # who steps back for it may go on; when it was interrupted, the next may take the member


@cython.final
cdef class Member:
    def __cinit__(self, Turns turns not None, Engine engine not None, operations):
        self.turns = turns
        self.engine = engine
        self.operations = operations
        self.bell = Bell.__new__(Bell)

    @property
    def is_free(self):
        return self.depth == 0

    cdef Turn _turn(self):
        cdef Turn turn = Turn.__new__(Turn)
        turn.member = self
        turn.is_over = False
        self.depth += 1
        self.thread = PyThread_get_thread_ident()
        return turn

    def take(self, bint claimed=False):
        """A turn; None: it is another thread's, or claimed by others than this thread.

        One thread has several at a time where the handler of a signal uses the client.
        """
        if self.depth:
            return self._turn() if self.thread == PyThread_get_thread_ident() else None
        return None if self.claims and not claimed else self._turn()

    def claim(self):
        """Whoever has the next turn only to carry on is to step back for it."""
        cdef Claim claim = Claim.__new__(Claim)
        claim.member = self
        claim.is_over = False
        self.claims += 1
        return claim


@cython.final
@cython.no_gc
cdef class Turns:
    def __cinit__(self):
        self.bell = Bell.__new__(Bell)

    def take_any(self, list members not None):
        """A turn on one of them for who is to overtake nobody; None: all are in use, or something is overdue."""
        cdef Member member
        if self.overdue:
            return None
        for member in reversed(members):  # the first is left to those that need just this one
            if not member.depth and not member.claims:
                return member._turn()
        return None

    def late(self, list members not None, Member but=None):
        """One of them with something overdue, which is not this one; None: there is none."""
        cdef Member member
        if self.overdue:
            for member in members:
                if member.is_overdue and member is not but:
                    return member
        return None
