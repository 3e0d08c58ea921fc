# The C core as Cython sees it, and the classes of the binding. The meaning of each function stands in its C header.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cimport cython
cimport numpy as cnp


cdef extern from "status.h":
    ctypedef enum ssa_status:
        SSA_OK, SSA_MORE, SSA_ENOMEM, SSA_EARGUMENT, SSA_EPROTOCOL, SSA_ELIMIT, SSA_EHEADER, SSA_EVERSION, SSA_EDTYPE
        SSA_ESHAPE, SSA_ENOTFOUND, SSA_ESERVER, SSA_ECLOSED, SSA_ESYSTEM

cdef extern from "allocator.h":
    ctypedef struct ssa_allocator:
        void *(*allocate)(size_t bytes) noexcept nogil
        void *(*reallocate)(void *memory, size_t bytes) noexcept nogil
        void (*release)(void *memory) noexcept nogil
    void ssa_allocator_set(const ssa_allocator *table) nogil

cdef extern from "tensor_header.h":
    enum:
        SSA_TENSOR_MAX_NDIM, SSA_TENSOR_MAX_HEADER
    ctypedef enum ssa_order:
        SSA_ROW_MAJOR, SSA_COLUMN_MAJOR
    ctypedef struct ssa_tensor_header:
        uint8_t dtype, order, ndim
        uint32_t itemsize
        uint64_t data_bytes
        uint64_t shape[32]
    size_t ssa_tensor_header_size(uint8_t ndim) nogil
    ssa_status ssa_tensor_header_complete(ssa_tensor_header *header) nogil
    void ssa_tensor_header_encode(const ssa_tensor_header *header, unsigned char *out) nogil
    ssa_status ssa_tensor_header_decode(ssa_tensor_header *header, const unsigned char *bytes, size_t available,
                                        uint64_t value_bytes, size_t *offset) nogil

cdef extern from "tensor_memory.h":
    ctypedef struct ssa_memory:
        void *data
        void *allocation
    ssa_memory ssa_memory_new(size_t bytes) nogil
    void ssa_memory_free(ssa_memory *memory) nogil

cdef extern from "resp_reader.h":
    ctypedef enum ssa_token_kind:
        SSA_TOKEN_SIMPLE, SSA_TOKEN_ERROR, SSA_TOKEN_INTEGER, SSA_TOKEN_REAL, SSA_TOKEN_BOOLEAN, SSA_TOKEN_NULL
        SSA_TOKEN_BIG_NUMBER, SSA_TOKEN_BULK, SSA_TOKEN_BULK_ERROR, SSA_TOKEN_VERBATIM, SSA_TOKEN_ARRAY, SSA_TOKEN_SET
        SSA_TOKEN_MAP, SSA_TOKEN_ATTRIBUTE, SSA_TOKEN_PUSH
    ctypedef struct ssa_reader_limits:
        uint64_t bulk_bytes, elements

cdef extern from "resp_writer.h":
    ctypedef struct ssa_buffer:
        unsigned char *data
        size_t bytes

cdef extern from "reply.h":
    ctypedef struct ssa_node:
        ssa_token_kind kind
        int64_t number
        double real
        size_t text_at, text_bytes
    ctypedef struct ssa_reply:
        ssa_node *nodes
        size_t count
        ssa_buffer text
    void ssa_reply_free(ssa_reply *reply) nogil

