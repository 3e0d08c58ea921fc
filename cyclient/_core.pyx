"""The binding of the C core: conversion between numpy arrays, Python values and commands. No socket is opened here."""

from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyTypeObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport errno
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, strerror

cimport cython
cimport numpy as cnp

import sys

import numpy as np

from ssasync.cyclient import errors

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    int PyArray_SetBaseObject(cnp.ndarray array, object base) except -1
    object PyArray_NewFromDescr(PyTypeObject *subtype, cnp.dtype descr, int nd, cnp.npy_intp *dims, cnp.npy_intp *strides,
                                void *data, int flags, object obj)
    enum:
        NPY_ARRAY_WRITEABLE

# WIRE.md, "Tensor". bfloat16 is numpy's only through ml_dtypes, and strings have no size of their own.
_CODE_OF_NAME = {
    "bool": 1, "int8": 2, "int16": 3, "int32": 4, "int64": 5, "uint8": 6, "uint16": 7, "uint32": 8, "uint64": 9,
    "float16": 10, "float32": 11, "float64": 12, "bfloat16": 13, "complex64": 14, "complex128": 15,
}
cdef dict _code_of_dtype = {np.dtype(name): code for name, code in _CODE_OF_NAME.items() if name != "bfloat16"}
cdef dict _dtype_of_code = {code: dtype for dtype, code in _code_of_dtype.items()}
cdef bint _little_endian = sys.byteorder == "little"

# No command of ours has a reply with more elements; a value has no limit of its own below what an array can hold.
cdef ssa_reader_limits _limits
_limits.bulk_bytes = <uint64_t>1 << 46
_limits.elements = 1 << 20


cdef cnp.dtype _dtype_from_code(uint8_t code, uint32_t itemsize):
    dtype = _dtype_of_code.get(code)
    if dtype is not None:
        return dtype
    if code == 16:
        return np.dtype(f"S{itemsize}")
    if code == 17:
        return np.dtype(f"<U{itemsize // 4}")
    if code == 13:
        try:
            import ml_dtypes
        except ImportError:
            raise errors.UnsupportedDtype("bfloat16", "numpy has it only through the package ml_dtypes: install that") from None
        dtype = _dtype_of_code[13] = np.dtype(ml_dtypes.bfloat16)
        return dtype
    raise errors.InternalError(f"the core let the unknown dtype code {code} pass")


cdef int _code_from_dtype(cnp.dtype dtype) except -1:
    code = _code_of_dtype.get(dtype)
    if code is not None:
        return code
    if dtype.kind == "S":
        return 16
    if dtype.kind == "U":
        return 17
    if dtype.name == "bfloat16":
        _code_of_dtype[dtype] = 13
        return 13
    raise errors.UnsupportedDtype(str(dtype), "convert it to one of " + ", ".join(_CODE_OF_NAME) + " or fixed strings")


cdef cnp.ndarray _sendable(object data):
    """The array itself where it can be sent from where it lies, else a packed copy in native byte order."""
    cdef cnp.ndarray array = data if isinstance(data, np.ndarray) else np.asarray(data)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="), copy=True)
    if not (cnp.PyArray_IS_C_CONTIGUOUS(array) or cnp.PyArray_IS_F_CONTIGUOUS(array)):
        array = array.copy(order="C")
    if not _little_endian:
        array = array.byteswap()
    return array


cdef int _fill_header(ssa_tensor_header *header, cnp.ndarray array) except -1:
    """The header of an array that is row- or column-major."""
    cdef int ndim = cnp.PyArray_NDIM(array)
    if ndim > SSA_TENSOR_MAX_NDIM:
        raise errors.InvalidArgument("array", f"{ndim} dimensions", f"reshape it to at most {SSA_TENSOR_MAX_NDIM}")
    header.dtype = <uint8_t>_code_from_dtype(<cnp.dtype>cnp.PyArray_DESCR(array))
    header.itemsize = <uint32_t>cnp.PyArray_ITEMSIZE(array)
    header.ndim = <uint8_t>ndim
    header.order = SSA_ROW_MAJOR if cnp.PyArray_IS_C_CONTIGUOUS(array) else SSA_COLUMN_MAJOR
    for i in range(ndim):
        header.shape[i] = <uint64_t>cnp.PyArray_DIM(array, i)
    if ssa_tensor_header_complete(header) != SSA_OK:
        raise errors.InvalidArgument("array", f"shape {(<object>array).shape}", "its size overflows 63 bits")
    return 0


