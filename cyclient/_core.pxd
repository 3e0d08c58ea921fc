# The C core as Cython sees it, and the classes of the binding. The meaning of each function stands in its C header.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cimport cython
cimport numpy as cnp


cdef extern from "status.h":
    ctypedef enum ssa_status:
        SSA_OK, SSA_MORE, SSA_ENOMEM, SSA_EARGUMENT, SSA_EPROTOCOL, SSA_ELIMIT, SSA_EHEADER, SSA_EVERSION, SSA_EDTYPE
        SSA_ESHAPE, SSA_ENOTFOUND, SSA_ESERVER, SSA_ECLOSED, SSA_ESYSTEM, SSA_ECONNECT, SSA_ETIMEOUT, SSA_EWAIT
        SSA_EPERMISSION, SSA_EFULL, SSA_EMODEL, SSA_EINPUT, SSA_ERUN, SSA_ENOWORKER, SSA_EWORKERLIST, SSA_EFORK, SSA_EINTERNAL
        SSA_ECANCELLED, SSA_EUNSUPPORTED, SSA_ETYPE, SSA_ETOPOLOGY, SSA_EDATASET

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
    ctypedef struct ssa_tensor:
        ssa_tensor_header header
        ssa_memory memory

cdef extern from "mistake.h":
    enum:
        SSA_MISTAKE_BYTES

cdef extern from "settings.h":
    int64_t SSA_NO_TIMEOUT
    ctypedef struct ssa_settings_given:
        const char *address
        const char *user
        const char *password
        const char *identifier
        const double *timeout
        int bulk_connection
        int64_t value_limit
        int trust_topology
        int log_level
        const char *log_file
        int tls
        const char *tls_ca
        const char *tls_cert
        const char *tls_key
        const char *write_prefix
        const char *read_prefixes
        const char *server_type
        const char *tls_name
    ctypedef struct ssa_settings:
        char *user
        int64_t timeout_ns
    void ssa_settings_given_init(ssa_settings_given *given) nogil
    ssa_status ssa_settings_resolve(ssa_settings *settings, const ssa_settings_given *given, void *lookup, void *user,
                                    ssa_buffer *mistakes) nogil
    void ssa_settings_prefer_one_connection(ssa_settings *settings) nogil
    ssa_status ssa_settings_describe(const ssa_settings *settings, ssa_buffer *text) nogil
    void ssa_settings_free(ssa_settings *settings) nogil

cdef extern from "resp_writer.h":
    void ssa_buffer_free(ssa_buffer *buffer) nogil

cdef extern from "key_names.h":
    ctypedef enum ssa_kind:
        SSA_KIND_TENSOR, SSA_KIND_DATASET, SSA_KIND_LIST, SSA_KIND_MODEL, SSA_KIND_SCRIPT, SSA_KIND_KEY
    ctypedef struct ssa_key_names:
        char *error
    ssa_status ssa_key_names_set_source(ssa_key_names *names, const char *source, size_t bytes) nogil
    ssa_status ssa_key_names_set_prefixed(ssa_key_names *names, ssa_kind kind, int on) nogil

cdef extern from "dataset.h":
    ctypedef struct ssa_dataset:
        pass

cdef extern from "request.h":
    ctypedef struct ssa_problem:
        ssa_status status
        char *text
    ctypedef struct ssa_request:
        ssa_request *next
        void *owner
        ssa_kind kind
        int complete
        int taken
        ssa_status status
        ssa_buffer error
        ssa_buffer subject
        const char *operation
        int64_t number
        ssa_tensor *tensors
        size_t tensor_count
        ssa_reply reply
        ssa_reply second_reply
        ssa_dataset **datasets
        size_t dataset_count
    void ssa_request_start(ssa_request *request, int64_t timeout) nogil
    void ssa_request_cancel(ssa_request *request) nogil
    void ssa_request_free(ssa_request *request) nogil

cdef extern from "link.h":
    ctypedef struct ssa_link:
        pass

cdef extern from "log.h":
    enum:
        SSA_LOG_LINE_BYTES
    ctypedef enum ssa_log_level:
        SSA_LOG_QUIET, SSA_LOG_ERROR, SSA_LOG_INFO, SSA_LOG_DEBUG
    ctypedef struct ssa_log:
        ssa_log_level level
        void (*sink)(void *user, ssa_log_level level, const char *text, size_t bytes) noexcept nogil
        void *user

