#include "client_tensor.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "array_layout.h"
#include "tensor_text.h"

/* What a caller's ssa_tensor is the first part of. */
typedef struct given_tensor {
    ssa_tensor tensor;
    void *nested, *pointers; /* pointers: allocated for `nested` */
} given_tensor;

ssa_status ssa_entry_wanted_layout(ssa_entry *entry, int layout) {
    if (!entry->status && (layout < SSA_ROW_MAJOR || layout > SSA_AS_STORED || layout == SSA_STRIDED))
        ssa_entry_refuse(entry, SSA_EARGUMENT,
                         "layout cannot be %d: use SSA_ROW_MAJOR, SSA_COLUMN_MAJOR, SSA_NESTED_POINTERS "
                         "or SSA_AS_STORED.",
                         layout);
    return entry->status;
}

static ssa_status reorder(ssa_tensor *tensor, ssa_order order) {
    ssa_memory turned = ssa_memory_take(tensor->memory.cache, tensor->header.data_bytes);
    if (!turned.data)
        return SSA_ENOMEM;
    ssa_layout_reorder(&tensor->header, turned.data, order, tensor->memory.data);
    ssa_memory_free(&tensor->memory);
    tensor->memory = turned;
    tensor->header.order = (uint8_t)order;
    return SSA_OK;
}

/* Why there is no tensor. Returns the status. */
static ssa_status not_made(const ssa_tensor_header *header, ssa_status status, char text[SSA_MISTAKE_BYTES]) {
    char shape[SSA_TENSOR_TEXT_BYTES];
    ssa_tensor_text(header, shape, sizeof shape);
    if (status == SSA_ELIMIT)
        snprintf(text, SSA_MISTAKE_BYTES, "nested pointers cannot be made for %s: it has no elements, and takes more than %zu "
                 "pointers. Ask for another layout than SSA_NESTED_POINTERS.", shape, SSA_LAYOUT_EMPTY_POINTERS);
    else
        snprintf(text, SSA_MISTAKE_BYTES, "no memory for the tensor, %s", shape);
    return status;
}

ssa_status ssa_tensor_make(ssa_tensor *came, ssa_layout wanted, ssa_tensor **tensor, char text[SSA_MISTAKE_BYTES]) {
    ssa_order order = wanted == SSA_COLUMN_MAJOR ? SSA_COLUMN_MAJOR : SSA_ROW_MAJOR;
    given_tensor *given = ssa_allocate(sizeof *given);
    *tensor = NULL;
    if (!given) {
        ssa_memory_free(&came->memory);
        return not_made(&came->header, SSA_ENOMEM, text);
    }
    *given = (given_tensor){.tensor = *came};
    memset(&came->memory, 0, sizeof came->memory);
    ssa_status status = SSA_OK;
    if (wanted != SSA_AS_STORED && given->tensor.header.order != order && !ssa_layout_is_both(&given->tensor.header))
        status = reorder(&given->tensor, order);
    if (!status && wanted == SSA_NESTED_POINTERS)
        status =
            ssa_layout_nested_new(&given->tensor.header, given->tensor.memory.data, &given->nested, &given->pointers);
    if (status) {
        ssa_tensor_free(&given->tensor);
        return not_made(&came->header, status, text);
    }
    *tensor = &given->tensor;
    return SSA_OK;
}

void ssa_tensor_free(ssa_tensor *tensor) {
    if (!tensor)
        return;
    given_tensor *given = (given_tensor *)tensor;
    ssa_release(given->pointers);
    ssa_memory_free(&given->tensor.memory);
    ssa_release(given);
}

ssa_dtype ssa_tensor_dtype(const ssa_tensor *tensor) {
    return (ssa_dtype)(tensor ? tensor->header.dtype : 0);
}

size_t ssa_tensor_itemsize(const ssa_tensor *tensor) {
    return tensor ? tensor->header.itemsize : 0;
}

int ssa_tensor_ndim(const ssa_tensor *tensor) {
    return tensor ? tensor->header.ndim : 0;
}

const int64_t *ssa_tensor_shape(const ssa_tensor *tensor) {
    return tensor ? (const int64_t *)tensor->header.shape : NULL; /* below 2^63, as every header is checked */
}

ssa_layout ssa_tensor_layout(const ssa_tensor *tensor) {
    return tensor ? (ssa_layout)tensor->header.order : SSA_ROW_MAJOR;
}

size_t ssa_tensor_bytes(const ssa_tensor *tensor) {
    return tensor ? tensor->header.data_bytes : 0;
}

void *ssa_tensor_data(const ssa_tensor *tensor) {
    return tensor ? tensor->memory.data : NULL;
}

void *ssa_tensor_nested(const ssa_tensor *tensor) {
    return tensor ? ((const given_tensor *)tensor)->nested : NULL;
}