@cython.final
@cython.freelist(64)
cdef class _Memory:
    """Owns the memory under an array that came from the core."""
    cdef ssa_memory memory

    def __dealloc__(self):
        ssa_memory_free(&self.memory)


cdef cnp.ndarray _array_over(ssa_tensor_header *header, object owner, void *data):
    """An array over memory that `owner` keeps."""
    cdef cnp.npy_intp shape[32]
    cdef cnp.npy_intp strides[32]
    cdef cnp.npy_intp stride = header.itemsize
    cdef int i, k, ndim = header.ndim
    for i in range(ndim):
        shape[i] = <cnp.npy_intp>header.shape[i]
    for i in range(ndim):
        k = i if header.order == SSA_COLUMN_MAJOR else ndim - 1 - i
        strides[k] = stride
        if shape[k]:
            stride *= shape[k]
    cdef cnp.dtype dtype = _dtype_from_code(header.dtype, header.itemsize)
    Py_INCREF(dtype)  # PyArray_NewFromDescr steals it
    cdef cnp.ndarray array = PyArray_NewFromDescr(<PyTypeObject *>np.ndarray, dtype, ndim, shape, strides, data, NPY_ARRAY_WRITEABLE, None)
    Py_INCREF(owner)  # PyArray_SetBaseObject steals it
    PyArray_SetBaseObject(array, owner)
    return array if _little_endian else array.byteswap(inplace=True)


cdef cnp.ndarray _take_tensor(ssa_tensor *tensor):
    """An array that owns the tensor's memory from now on."""
    cdef _Memory owner = _Memory.__new__(_Memory)
    owner.memory = tensor.memory
    tensor.memory.data = tensor.memory.allocation = NULL
    return _array_over(&tensor.header, owner, owner.memory.data)


def encode_tensor(data):
    """The bytes of a tensor as they stand in the store: header and elements (WIRE.md)."""
    cdef ssa_tensor_header header
    cdef unsigned char head[320]
    cdef cnp.ndarray array = _sendable(data)
    _fill_header(&header, array)
    ssa_tensor_header_encode(&header, head)
    return head[:ssa_tensor_header_size(header.ndim)] + (<char *>cnp.PyArray_DATA(array))[:header.data_bytes]


def decode_tensor(bytes value not None):
    """The array in the bytes of a tensor; a fresh copy. Raises NotATensor."""
    cdef ssa_tensor_header header
    cdef size_t offset = 0
    cdef ssa_tensor tensor
    cdef const unsigned char *data = value
    cdef ssa_status status = ssa_tensor_header_decode(&header, data, len(value), len(value), &offset)
    if status != SSA_OK:
        raise errors.error_from_status(SSA_EHEADER if status == SSA_MORE else status, "", "the value", "memory", None)
    tensor.header = header
    tensor.memory = ssa_memory_new(header.data_bytes)
    if tensor.memory.data == NULL:
        raise MemoryError
    memcpy(tensor.memory.data, data + offset, header.data_bytes)
    return _take_tensor(&tensor)


include "_dataset.pxi"


def worker_proof(str role not None, bytes secret not None, bytes worker_id not None, bytes client_nonce not None, bytes worker_nonce not None):
    """The HMAC by which `role` ("client" or "worker") shows that it knows the secret (WIRE.md, "Workers")."""
    cdef unsigned char proof[32]
    if len(client_nonce) != 32 or len(worker_nonce) != 32:
        raise errors.InvalidArgument("nonce", f"{len(client_nonce)} and {len(worker_nonce)} bytes", "both have 32 bytes")
    ssa_worker_proof(SSA_ROLE_CLIENT if role == "client" else SSA_ROLE_WORKER, <char *>secret, len(secret), <char *>worker_id,
                     len(worker_id), client_nonce, worker_nonce, proof)
    return proof[:32]