cdef extern from "home_process.h":
    ctypedef struct ssa_home_process:
        pass
    int ssa_is_at_home(const ssa_home_process *home) nogil

cdef extern from "engine.h":
    enum:
        SSA_EVENT_READ, SSA_EVENT_WRITE
    int64_t SSA_NEVER
    ctypedef struct ssa_driver:
        void *self
        void (*watch)(void *self, ssa_link *link, int descriptor, int events) noexcept nogil
        bint tells_once
    ctypedef struct ssa_engine_statistics:
        uint64_t requests, commands, retries, redirections, refreshes, connections
    ctypedef struct ssa_engine:
        ssa_settings settings
        ssa_driver driver
        ssa_log log
        ssa_key_names names
        ssa_engine_statistics statistics
        char *description
        size_t in_flight
        int closed
        ssa_home_process home
    ssa_engine *ssa_engine_new(ssa_settings *settings, const ssa_driver *driver) nogil
    const char *ssa_engine_unusable(const ssa_engine *engine, ssa_status *status) nogil
    void ssa_engine_close(ssa_engine *engine) nogil
    void ssa_engine_free(ssa_engine *engine) nogil
    void ssa_engine_share_model_versions(ssa_engine *engine, const ssa_engine *other) nogil
    size_t ssa_engine_unanswered(const ssa_engine *engine) nogil
    int64_t ssa_now() nogil
    void ssa_engine_tick(ssa_engine *engine, int64_t now) nogil
    int64_t ssa_engine_next_moment(const ssa_engine *engine) nogil
    void ssa_engine_tidy(ssa_engine *engine) nogil
    void ssa_engine_flush(ssa_engine *engine) nogil
    int ssa_engine_flush_idle(ssa_engine *engine) nogil
    void ssa_engine_ready(ssa_engine *engine, ssa_link *link, int events, int64_t now) nogil
    ssa_request *ssa_engine_next_complete(ssa_engine *engine) nogil
    void ssa_engine_withdraw(ssa_engine *engine, ssa_request *request) nogil

cdef extern from "poll_wake.h":
    ctypedef struct ssa_poll_wake:
        pass
    void ssa_poll_wake_init(ssa_poll_wake *wake) nogil
    void ssa_poll_wake_end(ssa_poll_wake *wake) nogil
    ssa_status ssa_poll_wakeable(ssa_engine *engine, const ssa_request *request, int64_t until, ssa_poll_wake *wake) nogil
    void ssa_poll_wake_ask(ssa_poll_wake *wake) nogil
    int ssa_poll_wake_answer(ssa_poll_wake *wake) nogil

cdef extern from "batch_plan.h":
    ctypedef struct ssa_batch_plan:
        pass
    ssa_batch_plan *ssa_batch_plan_new(ssa_engine *engine) nogil
    void ssa_batch_plan_free(ssa_batch_plan *batch) nogil
    ssa_status ssa_batch_plan_add(ssa_batch_plan *batch, ssa_request *request) nogil
    ssa_request *ssa_batch_plan_execute(ssa_batch_plan *batch, int64_t timeout) nogil
    void ssa_batch_plan_cancel(ssa_batch_plan *batch) nogil

