#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "array_layout.h"
#include "caller_array.h"
#include "client_tensor.h"
#include "client_texts.h"
#include "dataset_state.h"
#include "tensor_text.h"

/* ---- errors: those of dataset.c are fixed words, others are composed */

__attribute__((format(printf, 3, 4)))
static ssa_status fail(ssa_dataset *dataset, ssa_status status, const char *format, ...) {
    if (!dataset->text)
        dataset->text = ssa_allocate(SSA_MISTAKE_BYTES);
    if (!dataset->text)
        return ssa_dataset_fail(dataset, SSA_ENOMEM, "no memory for the text of an error");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(dataset->text, SSA_MISTAKE_BYTES, format, arguments);
    va_end(arguments);
    return ssa_dataset_fail(dataset, status, dataset->text);
}

const char *ssa_dataset_error(const ssa_dataset *dataset) {
    return dataset ? ssa_dataset_reason(dataset) : "there is no dataset";
}

const char *ssa_dataset_get_name(const ssa_dataset *dataset, size_t *bytes) {
    ssa_name name = dataset ? ssa_dataset_name(dataset) : (ssa_name){"", 0};
    if (bytes)
        *bytes = name.bytes;
    return name.text;
}

/* Every function begins with this: what is passed in is there. */
static ssa_status begin(ssa_dataset *dataset, const char *name, size_t *name_bytes, const void *other) {
    if (!dataset)
        return SSA_EARGUMENT;
    if (!name)
        return fail(dataset, SSA_EARGUMENT, "name cannot be NULL: pass the text and its length.");
    if (!other)
        return fail(dataset, SSA_EARGUMENT, "no pointer of '%.100s' can be NULL.", name);
    if (*name_bytes == SSA_TEXT_ENDS)
        *name_bytes = strlen(name);
    return SSA_OK;
}

/* ---- adding */

ssa_status ssa_add_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes, const ssa_array *array) {
    ssa_caller_array source = {.in_place = 1};
    char text[SSA_MISTAKE_BYTES];
    ssa_status status = begin(dataset, name, &name_bytes, array);
    if (status)
        return status;
    status = ssa_caller_array_take(&source, array, 0, text);
    if (!status)
        status = ssa_caller_array_pack(&source, NULL, text);
    if (status)
        fail(dataset, status, "%s", text);
    else if (source.in_place)
        status = ssa_dataset_add_tensor(dataset, name, name_bytes, &source.header, source.data);
    else
        status = ssa_dataset_own_tensor(dataset, name, name_bytes, &source.header, &source.packed);
    if (status || source.in_place)
        ssa_caller_array_free(&source);
    return status;
}

ssa_status ssa_add_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes, const void *data, size_t bytes) {
    ssa_status status = begin(dataset, name, &name_bytes, bytes ? data : "");
    return status ? status : ssa_dataset_add_bytes(dataset, name, name_bytes, bytes ? data : "", bytes);
}

ssa_status ssa_add_meta_scalar(ssa_dataset *dataset, const char *name, size_t name_bytes, const void *value,
                               ssa_dtype type) {
    ssa_status status = begin(dataset, name, &name_bytes, value);
    if (!status &&
        (type == SSA_STRING || (int)type < 0 || (int)type > UINT8_MAX || !ssa_metadata_type_exists((uint8_t)type)))
        return fail(dataset, SSA_EARGUMENT,
                    "type cannot be %d: use SSA_BOOL, SSA_INT32, SSA_INT64, SSA_UINT32, SSA_UINT64, "
                    "SSA_FLOAT32 or SSA_FLOAT64; ssa_add_meta_string for texts.",
                    (int)type);
    return status ? status : ssa_dataset_add_scalars(dataset, name, name_bytes, (uint8_t)type, value, 1);
}

ssa_status ssa_add_meta_string(ssa_dataset *dataset, const char *name, size_t name_bytes, const char *text,
                               size_t text_bytes) {
    ssa_status status = begin(dataset, name, &name_bytes, text_bytes ? text : "");
    if (status)
        return status;
    if (text_bytes == SSA_TEXT_ENDS)
        text_bytes = strlen(text);
    return ssa_dataset_add_string(dataset, name, name_bytes, text ? text : "", text_bytes);
}

/* ---- tensors and bytes of it */

static ssa_status find_item(ssa_dataset *dataset, ssa_item_kind kind, const char *name, size_t name_bytes,
                            const ssa_item **item) {
    *item = ssa_dataset_find_item(dataset, kind, name, name_bytes);
    if (*item)
        return SSA_OK;
    return fail(dataset, SSA_ENOTFOUND, "the dataset has no %s '%.*s'.", kind == SSA_ITEM_TENSOR ? "tensor" : "bytes",
                (int)(name_bytes < 200 ? name_bytes : 200), name);
}

