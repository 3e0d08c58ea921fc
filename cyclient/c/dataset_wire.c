#include <string.h>

#include "dataset_state.h"

static int is(ssa_name name, const char *text) {
    return name.bytes == strlen(text) && !memcmp(name.text, text, name.bytes);
}

/* ---- to the store */

static ssa_status encode_names(const ssa_dataset *dataset, ssa_item_kind kind, ssa_buffer *entry) {
    entry->bytes = 0;
    if (ssa_metadata_begin(entry, SSA_STRING))
        return SSA_ENOMEM;
    for (size_t i = 0; i < dataset->item_count; i++) {
        const ssa_item *item = &dataset->items[i].shown;
        if (item->kind == kind && ssa_metadata_add_string(entry, item->name.text, item->name.bytes))
            return SSA_ENOMEM;
    }
    return SSA_OK;
}

ssa_status ssa_dataset_encode(ssa_dataset *dataset) {
    if (dataset->encoded) /* a put may borrow what an earlier call made */
        return SSA_OK;
    if (!dataset->item_count && !dataset->field_count)
        return ssa_dataset_fail(dataset, SSA_EARGUMENT, "it is empty; add a tensor, bytes or metadata first");
    for (size_t i = 0; i < dataset->item_count; i++)
        if (!dataset->items[i].shown.data)
            return ssa_dataset_fail(dataset, SSA_EARGUMENT, "not all of it has come from the store");
    if (encode_names(dataset, SSA_ITEM_TENSOR, &dataset->tensor_names) ||
        encode_names(dataset, SSA_ITEM_BYTES, &dataset->bytes_names))
        return ssa_dataset_fail(dataset, SSA_ENOMEM, "there is no memory for the list of its names");
    dataset->encoded = 1;
    return SSA_OK;
}

#define HIDDEN_LISTS 2

size_t ssa_dataset_encoded_count(const ssa_dataset *dataset) {
    return HIDDEN_LISTS + dataset->field_count;
}

ssa_field ssa_dataset_encoded_at(const ssa_dataset *dataset, size_t place) {
    if (place >= HIDDEN_LISTS)
        return ssa_dataset_field_at(dataset, place - HIDDEN_LISTS);
    const char *name = place ? SSA_FIELD_BYTES_NAMES : SSA_FIELD_TENSOR_NAMES;
    const ssa_buffer *entry = place ? &dataset->bytes_names : &dataset->tensor_names;
    return (ssa_field){{name, strlen(name)}, entry->data, entry->bytes};
}

/* ---- from the store */

/* The hidden fields that were met. */
typedef struct hidden_fields {
    ssa_name tensor_names, bytes_names, version, complete;
} hidden_fields;

static ssa_status refuse(ssa_dataset *dataset, const char *reason) {
    return ssa_dataset_fail(dataset, SSA_EPROTOCOL, reason);
}

/* The text of node `place`, which must be a string. */
static int string_at(const ssa_reply *reply, size_t place, ssa_name *text) {
    const ssa_node *node = &reply->nodes[place];
    if (node->kind != SSA_TOKEN_BULK)
        return 0;
    *text = (ssa_name){node->text_bytes ? (const char *)reply->text.data + node->text_at : "", node->text_bytes};
    return 1;
}

/* Hidden fields of other names are those of a later version of ours. */
static ssa_status decode_hidden(ssa_dataset *dataset, ssa_name name, ssa_name value, hidden_fields *hidden) {
    ssa_name *met = is(name, SSA_FIELD_TENSOR_NAMES)  ? &hidden->tensor_names
                    : is(name, SSA_FIELD_BYTES_NAMES) ? &hidden->bytes_names
                    : is(name, SSA_FIELD_VERSION)     ? &hidden->version
                    : is(name, SSA_FIELD_COMPLETE)    ? &hidden->complete
                                                      : NULL;
    if (!met)
        return SSA_OK;
    if (met->text)
        return refuse(dataset, "a field comes twice");
    *met = value;
    return SSA_OK;
}

static ssa_status decode_field(ssa_dataset *dataset, ssa_name name, ssa_name value) {
    ssa_metadata metadata;
    if (ssa_field_name_refusal(name.text, name.bytes))
        return refuse(dataset, "a field has a name that none can have");
    if (ssa_metadata_decode(&metadata, value.text, value.bytes))
        return refuse(dataset, "a field is no metadata entry");
    if (ssa_name_index_find(&dataset->field_index, dataset, ssa_dataset_field_name, name) != SSA_NAME_NOWHERE)
        return refuse(dataset, "a field comes twice");
    return ssa_dataset_add_field(dataset, name, value.text, value.bytes);
}

