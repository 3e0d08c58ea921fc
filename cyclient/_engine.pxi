# The engine in Python: requests, and what drives them. Included by _core.pyx.


cdef ssa_text _text(bytes data):
    cdef ssa_text text
    text.data = data
    text.bytes = len(data)
    return text


cdef object _buffer_text(ssa_buffer *buffer):
    return (<char *>buffer.data)[:buffer.bytes].decode("utf-8", "replace") if buffer.bytes else ""


cdef object _request_error(ssa_request *c):
    return errors.error_from_status(c.status, _buffer_text(&c.error), c.kind)


cdef object _tree(ssa_reply *reply):
    cdef size_t at = 0
    return _node_value(reply, &at) if reply.count else None


@cython.final
@cython.no_gc_clear  # the engine must be there when this is freed
cdef class Request:
    def __dealloc__(self):
        if self.c != NULL and not self.in_batch:  # the batch frees its own
            (<Engine>self.engine)._drop(self.c)

    cdef int _take_value(self) except -1:
        """Its value as it came, which can be taken only once. Goes on where Python code in it was interrupted."""
        cdef ssa_request *c = self.c
        cdef list taken
        if self.is_taken:
            return 0
        if self.result_kind == TRUTH:
            self.value = c.number != 0
        elif self.result_kind == NUMBER:
            self.value = c.number
        elif self.result_kind == TENSOR:
            self.value = _take_tensor(&c.tensors[0])
        elif self.result_kind == BYTES:
            self.value = (<char *>c.tensors[0].memory.data)[:c.tensors[0].header.data_bytes]
        elif self.result_kind == DATASET:
            self.value = _take_dataset(&c.datasets[0])
        elif self.result_kind == DATASETS:
            self.value = taken = [] if self.value is None else self.value
            while <size_t>len(taken) < c.dataset_count:
                taken.append(_take_dataset(&c.datasets[len(taken)]))
        elif self.result_kind == INTO:
            self.value = self.into
        elif self.result_kind == OUTPUTS:
            self.value = taken = [] if self.value is None else self.value
            while <size_t>len(taken) < c.tensor_count:
                taken.append(_take_tensor(&c.tensors[len(taken)]))
            self.value = tuple(taken)
        elif self.result_kind == REPLY:
            self.value = _tree(&c.reply)
        elif self.result_kind == TEXT:
            self.value = (<bytes>_tree(&c.reply)).decode("utf-8", "replace")
        elif self.result_kind == MODEL:
            self.value = (_tree(&c.reply), _tree(&c.second_reply))
        elif self.result_kind == VERSION:
            self.value = str(c.number)
        self.is_taken = True
        return 0

    cdef int _take_result(self) except -1:
        """Its error, or its value. May be repeated when Python code in it was interrupted."""
        if self.c.status != SSA_OK:
            self.error = _request_error(self.c)
            return 0
        self._take_value()
        if self.convert is not None:
            self.value = self.convert(self.value)
        return 0

    cdef void _finish(self) noexcept:
        """Turn a complete request into a value or an error and wake whoever waits."""
        cdef bint is_interrupted = False
        self.is_finishing = True  # the Python code below may drop or cancel it
        while True:
            try:
                self._take_result()
            except KeyboardInterrupt as interrupt:  # it was not meant for this request, which may be another thread's
                if not is_interrupted:
                    is_interrupted = True
                    continue
                self.error = interrupt
            except BaseException as error:
                self.error = error
            break
        if is_interrupted:
            PyErr_SetInterrupt()  # whoever waits takes it
        self.lent = self.into = self.convert = None
        self.done = True
        waiter, self.waiter = self.waiter, None
        if waiter is not None and not waiter.done():
            if self.error is not None:
                waiter.set_exception(self.error)
            else:
                waiter.set_result(self.value)

    def grip(self):
        """What cancels it when it is dropped."""
        cdef Grip grip = Grip.__new__(Grip)
        grip.request = self
        return grip

    def within(self, timeout):
        """It may take so many seconds; None: what its client allows."""
        self.timeout = timeout
        return self

    def then(self, convert):
        """Apply this function to the value before it is given to anybody."""
        self.convert = convert
        return self

    def result(self):
        """Its value; raises its error."""
        if self.error is not None:
            raise self.error
        return self.value

    def cancel(self):
        """Nobody waits for it any more: the caller's memory is given back, at once.

        Of a thread that may not touch the engine: as soon as the one that drives it is back from the C side.
        """
        cdef Engine engine = self.engine
        cdef BatchCore core = self.lent if isinstance(self.lent, BatchCore) else None
        if self.done or self.is_finishing or self.c == NULL or (self.in_batch and core is None):
            return
        error = errors.Cancelled(f"the {'operation' if core is None else 'batch'} was cancelled")
        # No Python code between this and the end of what touches the engine: it would let another thread drive.
        if not engine._may_be_touched():
            engine._put_off(self)
            return
        if self.done or self.is_finishing:
            return
        self.done = True
        self.error = error
        if core is not None:
            core._stop()
            return
        engine.away += 1
        if self.started:
            ssa_request_cancel(self.c)
            ssa_engine_flush(engine.c)  # it may have left something to be removed
            self.c.owner = NULL
        ssa_request_free(self.c)
        self.c = NULL
        engine._come_back()
        self.lent = self.into = None
        if self.started:
            Py_DECREF(self)
            engine._settle()