cdef object _node_value(ssa_reply *reply, size_t *at):
    """The Python value of the node at `at` and of all below it: bytes, str, int, float, bool, None, list, dict."""
    cdef ssa_node *node = &reply.nodes[at[0]]
    cdef const char *text = <const char *>reply.text.data + node.text_at
    at[0] += 1
    if node.kind == SSA_TOKEN_BULK or node.kind == SSA_TOKEN_VERBATIM:
        return text[:node.text_bytes] if node.text_bytes else b""
    if node.kind == SSA_TOKEN_INTEGER:
        return node.number
    if node.kind == SSA_TOKEN_SIMPLE:
        return text[:node.text_bytes].decode("utf-8", "replace")
    if node.kind == SSA_TOKEN_NULL:
        return None
    if node.kind == SSA_TOKEN_REAL:
        return node.real
    if node.kind == SSA_TOKEN_BOOLEAN:
        return node.number != 0
    if node.kind == SSA_TOKEN_BIG_NUMBER:
        return int(text[:node.text_bytes])
    if node.kind == SSA_TOKEN_ERROR or node.kind == SSA_TOKEN_BULK_ERROR:
        return errors.ServerError(text[:node.text_bytes].decode("utf-8", "replace"))
    cdef int64_t i
    if node.kind == SSA_TOKEN_ATTRIBUTE:
        for i in range(node.number):
            _node_value(reply, at)
        return _node_value(reply, at)
    elements = [_node_value(reply, at) for i in range(node.number)]
    if node.kind == SSA_TOKEN_MAP:
        try:
            return dict(zip(elements[::2], elements[1::2], strict=True))
        except TypeError:  # keys that are aggregates: as RESP2 would have sent it
            return elements
    return elements


@cython.final
cdef class Flight:
    def __init__(self, waiter=None):
        self.waiter = waiter
        self.commands = []

    def add(self, Command command not None):
        """Wait for this command too."""
        command.flight = self
        self.commands.append(command)
        if not command.done:
            self.unanswered += 1


@cython.final
cdef class Command:
    def __dealloc__(self):
        # Only a command that never reached the connection, or was taken back from it, is still ours here.
        ssa_command_free(self.c)

    def result(self):
        """Its value; raises its error."""
        if self.error is not None:
            raise self.error
        return self.value


cdef object _description(ssa_tensor_header *header):
    shape = tuple(header.shape[i] for i in range(header.ndim))
    return f"{_dtype_from_code(header.dtype, header.itemsize)} {shape}"


cdef object _command_value(Command command):
    cdef ssa_command *c = command.c
    cdef size_t at = 0
    if c.expectation == SSA_EXPECT_REPLY:
        return _node_value(&c.reply, &at)
    if c.expectation == SSA_EXPECT_RESULTS:
        version = _node_value(&c.reply, &at).decode("ascii", "replace")
        return version, tuple([_take_tensor(&c.tensors[i]) for i in range(c.tensor_count)])
    if c.expectation == SSA_EXPECT_TENSOR:
        return _take_tensor(&c.tensors[0])
    if c.tensor_count:  # stored in the other order: one copy, through strides
        command.into[...] = _take_tensor(&c.tensors[0])
    return command.into


cdef void _finish(Connection connection, Command command):
    """Turn a complete C command into a value or an error and wake whoever waits."""
    cdef ssa_command *c = command.c
    try:
        if c.status == SSA_OK:
            command.value = _command_value(command)
            if command.is_transaction:
                for reply in command.value or ():
                    if isinstance(reply, errors.ServerError):
                        raise errors.server_error(reply.text, command.subject, connection.address)
        else:
            stored = _description(&c.into_header) if c.status in (SSA_EDTYPE, SSA_ESHAPE) else None
            wanted = None if command.into is None else f"{command.into.dtype} {command.into.shape}"
            text = (<char *>c.error.data)[:c.error.bytes].decode("utf-8", "replace") if c.error.bytes else ""
            command.error = errors.error_from_status(c.status, text, command.subject, connection.address, (stored, wanted))
    except BaseException as error:
        command.error = error
    ssa_command_free(c)
    command.c = NULL
    command.lent = command.into = None
    command.done = True
    waiter = command.waiter
    cdef Flight flight = command.flight
    if flight is not None:
        command.flight = None
        flight.unanswered -= 1
        if flight.unanswered == 0 and flight.waiter is not None and not flight.waiter.done():
            flight.waiter.set_result(None)
    elif waiter is not None:
        command.waiter = None
        if not waiter.done():
            if command.error is not None:
                waiter.set_exception(command.error)
            else:
                waiter.set_result(command.value)