static ssa_status decode_fields(ssa_dataset *dataset, const ssa_reply *reply, hidden_fields *hidden) {
    ssa_status status = SSA_OK;
    for (size_t i = 1; i + 1 < reply->count && !status; i += 2) {
        ssa_name name, value;
        if (!string_at(reply, i, &name) || !string_at(reply, i + 1, &value))
            return refuse(dataset, "its fields are not strings");
        if (name.bytes && name.text[0] == '.')
            status = decode_hidden(dataset, name, value, hidden);
        else
            status = decode_field(dataset, name, value);
    }
    return status;
}

/* An item without data for each name of a list. */
static ssa_status decode_names(ssa_dataset *dataset, ssa_item_kind kind, ssa_name list) {
    ssa_metadata names;
    ssa_memory none = {.data = NULL};
    const char *text;
    size_t at = 0, bytes;
    if (!list.text || ssa_metadata_decode(&names, list.text, list.bytes) || names.type != SSA_STRING)
        return refuse(dataset, "the list of its tensors or that of its bytes is missing or contradicts itself");
    while (ssa_metadata_next(&names, &at, &text, &bytes)) {
        ssa_item item = {kind, {text, bytes}, {0}, NULL, 0};
        ssa_status status = ssa_dataset_add_item(dataset, &item, &none);
        if (status == SSA_EARGUMENT)
            return refuse(dataset, "a tensor or bytes have a name that none can have, or that comes twice");
        if (status)
            return status;
    }
    return SSA_OK;
}

static int is_version(ssa_name version) {
    if (version.bytes != SSA_VERSION_BYTES)
        return 0;
    for (size_t i = 0; i < version.bytes; i++)
        if (!memchr("0123456789abcdef", version.text[i], 16))
            return 0;
    return 1;
}

ssa_status ssa_dataset_decode(ssa_dataset *dataset, const ssa_reply *reply) {
    hidden_fields hidden = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    const ssa_node *root = reply->nodes;
    if (!reply->count || (root->kind != SSA_TOKEN_MAP && root->kind != SSA_TOKEN_ARRAY) || root->number % 2 ||
        (uint64_t)root->number + 1 != reply->count)
        return refuse(dataset, "the answer is no map of strings");
    if (!root->number)
        return ssa_dataset_fail(dataset, SSA_ENOTFOUND, "nothing is stored under its name");
    ssa_status status = decode_fields(dataset, reply, &hidden);
    if (status)
        return status;
    if (!is(hidden.complete, "1"))
        return ssa_dataset_fail(dataset, SSA_ENOTFOUND, "it was not stored to the end");
    if (!is_version(hidden.version))
        return refuse(dataset, "its version is missing or is not 32 hexadecimal digits");
    memcpy(dataset->version, hidden.version.text, SSA_VERSION_BYTES);
    status = decode_names(dataset, SSA_ITEM_TENSOR, hidden.tensor_names);
    return status ? status : decode_names(dataset, SSA_ITEM_BYTES, hidden.bytes_names);
}

ssa_name ssa_dataset_version(const ssa_dataset *dataset) {
    return (ssa_name){dataset->version, strlen(dataset->version)};
}

static ssa_status supply(ssa_dataset *dataset, size_t place, const ssa_item *came, ssa_memory *memory) {
    ssa_dataset_item *item = &dataset->items[place];
    if (item->shown.kind != came->kind || item->shown.data)
        return ssa_dataset_fail(dataset, SSA_EARGUMENT, "it has come already, or is of the other kind");
    item->shown.header = came->header;
    item->shown.data = memory->data;
    item->shown.owned = 1;
    item->memory = *memory;
    *memory = (ssa_memory){.data = NULL};
    return SSA_OK;
}

ssa_status ssa_dataset_supply_tensor(ssa_dataset *dataset, size_t place, const ssa_tensor_header *header,
                                     ssa_memory *memory) {
    ssa_item came = {SSA_ITEM_TENSOR, {NULL, 0}, *header, NULL, 0};
    return supply(dataset, place, &came, memory);
}

ssa_status ssa_dataset_supply_bytes(ssa_dataset *dataset, size_t place, ssa_memory *memory, size_t bytes) {
    ssa_item came = {SSA_ITEM_BYTES, {NULL, 0}, {SSA_UINT8, SSA_ROW_MAJOR, 1, 1, bytes, {bytes}}, NULL, 0};
    return supply(dataset, place, &came, memory);
}
