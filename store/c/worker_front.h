/* The server that clients reach directly: it takes requests from sockets, hands batches of them to compute threads and
 * sends the replies. No Python in here: it answers PING and says `alive` while a model computes or holds the GIL.
 *
 * Threads: any number of compute threads loop over ssa_front_next_batch and ssa_front_complete; one owner thread loads
 * models and fetches inputs when an errand asks for it. How they share the sockets: front_lead.c. All functions may be
 * called from any thread but ssa_front_free, which comes when no other thread is inside one of them. */
#ifndef SSA_WORKER_FRONT_H
#define SSA_WORKER_FRONT_H

#include "model_queue.h"

typedef struct ssa_front ssa_front;

typedef struct ssa_front_options {
    size_t size; /* sizeof(ssa_front_options) */
    const void *secret;
    size_t secret_bytes;
    const char *worker_id;
    size_t id_bytes;
    uint64_t most_requests; /* unanswered ones; more are answered by BUSY */
    uint64_t most_bytes;    /* held by their inputs */
    uint64_t spin_ns;       /* an idle compute thread asks again and again so long before it sleeps: see front_lead.c */
} ssa_front_options;

/* Allocates the front (options are copied) and starts its I/O thread. NULL: errno says why. */
ssa_front *ssa_front_new(const ssa_front_options *options);
/* Accept clients on this listening, non-blocking socket, which the front owns from now on. SSA_ESYSTEM: errno. */
ssa_status ssa_front_listen(ssa_front *front, int fd);
/* Take no new connection and no new request; an errand SSA_ERRAND_IDLE says when all replies are out. */
void ssa_front_drain(ssa_front *front);
/* Close everything; ssa_front_next_batch returns NULL from now on. */
void ssa_front_close(ssa_front *front);
void ssa_front_free(ssa_front *front);

/* ---- for compute threads ---- */

/* Blocks until there is work. The caller owns the batch until ssa_front_batch_free; its inputs live as long.
 * batch->status: SSA_ENOMEM when its requests could not be joined; pass it to ssa_front_fail then.
 * NULL: the front is closed. */
ssa_batch *ssa_front_next_batch(ssa_front *front);

/* Answer all requests of the batch; those of chains go on to their next step. outputs are borrowed for the time of the call; those of a joined batch must be
 * row-major and have its number of rows, else the answer is MODELFAILED. *retired: a serial given to
 * ssa_front_model_ready whose model nobody uses any more, or 0. */
void ssa_front_complete(ssa_front *front, ssa_batch *batch, const ssa_array *outputs, size_t count, uint64_t *retired);
/* The same with an error, which ends a chain. The requests of a joined batch are run again, each alone: one bad request must not fail the
 * others. */
void ssa_front_fail(ssa_front *front, ssa_batch *batch, const char *code, const char *text, uint64_t *retired);
void ssa_front_batch_free(ssa_front *front, ssa_batch *batch);

/* ---- for the owner ---- */

typedef enum ssa_errand_kind {
    SSA_ERRAND_LOAD = 1, /* name: a model that requests wait for */
    SSA_ERRAND_FETCH,    /* name: the key of an input; request, input: for ssa_front_input_fetched */
    SSA_ERRAND_IDLE,     /* draining, and all is answered */
    SSA_ERRAND_LOAD_SCRIPT,
    SSA_ERRAND_LOOK,     /* name: a model of which a client knows a later version; request: for ssa_front_looked */
    SSA_ERRAND_LOOK_SCRIPT
} ssa_errand_kind;

typedef struct ssa_errand {
    ssa_link link;
    ssa_errand_kind kind;
    uint64_t request;
    size_t input;
    size_t name_bytes;
    char name[];
} ssa_errand;

int ssa_front_errand_fd(const ssa_front *front); /* readable while there are errands */
ssa_errand *ssa_front_errand(ssa_front *front);  /* the next, to be released with ssa_release; NULL: none */

/* Requests for the model, or script, run on this version from now on. serial, not 0, names what the owner loaded. */
ssa_status ssa_front_model_ready(ssa_front *front, int script, const char *name, size_t bytes, const char *version,
                                 ssa_batching batching, uint64_t serial, uint64_t *retired);
/* There is no such model, or it cannot be loaded: answer what waits for it. A later request asks for it again. */
void ssa_front_model_missing(ssa_front *front, int script, const char *name, size_t bytes, const char *code, const char *text,
                             uint64_t *retired);
/* The array is copied. A request that is gone is no error. */
ssa_status ssa_front_input_fetched(ssa_front *front, uint64_t request, size_t input, const ssa_array *array);
/* The store was asked after the errand came, and what it named current is loaded. SSA_ENOMEM: it waits on;
 * tell it with ssa_front_request_failed. */
ssa_status ssa_front_looked(ssa_front *front, uint64_t request);
/* input: which one cannot be had; SSA_NO_INPUT: the current version of what it runs. */
#define SSA_NO_INPUT SIZE_MAX
void ssa_front_request_failed(ssa_front *front, uint64_t request, size_t input, const char *code, const char *text);

typedef struct ssa_front_statistics {
    uint64_t connections, unanswered, held_bytes;             /* now */
    uint64_t requests, batches, joined, failed, expired, lost; /* so far; lost: the client left before the answer */
} ssa_front_statistics;

void ssa_front_get_statistics(ssa_front *front, ssa_front_statistics *statistics);

#endif
