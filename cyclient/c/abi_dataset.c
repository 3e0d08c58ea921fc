#include <string.h>

#include "array_layout.h"
#include "caller_array.h"
#include "client_dataset.h"
#include "client_tensor.h"
#include "client_texts.h"
#include "tensor_text.h"

const char *ssa_dataset_error(const ssa_dataset *dataset) {
    return dataset ? ssa_dataset_reason(dataset)
                   : "there is no dataset: it was moved, or ssa_dataset_new had no memory, was not called, or refused the "
                     "name, which has 1 to 1,024 bytes without braces and NUL";
}

const char *ssa_dataset_get_name(const ssa_dataset *dataset, size_t *bytes) {
    ssa_name name = dataset ? ssa_dataset_name(dataset) : (ssa_name){"", 0};
    if (bytes)
        *bytes = name.bytes;
    return name.text;
}

/* ---- adding */

ssa_status ssa_add_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes, const ssa_array *array) {
    ssa_caller_array source = {.in_place = 1};
    char text[SSA_MISTAKE_BYTES];
    ssa_part part = ssa_part_of(dataset, SSA_DATASET_TENSOR, name, name_bytes);
    if (part.status)
        return part.status;
    ssa_status status = ssa_caller_array_take(&source, array, 0, text);
    if (!status)
        status = ssa_caller_array_pack(&source, NULL, text);
    if (status)
        ssa_part_fail(&part, status, ": %s", text);
    else if (source.in_place)
        ssa_part_refused(&part, ssa_dataset_add_tensor(dataset, part.name.data, part.name.bytes, &source.header,
                                                       source.data));
    else
        ssa_part_refused(&part, ssa_dataset_own_tensor(dataset, part.name.data, part.name.bytes, &source.header,
                                                       &source.packed));
    if (part.status || source.in_place)
        ssa_caller_array_free(&source);
    return part.status;
}

ssa_status ssa_add_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes, const void *data, size_t bytes) {
    ssa_part part = ssa_part_of(dataset, SSA_DATASET_BYTES, name, name_bytes);
    if (!part.status && bytes > PTRDIFF_MAX)
        ssa_part_fail(&part, SSA_EARGUMENT, ": bytes cannot be %zu: pass how many there are.", bytes);
    if (ssa_part_given(&part, "data", bytes ? data : ""))
        return part.status;
    return ssa_part_refused(&part, ssa_dataset_add_bytes(dataset, part.name.data, part.name.bytes, bytes ? data : "",
                                                         bytes));
}

/* A field has values of one type. */
static ssa_status added(ssa_part *part, ssa_status status, const char *type) {
    ssa_metadata there;
    char word[24];
    if (status != SSA_EDTYPE || ssa_dataset_find_field(part->dataset, part->name.data, part->name.bytes, &there))
        return ssa_part_refused(part, status);
    ssa_dtype_text(there.type, 0, word, sizeof word);
    return ssa_part_fail(part, status, " are %s: a value of %s goes to another field, or is converted.",
                         there.type == SSA_STRING ? "strings" : word, type);
}

ssa_status ssa_add_meta_scalar(ssa_dataset *dataset, const char *name, size_t name_bytes, const void *value,
                               ssa_dtype type) {
    ssa_part part = ssa_part_of(dataset, SSA_DATASET_METADATA, name, name_bytes);
    char word[24];
    int is_scalar = (int)type >= 0 && (int)type <= UINT8_MAX && ssa_metadata_scalar_size((uint8_t)type);
    if (!ssa_part_given(&part, "value", value) && !is_scalar)
        ssa_part_fail(&part, SSA_EARGUMENT,
                      ": type cannot be %d: use SSA_BOOL, SSA_INT32, SSA_INT64, SSA_UINT32, SSA_UINT64, SSA_FLOAT32 or "
                      "SSA_FLOAT64; ssa_add_meta_string for texts.",
                      (int)type);
    if (part.status)
        return part.status;
    ssa_dtype_text((uint8_t)type, 0, word, sizeof word);
    ssa_status status = ssa_dataset_add_scalars(dataset, part.name.data, part.name.bytes, (uint8_t)type, value, 1);
    return added(&part, status, word);
}

ssa_status ssa_add_meta_string(ssa_dataset *dataset, const char *name, size_t name_bytes, const char *text,
                               size_t text_bytes) {
    ssa_part part = ssa_part_of(dataset, SSA_DATASET_METADATA, name, name_bytes);
    char problem[SSA_MISTAKE_BYTES];
    ssa_text value;
    if (!part.status && (part.status = ssa_text_given("text", text, text_bytes, &value, problem)))
        ssa_part_fail(&part, part.status, ": %s", problem);
    if (part.status)
        return part.status;
    ssa_status status = ssa_dataset_add_string(dataset, part.name.data, part.name.bytes, value.data, value.bytes);
    return added(&part, status, "text");
}

