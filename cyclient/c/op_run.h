/* The state of a run, for batches: they give it the tensors that its batch carries, and look at its outputs. */
#ifndef SSA_OP_RUN_H
#define SSA_OP_RUN_H

#include "operations.h"

typedef struct ssa_run_source {
    ssa_buffer key;              /* of a tensor in the store; no bytes: carried */
    uint64_t hash;               /* of its tag */
    ssa_tensor_header header;
    const void *data;
    ssa_request *from;           /* a run of the same batch, whose output `index` it is; NULL: none */
    size_t index;
} ssa_run_source;

typedef struct ssa_run_output {
    ssa_buffer key;
    uint64_t hash;
    int is_wanted; /* by others of its batch, though it is not stored */
} ssa_run_output;

typedef struct ssa_run_state {
    ssa_run run;
    ssa_buffer model, function;
    uint64_t model_hash;         /* of the tag of its keys */
    uint64_t least_version;      /* that the worker was told; 0: none */
    ssa_run_source *inputs;
    size_t input_count;
    ssa_run_output *outputs;
    size_t output_count;
    ssa_request **puts;          /* of outputs that may go into chunks; NULL: they go by one command each */
    size_t put_count;
    int discard;
    size_t step;                 /* its place in a chain (op_run_chain.h) */
    int is_answered;             /* by that: the results are here before it is started */
} ssa_run_state;

/* NULL: the request is no run. */
ssa_run_state *ssa_run_state_of(ssa_request *request);
/* How many words ssa_run_add_target adds next: model and function, and the version that it is not to be older than, if one is
 * known now. */
size_t ssa_run_target_words(ssa_request *request);
/* SSA_ENOMEM. */
ssa_status ssa_run_add_target(ssa_command *command, ssa_request *request);
/* Bytes of the tensors that it carries to a worker; of what other runs give those that are here. */
uint64_t ssa_run_carries(const ssa_request *request);
/* One input as a word of a request and its value. SSA_ENOMEM. */
ssa_status ssa_run_add_input(ssa_command *command, const ssa_run_source *input);
/* Before it is started: it has run as part of a chain, on this version; its outputs, empty so far, are given to it next. SSA_ENOMEM. */
ssa_status ssa_run_prepare_results(ssa_request *request, ssa_text version);
/* Its deadline has passed while it waited for older operations (run_order.h). */
void ssa_run_fail_held(ssa_run *run);
/* What waited for the rest of the batch may store its outputs now. */
void ssa_run_store(ssa_request *request);

/* ---- outputs into datasets (op_run_dataset.c) */

int ssa_run_is_in_dataset(const ssa_run_output *output);
size_t ssa_run_dataset_outputs(const ssa_run_state *state); /* how many */
/* Whether one is longer than value_limit: then the request has ended. A put of a dataset knows the chunks that it stored itself,
 * not those that somebody else leaves at a key of it. */
int ssa_run_refuse_long(ssa_request *request);
/* Ask for the tensors that their datasets have; then whether the outputs are among them. 0: the request has ended. */
void ssa_run_look_at_datasets(ssa_request *request);
int ssa_run_datasets_have_them(ssa_request *request);
/* Send the outputs; then whether all are stored. 0: the request has ended. */
void ssa_run_replace_tensors(ssa_request *request);
int ssa_run_tensors_replaced(ssa_request *request);

#endif
