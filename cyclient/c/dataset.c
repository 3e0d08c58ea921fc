#include "../include/ssasync.h" /* exports ssa_dataset_new and ssa_dataset_free */

#include "dataset.h"

#include <string.h>

#include "allocator.h"
#include "dataset_state.h"

#define NO_MEMORY "there is no memory for it"

static const char nothing[1]; /* where the data of what has no bytes lie, when the caller says NULL */

static const char *name_refusal(const char *name, size_t bytes) {
    if (!bytes)
        return "give it a name";
    if (bytes > SSA_DATASET_NAME_BYTES)
        return "a name has at most 1024 bytes";
    if (memchr(name, '{', bytes) || memchr(name, '}', bytes))
        return "braces decide which shard holds a key; leave them out";
    if (memchr(name, 0, bytes))
        return "a name has no NUL in it; give its length without the NUL at its end";
    return NULL;
}

const char *ssa_dataset_name_refusal(const char *name, size_t bytes) {
    return name_refusal(name, bytes);
}

const char *ssa_field_name_refusal(const char *name, size_t bytes) {
    if (bytes && name[0] == '.')
        return "names that begin with a dot are kept for what a dataset says of itself; begin it otherwise";
    return name_refusal(name, bytes);
}

const char *ssa_item_name_refusal(const char *name, size_t bytes) {
    if (bytes == 4 && !memcmp(name, "meta", 4))
        return "the key of that name holds the metadata; choose another";
    return ssa_field_name_refusal(name, bytes);
}

ssa_name ssa_dataset_item_name(const void *dataset, size_t place) {
    return ((const ssa_dataset *)dataset)->items[place].shown.name;
}

ssa_name ssa_dataset_field_name(const void *dataset, size_t place) {
    return ((const ssa_dataset *)dataset)->fields[place].name;
}

ssa_status ssa_dataset_fail(ssa_dataset *dataset, ssa_status status, const char *reason) {
    dataset->reason = reason;
    return status;
}

static ssa_status no_memory(ssa_dataset *dataset) {
    return ssa_dataset_fail(dataset, SSA_ENOMEM, NO_MEMORY);
}

/* Before every change. */
static ssa_status check_unpinned(ssa_dataset *dataset) {
    if (dataset->pins)
        return ssa_dataset_fail(dataset, SSA_EARGUMENT, "a put of the dataset is under way; wait until it is done");
    dataset->encoded = 0;
    return SSA_OK;
}

static int name_dup(ssa_name *copy, const char *name, size_t bytes) {
    char *text = ssa_allocate(bytes);
    if (text)
        memcpy(text, name, bytes);
    *copy = (ssa_name){text, bytes};
    return text != NULL;
}

static void name_free(ssa_name *name) {
    ssa_release((char *)name->text);
}

/* The list, with room for one more element; NULL: none, and *status says why. */
static void *room_for_one(ssa_dataset *dataset, void *list, size_t count, size_t *capacity, size_t size,
                          ssa_status *status) {
    if (count == SSA_DATASET_MAX_ENTRIES) {
        *status = ssa_dataset_fail(dataset, SSA_ELIMIT, "a dataset has at most 1048576 items and as many fields");
        return NULL;
    }
    if (count < *capacity)
        return list;
    size_t more = *capacity ? 2 * *capacity : 4;
    void *grown = ssa_reallocate(list, more * size);
    if (grown)
        *capacity = more;
    else
        *status = no_memory(dataset);
    return grown;
}

static ssa_status reserve_item(ssa_dataset *dataset) {
    ssa_status status = SSA_OK;
    void *items = room_for_one(dataset, dataset->items, dataset->item_count, &dataset->item_capacity,
                               sizeof *dataset->items, &status);
    if (items)
        dataset->items = items;
    return status;
}

static ssa_status reserve_field(ssa_dataset *dataset) {
    ssa_status status = SSA_OK;
    void *fields = room_for_one(dataset, dataset->fields, dataset->field_count, &dataset->field_capacity,
                                sizeof *dataset->fields, &status);
    if (fields)
        dataset->fields = fields;
    return status;
}