# A signal that comes just before poll, or to another thread, does not end it: look this often (nanoseconds).
cdef int64_t _SIGNAL_CHECK = 200_000_000


cdef int64_t _deadline_after(double timeout):
    return ssa_now() + <int64_t>(min(timeout, 3e8) * 1e9)


@cython.final
cdef class Connection:
    def __cinit__(self, int descriptor, str address not None):
        self.c = ssa_connection_new(descriptor, _limits)
        if self.c == NULL:
            raise MemoryError
        self.address = address

    def __dealloc__(self):
        if self.c != NULL:
            self._release_owners()
            ssa_connection_free(self.c)

    cdef object _release_owners(self):
        """Commands left in the connection hold their Python side: let it go before the C side frees them."""
        ssa_connection_fail(self.c, SSA_ECLOSED, b"the client was closed")
        cdef ssa_command *c
        while True:
            c = ssa_connection_next_complete(self.c)
            if c == NULL:
                return
            if c.owner != NULL:
                command = <Command>c.owner
                c.owner = NULL
                Py_DECREF(command)
                command.c = NULL
                command.lent = command.into = None
            ssa_command_free(c)

    # ---- commands: each encodes one and queues it; it leaves with the next send()

    cdef Command _new(self, uint64_t arguments, ssa_expectation expectation, str subject):
        cdef Command command = Command.__new__(Command)
        command.subject = subject
        command.c = ssa_command_new(arguments, expectation)
        if command.c == NULL:
            raise MemoryError
        return command

    cdef Command _queue(self, Command command):
        command.c.owner = <void *>command
        Py_INCREF(command)
        ssa_connection_queue(self.c, command.c)
        if command.c.complete:  # the connection had failed before
            self._collect()
        return command

    def command(self, str subject not None, *arguments):
        """Any command: arguments are bytes, str or int. Its value is the reply."""
        cdef Command command = self._new(len(arguments), SSA_EXPECT_REPLY, subject)
        lent = []
        self._add_arguments(command, lent, arguments)
        command.lent = lent
        return self._queue(command)

    def transaction(self, str subject not None, *commands):
        """MULTI, these commands (each a sequence of arguments), EXEC: sent as a whole or, abandoned in time, not at all.

        Its value is the list of replies; its error the first that a command met.
        """
        cdef Command command = self._new(1, SSA_EXPECT_REPLY, subject)
        lent = []
        self._add_arguments(command, lent, ("MULTI",))
        for arguments in (*commands, ("EXEC",)):
            if ssa_command_next(command.c, len(arguments)) != SSA_OK:
                raise MemoryError
            self._add_arguments(command, lent, arguments)
        command.lent = lent
        command.is_transaction = True
        return self._queue(command)

    cdef int _add_arguments(self, Command command, list lent, object arguments) except -1:
        cdef bytes data
        for argument in arguments:
            if isinstance(argument, bytes):
                data = argument
                lent.append(data)
            else:
                data = str(argument).encode()
                if len(data) > 4096:
                    raise errors.InvalidArgument("argument", f"{len(data)} characters", "pass long arguments as bytes")
            if ssa_command_bytes(command.c, <char *>data, len(data)) != SSA_OK:
                raise MemoryError
        return 0

    def set_tensor(self, str subject not None, bytes key not None, object data):
        """SET of a tensor. Row- and column-major arrays are borrowed until the command is done or abandoned."""
        cdef ssa_tensor_header header
        cdef cnp.ndarray array = _sendable(data)
        _fill_header(&header, array)
        cdef Command command = self._new(3, SSA_EXPECT_REPLY, subject)
        if (ssa_command_argument(command.c, b"SET", 3) != SSA_OK or
                ssa_command_argument(command.c, <char *>key, len(key)) != SSA_OK or
                ssa_command_tensor(command.c, &header, cnp.PyArray_DATA(array)) != SSA_OK):
            raise MemoryError
        command.lent = array
        return self._queue(command)

    def get_tensor(self, str subject not None, bytes key not None):
        """GET of a tensor into fresh memory."""
        cdef Command command = self._new(2, SSA_EXPECT_TENSOR, subject)
        if (ssa_command_argument(command.c, b"GET", 3) != SSA_OK or
                ssa_command_argument(command.c, <char *>key, len(key)) != SSA_OK):
            raise MemoryError
        return self._queue(command)

    def get_tensor_into(self, str subject not None, bytes key not None, cnp.ndarray array not None):
        """GET of a tensor straight into a writable row- or column-major array of its dtype and shape."""
        cdef ssa_tensor_header header
        _fill_header(&header, array)
        cdef Command command = self._new(2, SSA_EXPECT_INTO, subject)
        if (ssa_command_argument(command.c, b"GET", 3) != SSA_OK or
                ssa_command_argument(command.c, <char *>key, len(key)) != SSA_OK):
            raise MemoryError
        ssa_command_into(command.c, &header, cnp.PyArray_DATA(array))
        command.into = array
        return self._queue(command)

    def run(self, uint64_t request, uint64_t attempt, uint64_t timeout_ms, bytes model not None, bytes function not None,
            list inputs not None):
        """SSA.RUN on a worker: each input is an array (carried) or a key as bytes (fetched by the worker)."""
        cdef ssa_tensor_header header
        cdef cnp.ndarray array
        cdef Command command = self._new(6 + 2 * len(inputs), SSA_EXPECT_RESULTS, model.decode())
        cdef ssa_command *c = command.c
        c.id = request
        lent = []
        if (ssa_command_argument(c, b"SSA.RUN", 7) != SSA_OK or ssa_command_number(c, request) != SSA_OK or
                ssa_command_number(c, attempt) != SSA_OK or ssa_command_number(c, timeout_ms) != SSA_OK or
                ssa_command_argument(c, <char *>model, len(model)) != SSA_OK or
                ssa_command_argument(c, <char *>function, len(function)) != SSA_OK):
            raise MemoryError
        for data in inputs:
            if isinstance(data, bytes):
                if (ssa_command_argument(c, b"K", 1) != SSA_OK or
                        ssa_command_argument(c, <char *>(<bytes>data), len(data)) != SSA_OK):
                    raise MemoryError
                continue
            array = _sendable(data)
            _fill_header(&header, array)
            if (ssa_command_argument(c, b"T", 1) != SSA_OK or
                    ssa_command_tensor(c, &header, cnp.PyArray_DATA(array)) != SSA_OK):
                raise MemoryError
            lent.append(array)
        command.lent = lent
        return self._queue(command)

    # ---- the socket

    def send(self):
        """Write what the socket takes. True: all is sent; False: call again when it takes more. Raises Disconnected."""
        cdef ssa_status status
        with nogil:
            status = ssa_connection_send(self.c)
        if status < 0:
            raise self._broken(status)
        return status == SSA_OK

    def receive(self):
        """Read what the socket has and finish what is complete. Raises Disconnected after everything has failed."""
        cdef ssa_status status
        with nogil:
            status = ssa_connection_receive(self.c)
        if status < 0:
            raise self._broken(status)
        self._collect()

    def prepare_waits(self):
        """For a connection that is only waited for: let its system calls wait, which is faster than to poll before them."""
        ssa_connection_prepare_waits(self.c)

    def wait(self, Command command not None, double timeout):
        """Block until this command is done: True; False after `timeout` seconds. Signals are handled meanwhile."""
        cdef int64_t deadline = _deadline_after(timeout)
        while not command.done:
            with nogil:
                ssa_connection_wait(self.c, command.c, min(deadline, ssa_now() + _SIGNAL_CHECK))
            self._collect()
            PyErr_CheckSignals()
            if ssa_now() >= deadline:
                break
        return command.done

    def wait_for_bytes(self, double timeout):
        """Block until something came: True; False after `timeout` seconds. Raises Disconnected."""
        cdef ssa_status status
        cdef int64_t deadline = _deadline_after(timeout)
        while True:
            with nogil:
                status = ssa_connection_wait(self.c, NULL, min(deadline, ssa_now() + _SIGNAL_CHECK))
            if status < 0:
                raise self._broken(status)
            self._collect()
            PyErr_CheckSignals()
            if status == SSA_OK or ssa_now() >= deadline:
                return status == SSA_OK

    cdef void _collect(self):
        cdef ssa_command *c
        while True:
            c = ssa_connection_next_complete(self.c)
            if c == NULL:
                return
            command = <Command>c.owner
            _finish(self, command)
            Py_DECREF(command)

    cdef object _broken(self, ssa_status status):
        text = ssa_connection_error(self.c).decode("utf-8", "replace")
        if not text:
            text = "no memory for a reply" if status == SSA_ENOMEM else strerror(errno).decode("utf-8", "replace")
        self.fail(text)
        return errors.Disconnected(self.address, text)

    def fail(self, str text not None):
        """End everything unanswered with Disconnected; afterwards no memory of a caller is touched."""
        encoded = text.encode()
        ssa_connection_fail(self.c, SSA_ECLOSED, encoded)
        self._collect()

    def abandon(self, Command command not None):
        """Nobody waits for this command any more: give its caller's memory back and discard its reply, at once."""
        if command.c == NULL:
            return
        cdef ssa_command *c = command.c
        command.c = NULL
        cdef ssa_status status = ssa_connection_abandon(self.c, c)
        command.lent = command.into = None
        Py_DECREF(command)
        if status == SSA_ENOMEM:
            self.fail("no memory to copy the unsent part of an abandoned command")

    def pushes(self):
        """What the other side pushed since the last call, oldest first, as lists."""
        cdef ssa_reply push
        cdef size_t at
        found = []
        while ssa_connection_next_push(self.c, &push):
            at = 0
            try:
                found.append(_node_value(&push, &at))
            finally:
                ssa_reply_free(&push)
        return found

    def match_by_id(self):
        """From now on replies carry the id of their request, as a worker's do."""
        ssa_connection_match_by_id(self.c)

    @property
    def wants_write(self):
        return ssa_connection_wants_write(self.c) != 0

    @property
    def unanswered(self):
        return ssa_connection_unanswered(self.c)

    def statistics(self):
        """Counters since the connection was opened."""
        return ssa_connection_statistics_now(self.c)