@cython.final
@cython.no_gc
cdef class Grip:
    def __dealloc__(self):
        if self.request is not None:
            self.request.cancel()


# A signal that comes just before a system call, or to another thread, does not end it: look this often (nanoseconds).
cdef int64_t _SIGNAL_CHECK = 200_000_000
# How often a drain looks whether all has been answered: what nobody waits for ends no wait.
cdef int64_t _DRAIN_CHECK = 20_000_000


cdef int64_t _nanoseconds(object timeout) except? -2:
    """What ssa_request_start takes: negative for the client's own."""
    if timeout is None:
        return -1
    cdef double seconds = arguments.seconds("timeout", timeout)
    if not seconds >= 0:
        raise errors.InvalidArgument("timeout", timeout, "give seconds from 0 on, or None for what the client allows")
    return <int64_t>(seconds * 1e9) if seconds < 3e8 else SSA_NO_TIMEOUT


cdef int64_t _moment(object timeout) except? -2:
    """When so many seconds are over; None: never."""
    cdef int64_t limit = SSA_NO_TIMEOUT if timeout is None else _nanoseconds(timeout)
    cdef int64_t now = ssa_now()
    return now + limit if limit < SSA_NO_TIMEOUT - now else SSA_NEVER


cdef void _on_watch(void *self, ssa_link *link, int descriptor, int events) noexcept with gil:
    try:
        (<Engine>self)._watch(link, descriptor, events)
    except BaseException as error:  # the loop is closing: nothing more is to be watched
        (<Engine>self).report("watching a socket failed", error)


# The lines of the C core go to the logger "ssasync.cyclient", which is silent until the program gives it a handler.
_logger = logging.getLogger("ssasync.cyclient")
_logger.addHandler(logging.NullHandler())
cdef tuple _logging_levels = (logging.CRITICAL, logging.ERROR, logging.INFO, logging.DEBUG)  # by ssa_log_level


# Only keeps the line: a handler may run anything, also what changes the engine, which is in the middle of its work. Bytes, for
# tuples may set off the garbage collector, which may run anything, too.
cdef void _on_log(void *self, ssa_log_level level, const char *text, size_t bytes) noexcept with gil:
    cdef char line[SSA_LOG_LINE_BYTES + 1]
    line[0] = <char>level
    memcpy(line + 1, text, bytes)
    try:
        (<Engine>self).log_lines.append(line[:bytes + 1])
    except MemoryError:
        pass


# What a loop calls. It has no reference to the engine, so that a client which everybody else has forgotten goes.