ssa_status ssa_dataset_new(const char *name, size_t bytes, ssa_dataset **dataset) {
    if (!dataset)
        return SSA_EARGUMENT;
    *dataset = NULL;
    if (!name)
        return SSA_EARGUMENT;
    if (bytes == SSA_TEXT_ENDS)
        bytes = strlen(name);
    if (ssa_dataset_name_refusal(name, bytes))
        return SSA_EARGUMENT;
    ssa_dataset *made = ssa_allocate(sizeof *made);
    if (!made)
        return SSA_ENOMEM;
    memset(made, 0, sizeof *made);
    made->reason = "nothing has failed";
    if (!name_dup(&made->name, name, bytes)) {
        ssa_release(made);
        return SSA_ENOMEM;
    }
    *dataset = made;
    return SSA_OK;
}

static void free_item(ssa_dataset_item *item) {
    name_free(&item->shown.name);
    ssa_memory_free(&item->memory);
}

static void free_field(ssa_dataset_field *field) {
    name_free(&field->name);
    ssa_buffer_free(&field->entry);
}

void ssa_dataset_free(ssa_dataset *dataset) {
    if (!dataset)
        return;
    for (size_t i = 0; i < dataset->item_count; i++)
        free_item(&dataset->items[i]);
    for (size_t i = 0; i < dataset->field_count; i++)
        free_field(&dataset->fields[i]);
    ssa_name_index_free(&dataset->item_index);
    ssa_name_index_free(&dataset->field_index);
    ssa_buffer_free(&dataset->tensor_names);
    ssa_buffer_free(&dataset->bytes_names);
    name_free(&dataset->name);
    ssa_release(dataset->items);
    ssa_release(dataset->fields);
    ssa_release(dataset->text);
    ssa_release(dataset);
}

static ssa_status copy_entries(const ssa_dataset *dataset, ssa_dataset *copy) {
    ssa_status status = SSA_OK;
    for (size_t i = 0; i < dataset->item_count && !status; i++) {
        ssa_item item = dataset->items[i].shown;
        ssa_memory memory = {.data = NULL};
        if (item.data) {
            memory = ssa_memory_new(item.header.data_bytes);
            if (!memory.data)
                return SSA_ENOMEM;
            memcpy(memory.data, item.data, item.header.data_bytes);
        }
        item.data = memory.data;
        status = ssa_dataset_add_item(copy, &item, &memory);
        ssa_memory_free(&memory);
    }
    for (size_t i = 0; i < dataset->field_count && !status; i++) {
        ssa_field field = ssa_dataset_field_at(dataset, i);
        status = ssa_dataset_add_field(copy, field.name, field.data, field.bytes);
    }
    return status;
}

ssa_status ssa_dataset_dup(const ssa_dataset *dataset, ssa_dataset **copy) {
    ssa_status status = ssa_dataset_new(dataset->name.text, dataset->name.bytes, copy);
    if (status)
        return status;
    status = copy_entries(dataset, *copy);
    memcpy((*copy)->version, dataset->version, sizeof dataset->version);
    if (status) {
        ssa_dataset_free(*copy);
        *copy = NULL;
    }
    return status;
}

ssa_name ssa_dataset_name(const ssa_dataset *dataset) {
    return dataset->name;
}

ssa_status ssa_dataset_rename(ssa_dataset *dataset, const char *name, size_t bytes) {
    const char *refusal = ssa_dataset_name_refusal(name, bytes);
    ssa_name renamed;
    if (refusal)
        return ssa_dataset_fail(dataset, SSA_EARGUMENT, refusal);
    if (check_unpinned(dataset))
        return SSA_EARGUMENT;
    if (!name_dup(&renamed, name, bytes))
        return no_memory(dataset);
    name_free(&dataset->name);
    dataset->name = renamed;
    return SSA_OK;
}

const char *ssa_dataset_reason(const ssa_dataset *dataset) {
    return dataset->reason;
}

void ssa_dataset_pin(ssa_dataset *dataset) {
    dataset->pins++;
}

void ssa_dataset_unpin(ssa_dataset *dataset) {
    dataset->pins--;
}

