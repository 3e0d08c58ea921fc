#include "caller_array.h"

#include <stdio.h>
#include <string.h>

#include "array_layout.h"

static char nothing[1]; /* what a pointer to no elements points to */

/* Both return what they are to be returned as. */
static ssa_status refuse_number(char *text, const char *thing, int64_t number, const char *remedy) {
    char word[24];
    snprintf(word, sizeof word, "%lld", (long long)number);
    ssa_mistake_word(text, SSA_MISTAKE_BYTES, thing, word, remedy);
    return SSA_EARGUMENT;
}

static ssa_status refuse_null(char *text, const char *thing, const char *remedy) {
    ssa_mistake_word(text, SSA_MISTAKE_BYTES, thing, "NULL", remedy);
    return SSA_EARGUMENT;
}

static ssa_status check_numbers(const ssa_array *given, char *text) {
    if (given->size != sizeof *given)
        return refuse_number(text, "array.size", (int64_t)given->size,
                             "use ssa_array_init, with the header of this library");
    if (given->ndim < 0 || given->ndim > SSA_TENSOR_MAX_NDIM)
        return refuse_number(text, "array.ndim", given->ndim, "use 0 to 32 dimensions");
    if (given->ndim && !given->shape)
        return refuse_null(text, "array.shape", "point it to ndim lengths");
    if (given->dtype < SSA_BOOL || given->dtype > SSA_UNICODE)
        return refuse_number(text, "array.dtype", given->dtype, "use one of ssa_dtype");
    if (given->layout < SSA_ROW_MAJOR || given->layout > SSA_STRIDED)
        return refuse_number(text, "array.layout", given->layout,
                             "use SSA_ROW_MAJOR, SSA_COLUMN_MAJOR, SSA_NESTED_POINTERS or SSA_STRIDED");
    if (given->layout == SSA_STRIDED && given->ndim && !given->strides)
        return refuse_null(text, "array.strides", "point it to the distances in bytes, one for each dimension");
    for (int i = 0; i < given->ndim; i++)
        if (given->shape[i] < 0)
            return refuse_number(text, "array.shape", given->shape[i], "no dimension is negative");
    return SSA_OK;
}

static uint64_t distance(int64_t stride) {
    return stride < 0 ? -(uint64_t)stride : (uint64_t)stride;
}

/* The dimensions of more than one element, those whose neighbours are nearest first; returns how many. */
static int by_distance(const ssa_array *given, int dimensions[SSA_TENSOR_MAX_NDIM]) {
    int count = 0;
    for (int i = 0; i < given->ndim; i++) {
        int at = count;
        if (given->shape[i] < 2)
            continue;
        for (; at && distance(given->strides[dimensions[at - 1]]) > distance(given->strides[i]); at--)
            dimensions[at] = dimensions[at - 1];
        dimensions[at] = i;
        count++;
    }
    return count;
}

/* An element that is written twice would have two values. So what is stepped over by the next longer stride is no
 * shorter than all that lies within, which is true of every part of an array. */
static ssa_status check_strides(const ssa_array *given, const ssa_tensor_header *header, char *text) {
    int dimensions[SSA_TENSOR_MAX_NDIM], count = by_distance(given, dimensions);
    uint64_t extent = header->itemsize, further;
    for (int i = 0; i < count; i++) {
        int64_t stride = given->strides[dimensions[i]];
        if (distance(stride) < extent)
            return refuse_number(text, "array.strides", stride,
                                 "elements of an array that is written must not lie upon each other");
        if (__builtin_mul_overflow(distance(stride), (uint64_t)given->shape[dimensions[i]] - 1, &further) ||
            __builtin_add_overflow(extent, further, &extent) || extent > PTRDIFF_MAX)
            return refuse_number(text, "array.strides", stride, "no memory is so large");
    }
    return SSA_OK;
}

/* Distances along dimensions of one element are of no account. */
static int lies_so(const ssa_tensor_header *header, const int64_t *strides, ssa_order order) {
    int64_t packed[SSA_TENSOR_MAX_NDIM];
    ssa_layout_strides(header, order, packed);
    for (unsigned i = 0; i < header->ndim; i++)
        if (header->shape[i] > 1 && strides[i] != packed[i])
            return 0;
    return 1;
}