# ---- counting allocations and failing the n-th, for the tests

cdef int64_t _allocations_left = -1
cdef int64_t _refusals_left = 0
cdef uint64_t _allocated_bytes = 0

cdef bint _may_allocate(size_t bytes) noexcept nogil:
    global _allocations_left, _refusals_left, _allocated_bytes
    if _allocations_left == 0 and _refusals_left:
        _refusals_left -= 1
        return False
    if _allocations_left > 0:
        _allocations_left -= 1
    _allocated_bytes += bytes
    return True

cdef void *_counted_malloc(size_t bytes) noexcept nogil:
    return malloc(bytes) if _may_allocate(bytes) else NULL

cdef void *_counted_realloc(void *memory, size_t bytes) noexcept nogil:
    return realloc(memory, bytes) if _may_allocate(bytes) else NULL


def fail_allocation(int64_t after, int64_t refusals=1):
    """Count from now on: let `after` allocations of the core pass and refuse the next ones; -1: refuse none. For tests."""
    global _allocations_left, _refusals_left, _allocated_bytes
    cdef ssa_allocator table
    table.allocate = _counted_malloc
    table.reallocate = _counted_realloc
    table.release = free
    _allocations_left = after
    _refusals_left = refusals if after >= 0 else 0
    _allocated_bytes = 0
    ssa_allocator_set(&table)


def refusals_left():
    """How many allocations are still to be refused. For tests."""
    return _refusals_left


def allocated_bytes():
    """Bytes that the core asked for since the last `fail_allocation`, and got. For tests."""
    return _allocated_bytes