/* ---- items */

static ssa_status check_item_name(ssa_dataset *dataset, ssa_name name) {
    const char *refusal = ssa_item_name_refusal(name.text, name.bytes);
    if (refusal)
        return ssa_dataset_fail(dataset, SSA_EARGUMENT, refusal);
    if (ssa_dataset_has_item(dataset, name.text, name.bytes))
        return ssa_dataset_fail(dataset, SSA_EARGUMENT,
                                "the dataset has a tensor or bytes of this name; remove them first, "
                                "or choose another name");
    return SSA_OK;
}

ssa_status ssa_dataset_add_item(ssa_dataset *dataset, const ssa_item *item, ssa_memory *memory) {
    ssa_status status = check_unpinned(dataset);
    ssa_dataset_item added = {*item, {.data = NULL}};
    if (!status)
        status = check_item_name(dataset, item->name);
    if (!status)
        status = reserve_item(dataset);
    if (status)
        return status;
    if (!name_dup(&added.shown.name, item->name.text, item->name.bytes))
        return no_memory(dataset);
    if (ssa_name_index_add(&dataset->item_index, dataset, ssa_dataset_item_name, item->name)) {
        name_free(&added.shown.name);
        return no_memory(dataset);
    }
    added.memory = *memory;
    *memory = (ssa_memory){.data = NULL};
    added.shown.owned = added.memory.data != NULL;
    dataset->items[dataset->item_count++] = added;
    return SSA_OK;
}

static ssa_status lend(ssa_dataset *dataset, ssa_item *item, const void *data) {
    ssa_memory none = {.data = NULL};
    if (!data && item->header.data_bytes)
        return ssa_dataset_fail(dataset, SSA_EARGUMENT, "its data must not be NULL");
    item->data = data ? data : nothing;
    return ssa_dataset_add_item(dataset, item, &none);
}

static ssa_status add_copy(ssa_dataset *dataset, ssa_item *item, const void *data) {
    if (!data && item->header.data_bytes)
        return ssa_dataset_fail(dataset, SSA_EARGUMENT, "its data must not be NULL");
    ssa_status status = check_item_name(dataset, item->name); /* before what may be a large copy */
    if (status)
        return status;
    ssa_memory memory = ssa_memory_new(item->header.data_bytes);
    if (!memory.data)
        return no_memory(dataset);
    if (item->header.data_bytes)
        memcpy(memory.data, data, item->header.data_bytes);
    item->data = memory.data;
    status = ssa_dataset_add_item(dataset, item, &memory);
    ssa_memory_free(&memory);
    return status;
}

static ssa_item item_of_tensor(const char *name, size_t name_bytes, const ssa_tensor_header *header) {
    return (ssa_item){SSA_ITEM_TENSOR, {name, name_bytes}, *header, NULL, 0};
}

static ssa_item item_of_bytes(const char *name, size_t name_bytes, size_t bytes) {
    ssa_item item = {SSA_ITEM_BYTES, {name, name_bytes}, {SSA_UINT8, SSA_ROW_MAJOR, 1, 1, bytes, {bytes}}, NULL, 0};
    return item;
}

ssa_status ssa_dataset_add_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes,
                                  const ssa_tensor_header *header, const void *data) {
    ssa_item item = item_of_tensor(name, name_bytes, header);
    return add_copy(dataset, &item, data);
}

ssa_status ssa_dataset_lend_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes,
                                   const ssa_tensor_header *header, const void *data) {
    ssa_item item = item_of_tensor(name, name_bytes, header);
    return lend(dataset, &item, data);
}

ssa_status ssa_dataset_own_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes,
                                  const ssa_tensor_header *header, ssa_memory *memory) {
    ssa_item item = item_of_tensor(name, name_bytes, header);
    item.data = memory->data;
    return ssa_dataset_add_item(dataset, &item, memory);
}

ssa_status ssa_dataset_add_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes, const void *data,
                                 size_t bytes) {
    ssa_item item = item_of_bytes(name, name_bytes, bytes);
    return add_copy(dataset, &item, data);
}