/* ---- tensors and bytes of it */

static ssa_status find_item(ssa_part *part, const ssa_item **item) {
    ssa_item_kind kind = part->kind == SSA_DATASET_TENSOR ? SSA_ITEM_TENSOR : SSA_ITEM_BYTES;
    if (part->status)
        return part->status;
    *item = ssa_dataset_find_item(part->dataset, kind, part->name.data, part->name.bytes);
    return *item ? SSA_OK : ssa_part_missing(part);
}

ssa_status ssa_get_dataset_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes, ssa_layout layout,
                                  ssa_tensor **tensor) {
    const ssa_item *item;
    ssa_part part = ssa_part_of(dataset, SSA_DATASET_TENSOR, name, name_bytes);
    if (tensor)
        *tensor = NULL;
    if (!ssa_part_result(&part, "tensor", tensor) &&
        ((int)layout < SSA_ROW_MAJOR || (int)layout > SSA_AS_STORED || layout == SSA_STRIDED))
        ssa_part_fail(&part, SSA_EARGUMENT,
                      ": layout cannot be %d: use SSA_ROW_MAJOR, SSA_COLUMN_MAJOR, SSA_NESTED_POINTERS or "
                      "SSA_AS_STORED.",
                      (int)layout);
    if (find_item(&part, &item))
        return part.status;
    char why[SSA_MISTAKE_BYTES] = "no memory for a copy";
    ssa_tensor copy = {.header = item->header, .memory = ssa_memory_new(item->header.data_bytes)};
    if (copy.memory.data) {
        if (copy.header.data_bytes)
            memcpy(copy.memory.data, item->data, copy.header.data_bytes);
        part.status = ssa_tensor_make(&copy, layout, tensor, why);
    } else {
        part.status = SSA_ENOMEM;
    }
    return part.status ? ssa_part_fail(&part, part.status, ": %s", why) : SSA_OK;
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
    ssa_part part = ssa_part_of(dataset, SSA_DATASET_TENSOR, name, name_bytes);
    if (find_item(&part, &item))
        return part.status;
    ssa_status status = ssa_caller_array_take(&target, into, 1, text);
    if (status)
        return ssa_part_fail(&part, status, ": %s", text);
    if (!has_type_and_shape(&item->header, &target.header, &status)) {
        ssa_tensor_text(&item->header, stored, sizeof stored);
        ssa_tensor_text(&target.header, wanted, sizeof wanted);
        return ssa_part_fail(&part, status, " is %s, the array to unpack into is %s: give one of its dtype and shape.",
                             stored, wanted);
    }
    if (!target.header.data_bytes)
        return SSA_OK;
    status = ssa_caller_array_make_room(&target, NULL, text);
    if (!status) {
        ssa_layout_reorder(&item->header, ssa_caller_array_packed(&target), (ssa_order)target.header.order, item->data);
        status = ssa_caller_array_unpack(&target, text);
    }
    ssa_caller_array_free(&target);
    return status ? ssa_part_fail(&part, status, ": %s", text) : SSA_OK;
}

ssa_status ssa_get_dataset_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes, const void **data,
                                 size_t *bytes) {
    const ssa_item *item;
    ssa_part part = ssa_part_of(dataset, SSA_DATASET_BYTES, name, name_bytes);
    ssa_part_result(&part, "data", data);
    ssa_part_result(&part, "bytes", bytes);
    if (find_item(&part, &item))
        return part.status;
    *data = item->data;
    *bytes = item->header.data_bytes;
    return SSA_OK;
}

ssa_status ssa_get_tensor_type(ssa_dataset *dataset, const char *name, size_t name_bytes, ssa_dtype *type) {
    const ssa_item *item;
    ssa_part part = ssa_part_of(dataset, SSA_DATASET_TENSOR, name, name_bytes);
    ssa_part_result(&part, "type", type);
    if (!find_item(&part, &item))
        *type = (ssa_dtype)item->header.dtype;
    return part.status;
}

