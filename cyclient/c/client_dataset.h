/* A tensor, bytes or metadata of a dataset as a caller names them, and how a function on them fails: the text names the
 * dataset, the part, what is wrong and the remedy. */
#ifndef SSA_CLIENT_DATASET_H
#define SSA_CLIENT_DATASET_H

#include "client.h"
#include "dataset.h"

typedef enum ssa_part_kind { SSA_DATASET_TENSOR, SSA_DATASET_BYTES, SSA_DATASET_METADATA } ssa_part_kind;

/* Plain; lives as long as the call that names it. */
typedef struct ssa_part {
    ssa_dataset *dataset;
    ssa_part_kind kind;
    ssa_text name;
    ssa_status status; /* of the first that was refused; nothing is done after it */
} ssa_part;

/* Whether there is a dataset, and the name can be looked for, says its status. */
ssa_part ssa_part_of(ssa_dataset *dataset, ssa_part_kind kind, const char *name, size_t bytes);
/* An argument and a place for a result, which are not to be NULL. All of these return part->status. */
ssa_status ssa_part_given(ssa_part *part, const char *what, const void *argument);
ssa_status ssa_part_result(ssa_part *part, const char *what, const void *result);
/* "<kind> '<name>' of dataset '<name>'", and what the format makes. */
__attribute__((format(printf, 3, 4)))
ssa_status ssa_part_fail(ssa_part *part, ssa_status status, const char *format, ...);
/* dataset.c refused the name, or a change, in its fixed words. */
ssa_status ssa_part_refused(ssa_part *part, ssa_status status);
/* There is none of this name: which there are. */
ssa_status ssa_part_missing(ssa_part *part);

/* The names of one kind, in their order. */
ssa_status ssa_part_names(ssa_dataset *dataset, ssa_part_kind kind, ssa_texts **names);

#endif