ssa_status ssa_dataset_lend_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes, const void *data,
                                  size_t bytes) {
    ssa_item item = item_of_bytes(name, name_bytes, bytes);
    return lend(dataset, &item, data);
}

ssa_status ssa_dataset_own_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes, ssa_memory *memory,
                                 size_t bytes) {
    ssa_item item = item_of_bytes(name, name_bytes, bytes);
    item.data = memory->data;
    return ssa_dataset_add_item(dataset, &item, memory);
}

static size_t place_of_item(const ssa_dataset *dataset, const char *name, size_t bytes) {
    return ssa_name_index_find(&dataset->item_index, dataset, ssa_dataset_item_name, (ssa_name){name, bytes});
}

ssa_status ssa_dataset_remove_item(ssa_dataset *dataset, ssa_item_kind kind, const char *name, size_t name_bytes) {
    size_t place = ssa_dataset_item_place(dataset, kind, name, name_bytes);
    if (place == SSA_NAME_NOWHERE)
        return ssa_dataset_fail(dataset, SSA_ENOTFOUND, "the dataset has none of this name");
    if (check_unpinned(dataset))
        return SSA_EARGUMENT;
    ssa_dataset_item *item = &dataset->items[place];
    free_item(item);
    memmove(item, item + 1, (--dataset->item_count - place) * sizeof *item);
    ssa_name_index_rebuild(&dataset->item_index, dataset, ssa_dataset_item_name, dataset->item_count);
    return SSA_OK;
}

size_t ssa_dataset_item_count(const ssa_dataset *dataset) {
    return dataset->item_count;
}

const ssa_item *ssa_dataset_item_at(const ssa_dataset *dataset, size_t place) {
    return &dataset->items[place].shown;
}

size_t ssa_dataset_item_place(const ssa_dataset *dataset, ssa_item_kind kind, const char *name, size_t name_bytes) {
    size_t place = place_of_item(dataset, name, name_bytes);
    return place != SSA_NAME_NOWHERE && dataset->items[place].shown.kind == kind ? place : SSA_NAME_NOWHERE;
}

const ssa_item *ssa_dataset_find_item(const ssa_dataset *dataset, ssa_item_kind kind, const char *name,
                                      size_t name_bytes) {
    size_t place = ssa_dataset_item_place(dataset, kind, name, name_bytes);
    return place == SSA_NAME_NOWHERE ? NULL : &dataset->items[place].shown;
}

int ssa_dataset_has_item(const ssa_dataset *dataset, const char *name, size_t name_bytes) {
    return place_of_item(dataset, name, name_bytes) != SSA_NAME_NOWHERE;
}

ssa_memory ssa_dataset_take_memory(ssa_dataset *dataset, size_t place) {
    ssa_dataset_item *item = &dataset->items[place];
    ssa_memory memory = item->memory;
    item->memory = (ssa_memory){.data = NULL};
    item->shown.owned = 0;
    return memory;
}

/* ---- fields */

static size_t place_of_field(const ssa_dataset *dataset, ssa_name name) {
    return ssa_name_index_find(&dataset->field_index, dataset, ssa_dataset_field_name, name);
}

ssa_status ssa_dataset_add_field(ssa_dataset *dataset, ssa_name name, const void *entry, size_t bytes) {
    static const unsigned char padding[SSA_FIELD_PADDING];
    ssa_dataset_field added = {{NULL, 0}, {NULL, 0, 0}};
    ssa_status status = reserve_field(dataset);
    if (status)
        return status;
    if (ssa_buffer_append(&added.entry, padding, sizeof padding) || ssa_buffer_append(&added.entry, entry, bytes) ||
        !name_dup(&added.name, name.text, name.bytes) ||
        ssa_name_index_add(&dataset->field_index, dataset, ssa_dataset_field_name, name)) {
        free_field(&added);
        return no_memory(dataset);
    }
    dataset->fields[dataset->field_count++] = added;
    return SSA_OK;
}

static void drop_field(ssa_dataset *dataset, size_t place) {
    ssa_dataset_field *field = &dataset->fields[place];
    free_field(field);
    memmove(field, field + 1, (--dataset->field_count - place) * sizeof *field);
    ssa_name_index_rebuild(&dataset->field_index, dataset, ssa_dataset_field_name, dataset->field_count);
}

