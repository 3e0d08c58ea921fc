"""The binding of the C core: conversion between numpy arrays, Python values and commands. No socket is opened here."""

from cpython.exc cimport PyErr_CheckSignals, PyErr_SetInterrupt
from cpython.object cimport PyTypeObject
from cpython.pythread cimport PyThread_get_thread_ident
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

cimport cython
cimport numpy as cnp

import _thread
import asyncio
import logging
import sys
import threading
import warnings
import weakref

import numpy as np

from ssasync.cyclient import arguments, errors

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
            raise errors.UnsupportedDtype(
                "the stored tensor", "bfloat16", "numpy has it only through the package ml_dtypes: install that") from None
        dtype = _dtype_of_code[13] = np.dtype(ml_dtypes.bfloat16)
        return dtype
    raise errors.InternalError(f"the core let the unknown dtype code {code} pass")


cdef int _code_from_dtype(str argument, cnp.dtype dtype) except -1:
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
    raise errors.UnsupportedDtype(argument, str(dtype), "convert it to one of " + ", ".join(_CODE_OF_NAME) + " or fixed strings")


cdef cnp.ndarray _sendable(str argument, object data):
    """The array itself where it can be sent from where it lies, else a packed copy in native byte order."""
    cdef cnp.ndarray array = data if type(data) is np.ndarray else arguments.array(argument, data)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="), copy=True)
    if not (cnp.PyArray_IS_C_CONTIGUOUS(array) or cnp.PyArray_IS_F_CONTIGUOUS(array)):
        array = array.copy(order="C")
    if not _little_endian:
        array = array.byteswap()
    return array


def is_plain(out):
    """Whether this is no subclass of an array, can be written, lies in one piece and has the byte order of this machine."""
    cdef cnp.ndarray array
    if type(out) is not np.ndarray:
        return False
    array = out
    return (cnp.PyArray_ISWRITEABLE(array) and cnp.PyArray_ISNOTSWAPPED(array)
            and (cnp.PyArray_IS_C_CONTIGUOUS(array) or cnp.PyArray_IS_F_CONTIGUOUS(array)))


cdef int _fill_header(ssa_tensor_header *header, str argument, cnp.ndarray array) except -1:
    """The header of an array that is row- or column-major."""
    cdef int ndim = cnp.PyArray_NDIM(array)
    if ndim > SSA_TENSOR_MAX_NDIM:
        raise errors.InvalidArgument(argument, f"of {ndim} dimensions", f"reshape it to at most {SSA_TENSOR_MAX_NDIM}")
    header.dtype = <uint8_t>_code_from_dtype(argument, <cnp.dtype>cnp.PyArray_DESCR(array))
    header.itemsize = <uint32_t>cnp.PyArray_ITEMSIZE(array)
    header.ndim = <uint8_t>ndim
    header.order = SSA_ROW_MAJOR if cnp.PyArray_IS_C_CONTIGUOUS(array) else SSA_COLUMN_MAJOR
    for i in range(ndim):
        header.shape[i] = <uint64_t>cnp.PyArray_DIM(array, i)
    if ssa_tensor_header_complete(header) != SSA_OK:
        raise errors.InvalidArgument(argument, f"of shape {(<object>array).shape}", "its size overflows 63 bits")
    return 0


@cython.final
@cython.freelist(64)
cdef class _Memory:
    """Owns the memory under an array that came from the core."""
    cdef ssa_memory memory

    def __dealloc__(self):
        ssa_memory_free(&self.memory)


cdef cnp.ndarray _array_over(ssa_tensor_header *header, cnp.dtype dtype, object owner, void *data):
    """An array over memory that `owner` keeps. Runs no Python code."""
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
    Py_INCREF(dtype)  # PyArray_NewFromDescr steals it
    cdef cnp.ndarray array = PyArray_NewFromDescr(<PyTypeObject *>np.ndarray, dtype, ndim, shape, strides, data, NPY_ARRAY_WRITEABLE, None)
    Py_INCREF(owner)  # PyArray_SetBaseObject steals it
    PyArray_SetBaseObject(array, owner)
    return array if _little_endian else array.byteswap(inplace=True)


cdef cnp.ndarray _take_tensor(ssa_tensor *tensor):
    """An array that owns the tensor's memory from now on; Python code that Ctrl-C may interrupt runs only before."""
    cdef cnp.dtype dtype = _dtype_from_code(tensor.header.dtype, tensor.header.itemsize)
    cdef _Memory owner = _Memory.__new__(_Memory)
    owner.memory = tensor.memory
    memset(&tensor.memory, 0, sizeof(tensor.memory))
    return _array_over(&tensor.header, dtype, owner, owner.memory.data)


def encode_tensor(data):
    """The bytes of a tensor as they stand in the store: header and elements (WIRE.md)."""
    cdef ssa_tensor_header header
    cdef unsigned char head[320]
    cdef cnp.ndarray array = _sendable("data", data)
    _fill_header(&header, "data", array)
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
        raise errors.NotATensor("the value", "memory", "its header is of another version" if status == SSA_EVERSION
                                else "its header is missing or contradicts itself")
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


include "_engine_operations.pxi"
include "_engine.pxi"
include "_batch.pxi"
include "_members.pxi"


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


def stop_counting_allocations():
    """The core allocates as it does for users: what it needs again it keeps. For tests."""
    ssa_allocator_set(NULL)


def refusals_left():
    """How many allocations are still to be refused. For tests."""
    return _refusals_left


def allocated_bytes():
    """Bytes that the core asked for since the last `fail_allocation`, and got. For tests."""
    return _allocated_bytes