cdef extern from "operations.h":
    ctypedef enum ssa_comparison:
        SSA_COMPARE_EQUAL, SSA_COMPARE_AT_LEAST, SSA_COMPARE_AT_MOST
    ctypedef struct ssa_text:
        const char *data
        size_t bytes
    ctypedef struct ssa_model_options:
        ssa_text backend, device
        int first_gpu, num_gpus
        int64_t batch_size, min_batch_size, min_batch_timeout
        ssa_text tag, inputs, outputs
    ctypedef struct ssa_run_input:
        ssa_text name
        const ssa_tensor_header *header
        const void *data
    ctypedef struct ssa_run_options:
        ssa_text function, device
        int discard
    ssa_request *ssa_op_put_tensor(ssa_engine *engine, ssa_text name, const ssa_tensor_header *header, const void *data,
                                   ssa_problem *problem) nogil
    ssa_request *ssa_op_get_tensor(ssa_engine *engine, ssa_text name, ssa_problem *problem) nogil
    ssa_request *ssa_op_unpack_tensor(ssa_engine *engine, ssa_text name, const ssa_tensor_header *header, void *into,
                                      ssa_problem *problem) nogil
    ssa_request *ssa_op_get_tensor_by_key(ssa_engine *engine, ssa_text key, ssa_problem *problem) nogil
    ssa_request *ssa_op_delete(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name,
                               ssa_problem *problem) nogil
    ssa_request *ssa_op_exists(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name,
                               ssa_problem *problem) nogil
    ssa_request *ssa_op_wait_for(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name,
                                 ssa_problem *problem) nogil
    ssa_request *ssa_op_put_bytes(ssa_engine *engine, ssa_text name, const void *data, size_t bytes, ssa_problem *problem) nogil
    ssa_request *ssa_op_get_bytes(ssa_engine *engine, ssa_text name, ssa_problem *problem) nogil
    ssa_request *ssa_op_copy(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text source, ssa_text target,
                             ssa_problem *problem) nogil
    ssa_request *ssa_op_rename(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text source, ssa_text target,
                               ssa_problem *problem) nogil
    ssa_request *ssa_op_set_ttl(ssa_engine *engine, ssa_kind kind, ssa_text name, int64_t milliseconds,
                                ssa_problem *problem) nogil
    ssa_request *ssa_op_get_ttl(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem) nogil
    ssa_request *ssa_op_persist(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem) nogil
    ssa_request *ssa_op_put_dataset(ssa_engine *engine, ssa_dataset *dataset, ssa_problem *problem) nogil
    ssa_request *ssa_op_get_dataset(ssa_engine *engine, ssa_text name, ssa_problem *problem) nogil
    ssa_request *ssa_op_delete_dataset(ssa_engine *engine, ssa_text name, ssa_problem *problem) nogil
    ssa_request *ssa_op_copy_dataset(ssa_engine *engine, ssa_text source, ssa_text target, ssa_problem *problem) nogil
    ssa_request *ssa_op_rename_dataset(ssa_engine *engine, ssa_text source, ssa_text target, ssa_problem *problem) nogil
    ssa_request *ssa_op_append_to_list(ssa_engine *engine, ssa_text list, ssa_text dataset, ssa_problem *problem) nogil
    ssa_request *ssa_op_list_length(ssa_engine *engine, ssa_text list, ssa_problem *problem) nogil
    ssa_request *ssa_op_copy_list(ssa_engine *engine, ssa_text source, ssa_text target, ssa_problem *problem) nogil
    ssa_request *ssa_op_rename_list(ssa_engine *engine, ssa_text source, ssa_text target, ssa_problem *problem) nogil
    ssa_request *ssa_op_get_datasets_from_list(ssa_engine *engine, ssa_text list, ssa_problem *problem) nogil
    ssa_request *ssa_op_get_list_range(ssa_engine *engine, ssa_text list, int64_t first, int64_t last,
                                       ssa_problem *problem) nogil
    ssa_request *ssa_op_wait_for_list_length(ssa_engine *engine, ssa_text name, int64_t length, ssa_comparison comparison,
                                             ssa_problem *problem) nogil
    ssa_request *ssa_op_poll(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, int64_t frequency_ms,
                             int64_t tries, ssa_problem *problem) nogil
    ssa_request *ssa_op_poll_list_length(ssa_engine *engine, const char *operation, ssa_text name, int64_t length,
                                         ssa_comparison comparison, int64_t frequency_ms, int64_t tries,
                                         ssa_problem *problem) nogil
    ssa_request *ssa_op_watch(ssa_engine *engine, ssa_text key, ssa_problem *problem) nogil
    ssa_request *ssa_op_control_poll(ssa_engine *engine, ssa_text entity, ssa_problem *problem) nogil
    ssa_request *ssa_op_control_send(ssa_engine *engine, ssa_text entity, ssa_text kind, ssa_text name, ssa_text value,
                                     ssa_problem *problem) nogil
    ssa_request *ssa_op_control_clear(ssa_engine *engine, ssa_text entity, ssa_problem *problem) nogil
    ssa_request *ssa_op_node_info(ssa_engine *engine, ssa_text address, ssa_problem *problem) nogil
    ssa_request *ssa_op_cluster_info(ssa_engine *engine, ssa_text address, ssa_problem *problem) nogil
    ssa_request *ssa_op_ping(ssa_engine *engine, ssa_text address, ssa_problem *problem) nogil
    ssa_request *ssa_op_config_get(ssa_engine *engine, ssa_text parameter, ssa_text address, ssa_problem *problem) nogil
    ssa_request *ssa_op_config_set(ssa_engine *engine, ssa_text parameter, ssa_text value, ssa_text address,
                                   ssa_problem *problem) nogil
    ssa_request *ssa_op_save(ssa_engine *engine, ssa_text address, ssa_problem *problem) nogil
    ssa_request *ssa_op_flush(ssa_engine *engine, ssa_text prefix, ssa_problem *problem) nogil
    ssa_request *ssa_op_set_model(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_text blob,
                                  const ssa_model_options *options, ssa_problem *problem) nogil
    ssa_request *ssa_op_get_model(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem) nogil
    ssa_request *ssa_op_get_model_version(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem) nogil
    ssa_request *ssa_op_get_model_blob(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_text version,
                                       ssa_problem *problem) nogil
    ssa_request *ssa_op_delete_model(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem) nogil
    ssa_request *ssa_op_delete_model_multigpu(ssa_engine *engine, ssa_kind kind, ssa_text name, int first_gpu, int num_gpus,
                                              ssa_problem *problem) nogil
    ssa_request *ssa_op_run(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name,
                            const ssa_run_input *inputs, size_t input_count, const ssa_text *outputs, size_t output_count,
                            const ssa_run_options *options, ssa_problem *problem) nogil

