# The worker's server for Python: conversion only, see c/worker_front.h for what it does.
"""The server of a model worker: sockets, queues and replies in C; see c/worker_front.h."""

cimport cython
cimport numpy as cnp
from cpython.ref cimport Py_INCREF
from libc.errno cimport errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

import os

import numpy as np

cnp.import_array()


cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(type subtype, cnp.dtype descr, int ndim, const cnp.npy_intp *shape,
                                const cnp.npy_intp *strides, void *data, int flags, void *like)


cdef extern from "tensor_header.h":
    ctypedef enum ssa_status:
        SSA_OK
        SSA_ENOMEM

    int SSA_TENSOR_MAX_NDIM
    int SSA_ROW_MAJOR, SSA_COLUMN_MAJOR
    int SSA_BFLOAT16, SSA_STRING, SSA_UNICODE

    ctypedef struct ssa_tensor_header:
        uint8_t dtype
        uint8_t order
        uint8_t ndim
        uint32_t itemsize
        uint64_t data_bytes
        uint64_t shape[32]

    ssa_status ssa_tensor_header_complete(ssa_tensor_header *header)


cdef extern from "allocator.h":
    void ssa_release(void *memory) nogil


cdef extern from "worker_front.h":
    ctypedef struct ssa_array:
        ssa_tensor_header header
        const unsigned char *data

    ctypedef struct ssa_input:
        ssa_array array

    ctypedef struct ssa_target:
        char *function
        size_t function_bytes

    ctypedef struct ssa_request:
        ssa_target target

    ctypedef struct ssa_model:
        size_t name_bytes
        char *name

    ctypedef struct ssa_batch:
        ssa_model *model
        uint64_t serial
        char *version
        uint64_t rows
        int joined
        ssa_status status
        size_t inputs_count
        ssa_input *inputs
        size_t requests_count
        ssa_request **requests

    ctypedef struct ssa_batching:
        uint64_t size
        uint64_t minimum
        uint64_t wait_ns

    ctypedef struct ssa_front:
        pass

    ctypedef struct ssa_front_options:
        size_t size
        const void *secret
        size_t secret_bytes
        const char *worker_id
        size_t id_bytes
        uint64_t most_requests
        uint64_t most_bytes
        uint64_t spin_ns

    ctypedef enum ssa_errand_kind:
        SSA_ERRAND_LOAD
        SSA_ERRAND_FETCH
        SSA_ERRAND_IDLE
        SSA_ERRAND_LOAD_SCRIPT
        SSA_ERRAND_LOOK
        SSA_ERRAND_LOOK_SCRIPT

    ctypedef struct ssa_errand:
        ssa_errand_kind kind
        uint64_t request
        size_t input
        size_t name_bytes
        char *name

    ctypedef struct ssa_front_statistics:
        uint64_t connections, unanswered, held_bytes
        uint64_t requests, batches, joined, failed, expired, lost

    ssa_front *ssa_front_new(const ssa_front_options *options)
    ssa_status ssa_front_listen(ssa_front *front, int fd)
    void ssa_front_drain(ssa_front *front) nogil
    void ssa_front_close(ssa_front *front) nogil
    void ssa_front_free(ssa_front *front) nogil
    ssa_batch *ssa_front_next_batch(ssa_front *front) nogil
    void ssa_front_complete(ssa_front *front, ssa_batch *batch, const ssa_array *outputs, size_t count, uint64_t *retired) nogil
    void ssa_front_fail(ssa_front *front, ssa_batch *batch, const char *code, const char *text, uint64_t *retired) nogil
    void ssa_front_batch_free(ssa_front *front, ssa_batch *batch) nogil
    int ssa_front_errand_fd(const ssa_front *front)
    ssa_errand *ssa_front_errand(ssa_front *front)
    ssa_status ssa_front_model_ready(ssa_front *front, int script, const char *name, size_t bytes, const char *version,
                                     ssa_batching batching, uint64_t serial, uint64_t *retired)
    void ssa_front_model_missing(ssa_front *front, int script, const char *name, size_t bytes, const char *code,
                                 const char *text, uint64_t *retired) nogil
    ssa_status ssa_front_input_fetched(ssa_front *front, uint64_t request, size_t input, const ssa_array *array) nogil
    ssa_status ssa_front_looked(ssa_front *front, uint64_t request) nogil
    size_t SSA_NO_INPUT
    void ssa_front_request_failed(ssa_front *front, uint64_t request, size_t input, const char *code, const char *text) nogil
    void ssa_front_get_statistics(ssa_front *front, ssa_front_statistics *statistics)


