/* The models and scripts this worker knows, the requests that wait for each, and which of them run next.
 *
 * The thinking part: no socket, thread, lock or clock in here. The caller holds its lock and passes the time.
 *
 * A script is a model whose requests are never joined; a model and a script may have the same name.
 * At most one batch of a model runs at a time. Requests of a model run first come, first served; with batch_size > 1
 * alike requests share a call, and a request is never overtaken by a later one that is alike. */
#ifndef SSA_MODEL_QUEUE_H
#define SSA_MODEL_QUEUE_H

#include "front_request.h"

typedef struct ssa_batching {
    uint64_t size;    /* most rows in one call; 0 or 1: requests are never joined */
    uint64_t minimum; /* rows worth waiting for */
    uint64_t wait_ns; /* how long at most, from the arrival of the oldest */
} ssa_batching;

struct ssa_batch;

typedef struct ssa_model {
    struct ssa_model *next;      /* in its bucket */
    ssa_link in_waiting;         /* among the models that could run: loaded, idle, with requests */
    ssa_link queue, fetching;    /* of ssa_request.in_model */
    struct ssa_batch *running;
    int ready, wanted;           /* loaded; somebody was asked to load it */
    uint64_t serial;             /* of the loaded version: the caller's name for it; 0: none */
    char version[SSA_VERSION_BYTES];
    uint64_t version_number;     /* 0: it is none, or nothing is loaded */
    ssa_batching batching;
    int script;
    size_t name_bytes;
    char name[];
} ssa_model;

typedef struct ssa_batch {
    ssa_model *model;
    uint64_t serial;             /* of the version that runs it */
    char version[SSA_VERSION_BYTES];
    uint64_t rows;               /* of all requests; meaningful when joined */
    int joined;                  /* more than one request */
    ssa_status status;           /* of gathering its inputs */
    size_t inputs_count;
    ssa_input *inputs;           /* joined: gathered here; else those of the one request */
    size_t requests_count;       /* each is held once for the batch */
    ssa_request *requests[];
} ssa_batch;

#define SSA_MODEL_BUCKETS 64

typedef struct ssa_models {
    ssa_model *buckets[SSA_MODEL_BUCKETS];
    ssa_link waiting;
} ssa_models;

void ssa_models_init(ssa_models *models);
void ssa_models_free(ssa_models *models); /* with all requests that still wait */

/* The entry of a model; with `create`, allocates it when it is new. NULL: none, or no memory. */
ssa_model *ssa_models_find(ssa_models *models, int script, const char *name, size_t bytes, int create);

/* Forget an entry that holds nothing: not loaded, nothing waits, nothing runs. */
void ssa_models_prune(ssa_models *models, ssa_model *model);

void ssa_models_queue(ssa_models *models, ssa_model *model, ssa_request *request); /* at the end */
void ssa_models_remove(ssa_models *models, ssa_request *request);                  /* queued or fetching */

/* The version that requests run on from the next batch on; returns the serial of the one it replaces when no batch
 * runs on that any more, else 0 (ssa_models_finish returns it then). */
uint64_t ssa_models_load(ssa_models *models, ssa_model *model, const char *version, ssa_batching batching, uint64_t serial);
uint64_t ssa_models_unload(ssa_models *models, ssa_model *model);

/* The next batch that may run now, its requests taken from the queue; allocates it. SSA_MORE: none, *again_at is the time
 * at which waiting for more rows ends (UINT64_MAX: nothing waits). SSA_ENOMEM: the queue is as before. */
ssa_status ssa_models_take(ssa_models *models, uint64_t now, ssa_batch **batch, uint64_t *again_at);

/* Whether ssa_models_take would find one; *again_at as there. */
int ssa_models_peek(ssa_models *models, uint64_t now, uint64_t *again_at);

/* A batch is over: its model may run the next. Returns the serial of the version it ran when that is replaced, else 0. */
uint64_t ssa_models_finish(ssa_models *models, ssa_batch *batch);

/* Put the requests of a joined batch back to the head of the queue; they will run one by one. */
void ssa_models_take_apart(ssa_models *models, ssa_batch *batch);

/* Allocates row-major inputs of the whole batch and copies the rows of all requests into them. */
ssa_status ssa_batch_gather(ssa_batch *batch);

/* Without its requests: whoever holds them for it lets them go. */
void ssa_batch_free(ssa_batch *batch);

#endif
