#include "array_layout.h"

#include <string.h>

#include "allocator.h"
#include "transpose.h"

#define LINE 64                        /* bytes of a line of the caches */
#define CACHED_UP_TO ((size_t)8 << 20) /* what is written stays in the caches, for who sends or computes next */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* ---- shapes */

ssa_status ssa_layout_describe(ssa_tensor_header *header, int dtype, size_t itemsize, int order,
                               const int64_t *dimensions, size_t ndim) {
    memset(header, 0, sizeof *header);
    if (ndim > SSA_TENSOR_MAX_NDIM || itemsize > UINT32_MAX)
        return SSA_ELIMIT;
    if (dtype < SSA_BOOL || dtype > SSA_UNICODE || (order != SSA_ROW_MAJOR && order != SSA_COLUMN_MAJOR))
        return SSA_EARGUMENT;
    uint32_t size = ssa_dtype_size((uint8_t)dtype);
    if (size ? itemsize && itemsize != size : !itemsize || (dtype == SSA_UNICODE && itemsize % 4))
        return SSA_EARGUMENT;
    header->dtype = (uint8_t)dtype;
    header->order = (uint8_t)order;
    header->ndim = (uint8_t)ndim;
    header->itemsize = size ? size : (uint32_t)itemsize;
    for (size_t i = 0; i < ndim; i++) {
        if (dimensions[i] < 0)
            return SSA_EARGUMENT;
        header->shape[i] = (uint64_t)dimensions[i];
    }
    if (ssa_tensor_header_complete(header) || header->data_bytes > PTRDIFF_MAX)
        return SSA_ELIMIT;
    if (ssa_layout_is_both(header))
        header->order = SSA_ROW_MAJOR;
    return SSA_OK;
}

int ssa_layout_is_both(const ssa_tensor_header *header) {
    unsigned longer = 0;
    for (unsigned i = 0; i < header->ndim; i++)
        longer += header->shape[i] > 1;
    return longer < 2 || !header->data_bytes;
}

void ssa_layout_strides(const ssa_tensor_header *header, ssa_order order, int64_t *strides) {
    int64_t stride = header->itemsize;
    for (unsigned i = 0; i < header->ndim; i++) {
        unsigned k = order == SSA_COLUMN_MAJOR ? i : header->ndim - 1 - i;
        strides[k] = stride;
        stride *= header->shape[k] ? (int64_t)header->shape[k] : 1;
    }
}

/* ---- any strides to any strides */

/* One dimension of a copy: how many elements, and how far they are apart on both sides. */
typedef struct axis {
    uint64_t count;
    int64_t to, from;
} axis;

typedef struct copy {
    char *to;
    const char *from;
    axis axes[SSA_TENSOR_MAX_NDIM];
    unsigned count;
    size_t size;  /* of an element */
    size_t bytes; /* of all */
} copy;

static int64_t distance(int64_t stride) {
    return stride < 0 ? -stride : stride;
}

/* An axis that is walked upwards on the side that is written, in its place: the longest stride there comes first. */
static void add_axis(copy *copy, axis added) {
    if (added.to < 0) {
        copy->to += (int64_t)(added.count - 1) * added.to;
        copy->from += (int64_t)(added.count - 1) * added.from;
        added.to = -added.to;
        added.from = -added.from;
    }
    unsigned at = copy->count++;
    for (; at && copy->axes[at - 1].to < added.to; at--)
        copy->axes[at] = copy->axes[at - 1];
    copy->axes[at] = added;
}

/* Those that follow one another on both sides become one. */
static void join_axes(copy *copy) {
    unsigned kept = 0;
    for (unsigned i = 0; i < copy->count; i++) {
        axis inner = copy->axes[i], *outer = kept ? &copy->axes[kept - 1] : NULL;
        if (outer && outer->to == (int64_t)inner.count * inner.to && outer->from == (int64_t)inner.count * inner.from)
            *outer = (axis){outer->count * inner.count, inner.to, inner.from};
        else
            copy->axes[kept++] = inner;
    }
    copy->count = kept;
}

/* The axis at `place`, which is none of the outer ones any more. */
static axis take_axis(copy *copy, unsigned place) {
    axis taken = copy->axes[place];
    memmove(&copy->axes[place], &copy->axes[place + 1], (--copy->count - place) * sizeof taken);
    return taken;
}

/* Take the axis along which `from` is walked in the shortest steps, if they are shorter than those of `rows`. */
static axis take_columns(copy *copy, const axis *rows) {
    unsigned best = copy->count;
    int64_t shortest = distance(rows->from);
    for (unsigned i = 0; i < copy->count; i++)
        if (distance(copy->axes[i].from) < shortest) {
            best = i;
            shortest = distance(copy->axes[i].from);
        }
    return best == copy->count ? (axis){1, 0, 0} : take_axis(copy, best);
}