#: What stands for bfloat16, which numpy lacks: the two bytes under a telling name.
BFLOAT16 = np.dtype([("bfloat16", "<u2")])

ERRAND_LOAD = int(SSA_ERRAND_LOAD)
ERRAND_LOAD_SCRIPT = int(SSA_ERRAND_LOAD_SCRIPT)
ERRAND_FETCH = int(SSA_ERRAND_FETCH)
ERRAND_IDLE = int(SSA_ERRAND_IDLE)
ERRAND_LOOK = int(SSA_ERRAND_LOOK)
ERRAND_LOOK_SCRIPT = int(SSA_ERRAND_LOOK_SCRIPT)
NO_INPUT = SSA_NO_INPUT

# WIRE.md, "Tensor": the codes 1 to 15
_DTYPES = (
    None, np.dtype(np.bool_), np.dtype(np.int8), np.dtype(np.int16), np.dtype(np.int32), np.dtype(np.int64),
    np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.uint32), np.dtype(np.uint64), np.dtype(np.float16),
    np.dtype(np.float32), np.dtype(np.float64), BFLOAT16, np.dtype(np.complex64), np.dtype(np.complex128),
)
_CODES = {dtype: code for code, dtype in enumerate(_DTYPES) if dtype is not None}


cdef cnp.ndarray _view(const ssa_array *array, object owner):
    """The elements as an array that keeps `owner` alive."""
    cdef const ssa_tensor_header *header = &array.header
    cdef cnp.npy_intp shape[32]
    cdef cnp.npy_intp strides[32]
    cdef cnp.npy_intp stride = header.itemsize
    cdef int d, i
    for d in range(header.ndim):
        shape[d] = <cnp.npy_intp> header.shape[d]
    for i in range(header.ndim):
        d = i if header.order == SSA_COLUMN_MAJOR else header.ndim - 1 - i
        strides[d] = stride
        stride *= shape[d]
    if header.itemsize == 0:  # strings that are all empty: numpy knows none of length zero
        return np.zeros([shape[d] for d in range(header.ndim)], "S1" if header.dtype == SSA_STRING else "U1")
    if header.dtype == SSA_STRING:
        dtype = np.dtype(f"S{header.itemsize}")
    elif header.dtype == SSA_UNICODE:
        dtype = np.dtype(f"<U{header.itemsize // 4}")
    else:
        dtype = _DTYPES[header.dtype]
    Py_INCREF(dtype)  # PyArray_NewFromDescr takes a reference over
    view = PyArray_NewFromDescr(
        cnp.ndarray, <cnp.dtype> dtype, header.ndim, shape, strides, <void *> array.data, cnp.NPY_ARRAY_WRITEABLE, NULL
    )
    Py_INCREF(owner)
    cnp.PyArray_SetBaseObject(view, owner)
    return view


cdef cnp.ndarray _describe(object value, int may_be_column_major, ssa_array *array):
    """Fill `array`; returns the array whose memory it points to."""
    cdef cnp.ndarray source
    cdef ssa_tensor_header *header = &array.header
    cdef int d
    if not isinstance(value, np.ndarray):
        raise TypeError(f"not an array but {type(value).__name__}")
    source = value
    dtype = source.dtype
    if dtype.kind in "SU":
        code = SSA_STRING if dtype.kind == "S" else SSA_UNICODE
    else:
        code = _CODES.get(dtype)
    if code is None or dtype.byteorder == ">":
        raise TypeError(f"dtype {dtype} cannot be sent")
    if source.ndim > SSA_TENSOR_MAX_NDIM:
        raise TypeError(f"{source.ndim} dimensions; {SSA_TENSOR_MAX_NDIM} can be sent")
    header.order = SSA_ROW_MAJOR
    if not source.flags.c_contiguous:
        if may_be_column_major and source.flags.f_contiguous:
            header.order = SSA_COLUMN_MAJOR
        else:
            source = np.ascontiguousarray(source)
    header.dtype = code
    header.ndim = source.ndim
    header.itemsize = source.itemsize
    for d in range(source.ndim):
        header.shape[d] = source.shape[d]
    if ssa_tensor_header_complete(header) != SSA_OK:
        raise TypeError(f"an array of shape {value.shape} and dtype {dtype} cannot be sent")
    array.data = <const unsigned char *> cnp.PyArray_DATA(source)
    return source


