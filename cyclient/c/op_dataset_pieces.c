#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "op_dataset.h"

/* ---- stored names */

static size_t keys_of(ssa_name name) {
    ssa_pieces_name pieces;
    return ssa_pieces_name_decode(&pieces, name.text, name.bytes) ? pieces.count : 1;
}

size_t ssa_stored_keys(const ssa_name *names, size_t count) {
    size_t keys = 0;
    for (size_t i = 0; i < count; i++)
        keys += keys_of(names[i]);
    return keys;
}

ssa_status ssa_command_stored_key(ssa_command *command, const ssa_buffer *base, ssa_name name, size_t place) {
    ssa_pieces_name pieces;
    char text[SSA_NAME_MAX + SSA_NONCE_DIGITS + 16];
    if (!ssa_pieces_name_decode(&pieces, name.text, name.bytes))
        return ssa_command_item_key(command, base, name.text, name.bytes);
    int bytes = snprintf(text, sizeof text, "%.*s.%.*s.%zu", (int)pieces.item_bytes, pieces.item, SSA_NONCE_DIGITS, pieces.nonce, place);
    return ssa_command_item_key(command, base, text, (size_t)bytes);
}

ssa_status ssa_command_stored_keys(ssa_command *command, const ssa_buffer *base, const ssa_name *names, size_t count) {
    ssa_status status = SSA_OK;
    for (size_t i = 0; i < count && !status; i++)
        for (size_t k = 0; k < keys_of(names[i]) && !status; k++)
            status = ssa_command_stored_key(command, base, names[i], k);
    return status;
}

ssa_status ssa_command_end_of_key(ssa_command *command, const ssa_buffer *base, ssa_name name, size_t place, int64_t milliseconds) {
    ssa_status status = ssa_command_next(command, milliseconds ? 3 : 2);
    if (!status)
        status = ssa_command_argument(command, milliseconds ? "PEXPIRE" : "PERSIST", 7);
    if (!status)
        status = ssa_command_stored_key(command, base, name, place);
    return status || !milliseconds ? status : ssa_command_number(command, (uint64_t)milliseconds);
}

/* ---- writing */

void ssa_pieces_free(ssa_pieces_list *pieces) {
    for (size_t i = 0; i < pieces->count; i++) {
        ssa_buffer_free(&pieces->list[i].key);
        ssa_buffer_free(&pieces->list[i].name);
    }
    ssa_release(pieces->list);
    pieces->list = NULL;
    pieces->count = 0;
}

static int is_long(const ssa_item *item, uint64_t limit) {
    uint64_t head = item->kind == SSA_ITEM_TENSOR ? ssa_tensor_header_size(item->header.ndim) : 0, rest = item->header.data_bytes;
    if (!rest)
        return 0;
    return (limit && head + rest > limit) || (item->kind == SSA_ITEM_BYTES && ssa_chunks_must_hide(item->data, rest));
}

static ssa_status add(ssa_pieces_list *pieces, const ssa_item *item, size_t place, const ssa_buffer *base) {
    ssa_pieces *own = &pieces->list[pieces->count];
    memset(own, 0, sizeof *own);
    own->item = place;
    own->manifest.rest_bytes = item->header.data_bytes;
    own->manifest.chunk_bytes = pieces->limit ? pieces->limit : item->header.data_bytes;
    if (item->kind == SSA_ITEM_TENSOR) {
        ssa_tensor_header_encode(&item->header, own->manifest.head);
        own->manifest.head_bytes = ssa_tensor_header_size(item->header.ndim);
    }
    if ((own->manifest.rest_bytes - 1) / own->manifest.chunk_bytes >= SSA_CHUNKS_MAX)
        return SSA_EARGUMENT;
    pieces->count++;
    return ssa_buffer_append(&own->key, base->data, base->bytes) || ssa_buffer_append(&own->key, ".", 1) ||
                   ssa_buffer_append(&own->key, item->name.text, item->name.bytes)
               ? SSA_ENOMEM : SSA_OK;
}