static void look_at_strides(ssa_caller_array *array) {
    if (lies_so(&array->header, array->strides, SSA_ROW_MAJOR)) {
        array->in_place = 1;
    } else if (lies_so(&array->header, array->strides, SSA_COLUMN_MAJOR)) {
        array->in_place = 1;
        array->header.order = SSA_COLUMN_MAJOR;
    }
}

ssa_status ssa_caller_array_take(ssa_caller_array *array, const ssa_array *given, int is_target,
                                 char text[SSA_MISTAKE_BYTES]) {
    memset(&array->packed, 0, sizeof array->packed);
    if (!given)
        return refuse_null(text, "array", "describe one: ssa_array_init");
    ssa_status status = check_numbers(given, text);
    if (status)
        return status;
    int order = given->layout == SSA_COLUMN_MAJOR ? SSA_COLUMN_MAJOR : SSA_ROW_MAJOR;
    status =
        ssa_layout_describe(&array->header, given->dtype, given->itemsize, order, given->shape, (size_t)given->ndim);
    if (status == SSA_EARGUMENT)
        return refuse_number(text, "array.itemsize", (int64_t)given->itemsize,
                             "give 0 or what the dtype has; for strings the bytes of an element");
    if (status) {
        ssa_mistake_word(text, SSA_MISTAKE_BYTES, "array.shape", "so large", "its bytes cannot be counted");
        return status;
    }
    if (!given->data && array->header.data_bytes)
        return refuse_null(text, "array.data", "point it to the elements");
    if (is_target && given->layout == SSA_STRIDED && array->header.data_bytes &&
        (status = check_strides(given, &array->header, text)))
        return status;
    array->layout = (ssa_layout)given->layout;
    array->data = given->data ? given->data : nothing;
    array->in_place = given->layout == SSA_ROW_MAJOR || given->layout == SSA_COLUMN_MAJOR ||
                      !array->header.data_bytes || (given->layout == SSA_NESTED_POINTERS && given->ndim < 2);
    if (given->layout == SSA_STRIDED && given->ndim)
        memcpy(array->strides, given->strides, (size_t)given->ndim * sizeof *given->strides);
    if (given->layout == SSA_STRIDED && !array->in_place)
        look_at_strides(array);
    return SSA_OK;
}

static ssa_status null_inside(char *text) {
    return refuse_null(text, "a pointer of the nested array", "each points to pointers, or to a row of elements");
}

ssa_status ssa_caller_array_make_room(ssa_caller_array *array, ssa_memory_cache *cache, char text[SSA_MISTAKE_BYTES]) {
    if (array->in_place)
        return SSA_OK;
    array->packed = ssa_memory_take(cache, array->header.data_bytes);
    if (array->packed.data)
        return SSA_OK;
    snprintf(text, SSA_MISTAKE_BYTES, "no memory to pack an array of %llu bytes",
             (unsigned long long)array->header.data_bytes);
    return SSA_ENOMEM;
}

ssa_status ssa_caller_array_pack(ssa_caller_array *array, ssa_memory_cache *cache, char text[SSA_MISTAKE_BYTES]) {
    ssa_status status = ssa_caller_array_make_room(array, cache, text);
    if (status || array->in_place)
        return status;
    if (array->layout == SSA_STRIDED)
        ssa_layout_pack(&array->header, array->packed.data, array->data, array->strides);
    else
        status = ssa_layout_pack_nested(&array->header, array->packed.data, array->data);
    return status ? null_inside(text) : SSA_OK;
}

void *ssa_caller_array_packed(const ssa_caller_array *array) {
    return array->in_place ? array->data : array->packed.data;
}

ssa_status ssa_caller_array_unpack(const ssa_caller_array *array, char text[SSA_MISTAKE_BYTES]) {
    ssa_status status = SSA_OK;
    if (array->in_place)
        return SSA_OK;
    if (array->layout == SSA_STRIDED)
        ssa_layout_unpack(&array->header, array->packed.data, array->data, array->strides);
    else
        status = ssa_layout_unpack_nested(&array->header, array->packed.data, array->data);
    return status ? null_inside(text) : SSA_OK;
}

void ssa_caller_array_free(ssa_caller_array *array) {
    ssa_memory_free(&array->packed);
}
