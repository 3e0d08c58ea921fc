# Batches: requests that the planner in C carries out together. Included by _core.pyx.


@cython.final
@cython.no_gc_clear
cdef class BatchCore:
    def __cinit__(self, Engine engine not None):
        self.engine = engine
        self.requests = []
        self.dropped = <DroppedPlan *>malloc(sizeof(DroppedPlan))
        if self.dropped == NULL:
            raise MemoryError
        self.c = ssa_batch_plan_new(engine.c)
        if self.c == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.c == NULL:
            free(self.dropped)
            return
        self.dropped.plan = self.c
        (<Engine>self.engine)._drop_plan(self.dropped)

    def __len__(self):
        return len(self.requests)

    def add(self, Request request not None):
        """Take this operation over."""
        cdef ssa_request *c = request.c
        cdef ssa_status status = ssa_batch_plan_add(self.c, c)
        if status != SSA_OK:
            request.c = NULL
            if status == SSA_ENOMEM:
                raise MemoryError
            raise errors.InvalidArgument("batch", "added to after execute()", "make a new one: client.batch()")
        request.in_batch = True
        self.requests.append(request)

    def execute(self, timeout=None):
        """Begin; the request that stands for all of them is `whole`. With a loop: returns its future."""
        cdef Engine engine = self.engine
        cdef Request whole = Request.__new__(Request)
        cdef int64_t limit = _nanoseconds(timeout)
        if self.whole is not None:
            raise errors.InvalidArgument("batch", "executed twice", "make a new one: client.batch()")
        waiter = None if engine.loop is None else engine.loop.create_future()
        engine.away += 1
        cdef ssa_request *c = ssa_batch_plan_execute(self.c, limit)
        if c == NULL:
            engine._come_back()
            raise MemoryError
        whole.waiter = waiter
        whole.engine = engine
        whole.c = c
        whole.in_batch = True  # the batch frees it
        whole.lent = self      # which stays while it is under way
        whole.started = True
        c.owner = <void *>whole
        Py_INCREF(whole)
        self.whole = whole
        ssa_engine_flush(engine.c)
        engine._come_back()
        engine._settle()
        return waiter

    def take_results(self):
        """Give each operation that was carried out its value or error; those that were late the error of the batch."""
        cdef Request request
        late = None if type(self.whole.error) is errors.Cancelled else self.whole.error
        for request in self.requests:
            if request.c.complete and request.c.status != SSA_OK and request.c.status != SSA_ECANCELLED:
                late = None  # it is this one's, and what came after it was not begun
        for request in self.requests:
            if request.done or request.is_finishing:
                continue
            if request.c.complete and request.c.status != SSA_ECANCELLED:
                request._finish()
            elif late is not None:
                request.error = late
                request.done = True

    def cancel(self):
        """Nobody waits any more: the callers' memory is given back, at once."""
        if self.whole is not None:
            self.whole.cancel()

    cdef int _stop(self) except -1:
        """The end of `whole`, which has been marked as done."""
        cdef Engine engine = self.engine
        cdef Request whole = self.whole
        engine.away += 1
        ssa_batch_plan_cancel(self.c)
        ssa_engine_flush(engine.c)
        ssa_engine_withdraw(engine.c, whole.c)  # if it was complete, and nobody had looked
        whole.c.owner = NULL
        engine._come_back()
        whole.lent = None
        Py_DECREF(whole)
        self.take_results()
        engine._settle()
        return 0

    def failures(self):
        """The errors of the operations, in their order."""
        errors = [request.error for request in self.requests if request.error is not None]
        return list({id(error): error for error in errors}.values())  # one that several share, once
