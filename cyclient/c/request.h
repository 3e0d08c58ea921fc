/* One operation of a caller, from its start to its result: a small state machine that sends calls and is stepped when all
 * of them are done. What each operation does stands in the files op_*.c; who starts one waits for it through a driver. */
#ifndef SSA_REQUEST_H
#define SSA_REQUEST_H

#include "call.h"
#include "key_names.h"
#include "timer_heap.h"

struct ssa_engine;
struct ssa_batch_plan;
struct ssa_dataset;
struct ssa_chunk_io;
struct ssa_watched;

typedef struct ssa_request ssa_request;
typedef struct ssa_retry ssa_retry;

/* What a caller of an operation did wrong, before anything was started. */
typedef struct ssa_problem {
    ssa_status status;
    char text[SSA_MISTAKE_BYTES];
} ssa_problem;

struct ssa_request {
    ssa_request *next, *previous; /* in the client's list of those under way, or of those that are complete */
    struct ssa_engine *engine;
    void *owner;                  /* the face's, untouched here */

    const char *operation;        /* "put_tensor": static */
    ssa_kind kind;                /* of its subject, for texts */
    ssa_buffer subject;           /* the name it is about, ends in NUL (not counted) */
    void (*step)(ssa_request *request);     /* at the start, and when all calls sent by the last step are done */
    void (*overdue)(ssa_request *request);  /* at the deadline; NULL: it ends with SSA_ETIMEOUT */
    void (*completed)(ssa_request *request); /* at its end, whichever, before it is freed; NULL: nothing to do */
    void (*forsaken)(ssa_request *request); /* it ends without success, before its calls are abandoned: see to what it leaves in the
                                             * store; NULL: nothing to do */
    void (*end)(ssa_request *request);      /* frees `state`; NULL: nothing to do */
    void *state;                  /* the operation's own */
    int stage;                    /* the operation's own; 0 at the start */
    struct ssa_chunk_io *chunks;  /* a value in pieces that is being read or written (op_chunk.h); NULL: none */
    struct ssa_watched *watched;  /* a transaction on keys that are as it saw them (op_watched.h); NULL: none yet */
    ssa_retry *retry;             /* a step that it takes again (retry.h); NULL: none yet */

    const ssa_call *shared;       /* that it waits for, and others do too: none of its own; NULL: none */
    ssa_call single, *calls;      /* of this stage: `calls` is &single for one */
    size_t call_count;
    size_t outstanding;           /* of them, not done */
    ssa_timer deadline;
    int64_t timeout;              /* nanoseconds, as given */
    int64_t until;                /* the moment of the deadline, its own or that of its batch; SSA_NEVER */
    int has_timer;                /* room for the deadline is taken */
    int started, complete, queued; /* queued: complete, and not handed out yet */
    int unattended;               /* nobody waits for it or frees it: it goes when it has ended */
    int64_t began;                /* the moment of its start, for the log */
    int answered;                 /* a server has carried out something of it */
    int taken;                    /* its caller has the results: the face says so, for those that are not given twice (a control_poll) */
    struct ssa_batch_plan *batch;      /* it is part of; NULL: none */
    size_t batch_place;
    struct ssa_request *parent;   /* that it is a part of, and is told instead of the face; NULL: none */
    uint64_t order_hash;          /* of the one hash tag all its keys share, as in ssa_call; 0: of several, or unknown */
    uint64_t changes[2];          /* hash tags of keys that it changes, or SSA_ALL_KEYS; 0: none. A run has its outputs instead */
    int is_single;                /* it sends one command and is done: those behind it on a key need not wait */

    ssa_status status;
    ssa_buffer error;             /* its text, ends in NUL (not counted) */
    const ssa_tensor_header *wanted; /* what an unpack asked for, for texts; NULL: it is none */

    /* Results; which of them there are is said where the operation is declared (operations.h). */
    int64_t number;
    ssa_tensor *tensors;
    size_t tensor_count;
    ssa_reply reply, second_reply;
    struct ssa_dataset **datasets;
    size_t dataset_count;
};

/* ---- for operations */

/* Not started yet. subject: copied. NULL: no memory. */
ssa_request *ssa_request_new(struct ssa_engine *engine, const char *operation, ssa_kind kind, const void *subject,
                             size_t bytes, void (*step)(ssa_request *request));

/* All its keys have the hash tag of this one. */
void ssa_request_order_by(ssa_request *request, const ssa_buffer *key);

/* It changes keys with the hash tag of this one. */
void ssa_request_changes(ssa_request *request, size_t which, const ssa_buffer *key);

/* Room for the calls of the next stage; those of the last one go, with their commands. SSA_ENOMEM, never for 0 or 1. */
ssa_status ssa_request_calls(ssa_request *request, size_t count);
/* Send a command as call i: to the shard of the key. The request owns it from here on. */
void ssa_request_send(ssa_request *request, size_t i, ssa_command *command, const void *key, size_t bytes, unsigned flags);
/* The same to one server, whatever keys it is about. */
void ssa_request_send_to(ssa_request *request, size_t i, ssa_command *command, struct ssa_server *server, unsigned flags);
ssa_command *ssa_request_answer(ssa_request *request, size_t i); /* of a call that is done */

/* As its only call this request awaits the answer to the first one of another, which ends: its memory is given back, and it is not
 * repeated. 0: nothing of that has left, and nothing will. */
int ssa_request_take_over(ssa_request *request, ssa_request *from);

/* Start requests as parts of this one, which is stepped when all of them are complete; they stay its state's, to be freed with it. */
void ssa_request_start_parts(ssa_request *request, ssa_request *const *parts, size_t count);

/* The end. Only once; later ones are ignored. */
void ssa_request_succeed(ssa_request *request);
__attribute__((format(printf, 3, 4)))
void ssa_request_fail(ssa_request *request, ssa_status status, const char *format, ...);
void ssa_request_fail_memory(ssa_request *request);
void ssa_request_time_out(ssa_request *request);
/* With the error of a call that is done; where the store is full, a moment later: it is asked how full. */
void ssa_request_fail_call(ssa_request *request, const ssa_call *call);
/* The same if a call of this stage failed; true: it has. */
int ssa_request_failed(ssa_request *request);

/* Move the tensors of an answer to the results. SSA_ENOMEM. */
ssa_status ssa_request_keep_tensors(ssa_request *request, ssa_command *answer);

/* ---- for faces and batches */

/* It is complete, and nobody looks at its answers any more. */
void ssa_request_drop_calls(ssa_request *request);

/* Begin. timeout: nanoseconds from now; SSA_NO_TIMEOUT: none; negative: the client's own. The request stays its
 * owner's, who frees it when it is complete (ssa_engine_next_complete hands it out). */
void ssa_request_start(ssa_request *request, int64_t timeout);
/* Begin as part of a batch, whose deadline it is. */
void ssa_request_start_until(ssa_request *request, int64_t until, int64_t timeout);
/* Nobody waits for it any more: the callers' memory is taken back, now. It is complete with SSA_ECANCELLED, and is not handed out. */
void ssa_request_cancel(ssa_request *request);
/* NULL is allowed. One that is under way is cancelled. */
void ssa_request_free(ssa_request *request);

#endif