/* Go to the next place of the outer axes, the last of which runs fastest. Returns 0 after the last, at the first. */
static int step(copy *copy, uint64_t *at) {
    for (unsigned i = copy->count; i-- > 0;) {
        const axis *axis = &copy->axes[i];
        copy->to += axis->to;
        copy->from += axis->from;
        if (++at[i] < axis->count)
            return 1;
        copy->to -= (int64_t)axis->count * axis->to;
        copy->from -= (int64_t)axis->count * axis->from;
        at[i] = 0;
    }
    return 0;
}

/* `size` is a constant wherever this is inlined with one, and memcpy then a single move. */
ALWAYS_INLINE void copy_block(char *to, const char *from, axis rows, axis columns, size_t size) {
    const uint64_t side = size < LINE ? LINE / size : 1;
    for (uint64_t r = 0; r < rows.count; r += side)
        for (uint64_t c = 0; c < columns.count; c++) {
            const uint64_t end = rows.count - r < side ? rows.count : r + side;
            for (uint64_t i = r; i < end; i++)
                memcpy(to + (int64_t)i * rows.to + (int64_t)c * columns.to,
                       from + (int64_t)i * rows.from + (int64_t)c * columns.from, size);
        }
}

static void copy_elements(char *to, const char *from, axis rows, axis columns, size_t size) {
    switch (size) {
    case 1:
        copy_block(to, from, rows, columns, 1);
        break;
    case 2:
        copy_block(to, from, rows, columns, 2);
        break;
    case 4:
        copy_block(to, from, rows, columns, 4);
        break;
    case 8:
        copy_block(to, from, rows, columns, 8);
        break;
    case 16:
        copy_block(to, from, rows, columns, 16);
        break;
    default:
        copy_block(to, from, rows, columns, size);
    }
}

static int starts_lines(const copy *copy, const axis *columns) {
    int64_t steps = (int64_t)(uintptr_t)copy->to | columns->to;
    for (unsigned i = 0; i < copy->count; i++)
        steps |= copy->axes[i].to;
    return steps % LINE == 0;
}

static void copy_planes(copy *copy, axis rows, axis columns) {
    uint64_t at[SSA_TENSOR_MAX_NDIM] = {0};
    ssa_plane plane = {columns.to,    rows.from,  rows.count,
                       columns.count, copy->size, copy->bytes > CACHED_UP_TO,
                       !starts_lines(copy, &columns)};
    for (uint64_t row = 0; row < rows.count; row += ssa_transpose_strip_rows(&plane))
        do
            ssa_transpose_strip(&plane, copy->to, copy->from, row);
        while (step(copy, at));
    ssa_transpose_finish(&plane);
}

static void run(copy *copy) {
    const int64_t size = (int64_t)copy->size;
    uint64_t at[SSA_TENSOR_MAX_NDIM] = {0};
    axis rows = copy->count ? take_axis(copy, copy->count - 1) : (axis){1, size, size};
    axis columns = {1, 0, 0};
    if (rows.to == size && rows.from == size) {
        do
            memcpy(copy->to, copy->from, rows.count * copy->size);
        while (step(copy, at));
        return;
    }
    columns = take_columns(copy, &rows);
    if (rows.to == size && columns.from == size && ssa_transpose_takes(copy->size)) {
        copy_planes(copy, rows, columns);
        return;
    }
    do
        copy_elements(copy->to, copy->from, rows, columns, copy->size);
    while (step(copy, at));
}

void ssa_layout_copy(const ssa_tensor_header *header, void *to, const int64_t *to_strides, const void *from,
                     const int64_t *from_strides) {
    copy copy = {.to = to, .from = from, .size = header->itemsize, .bytes = header->data_bytes};
    if (!header->data_bytes)
        return;
    for (unsigned i = 0; i < header->ndim; i++)
        if (header->shape[i] > 1)
            add_axis(&copy, (axis){header->shape[i], to_strides[i], from_strides[i]});
    join_axes(&copy);
    run(&copy);
}

void ssa_layout_pack(const ssa_tensor_header *header, void *packed, const void *from, const int64_t *from_strides) {
    int64_t strides[SSA_TENSOR_MAX_NDIM];
    ssa_layout_strides(header, header->order, strides);
    ssa_layout_copy(header, packed, strides, from, from_strides);
}

void ssa_layout_unpack(const ssa_tensor_header *header, const void *packed, void *to, const int64_t *to_strides) {
    int64_t strides[SSA_TENSOR_MAX_NDIM];
    ssa_layout_strides(header, header->order, strides);
    ssa_layout_copy(header, to, to_strides, packed, strides);
}

void ssa_layout_reorder(const ssa_tensor_header *header, void *to, ssa_order to_order, const void *packed) {
    int64_t strides[SSA_TENSOR_MAX_NDIM];
    ssa_layout_strides(header, to_order, strides);
    ssa_layout_unpack(header, packed, to, strides);
}
