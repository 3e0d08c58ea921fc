/* Operations carried out together, in as few round trips as their order allows: all leave at once, but for what needs
 * something of the same batch that is not there yet.
 *
 * On a key the order of the batch holds. Single commands keep it by themselves, on their way through one connection. What
 * takes several steps (a dataset, a model) or goes through a worker (which fetches its inputs over connections of its own)
 * holds back what comes after it on its keys, and a run what it fetches by key: until all before it on that key is done.
 * A run whose input is put by the batch carries those bytes itself, so that it never sees what somebody else writes in
 * between; one whose input an earlier run of the batch gives takes it from there; a get of an output is answered from the reply.
 *
 * After a failure nothing more is begun, and no run behind it stores its outputs: a run stores them when all before it in the
 * batch has succeeded. */
#ifndef SSA_BATCH_PLAN_H
#define SSA_BATCH_PLAN_H

#include "request.h"

typedef struct ssa_batch_plan ssa_batch_plan;

/* Empty. NULL: no memory. */
ssa_batch_plan *ssa_batch_plan_new(struct ssa_engine *engine);
/* Frees the operations too; cancels what is under way. NULL is allowed. */
void ssa_batch_plan_free(ssa_batch_plan *batch);

/* Add an operation that is not started; the batch owns it from now on (it is freed when this fails). SSA_ENOMEM; SSA_EARGUMENT:
 * the batch was executed already. */
ssa_status ssa_batch_plan_add(ssa_batch_plan *batch, ssa_request *request);

/* Carry it out, once. Returns the request to wait for, which is the batch's: complete when all operations are, with the first error. */
ssa_request *ssa_batch_plan_execute(ssa_batch_plan *batch, int64_t timeout);
/* What it returned, once it is complete, is the caller's from now on, whenever the batch is freed. */
ssa_request *ssa_batch_plan_release(ssa_batch_plan *batch);
/* Nobody waits any more. */
void ssa_batch_plan_cancel(ssa_batch_plan *batch);

/* ---- for requests */

/* Of the request of a batch; NULL: it is another. Its operations in their order; NULL: there are no more. The request of the
 * batch. */
const ssa_batch_plan *ssa_batch_plan_of(const ssa_request *request);
ssa_request *ssa_batch_plan_operation(const ssa_batch_plan *batch, size_t place);
ssa_request *ssa_batch_plan_whole(const ssa_batch_plan *batch);

void ssa_batch_plan_child_done(ssa_batch_plan *batch, ssa_request *request);
/* Whether a run that has its outputs may store them now; if not, it is told later (ssa_run_store), or ended. */
int ssa_batch_plan_may_store(ssa_batch_plan *batch, ssa_request *request);

#endif
