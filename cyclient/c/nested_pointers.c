#include <string.h>

#include "allocator.h"
#include "array_layout.h"

/* Rows that are walked together: where the packed array is column-major, neighbouring rows share its lines. */
#define ROWS_TOGETHER 64

typedef struct walk {
    const ssa_tensor_header *header;
    int64_t strides[SSA_TENSOR_MAX_NDIM];
    int packs; /* from the nested pointers; else into them */
} walk;

static void *pointer_at(const void *pointers, uint64_t i) {
    void *pointer; /* a T*, whatever T is */
    memcpy(&pointer, (const char *)pointers + i * sizeof pointer, sizeof pointer);
    return pointer;
}

static void copy_between(const walk *walk, char *packed, char *row, size_t bytes) {
    if (walk->packs)
        memcpy(packed, row, bytes);
    else
        memcpy(row, packed, bytes);
}

/* Up to ROWS_TOGETHER rows, element by element. */
static void copy_across(const walk *walk, char *packed, char **rows, uint64_t count) {
    const unsigned last = walk->header->ndim - 1u;
    const size_t size = walk->header->itemsize;
    for (uint64_t k = 0; k < walk->header->shape[last]; k++)
        for (uint64_t i = 0; i < count; i++)
            copy_between(walk, packed + (int64_t)i * walk->strides[last - 1] + (int64_t)k * walk->strides[last],
                         rows[i] + k * size, size);
}

static ssa_status copy_rows(const walk *walk, char *packed, const void *pointers) {
    const unsigned last = walk->header->ndim - 1u;
    const uint64_t count = walk->header->shape[last - 1];
    const int row_is_packed = walk->strides[last] == (int64_t)walk->header->itemsize;
    char *rows[ROWS_TOGETHER];
    for (uint64_t i = 0; i < count; i += ROWS_TOGETHER) {
        const uint64_t some = count - i < ROWS_TOGETHER ? count - i : ROWS_TOGETHER;
        char *corner = packed + (int64_t)i * walk->strides[last - 1];
        for (uint64_t k = 0; k < some; k++)
            if (!(rows[k] = pointer_at(pointers, i + k)))
                return SSA_EARGUMENT;
        if (!row_is_packed)
            copy_across(walk, corner, rows, some);
        for (uint64_t k = 0; row_is_packed && k < some; k++)
            copy_between(walk, corner + (int64_t)k * walk->strides[last - 1], rows[k],
                         walk->header->shape[last] * walk->header->itemsize);
    }
    return SSA_OK;
}

/* At most 31 deep. */
static ssa_status walk_level(const walk *walk, unsigned level, char *packed, const void *pointers) {
    if (!pointers)
        return SSA_EARGUMENT;
    if (level + 2u == walk->header->ndim)
        return copy_rows(walk, packed, pointers);
    ssa_status status = SSA_OK;
    for (uint64_t i = 0; i < walk->header->shape[level] && !status; i++)
        status = walk_level(walk, level + 1, packed + (int64_t)i * walk->strides[level], pointer_at(pointers, i));
    return status;
}

static ssa_status start(const ssa_tensor_header *header, char *packed, void *nested, int packs) {
    walk walk = {.header = header, .packs = packs};
    if (!header->data_bytes)
        return SSA_OK;
    if (header->ndim < 2) {
        if (!nested)
            return SSA_EARGUMENT;
        copy_between(&walk, packed, nested, header->data_bytes);
        return SSA_OK;
    }
    ssa_layout_strides(header, header->order, walk.strides);
    return walk_level(&walk, 0, packed, nested);
}

ssa_status ssa_layout_pack_nested(const ssa_tensor_header *header, void *packed, const void *nested) {
    return start(header, packed, (void *)nested, 1);
}

ssa_status ssa_layout_unpack_nested(const ssa_tensor_header *header, const void *packed, void *nested) {
    return start(header, (char *)packed, nested, 0);
}

/* How many pointers all levels have; false: more than can be counted. */
static int count_pointers(const ssa_tensor_header *header, size_t *count) {
    size_t level = 1;
    *count = 0;
    for (unsigned i = 0; i + 1u < header->ndim; i++)
        if (__builtin_mul_overflow(level, header->shape[i], &level) || __builtin_add_overflow(*count, level, count))
            return 0;
    return *count <= SIZE_MAX / sizeof(void *);
}

ssa_status ssa_layout_nested_new(const ssa_tensor_header *header, void *packed, void **nested, void **allocation) {
    size_t count, level = 1;
    *allocation = NULL;
    *nested = packed;
    if (header->ndim < 2)
        return SSA_OK;
    int is_countable = count_pointers(header, &count);
    if (!header->data_bytes && (!is_countable || count > SSA_LAYOUT_EMPTY_POINTERS))
        return SSA_ELIMIT;
    if (!is_countable)
        return SSA_ENOMEM;
    char **pointers = ssa_allocate(count * sizeof *pointers);
    if (!pointers)
        return SSA_ENOMEM;
    *allocation = *nested = pointers;
    const unsigned last = header->ndim - 1u;
    for (unsigned i = 0; i < last; i++) {
        level *= header->shape[i];
        char *next = i + 1 == last ? packed : (char *)(pointers + level);
        const size_t distance = header->shape[i + 1] * (i + 1 == last ? header->itemsize : sizeof *pointers);
        for (size_t k = 0; k < level; k++)
            *pointers++ = next + k * distance;
    }
    return SSA_OK;
}
