/* What an ssa_batch is: the engine's plan of it, and where the results go. */
#ifndef SSA_CLIENT_BATCH_H
#define SSA_CLIENT_BATCH_H

#include "batch_plan.h"
#include "client_result.h"

typedef struct ssa_batch_item {
    ssa_request *request; /* the plan's */
    ssa_result result;
    ssa_status status;    /* SSA_MORE until the end */
} ssa_batch_item;

struct ssa_batch {
    ssa_client *client;   /* one of whose users it is */
    ssa_batch_plan *plan;
    ssa_request *whole;   /* the plan's; NULL: it was not executed */
    ssa_future *future;   /* that carries it out and was not freed; NULL */
    ssa_batch_item *items;
    size_t count, capacity;
    int cancelled;        /* nothing is given */
    int over;             /* all that can be given was */
};

/* It was executed or started. */
void ssa_batch_refuse_used(ssa_entry *entry);
/* Add a request, which the batch owns then as it does the result. */
void ssa_batch_add(ssa_batch *batch, ssa_entry *entry, ssa_request *request, const ssa_result *result);

/* With the lock held: nobody waits for it any more. */
void ssa_batch_cancel(ssa_batch *batch);
/* It is complete, and this thread's alone: give the results, unless it was cancelled. Returns how it ended; its text is
 * that of batch->whole. */
ssa_status ssa_batch_finish(ssa_batch *batch);

#endif