@cython.no_gc_clear
cdef class _Memory:
    """Owns a batch: the views of its inputs refer to this, and when the last one is gone the memory is freed."""

    cdef Front front
    cdef ssa_batch *batch

    def __dealloc__(self):
        cdef uint64_t retired
        if self.batch is NULL:
            return
        if self.batch.model is not NULL:  # whoever took it forgot it: its clients must not wait in vain
            ssa_front_fail(self.front._front, self.batch, b"MODELFAILED", b"the worker gave the request up", &retired)
        ssa_front_batch_free(self.front._front, self.batch)


@cython.final
cdef class Batch:
    """Requests that one call of a model answers; see the stub for the attributes."""

    cdef _Memory _memory
    cdef readonly object model
    cdef readonly str name
    cdef readonly str version
    cdef readonly str function
    cdef readonly Py_ssize_t requests
    cdef readonly list inputs


@cython.final
cdef class Front:
    """The worker's server; see the stub."""

    cdef ssa_front *_front
    cdef dict _models
    cdef uint64_t _last_serial

    def __cinit__(self, *, str worker_id, bytes secret, uint64_t most_requests=65536, uint64_t most_bytes=8 << 30,
                  uint64_t spin=0):
        cdef ssa_front_options options
        identity = worker_id.encode()
        options.size = sizeof(ssa_front_options)
        options.secret = <const char *> secret
        options.secret_bytes = len(secret)
        options.worker_id = identity
        options.id_bytes = len(identity)
        options.most_requests = most_requests
        options.most_bytes = most_bytes
        options.spin_ns = min(spin, <uint64_t> 1_000_000) * 1000
        self._models = {}
        self._front = ssa_front_new(&options)
        if self._front is NULL:
            raise OSError(errno, f"the worker's server cannot start: {os.strerror(errno)}")

    def __dealloc__(self):
        with nogil:
            ssa_front_free(self._front)

    def listen(self, listener):
        listener.setblocking(False)
        if ssa_front_listen(self._front, listener.fileno()) != SSA_OK:
            raise OSError(errno, f"cannot serve {listener.getsockname()}: {os.strerror(errno)}")
        listener.detach()

    def drain(self):
        with nogil:
            ssa_front_drain(self._front)

    def close(self):
        with nogil:
            ssa_front_close(self._front)

    # ---- for compute threads ----

    def next_batch(self):
        cdef ssa_batch *taken
        cdef _Memory memory
        cdef Batch batch
        cdef size_t i
        while True:
            with nogil:
                taken = ssa_front_next_batch(self._front)
            if taken is NULL:
                return None
            memory = _Memory.__new__(_Memory)
            memory.front = self
            memory.batch = taken
            batch = Batch.__new__(Batch)
            batch._memory = memory
            if taken.status == SSA_OK:
                break
            self.fail(batch, "BUSY", "no memory to join the requests")
        batch.model = self._models[taken.serial]
        batch.name = taken.model.name[:taken.model.name_bytes].decode("utf-8", "surrogateescape")
        batch.version = taken.version.decode()
        function = taken.requests[0].target.function[:taken.requests[0].target.function_bytes]
        batch.function = function.decode("utf-8", "surrogateescape")
        batch.requests = taken.requests_count
        batch.inputs = [_view(&taken.inputs[i].array, memory) for i in range(taken.inputs_count)]
        return batch

    def complete(self, Batch batch not None, outputs):
        cdef ssa_batch *taken = _unanswered(batch)
        cdef uint64_t retired
        cdef size_t count = len(outputs), i
        cdef ssa_array *arrays = <ssa_array *> malloc((count + 1) * sizeof(ssa_array))
        if arrays is NULL:
            raise MemoryError
        try:
            sources = []
            for i in range(count):
                try:
                    sources.append(_describe(outputs[i], not taken.joined, &arrays[i]))
                except TypeError as error:
                    raise TypeError(f"output {i} of {batch.name}: {error}") from None
            with nogil:
                ssa_front_complete(self._front, taken, arrays, count, &retired)
        finally:
            free(arrays)
        self._models.pop(retired, None)

    def fail(self, Batch batch not None, str code, str text):
        cdef ssa_batch *taken = _unanswered(batch)
        cdef uint64_t retired
        code_bytes = code.encode()
        text_bytes = text.encode("utf-8", "replace")
        cdef const char *code_chars = code_bytes
        cdef const char *text_chars = text_bytes
        with nogil:
            ssa_front_fail(self._front, taken, code_chars, text_chars, &retired)
        self._models.pop(retired, None)

    # ---- for the owner ----

    @property
    def errand_fd(self):
        return ssa_front_errand_fd(self._front)

    def next_errand(self):
        cdef ssa_errand *errand = ssa_front_errand(self._front)
        if errand is NULL:
            return None
        try:
            name = errand.name[:errand.name_bytes].decode("utf-8", "surrogateescape")
            return (int(errand.kind), name, errand.request, errand.input)
        finally:
            ssa_release(errand)

    def model_ready(self, str name, str version, model, *, bint script=False, uint64_t batch_size=0,
                    uint64_t min_batch_size=0, uint64_t min_batch_timeout=0):
        cdef uint64_t retired
        cdef ssa_batching batching
        name_bytes = name.encode("utf-8", "surrogateescape")
        version_bytes = version.encode()
        batching.size = batch_size
        batching.minimum = min_batch_size
        batching.wait_ns = min(min_batch_timeout, <uint64_t> 86_400_000) * 1_000_000
        self._last_serial += 1
        self._models[self._last_serial] = model
        status = ssa_front_model_ready(self._front, script, name_bytes, len(name_bytes), version_bytes, batching,
                                       self._last_serial, &retired)
        if status != SSA_OK:
            del self._models[self._last_serial]
            if status == SSA_ENOMEM:
                raise MemoryError
            raise ValueError(f"{'script' if script else 'model'} '{name}': version '{version}' is longer than 31 bytes")
        self._models.pop(retired, None)

    def model_missing(self, str name, str code, str text, *, bint script=False):
        cdef uint64_t retired
        name_bytes = name.encode("utf-8", "surrogateescape")
        code_bytes = code.encode()
        text_bytes = text.encode("utf-8", "replace")
        cdef const char *name_chars = name_bytes
        cdef size_t bytes = len(name_bytes)
        cdef const char *code_chars = code_bytes
        cdef const char *text_chars = text_bytes
        with nogil:
            ssa_front_model_missing(self._front, script, name_chars, bytes, code_chars, text_chars, &retired)
        self._models.pop(retired, None)

    def input_fetched(self, uint64_t request, size_t index, array):
        cdef ssa_array described
        cdef ssa_status status
        source = _describe(array, True, &described)
        with nogil:
            status = ssa_front_input_fetched(self._front, request, index, &described)
        if status != SSA_OK:
            raise MemoryError(f"no memory for {source.nbytes} bytes of input")

    def looked(self, uint64_t request):
        cdef ssa_status status
        with nogil:
            status = ssa_front_looked(self._front, request)
        if status != SSA_OK:
            raise MemoryError

    def request_failed(self, uint64_t request, size_t index, str code, str text):
        code_bytes = code.encode()
        text_bytes = text.encode("utf-8", "replace")
        cdef const char *code_chars = code_bytes
        cdef const char *text_chars = text_bytes
        with nogil:
            ssa_front_request_failed(self._front, request, index, code_chars, text_chars)

    def statistics(self):
        cdef ssa_front_statistics found
        ssa_front_get_statistics(self._front, &found)
        return found


cdef ssa_batch *_unanswered(Batch batch) except NULL:
    if batch._memory.batch.model is NULL:
        raise ValueError("the batch was answered already")
    return batch._memory.batch