ssa_status ssa_get_dataset_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes, ssa_layout layout,
                                  ssa_tensor **tensor) {
    const ssa_item *item;
    if (tensor)
        *tensor = NULL;
    ssa_status status = begin(dataset, name, &name_bytes, tensor);
    if (!status && ((int)layout < SSA_ROW_MAJOR || (int)layout > SSA_AS_STORED || layout == SSA_STRIDED))
        return fail(dataset, SSA_EARGUMENT,
                    "layout cannot be %d: use SSA_ROW_MAJOR, SSA_COLUMN_MAJOR, SSA_NESTED_POINTERS or "
                    "SSA_AS_STORED.",
                    (int)layout);
    if (status || (status = find_item(dataset, SSA_ITEM_TENSOR, name, name_bytes, &item)))
        return status;
    ssa_tensor copy = {.header = item->header, .memory = ssa_memory_new(item->header.data_bytes)};
    if (!copy.memory.data)
        return fail(dataset, SSA_ENOMEM, "no memory for the tensor");
    if (copy.header.data_bytes)
        memcpy(copy.memory.data, item->data, copy.header.data_bytes);
    status = ssa_tensor_make(&copy, layout, tensor);
    return status ? fail(dataset, status, "no memory for the tensor") : SSA_OK;
}

static int has_type_and_shape(const ssa_tensor_header *a, const ssa_tensor_header *b, ssa_status *status) {
    *status = a->dtype != b->dtype || a->itemsize != b->itemsize ? SSA_EDTYPE : SSA_OK;
    if (!*status && (a->ndim != b->ndim || memcmp(a->shape, b->shape, a->ndim * sizeof *a->shape)))
        *status = SSA_ESHAPE;
    return !*status;
}

ssa_status ssa_unpack_dataset_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes, const ssa_array *into) {
    const ssa_item *item;
    ssa_caller_array target = {.in_place = 1};
    char text[SSA_MISTAKE_BYTES], stored[SSA_TENSOR_TEXT_BYTES], wanted[SSA_TENSOR_TEXT_BYTES];
    ssa_status status = begin(dataset, name, &name_bytes, into);
    if (status || (status = find_item(dataset, SSA_ITEM_TENSOR, name, name_bytes, &item)))
        return status;
    status = ssa_caller_array_take(&target, into, 1, text);
    if (status)
        return fail(dataset, status, "%s", text);
    if (!has_type_and_shape(&item->header, &target.header, &status)) {
        ssa_tensor_text(&item->header, stored, sizeof stored);
        ssa_tensor_text(&target.header, wanted, sizeof wanted);
        return fail(dataset, status, "the tensor is %s, the array to unpack into is %s.", stored, wanted);
    }
    if (!target.header.data_bytes)
        return SSA_OK;
    status = ssa_caller_array_make_room(&target, NULL, text);
    if (!status) {
        ssa_layout_reorder(&item->header, ssa_caller_array_packed(&target), (ssa_order)target.header.order, item->data);
        status = ssa_caller_array_unpack(&target, text);
    }
    ssa_caller_array_free(&target);
    return status ? fail(dataset, status, "%s", text) : SSA_OK;
}

ssa_status ssa_get_dataset_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes, const void **data,
                                 size_t *bytes) {
    const ssa_item *item;
    ssa_status status = begin(dataset, name, &name_bytes, data && bytes ? data : NULL);
    if (status || (status = find_item(dataset, SSA_ITEM_BYTES, name, name_bytes, &item)))
        return status;
    *data = item->data;
    *bytes = item->header.data_bytes;
    return SSA_OK;
}

ssa_status ssa_get_tensor_type(ssa_dataset *dataset, const char *name, size_t name_bytes, ssa_dtype *type) {
    const ssa_item *item;
    ssa_status status = begin(dataset, name, &name_bytes, type);
    if (!status && !(status = find_item(dataset, SSA_ITEM_TENSOR, name, name_bytes, &item)))
        *type = (ssa_dtype)item->header.dtype;
    return status;
}

ssa_status ssa_get_tensor_dims(ssa_dataset *dataset, const char *name, size_t name_bytes, const int64_t **shape,
                               int *ndim) {
    const ssa_item *item;
    ssa_status status = begin(dataset, name, &name_bytes, shape && ndim ? shape : NULL);
    if (status || (status = find_item(dataset, SSA_ITEM_TENSOR, name, name_bytes, &item)))
        return status;
    *shape = (const int64_t *)item->header.shape;
    *ndim = item->header.ndim;
    return SSA_OK;
}

static ssa_status remove_item(ssa_dataset *dataset, ssa_item_kind kind, const char *name, size_t name_bytes) {
    const ssa_item *item;
    ssa_status status = begin(dataset, name, &name_bytes, "");
    if (!status)
        status = find_item(dataset, kind, name, name_bytes, &item);
    return status ? status : ssa_dataset_remove_item(dataset, kind, name, name_bytes);
}

ssa_status ssa_remove_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes) {
    return remove_item(dataset, SSA_ITEM_TENSOR, name, name_bytes);
}

ssa_status ssa_remove_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes) {
    return remove_item(dataset, SSA_ITEM_BYTES, name, name_bytes);
}

/* ---- metadata */

