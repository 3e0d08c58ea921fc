/* Runs do not overtake writes. A worker fetches the inputs of a run that are named by key over a connection of its own: so a run
 * leaves only when everything that this client started before it, and that changes one of them, is done. It waits for older
 * operations alone, so that no two wait for each other. Operations of its own batch are not looked at: the plan of the batch
 * knows their order. A batch counts as one operation, which changes what any of its operations does.
 *
 * What was given up (its deadline, a cancel) is not waited for, though it may still be carried out. */
#ifndef SSA_RUN_ORDER_H
#define SSA_RUN_ORDER_H

#include <stdint.h>

#include "status.h"
#include "timer_heap.h"

struct ssa_engine;
struct ssa_request;
struct ssa_run;

#define SSA_ALL_KEYS UINT64_MAX /* in place of a hash: it changes any */

typedef struct ssa_run_order {
    uint32_t changing[2048];  /* by hash: changes by operations that are not done. Most runs find nothing here, and look no further */
    uint32_t changing_all;
    struct ssa_run *held, *last_held; /* runs that wait for older operations, as they were asked for */
    struct ssa_run *served_next; /* of those, while all are looked at */
    size_t ready;             /* of those: what they waited for is done */
    ssa_timer timer;          /* armed: what one of them waited for is done */
} ssa_run_order;

void ssa_run_order_begin(struct ssa_engine *engine);
/* An operation of the caller begins; it is done. */
void ssa_run_order_started(struct ssa_request *request);
void ssa_run_order_done(struct ssa_request *request);

/* ssa_run_start, as soon as nothing older changes an input. SSA_ENOMEM. */
ssa_status ssa_run_start_in_order(struct ssa_run *run);
/* It waits no more. 1: it did, and was not started. */
int ssa_run_order_leave(struct ssa_run *run);

#endif