ssa_status ssa_get_tensor_dims(ssa_dataset *dataset, const char *name, size_t name_bytes, const int64_t **shape,
                               int *ndim) {
    const ssa_item *item;
    ssa_part part = ssa_part_of(dataset, SSA_DATASET_TENSOR, name, name_bytes);
    ssa_part_result(&part, "shape", shape);
    ssa_part_result(&part, "ndim", ndim);
    if (find_item(&part, &item))
        return part.status;
    *shape = (const int64_t *)item->header.shape;
    *ndim = item->header.ndim;
    return SSA_OK;
}

static ssa_status remove_item(ssa_part part) {
    const ssa_item *item;
    if (find_item(&part, &item))
        return part.status;
    return ssa_part_refused(&part, ssa_dataset_remove_item(part.dataset, item->kind, part.name.data, part.name.bytes));
}

ssa_status ssa_remove_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes) {
    return remove_item(ssa_part_of(dataset, SSA_DATASET_TENSOR, name, name_bytes));
}

ssa_status ssa_remove_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes) {
    return remove_item(ssa_part_of(dataset, SSA_DATASET_BYTES, name, name_bytes));
}

/* ---- metadata */

static ssa_status find_field(ssa_part *part, ssa_metadata *metadata) {
    if (part->status)
        return part->status;
    ssa_status status = ssa_dataset_find_field(part->dataset, part->name.data, part->name.bytes, metadata);
    return status ? ssa_part_missing(part) : SSA_OK;
}

ssa_status ssa_has_field(ssa_dataset *dataset, const char *name, size_t name_bytes, int *has) {
    ssa_metadata metadata;
    ssa_part part = ssa_part_of(dataset, SSA_DATASET_METADATA, name, name_bytes);
    if (!ssa_part_result(&part, "has", has))
        *has = ssa_dataset_find_field(dataset, part.name.data, part.name.bytes, &metadata) == SSA_OK;
    return part.status;
}

ssa_status ssa_clear_field(ssa_dataset *dataset, const char *name, size_t name_bytes) {
    ssa_metadata metadata;
    ssa_part part = ssa_part_of(dataset, SSA_DATASET_METADATA, name, name_bytes);
    if (find_field(&part, &metadata))
        return part.status;
    return ssa_part_refused(&part, ssa_dataset_remove_field(dataset, part.name.data, part.name.bytes));
}

ssa_status ssa_get_metadata_field_type(ssa_dataset *dataset, const char *name, size_t name_bytes, ssa_dtype *type) {
    ssa_metadata metadata;
    ssa_part part = ssa_part_of(dataset, SSA_DATASET_METADATA, name, name_bytes);
    ssa_part_result(&part, "type", type);
    if (!find_field(&part, &metadata))
        *type = (ssa_dtype)metadata.type;
    return part.status;
}

ssa_status ssa_get_meta_scalars(ssa_dataset *dataset, const char *name, size_t name_bytes, const void **values,
                                size_t *count, ssa_dtype *type) {
    ssa_metadata metadata;
    ssa_part part = ssa_part_of(dataset, SSA_DATASET_METADATA, name, name_bytes);
    ssa_part_result(&part, "values", values);
    ssa_part_result(&part, "count", count);
    ssa_part_result(&part, "type", type);
    if (find_field(&part, &metadata))
        return part.status;
    if (metadata.type == SSA_STRING)
        return ssa_part_fail(&part, SSA_EDTYPE, " are strings: use ssa_get_meta_strings.");
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
    char word[24];
    ssa_part part = ssa_part_of(dataset, SSA_DATASET_METADATA, name, name_bytes);
    if (texts)
        *texts = NULL;
    ssa_part_result(&part, "texts", texts);
    if (find_field(&part, &walk.metadata))
        return part.status;
    if (walk.metadata.type != SSA_STRING) {
        ssa_dtype_text(walk.metadata.type, 0, word, sizeof word);
        return ssa_part_fail(&part, SSA_EDTYPE, " are %s: use ssa_get_meta_scalars.", word);
    }
    *texts = ssa_texts_from(next_string, &walk, &part.status);
    return part.status ? ssa_part_fail(&part, part.status, ": no memory for the strings") : SSA_OK;
}

/* ---- names */

ssa_status ssa_get_tensor_names(ssa_dataset *dataset, ssa_texts **names) {
    return ssa_part_names(dataset, SSA_DATASET_TENSOR, names);
}

ssa_status ssa_get_bytes_names(ssa_dataset *dataset, ssa_texts **names) {
    return ssa_part_names(dataset, SSA_DATASET_BYTES, names);
}

ssa_status ssa_get_metadata_field_names(ssa_dataset *dataset, ssa_texts **names) {
    return ssa_part_names(dataset, SSA_DATASET_METADATA, names);
}
