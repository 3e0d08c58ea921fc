/* Three ways to ask for an operation: call it and wait, start it (a future), add it to a batch. What the operation
 * makes of its arguments, and of what came, is written once, as a function on an ssa_ask; those of ssasync.h are
 *
 *     ssa_status ssa_put_tensor(ssa_client *client, ..., double timeout) {
 *         ssa_ask ask;
 *         return put_tensor(ssa_ask_now(&ask, client, timeout), ...);
 *     }
 *
 * and put_tensor looks at the arguments, says where the result goes, makes the request and ends with ssa_ask_end. A
 * call that waits has all of it on its stack. */
#ifndef SSA_CLIENT_ASK_H
#define SSA_CLIENT_ASK_H

#include "client_result.h"

typedef struct ssa_ask {
    ssa_entry entry;       /* its status is the ask's */
    ssa_batch *batch;      /* it is to be added to; NULL */
    ssa_future *future;    /* that is to be given; NULL */
    ssa_future **given;    /* where to */
    ssa_request *request;  /* not started; NULL: there is none yet, or entry.problem says why there is none */
    ssa_result result;
    ssa_held held;
} ssa_ask;

/* All three return the ask, whatever has failed. */
ssa_ask *ssa_ask_now(ssa_ask *ask, ssa_client *client, double timeout);
ssa_ask *ssa_ask_future(ssa_ask *ask, ssa_client *client, double timeout, ssa_future **future);
ssa_ask *ssa_ask_batch(ssa_ask *ask, ssa_batch *batch);

/* As the functions on entries: nothing is done after a failure; returns the status. */
ssa_status ssa_ask_text(ssa_ask *ask, const char *what, const char *data, size_t bytes, ssa_text *text);
/* Where the result goes, and who brings it there. */
ssa_status ssa_ask_result(ssa_ask *ask, const char *what, void *to,
                          ssa_status (*give)(const ssa_result *, ssa_request *, char *));
/* An array to be sent (ssa_caller_array_packed: from where), or to be filled. */
ssa_status ssa_ask_put_array(ssa_ask *ask, const ssa_array *given);
ssa_status ssa_ask_unpack_array(ssa_ask *ask, const ssa_array *given);
/* The lock: with SSA_OK make the request. */
ssa_status ssa_ask_open(ssa_ask *ask);

/* Carry the request out, hand out the future, or add it; what is left is freed. */
ssa_status ssa_ask_end(ssa_ask *ask);

#endif