cdef extern from "command.h":
    ctypedef enum ssa_expectation:
        SSA_EXPECT_REPLY, SSA_EXPECT_TENSOR, SSA_EXPECT_INTO, SSA_EXPECT_RESULTS
    ctypedef struct ssa_tensor:
        ssa_tensor_header header
        ssa_memory memory
    ctypedef struct ssa_command:
        void *owner
        size_t total, sent
        ssa_expectation expectation
        uint64_t id
        int complete
        ssa_status status
        ssa_buffer error
        ssa_reply reply
        ssa_tensor *tensors
        size_t tensor_count
        ssa_tensor_header into_header
    ssa_command *ssa_command_new(uint64_t arguments, ssa_expectation expectation) nogil
    void ssa_command_free(ssa_command *command) nogil
    ssa_status ssa_command_next(ssa_command *command, uint64_t arguments) nogil
    ssa_status ssa_command_argument(ssa_command *command, const void *data, size_t bytes) nogil
    ssa_status ssa_command_number(ssa_command *command, uint64_t number) nogil
    ssa_status ssa_command_bytes(ssa_command *command, const void *data, size_t bytes) nogil
    ssa_status ssa_command_tensor(ssa_command *command, const ssa_tensor_header *header, const void *data) nogil
    void ssa_command_into(ssa_command *command, const ssa_tensor_header *header, void *memory) nogil

cdef extern from "connection.h":
    ctypedef struct ssa_connection:
        pass
    ctypedef struct ssa_connection_statistics:
        uint64_t commands, replies, pushes, bytes_sent, bytes_received, send_calls, receive_calls
    ssa_connection *ssa_connection_new(int descriptor, ssa_reader_limits limits) nogil
    void ssa_connection_free(ssa_connection *connection) nogil
    void ssa_connection_match_by_id(ssa_connection *connection) nogil
    void ssa_connection_queue(ssa_connection *connection, ssa_command *command) nogil
    ssa_status ssa_connection_send(ssa_connection *connection) nogil
    ssa_status ssa_connection_receive(ssa_connection *connection) nogil
    ssa_status ssa_connection_abandon(ssa_connection *connection, ssa_command *command) nogil
    void ssa_connection_fail(ssa_connection *connection, ssa_status status, const char *text) nogil
    ssa_command *ssa_connection_next_complete(ssa_connection *connection) nogil
    int ssa_connection_next_push(ssa_connection *connection, ssa_reply *push) nogil
    size_t ssa_connection_unanswered(const ssa_connection *connection) nogil
    int ssa_connection_wants_write(const ssa_connection *connection) nogil
    const char *ssa_connection_error(const ssa_connection *connection) nogil
    ssa_connection_statistics ssa_connection_statistics_now(const ssa_connection *connection) nogil

cdef extern from "blocking.h":
    int64_t ssa_now() nogil
    void ssa_connection_prepare_waits(ssa_connection *connection)
    ssa_status ssa_connection_wait(ssa_connection *connection, const ssa_command *command, int64_t deadline) nogil

cdef extern from "worker_proof.h":
    ctypedef enum ssa_role:
        SSA_ROLE_CLIENT, SSA_ROLE_WORKER
    void ssa_worker_proof(ssa_role role, const void *secret, size_t secret_bytes, const void *worker_id, size_t id_bytes,
                          const unsigned char *client_nonce, const unsigned char *worker_nonce, unsigned char *proof) nogil


@cython.final
cdef class Flight:
    """Commands that are waited for together."""
    cdef public object waiter           # asyncio.Future or None
    cdef public list commands
    cdef readonly Py_ssize_t unanswered


@cython.final
cdef class Command:
    """One command, from its encoding to its value."""
    cdef ssa_command *c                 # NULL once its value was taken or it was abandoned
    cdef object lent                    # whose memory the C side borrows
    cdef object into                    # the caller's array, for an unpack
    cdef Flight flight
    cdef public object waiter           # asyncio.Future or None
    cdef readonly str subject           # what it is about, for the text of errors
    cdef bint is_transaction            # its value is the list of its commands' replies, errors among them
    cdef readonly bint done             # it has a value or an error; never, once abandoned
    cdef readonly object value
    cdef readonly object error          # an exception, or None


@cython.final
cdef class Connection:
    """The C connection on a socket that the caller opened and closes."""
    cdef ssa_connection *c
    cdef readonly str address
    cdef Command _new(self, uint64_t arguments, ssa_expectation expectation, str subject)
    cdef Command _queue(self, Command command)
    cdef int _add_arguments(self, Command command, list lent, object arguments) except -1
    cdef object _release_owners(self)
    cdef void _collect(self)
    cdef object _broken(self, ssa_status status)