cdef extern from "worker_proof.h":
    ctypedef enum ssa_role:
        SSA_ROLE_CLIENT, SSA_ROLE_WORKER
    void ssa_worker_proof(ssa_role role, const void *secret, size_t secret_bytes, const void *worker_id, size_t id_bytes,
                          const unsigned char *client_nonce, const unsigned char *worker_nonce, unsigned char *proof) nogil


cdef enum Result:
    """What becomes of a request's results in Python."""
    NOTHING, TRUTH, NUMBER, TENSOR, BYTES, INTO, OUTPUTS, REPLY, TEXT, MODEL, VERSION, DATASET, DATASETS


@cython.final
@cython.no_gc_clear
cdef class Request:
    """One operation: made by an Engine, started by it or by a batch, then a value or an error."""
    cdef ssa_request *c                 # NULL once its result was taken, or it was cancelled
    cdef object engine                  # that made it: freed after it
    cdef object lent                    # whose memory the C side borrows until it is done
    cdef object into                    # the caller's array, for an unpack
    cdef object convert                 # a function of the value, or None
    cdef Result result_kind
    cdef object timeout                 # seconds, or None
    cdef bint in_batch, started, only_in_batch
    cdef bint is_taken                  # `value` is what came; the C side has it no more
    cdef bint is_finishing              # its result is being taken, or was: there is nothing left to cancel
    cdef bint due                       # to be cancelled, as soon as the engine may be touched
    cdef Request next_due
    cdef public object waiter           # asyncio.Future or None
    cdef readonly bint done             # it has a value or an error
    cdef readonly object value
    cdef readonly object error          # an exception, or None
    cdef int _take_value(self) except -1
    cdef int _take_result(self) except -1
    cdef void _finish(self) noexcept


@cython.final
@cython.no_gc
cdef class Grip:
    """On a request that is of use to one holder alone. Not in Python, where a signal could come between, and be lost."""
    cdef Request request