ssa_status ssa_pieces_plan(ssa_pieces_list *pieces, const ssa_dataset *dataset, const ssa_buffer *base) {
    size_t count = 0, items = ssa_dataset_item_count(dataset);
    ssa_pieces_free(pieces);
    for (size_t i = 0; i < items; i++)
        count += (size_t)is_long(ssa_dataset_item_at(dataset, i), pieces->limit);
    if (!count)
        return SSA_OK;
    pieces->list = ssa_allocate(count * sizeof *pieces->list);
    ssa_status status = pieces->list ? SSA_OK : SSA_ENOMEM;
    for (size_t i = 0; i < items && !status; i++)
        if (is_long(ssa_dataset_item_at(dataset, i), pieces->limit))
            status = add(pieces, ssa_dataset_item_at(dataset, i), i, base);
    return status;
}

static ssa_status rename_all(ssa_pieces_list *pieces, const ssa_dataset *dataset) {
    ssa_status status = SSA_OK;
    for (size_t i = 0; i < pieces->count && !status; i++) {
        ssa_pieces *own = &pieces->list[i];
        ssa_name item = ssa_dataset_item_at(dataset, own->item)->name;
        status = ssa_manifest_renew(&own->manifest);
        if (!status)
            status = ssa_pieces_name_encode(&own->manifest, item.text, item.bytes, &own->name);
    }
    return status;
}

void ssa_pieces_send(ssa_request *request, ssa_pieces_list *pieces, const ssa_dataset *dataset) {
    size_t calls = 0, first = 0;
    for (size_t i = 0; i < pieces->count; i++)
        calls += ssa_manifest_count(&pieces->list[i].manifest);
    if (rename_all(pieces, dataset) || ssa_request_calls(request, calls)) {
        ssa_request_fail_memory(request);
        return;
    }
    request->forsaken = ssa_pieces_forsake;
    for (size_t i = 0; i < pieces->count && !request->complete; i++) {
        const ssa_pieces *own = &pieces->list[i];
        ssa_chunks_send(request, first, &own->key, &own->manifest, ssa_dataset_item_at(dataset, own->item)->data);
        first += ssa_manifest_count(&own->manifest);
    }
}

ssa_status ssa_pieces_claim(ssa_command *command, const ssa_pieces_list *pieces, int64_t milliseconds) {
    ssa_status status = SSA_OK;
    for (size_t i = 0; i < pieces->count && !status; i++)
        status = ssa_chunks_claim(command, &pieces->list[i].key, &pieces->list[i].manifest, milliseconds);
    return status;
}

void ssa_pieces_forsake(ssa_request *request) {
    const ssa_pieces_list *pieces = &((ssa_dataset_state *)request->state)->pieces;
    for (size_t i = 0; i < pieces->count; i++)
        ssa_chunks_forget(request->engine, &pieces->list[i].key, &pieces->list[i].manifest);
}

int ssa_pieces_claimed(const ssa_command *answer, const ssa_pieces_list *pieces) {
    size_t node = 1;
    int all = 1;
    for (size_t i = 0; i < pieces->count; i++)
        all = ssa_chunks_claimed(answer, &node, &pieces->list[i].manifest) && all;
    return all;
}

/* They are in the order of the items. */
const ssa_pieces *ssa_pieces_of(const ssa_pieces_list *pieces, size_t item) {
    size_t low = 0, high = pieces->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pieces->list[middle].item < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low < pieces->count && pieces->list[low].item == item ? &pieces->list[low] : NULL;
}

/* ---- reading */

void ssa_fetch_drop_longs(ssa_fetch_source *source) {
    for (size_t i = 0; i < source->long_count; i++)
        ssa_memory_free(&source->longs[i].memory);
    ssa_release(source->longs);
    source->longs = NULL;
    source->long_count = 0;
}

/* What one that must hide says of the limit is nothing: it is one chunk, whatever the limit. */
static void note_limit(ssa_fetch_source *source, const ssa_manifest *manifest) {
    int is_over = manifest->head_bytes || ssa_manifest_count(manifest) > 1;
    if (is_over && manifest->chunk_bytes > source->limit)
        source->limit = manifest->chunk_bytes;
}