/* The entry to which values of this type can be added; a new one has none yet and is the last. */
static ssa_status open_field(ssa_dataset *dataset, ssa_name name, uint8_t type, size_t *place) {
    const char *refusal = ssa_field_name_refusal(name.text, name.bytes);
    if (refusal)
        return ssa_dataset_fail(dataset, SSA_EARGUMENT, refusal);
    if (check_unpinned(dataset))
        return SSA_EARGUMENT;
    *place = place_of_field(dataset, name);
    if (*place == SSA_NAME_NOWHERE) {
        *place = dataset->field_count;
        return ssa_dataset_add_field(dataset, name, &type, 1);
    }
    if (dataset->fields[*place].entry.data[SSA_FIELD_PADDING] != type)
        return ssa_dataset_fail(dataset, SSA_EDTYPE, "the field holds values of another type; use another field");
    return SSA_OK;
}

/* A field that was made for values that then found no memory goes again. */
static ssa_status close_field(ssa_dataset *dataset, size_t place, ssa_status status) {
    if (!status)
        return SSA_OK;
    if (dataset->fields[place].entry.bytes == SSA_FIELD_PADDING + 1)
        drop_field(dataset, place);
    return no_memory(dataset);
}

ssa_status ssa_dataset_add_scalars(ssa_dataset *dataset, const char *name, size_t name_bytes, uint8_t type,
                                   const void *values, size_t count) {
    size_t place;
    if (!ssa_metadata_scalar_size(type))
        return ssa_dataset_fail(dataset, SSA_EARGUMENT,
                                "a field holds bool, int32, int64, uint32, uint64, float32, float64 or strings");
    if (!count || !values)
        return ssa_dataset_fail(dataset, SSA_EARGUMENT, "give it at least one value");
    ssa_status status = open_field(dataset, (ssa_name){name, name_bytes}, type, &place);
    if (status)
        return status;
    return close_field(dataset, place, ssa_metadata_add_scalars(&dataset->fields[place].entry, type, values, count));
}

ssa_status ssa_dataset_add_string(ssa_dataset *dataset, const char *name, size_t name_bytes, const void *text,
                                  size_t bytes) {
    size_t place;
    if (bytes && !text)
        return ssa_dataset_fail(dataset, SSA_EARGUMENT, "its text must not be NULL");
    ssa_status status = open_field(dataset, (ssa_name){name, name_bytes}, SSA_STRING, &place);
    if (status)
        return status;
    return close_field(dataset, place, ssa_metadata_add_string(&dataset->fields[place].entry, text, bytes));
}

ssa_status ssa_dataset_remove_field(ssa_dataset *dataset, const char *name, size_t name_bytes) {
    size_t place = place_of_field(dataset, (ssa_name){name, name_bytes});
    if (place == SSA_NAME_NOWHERE)
        return ssa_dataset_fail(dataset, SSA_ENOTFOUND, "the dataset has none of this name");
    if (check_unpinned(dataset))
        return SSA_EARGUMENT;
    drop_field(dataset, place);
    return SSA_OK;
}

size_t ssa_dataset_field_count(const ssa_dataset *dataset) {
    return dataset->field_count;
}

ssa_field ssa_dataset_field_at(const ssa_dataset *dataset, size_t place) {
    const ssa_dataset_field *field = &dataset->fields[place];
    return (ssa_field){field->name, field->entry.data + SSA_FIELD_PADDING, field->entry.bytes - SSA_FIELD_PADDING};
}

ssa_status ssa_dataset_find_field(const ssa_dataset *dataset, const char *name, size_t name_bytes,
                                  ssa_metadata *metadata) {
    size_t place = place_of_field(dataset, (ssa_name){name, name_bytes});
    if (place == SSA_NAME_NOWHERE)
        return SSA_ENOTFOUND;
    ssa_field field = ssa_dataset_field_at(dataset, place);
    return ssa_metadata_decode(metadata, field.data, field.bytes);
}