static ssa_status find_field(ssa_dataset *dataset, const char *name, size_t name_bytes, ssa_metadata *metadata) {
    if (ssa_dataset_find_field(dataset, name, name_bytes, metadata) == SSA_OK)
        return SSA_OK;
    return fail(dataset, SSA_ENOTFOUND, "the dataset has no metadata '%.*s'.",
                (int)(name_bytes < 200 ? name_bytes : 200), name);
}

ssa_status ssa_has_field(ssa_dataset *dataset, const char *name, size_t name_bytes, int *has) {
    ssa_metadata metadata;
    ssa_status status = begin(dataset, name, &name_bytes, has);
    if (!status)
        *has = ssa_dataset_find_field(dataset, name, name_bytes, &metadata) == SSA_OK;
    return status;
}

ssa_status ssa_clear_field(ssa_dataset *dataset, const char *name, size_t name_bytes) {
    ssa_metadata metadata;
    ssa_status status = begin(dataset, name, &name_bytes, "");
    if (!status)
        status = find_field(dataset, name, name_bytes, &metadata);
    return status ? status : ssa_dataset_remove_field(dataset, name, name_bytes);
}

ssa_status ssa_get_metadata_field_type(ssa_dataset *dataset, const char *name, size_t name_bytes, ssa_dtype *type) {
    ssa_metadata metadata;
    ssa_status status = begin(dataset, name, &name_bytes, type);
    if (!status && !(status = find_field(dataset, name, name_bytes, &metadata)))
        *type = (ssa_dtype)metadata.type;
    return status;
}

ssa_status ssa_get_meta_scalars(ssa_dataset *dataset, const char *name, size_t name_bytes, const void **values,
                                size_t *count, ssa_dtype *type) {
    ssa_metadata metadata;
    ssa_status status = begin(dataset, name, &name_bytes, values && count && type ? values : NULL);
    if (status || (status = find_field(dataset, name, name_bytes, &metadata)))
        return status;
    if (metadata.type == SSA_STRING)
        return fail(dataset, SSA_EDTYPE, "the metadata are strings: use ssa_get_meta_strings.");
    *values = metadata.values;
    *count = metadata.count;
    *type = (ssa_dtype)metadata.type;
    return SSA_OK;
}

typedef struct string_walk {
    ssa_metadata metadata;
    size_t at;
} string_walk;

static int next_string(void *self, size_t place, ssa_text *text) {
    string_walk *walk = self;
    if (place == 0)
        walk->at = 0;
    return ssa_metadata_next(&walk->metadata, &walk->at, &text->data, &text->bytes);
}

ssa_status ssa_get_meta_strings(ssa_dataset *dataset, const char *name, size_t name_bytes, ssa_texts **texts) {
    string_walk walk;
    if (texts)
        *texts = NULL;
    ssa_status status = begin(dataset, name, &name_bytes, texts);
    if (status || (status = find_field(dataset, name, name_bytes, &walk.metadata)))
        return status;
    if (walk.metadata.type != SSA_STRING)
        return fail(dataset, SSA_EDTYPE, "the metadata are scalars: use ssa_get_meta_scalars.");
    *texts = ssa_texts_from(next_string, &walk, &status);
    return status ? fail(dataset, status, "no memory for the strings") : SSA_OK;
}

/* ---- names */

typedef struct item_walk {
    const ssa_dataset *dataset;
    ssa_item_kind kind;
    size_t at;
} item_walk;

static int next_item(void *self, size_t place, ssa_text *text) {
    item_walk *walk = self;
    if (place == 0)
        walk->at = 0;
    while (walk->at < ssa_dataset_item_count(walk->dataset)) {
        const ssa_item *item = ssa_dataset_item_at(walk->dataset, walk->at++);
        if (item->kind == walk->kind) {
            *text = (ssa_text){item->name.text, item->name.bytes};
            return 1;
        }
    }
    return 0;
}

static int next_field(void *self, size_t place, ssa_text *text) {
    const ssa_dataset *dataset = self;
    if (place >= ssa_dataset_field_count(dataset))
        return 0;
    ssa_name name = ssa_dataset_field_at(dataset, place).name;
    *text = (ssa_text){name.text, name.bytes};
    return 1;
}

static ssa_status names(ssa_dataset *dataset, int (*next)(void *, size_t, ssa_text *), void *walk, ssa_texts **texts) {
    size_t none = 0;
    if (texts)
        *texts = NULL;
    ssa_status status = begin(dataset, "", &none, texts);
    if (!status)
        *texts = ssa_texts_from(next, walk, &status);
    return status && dataset ? fail(dataset, status, "%s", texts ? "no memory for the names" : "names cannot be NULL.")
                             : status;
}

ssa_status ssa_get_tensor_names(ssa_dataset *dataset, ssa_texts **texts) {
    return names(dataset, next_item, &(item_walk){dataset, SSA_ITEM_TENSOR, 0}, texts);
}

ssa_status ssa_get_bytes_names(ssa_dataset *dataset, ssa_texts **texts) {
    return names(dataset, next_item, &(item_walk){dataset, SSA_ITEM_BYTES, 0}, texts);
}

ssa_status ssa_get_metadata_field_names(ssa_dataset *dataset, ssa_texts **texts) {
    return names(dataset, next_field, dataset, texts);
}