ssa_status ssa_fetch_add_long(ssa_engine *engine, ssa_fetch_source *source, size_t item, const ssa_manifest *manifest) {
    int is_tensor = ssa_dataset_item_at(source->dataset, item)->kind == SSA_ITEM_TENSOR;
    uint64_t bytes = manifest->head_bytes + manifest->rest_bytes;
    ssa_fetch_long added = {item, *manifest, {.data_bytes = bytes}, {0}, is_tensor ? 0 : manifest->head_bytes};
    size_t offset;
    if (is_tensor && (ssa_tensor_header_decode(&added.header, manifest->head, manifest->head_bytes, bytes, &offset) ||
                      offset != manifest->head_bytes))
        return SSA_EHEADER;
    ssa_fetch_long *grown = ssa_reallocate(source->longs, (source->long_count + 1) * sizeof *grown);
    if (!grown)
        return SSA_ENOMEM;
    source->longs = grown;
    added.memory = ssa_memory_take(engine->memory, added.header.data_bytes);
    if (!added.memory.data)
        return SSA_ENOMEM;
    memcpy(added.memory.data, manifest->head, (size_t)added.head);
    note_limit(source, manifest);
    source->longs[source->long_count++] = added;
    return SSA_OK;
}

size_t ssa_fetch_long_calls(const ssa_fetch_source *source) {
    size_t calls = 0;
    for (size_t i = 0; i < source->long_count; i++)
        calls += ssa_manifest_count(&source->longs[i].manifest);
    return calls;
}

static ssa_command *get_chunk(const ssa_fetch_long *item, const ssa_buffer *key, size_t chunk, ssa_buffer *name) {
    uint64_t bytes, at = ssa_manifest_chunk_at(&item->manifest, chunk, &bytes);
    if (ssa_chunk_key(&item->manifest, key->data, key->bytes, chunk, name))
        return NULL;
    ssa_command *command = ssa_command_of(SSA_EXPECT_BYTES, SSA_TEXTS(SSA_TEXT("GET"), SSA_KEY_TEXT(*name)));
    if (command)
        ssa_command_bytes_into(command, (char *)item->memory.data + item->head + at, bytes);
    return command;
}

void ssa_fetch_send_longs(ssa_request *request, const ssa_fetch_source *source) {
    const ssa_buffer *base = &source->base;
    ssa_buffer key = {NULL, 0, 0}, name = {NULL, 0, 0};
    size_t call = source->first_call;
    for (size_t i = 0; i < source->long_count && !request->complete; i++) {
        const ssa_fetch_long *item = &source->longs[i];
        ssa_name own = ssa_dataset_item_at(source->dataset, item->item)->name;
        unsigned bulk = item->manifest.rest_bytes > SSA_BULK_BYTES ? SSA_CALL_BULK : 0;
        key.bytes = 0;
        if (ssa_buffer_append(&key, base->data, base->bytes) || ssa_buffer_append(&key, ".", 1) ||
            ssa_buffer_append(&key, own.text, own.bytes)) {
            ssa_request_fail_memory(request);
            break;
        }
        for (size_t k = 0; k < ssa_manifest_count(&item->manifest) && !request->complete; k++)
            ssa_request_send(request, call++, get_chunk(item, &key, k, &name), base->data, base->bytes, SSA_CALL_IDEMPOTENT | bulk);
    }
    ssa_buffer_free(&key);
    ssa_buffer_free(&name);
}

ssa_status ssa_fetch_take_longs(ssa_request *request, ssa_fetch_source *source, size_t *item) {
    size_t call = source->first_call;
    for (size_t i = 0; i < source->long_count; i++) {
        *item = source->longs[i].item;
        for (size_t k = 0; k < ssa_manifest_count(&source->longs[i].manifest); k++)
            if (ssa_request_answer(request, call++)->status == SSA_ENOTFOUND)
                return SSA_ENOTFOUND;
    }
    call = source->first_call;
    for (size_t i = 0; i < source->long_count; i++) {
        ssa_fetch_long *own = &source->longs[i];
        *item = own->item;
        for (size_t k = 0; k < ssa_manifest_count(&own->manifest); k++)
            if (ssa_request_answer(request, call++)->status)
                return SSA_EHEADER;
        if (ssa_dataset_item_at(source->dataset, own->item)->kind == SSA_ITEM_TENSOR)
            ssa_dataset_supply_tensor(source->dataset, own->item, &own->header, &own->memory);
        else
            ssa_dataset_supply_bytes(source->dataset, own->item, &own->memory, own->header.data_bytes);
    }
    ssa_fetch_drop_longs(source);
    return SSA_OK;
}
