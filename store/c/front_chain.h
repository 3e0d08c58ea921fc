/* The steps of a chain (WIRE.md, "Chain"): what each runs, what it takes from earlier ones, what the reply carries.
 *
 * A chain is one request that stands in the queue of one model after the other: the front books, queues, joins and answers
 * it like any other, and between two steps what later ones take is copied out of the outputs. So steps share calls of a
 * model with other requests, a model still runs one batch at a time, and a long chain holds up nobody. Rejected: one
 * compute thread that runs all steps (a model could run twice at once, its steps would never be joined, `alive` would tell
 * no place). The price is the copy. What would make us change it: tensors that stay on a GPU between two steps. */
#ifndef SSA_FRONT_CHAIN_H
#define SSA_FRONT_CHAIN_H

#include "front_request.h"

#define SSA_MAX_STEPS 64
#define SSA_MAX_STEP_OUTPUTS 256
#define SSA_STEP_NAME_BYTES 128
#define SSA_STEPS_TEXT_BYTES (SSA_MAX_STEPS * (SSA_VERSION_BYTES + 24))

typedef struct ssa_step {
    ssa_target target;
    char version[SSA_VERSION_BYTES]; /* of what it ran on */
    size_t first_input, inputs_count;
    size_t outputs_count; /* that it gave */
} ssa_step;

/* An output of a step that a later one or the reply takes. */
typedef struct ssa_taken {
    size_t step, output;
    ssa_array array; /* data is NULL until the step has run, and for outputs of the last step for ever */
    ssa_memory memory;
} ssa_taken;

typedef struct ssa_chain {
    size_t step; /* the one that is due; while the request is read, the one that is read */
    ssa_taken *taken;
    size_t taken_count;
    size_t *wanted; /* indices of `taken`: what the reply carries */
    size_t wanted_count;
    size_t steps_count;
    ssa_step steps[];
} ssa_chain;

/* Allocates a chain with room for so many references to outputs; NULL when there is no memory. */
ssa_chain *ssa_chain_new(size_t steps, size_t references);
void ssa_chain_free(ssa_chain *chain);

/* The index in `taken` of that output; notes it when it is new. No more often than there is room for references. */
size_t ssa_chain_take(ssa_chain *chain, size_t step, size_t output);

/* Copies the array to memory that the chain owns; allocates. */
ssa_status ssa_chain_keep(ssa_taken *taken, const ssa_array *array);

static inline int ssa_chain_at_last(const ssa_chain *chain) {
    return chain->step + 1 == chain->steps_count;
}

/* This step of the request is due: its target and its inputs, with those that earlier steps gave. A request without a
 * chain has step 0 only. */
void ssa_request_begin_step(ssa_request *request, size_t step);

/* "step 2 ('name'): " written to text, or "" for a request without a chain. */
const char *ssa_chain_step_name(const ssa_request *request, char text[SSA_STEP_NAME_BYTES]);

/* Of each step `version:outputs`, parted by commas. Returns how many bytes. */
size_t ssa_chain_steps_text(const ssa_chain *chain, char text[SSA_STEPS_TEXT_BYTES]);

#endif
