/* What the files of a batch share: batch_plan.c (its order, carrying it out), batch_chain.c (runs that go to a worker
 * together). */
#ifndef SSA_BATCH_PRIVATE_H
#define SSA_BATCH_PRIVATE_H

#include "batch_plan.h"
#include "op_run.h"

#define SSA_NOWHERE SIZE_MAX

typedef enum ssa_entry_state { SSA_ENTRY_HELD, SSA_ENTRY_STARTED, SSA_ENTRY_DONE, SSA_ENTRY_NEVER } ssa_entry_state;

typedef struct ssa_batch_entry {
    ssa_request *request;
    ssa_entry_state state;
    size_t holds;          /* operations before it that it waits for */
    size_t first_follower, last_follower; /* edges to those that wait for it, in their order */
    int wants_to_store;    /* a run whose outputs wait until all before it has been done */
    ssa_request *run;      /* a get that is answered by this run */
    size_t index;
    size_t chain;          /* that it is a step of; SSA_NOWHERE: it goes by itself */
    size_t next_step;      /* entry of the next step of the chain; SSA_NOWHERE */
} ssa_batch_entry;

typedef struct ssa_batch_edge {
    size_t follower, next;
} ssa_batch_edge;

/* What the batch has done to the keys of one hash tag, up to here. */
typedef struct ssa_key_history {
    uint64_t hash;         /* 0: a free place */
    size_t last;           /* the last operation on it */
    size_t last_slow;      /* the last that takes several steps */
} ssa_key_history;

/* What a run of the batch has left under one key. */
typedef struct ssa_key_value {
    ssa_buffer key;
    uint64_t hash;
    size_t run, index;     /* entry of the run and its output; SSA_NOWHERE: it comes from elsewhere */
} ssa_key_value;

/* Runs that are carried out as one. They are not started before it is over: then each has its results, or goes by itself. */
typedef struct ssa_batch_chain {
    size_t first, count;   /* entries of its steps, in their order */
    size_t holds;          /* of its steps, by operations that are no steps of it */
    enum { SSA_CHAIN_WAITS, SSA_CHAIN_RUNS, SSA_CHAIN_IS_OVER } state;
    ssa_request *request;  /* while it runs, and after that */
} ssa_batch_chain;

struct ssa_batch_plan {
    ssa_engine *engine;
    ssa_request *whole;    /* what the caller waits for; NULL: not executed */
    ssa_batch_entry *entries;
    size_t count, capacity;
    ssa_batch_edge *edges;
    size_t edge_count, edge_capacity;
    ssa_key_history *histories;
    size_t history_count, history_capacity; /* capacity: a power of two */
    ssa_key_value *values; /* only of keys that runs of this batch may want: kept while it has few */
    size_t value_count, value_capacity;
    size_t last_barrier;   /* the last operation whose keys are unknown, or several */
    int passes_on;         /* some run takes an output of another */
    ssa_batch_chain *chains;
    size_t chain_count, chain_capacity;
    size_t done, undone_start; /* how many are done; the first that is not */
    size_t want_to_store;  /* runs that do */
    int failed;
};

/* Room for one more item of so many bytes. SSA_ENOMEM. */
ssa_status ssa_batch_grow(void **items, size_t *capacity, size_t count, size_t bytes);

/* The batch is complete: find its chains. SSA_ENOMEM. */
ssa_status ssa_batch_find_chains(ssa_batch_plan *batch);
/* The request for all steps of a chain, not started. NULL: no memory. */
ssa_request *ssa_batch_chain_request(const ssa_batch_plan *batch, const ssa_batch_chain *chain);

#endif