def _on_ready(object weak not None, size_t link, int events):
    engine = weak()
    if engine is not None:
        (<Engine>engine)._ready(link, events)


def _on_tick(object weak not None):
    engine = weak()
    if engine is not None:
        (<Engine>engine)._tick()


# What a client can be told by name.
_OPTIONS = ("address", "user", "password", "timeout", "identifier", "bulk_connection", "value_limit", "trust_topology", "log_level",
            "log_file", "tls", "tls_ca", "tls_cert", "tls_key", "tls_name", "write_prefix", "read_prefixes", "server_type")


@cython.final
cdef class Engine(EngineOperations):
    def __cinit__(self, *, address=None, user=None, password=None, timeout=None, identifier=None, bulk_connection=None,
                  value_limit=None, trust_topology=None, log_level=None, log_file=None, tls=None, tls_ca=None, tls_cert=None,
                  tls_key=None, tls_name=None, write_prefix=None, read_prefixes=None, server_type=None, **unknown):
        cdef ssa_settings_given given
        cdef ssa_settings settings
        cdef ssa_buffer mistakes
        cdef double seconds
        for name in unknown:
            raise arguments.unknown_option(name, _OPTIONS)
        memset(&mistakes, 0, sizeof(mistakes))
        ssa_settings_given_init(&given)
        held = {name: None if value is None else _encoded(name, value) for name, value in dict(
            address=address, user=user, password=password, identifier=identifier, log_file=log_file, tls_ca=tls_ca,
            tls_cert=tls_cert, tls_key=tls_key, tls_name=tls_name, write_prefix=write_prefix,
            read_prefixes=_comma_list("read_prefixes", read_prefixes), server_type=server_type).items()}
        for name, value in held.items():
            if value is not None and b"\0" in value:  # C would see what stands before it
                raise errors.InvalidArgument(name, "text with a NUL", "leave it out")
        if address is not None:
            given.address = <bytes>held["address"]
        if user is not None:
            given.user = <bytes>held["user"]
        if password is not None:
            given.password = <bytes>held["password"]
        if identifier is not None:
            given.identifier = <bytes>held["identifier"]
        if log_file is not None:
            given.log_file = <bytes>held["log_file"]
        if tls_ca is not None:
            given.tls_ca = <bytes>held["tls_ca"]
        if tls_cert is not None:
            given.tls_cert = <bytes>held["tls_cert"]
        if tls_key is not None:
            given.tls_key = <bytes>held["tls_key"]
        if tls_name is not None:
            given.tls_name = <bytes>held["tls_name"]
        if write_prefix is not None:
            given.write_prefix = <bytes>held["write_prefix"]
        if read_prefixes is not None:
            given.read_prefixes = <bytes>held["read_prefixes"]
        if server_type is not None:
            given.server_type = <bytes>held["server_type"]
        if timeout is not None:
            seconds = arguments.seconds("timeout", timeout)
            given.timeout = &seconds
        if bulk_connection is not None:
            given.bulk_connection = arguments.switch("bulk_connection", bulk_connection)
        if value_limit is not None:
            value_limit = arguments.whole_number("value_limit", value_limit)
            if value_limit < 0:
                raise errors.InvalidArgument("value_limit", value_limit, "give bytes, or 0 for none")
            given.value_limit = value_limit
        if trust_topology is not None:
            given.trust_topology = arguments.switch("trust_topology", trust_topology)
        if tls is not None:
            given.tls = arguments.switch("tls", tls)
        if log_level is not None:
            given.log_level = _log_level(log_level)
        cdef ssa_status status = ssa_settings_resolve(&settings, &given, NULL, NULL, &mistakes)
        text = _buffer_text(&mistakes)
        ssa_buffer_free(&mistakes)
        if status == SSA_ENOMEM:
            raise MemoryError
        if status != SSA_OK:
            raise errors.invalid_argument(text)
        self.timer_at = SSA_NEVER
        ssa_poll_wake_init(&self.wake)
        self.log_lines = []
        self.c = ssa_engine_new(&settings, NULL)
        if self.c == NULL:
            raise MemoryError
        self.c.log.user = <void *>self
        self.c.log.sink = _on_log
        self.check_usable()

    def __del__(self):
        """The client was dropped, not closed: its sockets go with it, which the loop must be told in its own thread."""
        if self.c == NULL or self.loop is None or self.c.closed or not ssa_is_at_home(&self.c.home):
            return
        if self.c.statistics.connections:
            warnings.warn(f"unclosed client of {self.description}", ResourceWarning, source=self)
        if self.loop.is_closed() or asyncio._get_running_loop() is self.loop:
            self.close()
        elif self.thread == threading.get_ident() and not self.loop.is_running():
            self.close()
        else:
            self.loop.call_soon_threadsafe(self.close)

    def __dealloc__(self):
        if self.c != NULL:
            self.c.log.level = SSA_LOG_QUIET
            self.c.driver.watch = NULL  # nothing is told to a loop from here
            self.close_is_due = False
            self._tidy()
            ssa_engine_free(self.c)
            ssa_poll_wake_end(&self.wake)

    def prefer_one_connection(self):
        """For a blocking client: no second one to a shard unless an argument or the environment asks for it."""
        ssa_settings_prefer_one_connection(&self.c.settings)

    def attach(self, loop not None):
        """From now on this loop watches its sockets and keeps its time. Before the first operation."""
        self.loop = loop
        self.thread = threading.get_ident()
        self.weak = weakref.ref(self)
        self.c.driver.self = <void *>self
        self.c.driver.watch = _on_watch
        # Selectors tell until all is read; uvloop, and who knows who else, watches a socket no more once it was reset.
        self.c.driver.tells_once = not isinstance(loop, asyncio.SelectorEventLoop)

    # ---- what it is

    @property
    def user(self):
        return self.c.settings.user.decode()

    @property
    def description(self):
        """The addresses it was given."""
        return self.c.description.decode()

    @property
    def in_flight(self):
        """Commands sent, or waiting to be, and not answered."""
        return self.c.in_flight

    @property
    def unanswered(self):
        """Commands that were sent and not answered, those included that nobody waits for any more."""
        return ssa_engine_unanswered(self.c)

    @property
    def closed(self):
        return self.c.closed != 0

    @property
    def timeout(self):
        """Seconds that an operation may take if it does not say."""
        return self.c.settings.timeout_ns / 1e9 if self.c.settings.timeout_ns < SSA_NO_TIMEOUT else float("inf")

    @property
    def is_at_home(self):
        """False in the child of a fork."""
        return ssa_is_at_home(&self.c.home) != 0

    @property
    def is_here(self):
        """False in a thread other than that of its loop."""
        return self.loop is None or self.thread == PyThread_get_thread_ident()

    @property
    def put_off(self):
        """How much was dropped or cancelled by other threads, and waits for the one that drives. For tests."""
        cdef size_t count = 0
        cdef ssa_request *c = self.dropped
        cdef DroppedPlan *plan = self.dropped_plans
        cdef Request request = self.due
        while c != NULL:
            count += 1
            c = c.next
        while plan != NULL:
            count += 1
            plan = plan.next
        while request is not None:
            count += 1
            request = request.next_due
        return count

    def check_usable(self):
        """Raises Disconnected (it is closed), ForkedClient, ConnectionFailed (TLS cannot be set up)."""
        cdef ssa_status status
        cdef const char *why = ssa_engine_unusable(self.c, &status)
        if why != NULL:
            raise errors.error_from_status(status, why.decode("utf-8", "replace"), 0)

    def describe(self):
        """All settings: name, value, where it came from, meaning; a line each."""
        cdef ssa_buffer text
        memset(&text, 0, sizeof(text))
        if ssa_settings_describe(&self.c.settings, &text) != SSA_OK:
            raise MemoryError
        try:
            return _buffer_text(&text)
        finally:
            ssa_buffer_free(&text)

    def statistics(self):
        """Counters since the client was made."""
        return self.c.statistics

    def set_data_source(self, source):
        """Read from this producer from now on. Raises InvalidArgument."""
        data = _encoded("data source", source)
        self._names_done(ssa_key_names_set_source(&self.c.names, data, len(data)))

    def use_prefix(self, kind, on):
        """Whether names of this kind ("tensor", "dataset", "list", "model") get a prefix."""
        kinds = {"tensor": SSA_KIND_TENSOR, "dataset": SSA_KIND_DATASET, "list": SSA_KIND_LIST, "model": SSA_KIND_MODEL}
        self._names_done(ssa_key_names_set_prefixed(&self.c.names, kinds[kind], arguments.switch("use_prefix", on)))

    def _names_done(self, status):
        if status == SSA_ENOMEM:
            raise MemoryError
        if status != SSA_OK:
            raise errors.invalid_argument(self.c.names.error.decode("utf-8", "replace"))

    # ---- threads

    cdef bint _may_be_touched(self) except -1:
        """Whether this thread may call functions of the C engine now: for what any thread may do."""
        # `away` last: a loop may be written in Python, and let another thread run.
        return (self.loop is None or self.thread == PyThread_get_thread_ident() or self.loop.is_closed()) and self.away == 0

    cdef void _drop(self, ssa_request *c) noexcept:
        """Free it. Not under way. Needs no memory: a complete request is in no list, its link is free."""
        c.next = self.dropped
        self.dropped = c
        if self.away == 0:
            self._tidy()

    cdef void _drop_plan(self, DroppedPlan *plan) noexcept:
        plan.next = self.dropped_plans
        self.dropped_plans = plan
        if self.away == 0:
            self._tidy()

    cdef int _put_off(self, Request request) except -1:
        """Cancel it as soon as the engine may be touched."""
        if not request.due:
            request.due = True
            request.next_due = self.due
            self.due = request
        return self._tell()

    cdef int _tell(self) except -1:
        """The thread that drives is to come back: something was put off."""
        if self.loop is None:
            self.ask_back()
        elif self.thread != PyThread_get_thread_ident() and not self.loop.is_closed():
            try:
                self.loop.call_soon_threadsafe(self._flush)
            except RuntimeError:
                if not self.loop.is_closed():  # meanwhile: what was put off is seen to when the client is dropped
                    raise
        return 0

    def ask_back(self):
        """Without a loop: the thread that drives, or the next one that does, is to return from it."""
        if ssa_is_at_home(&self.c.home):
            ssa_poll_wake_ask(&self.wake)

    cdef void _come_back(self) noexcept:
        if self.away == 1:
            ssa_engine_tidy(self.c)
        self.away -= 1
        if self.away == 0 and (self.dropped != NULL or self.dropped_plans != NULL or self.due is not None or self.close_is_due):
            self._tidy()

    cdef void _tidy(self) noexcept:
        """What was put off."""
        cdef ssa_request *c
        cdef DroppedPlan *plan
        cdef Request request
        self.away += 1  # freeing may log, and that may collect garbage: what is dropped then comes to the same lists
        while self.dropped != NULL:
            c = self.dropped
            self.dropped = c.next
            c.next = NULL
            ssa_request_free(c)
        while self.dropped_plans != NULL:
            plan = self.dropped_plans
            self.dropped_plans = plan.next
            ssa_batch_plan_free(plan.plan)
            free(plan)
            ssa_engine_flush(self.c)  # what was cut short may have left something to be removed
        self.away -= 1
        while self.due is not None:
            request = self.due
            self.due = request.next_due
            request.next_due = None
            request.due = False
            request.cancel()
        if self.close_is_due:
            self.close_is_due = False
            self.close()

    # ---- carrying out

    def start(self, Request request not None):
        """Begin. With a loop: returns the future of its value; without: it goes on while somebody drives."""
        if request.only_in_batch:
            raise errors.InvalidArgument("keep", False, "without a batch nobody would see the outputs; keep them, or use infer()")
        cdef int64_t limit = _nanoseconds(request.timeout)
        cdef bint flush_later = False
        waiter = None if self.loop is None else self.loop.create_future()
        request.waiter = waiter
        request.started = True
        request.c.owner = <void *>request
        Py_INCREF(request)
        self.away += 1
        ssa_request_start(request.c, limit)
        if waiter is None:
            ssa_engine_flush(self.c)
        else:
            flush_later = ssa_engine_flush_idle(self.c) and not self.flush_is_due
        self._come_back()
        if flush_later:
            self.flush_is_due = True
            self.loop.call_soon(self._flush)
        self._settle()
        return waiter

    def drive(self, Request request, timeout=None):
        """Without a loop: until the request is done, another one is, another thread asks for the engine, or `timeout` seconds
        are over. Handles signals. None: until any may be: whoever waits looks, for a signal's handler may have ended it."""
        cdef int64_t until = _moment(timeout)
        cdef int64_t slice_end
        cdef ssa_request *c
        cdef ssa_status status
        cdef bint is_asked
        if self._collect():
            return
        while request is None or not request.done:
            c = NULL if request is None else request.c
            slice_end = min(until, ssa_now() + _SIGNAL_CHECK)
            self.away += 1
            with nogil:
                status = ssa_poll_wakeable(self.c, c, slice_end, &self.wake)
            is_asked = ssa_poll_wake_answer(&self.wake)
            self._come_back()
            is_asked = self._collect() > 0 or is_asked
            PyErr_CheckSignals()
            if status == SSA_ENOMEM:
                raise MemoryError
            if request is None or is_asked or ssa_now() >= until:
                return

    def drain(self, timeout):
        """Without a loop: until nothing is unanswered, another thread asks for the engine, or so many seconds are over."""
        cdef int64_t until = _moment(timeout)
        cdef bint is_asked = False
        while ssa_engine_unanswered(self.c) and not is_asked and ssa_now() < until:
            self.away += 1
            with nogil:
                ssa_poll_wakeable(self.c, NULL, min(until, ssa_now() + _DRAIN_CHECK), &self.wake)
            is_asked = ssa_poll_wake_answer(&self.wake)
            self._come_back()
            is_asked = self._collect() > 0 or is_asked
            PyErr_CheckSignals()

    def carry_out(self, Request request not None):
        """Start it and drive: True when it is done; False when another thread asks for the engine, or others are done.

        When it raises the caller's memory has been given back.
        """
        self.start(request)
        if not request.done:
            try:
                self.drive(request)
            except BaseException:
                request.cancel()
                raise
        return request.done

    def perform(self, Request request not None):
        """Carry it out, alone on this engine; its value. Whatever it raises: the caller's memory has been given back."""
        try:
            if not self.carry_out(request):
                while not request.done:
                    self.drive(request)
        finally:
            request.cancel()
        return request.result()

    cdef size_t _collect(self) noexcept:
        """Give out what is complete; how many there were."""
        cdef ssa_request *c
        cdef size_t count = 0
        if self.log_lines:
            self._log()
        while True:
            c = ssa_engine_next_complete(self.c)
            if c == NULL:
                return count
            count += 1
            request = <Request>c.owner
            c.owner = NULL
            request._finish()
            Py_DECREF(request)

    cdef void _log(self) noexcept:
        """Give out the lines that were kept."""
        lines, self.log_lines = self.log_lines, []
        try:
            for line in lines:
                _logger.log(_logging_levels[line[0]], "%s", line[1:].decode("utf-8", "replace"))
        except KeyboardInterrupt:
            PyErr_SetInterrupt()  # it was not meant for the log: whoever waits takes it
        except BaseException as error:
            self.report("logging failed", error)

    # ---- the loop's callbacks

    cdef void _settle(self):
        """After anything was done: give out what is complete, and be called again when the next moment comes."""
        if self.loop is None:  # by the thread that drives: it tells the others whose is done
            return
        self._collect()
        cdef int64_t at = ssa_engine_next_moment(self.c)
        if at >= self.timer_at or self.loop is None or self.loop.is_closed():
            return
        if self.timer is not None:
            self.timer.cancel()
        self.timer_at = at
        self.timer = self.loop.call_later(max(0, at - ssa_now()) / 1e9, _on_tick, self.weak)

    def _flush(self):
        self.flush_is_due = False
        self.away += 1
        with nogil:
            ssa_engine_flush(self.c)
        self._come_back()
        self._settle()

    cdef void _tick(self):
        self.timer = None
        self.timer_at = SSA_NEVER
        self.away += 1
        ssa_engine_tick(self.c, ssa_now())
        ssa_engine_flush(self.c)
        self._come_back()
        self._settle()

    cdef void _ready(self, size_t link, int events):
        self.away += 1
        with nogil:
            ssa_engine_ready(self.c, <ssa_link *>link, events, ssa_now())
            ssa_engine_flush(self.c)
        self._come_back()
        self._settle()

    cdef void _watch(self, ssa_link *link, int descriptor, int events):
        if self.loop is None or self.loop.is_closed():
            return
        if events & SSA_EVENT_READ:
            self.loop.add_reader(descriptor, _on_ready, self.weak, <size_t>link, SSA_EVENT_READ)
        else:
            self.loop.remove_reader(descriptor)
        if events & SSA_EVENT_WRITE:
            self.loop.add_writer(descriptor, _on_ready, self.weak, <size_t>link, SSA_EVENT_WRITE)
        else:
            self.loop.remove_writer(descriptor)

    def report(self, what, error):
        """Tell the loop about an error that no caller can be told."""
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_exception_handler({"message": what, "exception": error})

    # ---- the end

    def share_model_versions(self, Engine other not None):
        """Runs on the one know of what is set on the other: both belong to one client. Before it is used."""
        ssa_engine_share_model_versions(self.c, other.c)

    def close(self):
        """Close all sockets and the pipe of who waits; what is under way ends with Disconnected. Safe to repeat.

        Another thread that is on the C side closes it when it is back, and that of a loop in the loop's next round.
        """
        if not self._may_be_touched():
            self.close_is_due = True
            self._tell()
            return
        self.away += 1
        ssa_engine_close(self.c)
        ssa_poll_wake_end(&self.wake)  # nobody polls: `away` was 0; who asks does so under the GIL
        self._come_back()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self._collect()


