/* The model workers of a store: which there are (WIRE.md, "List of workers"), a connection to each that was needed, and who
 * takes the next request. A request that a lost worker left unanswered goes to another, with the attempt counted: models are
 * pure by contract. */
#ifndef SSA_WORKER_POOL_H
#define SSA_WORKER_POOL_H

#include "link.h"
#include "wait_table.h"
#include "worker_list.h"

struct ssa_engine;
struct ssa_request;

/* One incarnation of a worker. */
typedef struct ssa_worker_peer {
    struct ssa_worker_peer *next;
    char id[33], device[16];
    ssa_address address;
    ssa_link link;
    int listed;   /* no longer: it may still answer what it was asked */
    int suspect;  /* it was lost, or refused us, and has not answered since */
} ssa_worker_peer;

#define SSA_DEVICES_MAX 16 /* that one request is refused by before it gives up */

/* One request to a worker. Lives inside the state of an operation. */
typedef struct ssa_run {
    struct ssa_run *next, *previous; /* among those that wait for a worker */
    int waits;
    struct ssa_run *next_held, *previous_held; /* among those that wait for older operations (run_order.h) */
    int is_held;
    struct ssa_request *leader;      /* that it waits for then; NULL: it is done */
    struct ssa_request *request;
    /* Encode it for this attempt; NULL: no memory. */
    ssa_command *(*encode)(struct ssa_run *run, uint64_t id, uint64_t attempt, uint64_t timeout_ms);
    /* The answer is in run->call.command: SSA_OK, or an error of the model's. */
    void (*finished)(struct ssa_run *run);
    char device[16];           /* wanted; "" : any */
    char refused[SSA_DEVICES_MAX][16]; /* devices whose workers said WRONGDEVICE */
    unsigned refused_count;
    ssa_call call;
    ssa_worker_peer *peer;     /* it is with; NULL: it waits */
    char busy[33];             /* id of the one that was busy */
    uint64_t attempt;
    unsigned failures;
    int64_t delay;
    ssa_timer pause;
    int has_timer;
    char story[600];           /* what went wrong so far, the last of it */
} ssa_run;

typedef struct ssa_worker_pool {
    struct ssa_engine *engine;
    ssa_worker_peer *peers;
    int has_retired;           /* some of them may be listed no longer */
    int current;               /* the list that we have, as far as we know */
    ssa_call question;
    int asking;
    ssa_waiter waiter;         /* for a change of the list */
    ssa_run *waiting, *last_waiting;
    ssa_run *served_next;      /* of those that wait, while all are served */
    uint64_t next_id;
    uint64_t most_bytes;       /* of tensors that one request carries; tests lower it */
    char error[300];           /* the list is no list: why; "" : it is one */
} ssa_worker_pool;

ssa_status ssa_worker_pool_start(ssa_worker_pool *pool, struct ssa_engine *engine);
void ssa_worker_pool_end(ssa_worker_pool *pool);

/* Free those that are no longer listed, once they owe nothing: while no function of the engine is under way, for links call
 * what answers, and whoever polls holds them (test_c_engine_workers.py). */
void ssa_worker_pool_tidy(ssa_worker_pool *pool);

/* Give the request to a worker, soon. It ends with `finished`, or with the request. SSA_ENOMEM. */
ssa_status ssa_run_start(ssa_run *run);
/* Its request is over: nothing of it remains with a worker. */
void ssa_run_end(ssa_run *run);
/* The deadline is over: the request ends with what happened. */
void ssa_run_overdue(ssa_run *run);

/* ---- for the client */

void ssa_worker_pool_opened(ssa_worker_pool *pool, ssa_worker_peer *peer);
void ssa_worker_pool_failed(ssa_worker_pool *pool, ssa_worker_peer *peer, int final);
void ssa_worker_pool_lost(ssa_worker_pool *pool, ssa_worker_peer *peer);

#endif