cdef class EngineOperations:
    """The operations on a store, as requests that are not started."""
    cdef ssa_engine *c
    cdef Request _request(self, ssa_request *c, ssa_problem *problem, Result result, object lent)
    cdef Request _exists(self, const char *operation, ssa_kind kind, str word, object name)
    cdef Request _wait_for(self, const char *operation, ssa_kind kind, str word, object name)
    cdef Request _copy(self, const char *operation, bint moves, ssa_kind kind, str word, object source, object target)
    cdef Request _ttl(self, ssa_kind kind, str word, object name, object seconds)
    cdef Request _poll(self, const char *operation, ssa_kind kind, str word, object name, object frequency_ms, object tries)
    cdef Request _set_model(self, ssa_kind kind, object name, bytes blob, object backend, object device, int first_gpu,
                            int num_gpus, int64_t batch_size, int64_t min_batch_size, int64_t min_batch_timeout, object tag,
                            object inputs, object outputs)
    cdef Request _get_model(self, ssa_kind kind, object name)
    cdef Request _delete_model(self, ssa_kind kind, object name, tuple gpus)


cdef struct DroppedPlan:
    ssa_batch_plan *plan
    DroppedPlan *next


@cython.final
cdef class Engine(EngineOperations):
    """The C engine of one client, and what drives it: an event loop, or the caller who waits."""
    cdef object __weakref__
    cdef object weak                    # to this: what the loop has of it
    cdef object loop                    # asyncio.AbstractEventLoop, or None
    cdef object thread                  # of the first operation, and its process
    cdef object timer                   # asyncio.TimerHandle or None
    cdef int64_t timer_at
    cdef bint flush_is_due
    cdef list log_lines                 # bytes: the level, then the text; given out by _collect
    # While `away` is above 0 a thread is in a function of the C engine that lets other threads, or other Python code, run. They
    # do not touch the C engine then: what they drop or cancel is put off until it is back.
    cdef int away
    cdef ssa_request *dropped           # to be freed
    cdef DroppedPlan *dropped_plans
    cdef Request due                    # to be cancelled
    cdef bint close_is_due
    cdef ssa_poll_wake wake
    cdef bint _may_be_touched(self) except -1
    cdef void _come_back(self) noexcept
    cdef void _tidy(self) noexcept
    cdef void _drop(self, ssa_request *c) noexcept
    cdef void _drop_plan(self, DroppedPlan *plan) noexcept
    cdef int _put_off(self, Request request) except -1
    cdef int _tell(self) except -1
    cdef size_t _collect(self) noexcept
    cdef void _log(self) noexcept
    cdef void _settle(self)
    cdef void _tick(self)
    cdef void _ready(self, size_t link, int events)
    cdef void _watch(self, ssa_link *link, int descriptor, int events)


@cython.final
@cython.no_gc_clear
cdef class BatchCore:
    """The C batch: operations in their order, and the request that stands for all of them."""
    cdef ssa_batch_plan *c
    cdef DroppedPlan *dropped           # what its end needs, so that it needs no memory
    cdef object engine
    cdef list requests
    cdef readonly Request whole
    cdef int _stop(self) except -1


@cython.final
@cython.no_gc
cdef class Bell:
    cdef readonly unsigned long count   # how often it rang
    cdef list sleepers                  # a lock for each, which it releases
    cdef void ring(self) noexcept


@cython.final
@cython.no_gc
cdef class Turns:
    """What the members of one blocking client have in common."""
    cdef readonly Bell bell             # rings when a turn on any of them is over
    cdef int overdue                    # how many are


@cython.final
cdef class Member:
    """One connection to each shard, of a blocking client."""
    cdef readonly Engine engine
    cdef readonly object operations
    cdef readonly Bell bell             # rings when a turn, or a claim, is over
    cdef readonly bint is_overdue       # something was unanswered when it was left
    cdef Turns turns
    cdef unsigned long thread           # whose turn it is, or was last
    cdef int depth                      # turns of that thread
    cdef int claims                     # threads that wait for just this one, to start or end something
    cdef Turn _turn(self)


@cython.final
@cython.no_gc
cdef class Turn:
    """A thread's own use of a member, until it leaves the `with`, or the turn is dropped."""
    cdef readonly Member member
    cdef public object left             # seconds of the deadline, after what the wait for it took; None: the client's own
    cdef bint is_over
    cdef void leave(self) noexcept


@cython.final
@cython.no_gc
cdef class Claim:
    """That a thread waits for just this member, until it leaves the `with`, or the claim is dropped."""
    cdef Member member
    cdef bint is_over
    cdef void end(self) noexcept
