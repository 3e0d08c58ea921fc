/* What a caller gives to a run, as the operation takes it (op_run.c). */
#ifndef SSA_CLIENT_RUN_H
#define SSA_CLIENT_RUN_H

#include "caller_array.h"
#include "client_tensor.h"

/* All zero: empty. */
typedef struct ssa_run_arguments {
    ssa_run_input *inputs;
    size_t input_count;
    ssa_caller_array *arrays; /* that the inputs point to; NULL: inputs are names */
    ssa_text *outputs;
    size_t output_count;
} ssa_run_arguments;

/* Copy what has to be copied. Like the other functions on entries: does nothing after a failure, returns entry->status.
 * Names stay borrowed. */
ssa_status ssa_run_arguments_names(ssa_run_arguments *arguments, ssa_entry *entry, ssa_names inputs, ssa_names outputs);
ssa_status ssa_run_arguments_arrays(ssa_run_arguments *arguments, ssa_entry *entry, const ssa_array *inputs,
                                    size_t count);
void ssa_run_arguments_free(ssa_run_arguments *arguments);

/* SSA_EARGUMENT: this is no number of places for outputs, but one that nobody has set; *text says so. To be asked before any
 * place is written. */
ssa_status ssa_run_room(size_t output_count, char text[SSA_MISTAKE_BYTES]);
/* The outputs of a request for the caller; SSA_ELIMIT, SSA_ENOMEM: *text says why. */
ssa_status ssa_run_outputs(ssa_request *request, ssa_tensor **outputs, size_t *count, char text[SSA_MISTAKE_BYTES]);

#endif
