/* What is inside an ssa_dataset, for dataset.c (in memory) and dataset_wire.c (to and from the store) alone. */
#ifndef SSA_DATASET_STATE_H
#define SSA_DATASET_STATE_H

#include "dataset.h"

#define SSA_VERSION_BYTES 32 /* hexadecimal digits */

/* Before each entry: with its type byte they are as long as the longest scalar, so that the values are aligned. */
#define SSA_FIELD_PADDING 7

typedef struct ssa_dataset_item {
    ssa_item shown;
    ssa_memory memory; /* of what the dataset owns */
} ssa_dataset_item;

typedef struct ssa_dataset_field {
    ssa_name name;
    ssa_buffer entry; /* padding, then the entry */
} ssa_dataset_field;

struct ssa_dataset {
    ssa_name name;
    ssa_dataset_item *items;
    size_t item_count, item_capacity;
    ssa_name_index item_index;
    ssa_dataset_field *fields;
    size_t field_count, field_capacity;
    ssa_name_index field_index;
    ssa_buffer tensor_names, bytes_names; /* as they were when it was encoded last */
    int encoded;                          /* and nothing was changed since */
    char version[SSA_VERSION_BYTES + 1];  /* empty: it did not come from the store */
    unsigned pins;
    const char *reason;
    char *text;                           /* a longer one, allocated; NULL: there never was */
};

ssa_name ssa_dataset_item_name(const void *dataset, size_t place);
ssa_name ssa_dataset_field_name(const void *dataset, size_t place);
ssa_status ssa_dataset_fail(ssa_dataset *dataset, ssa_status status, const char *reason);

/* Add an item that has its data, or none yet; takes the memory over, unless it fails. Checks the name. */
ssa_status ssa_dataset_add_item(ssa_dataset *dataset, const ssa_item *item, ssa_memory *memory);
/* Add a field that is not there yet, with an entry that is right. */
ssa_status ssa_dataset_add_field(ssa_dataset *dataset, ssa_name name, const void *entry, size_t bytes);

#endif