def _comma_list(name, values):
    """Several texts as C takes them."""
    if values is None or isinstance(values, str):
        return values
    values = list(values)
    for value in values:
        if not isinstance(value, str) or not value or "," in value:
            raise errors.InvalidArgument(f"an element of {name}", repr(value), "give names without commas")
    return ",".join(values)


_LOG_LEVELS = ("quiet", "error", "info", "debug")  # in the order of ssa_log_level


cdef int _log_level(object level) except? -1:
    """Its number, from that or from the word."""
    if not isinstance(level, str):
        number = arguments.whole_number("log_level", level)
        if not 0 <= number < len(_LOG_LEVELS):
            raise errors.InvalidArgument("log_level", number, "write quiet, error, info or debug")
        return number
    if level not in _LOG_LEVELS:
        raise errors.InvalidArgument("log_level", repr(level), "write quiet, error, info or debug")
    return _LOG_LEVELS.index(level)


cdef dict _comparisons = {"==": SSA_COMPARE_EQUAL, ">=": SSA_COMPARE_AT_LEAST, "<=": SSA_COMPARE_AT_MOST}


cdef ssa_comparison _comparison(str word) except *:
    if word not in _comparisons:
        raise errors.InvalidArgument("comparison", repr(word), "write ==, >= or <=")
    return _comparisons[word]


cdef dict _operation_names = {}


cdef const char *_operation(str name):
    """The name as text that stays: the engine keeps the pointer."""
    encoded = _operation_names.get(name)
    if encoded is None:
        encoded = _operation_names[name] = name.encode()
    return <bytes>encoded
