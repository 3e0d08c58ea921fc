/* Runs of a batch of which each takes outputs of others before it, in one request to one worker (WIRE.md, "Chain"): what none
 * but they need stays there. A worker that cannot carry out the whole says no more than where it stopped; then, as for steps
 * that give another number of outputs than are named, the runs are to be carried out one by one, which tells what each did:
 * models are pure by contract. */
#ifndef SSA_OP_RUN_CHAIN_H
#define SSA_OP_RUN_CHAIN_H

#include "operations.h"

#define SSA_CHAIN_STEPS 64     /* at most */
#define SSA_CHAIN_OUTPUTS 256  /* of one step */

/* What runs would make of one request. */
typedef struct ssa_chain_size {
    size_t steps;
    size_t words;   /* at most */
    uint64_t bytes; /* carried, as far as they are known: see ssa_run_carries */
} ssa_chain_size;

/* Add a run. */
void ssa_chain_size_add(ssa_chain_size *size, const ssa_request *run);
int ssa_chain_size_fits(const ssa_chain_size *size, const ssa_engine *engine);

/* The runs, in their order, which stay their owner's and must outlive it; of their outputs those come back that are to be
 * stored, or are marked as wanted (op_run.h). When it has succeeded, number is 1: each run was given its results, and ends as
 * soon as it is started; or 0: they are to be started one by one. NULL: no memory. */
ssa_request *ssa_op_run_chain(ssa_engine *engine, ssa_request *const *runs, size_t count);

/* How many runs it has; 0: it is no chain. */
size_t ssa_chain_length(const ssa_request *request);
ssa_request *ssa_chain_step(const ssa_request *request, size_t place);

#endif
