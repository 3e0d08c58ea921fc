#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "op_dataset.h"

#define CHANGES_BORNE 2 /* then hash and items are read in one transaction */

/* ---- sources */

/* The name of the dataset between the braces. */
static ssa_text name_of(const ssa_fetch_source *source) {
    const char *base = (const char *)source->base.data, *open = memchr(base, '{', source->base.bytes);
    return (ssa_text){open + 1, (size_t)(base + source->base.bytes - open - 2)};
}

static int begins_keys(const char *base, size_t bytes) {
    const char *open = memchr(base, '{', bytes);
    char error[SSA_MISTAKE_BYTES];
    if (!open || bytes > 2 * SSA_NAME_MAX + 3 || base[bytes - 1] != '}')
        return 0;
    if (open != base && (open[-1] != '.' || ssa_name_check("prefix", base, (size_t)(open - base - 1), error, sizeof error)))
        return 0;
    return !ssa_name_check("dataset", open + 1, (size_t)(base + bytes - open - 2), error, sizeof error);
}

ssa_status ssa_fetch_add(ssa_fetch *fetch, const void *base, size_t bytes) {
    if (!begins_keys(base, bytes))
        return SSA_EARGUMENT;
    if (fetch->count == fetch->capacity) {
        size_t capacity = fetch->capacity ? 2 * fetch->capacity : 1;
        ssa_fetch_source *sources = ssa_reallocate(fetch->sources, capacity * sizeof *sources);
        if (!sources)
            return SSA_ENOMEM;
        fetch->sources = sources;
        fetch->capacity = capacity;
    }
    ssa_fetch_source *source = &fetch->sources[fetch->count];
    memset(source, 0, sizeof *source);
    source->base.data = ssa_allocate(bytes); /* no more than that: there may be very many */
    if (!source->base.data)
        return SSA_ENOMEM;
    memcpy(source->base.data, base, bytes);
    source->base.bytes = source->base.capacity = bytes;
    fetch->count++;
    return SSA_OK;
}

void ssa_fetch_free(ssa_fetch *fetch) {
    for (size_t i = 0; i < fetch->count; i++) {
        ssa_buffer_free(&fetch->sources[i].base);
        ssa_dataset_free(fetch->sources[i].dataset);
        ssa_fetch_drop_longs(&fetch->sources[i]);
    }
    ssa_release(fetch->sources);
    memset(fetch, 0, sizeof *fetch);
}

static ssa_fetch *fetch_of(ssa_request *request) {
    return &((ssa_dataset_state *)request->state)->fetch;
}

/* ---- sending */

static ssa_command *about(const ssa_fetch_source *source, ssa_expectation expectation, const char *word, ssa_name name,
                          const char *field) {
    ssa_command *command = ssa_command_new(field ? 3 : 2, expectation);
    if (command && (ssa_command_argument(command, word, strlen(word)) ||
                    ssa_command_item_key(command, &source->base, name.text, name.bytes) ||
                    (field && ssa_command_argument(command, field, strlen(field))))) {
        ssa_command_free(command);
        return NULL;
    }
    return command;
}

static const ssa_name hash = {"meta", 4};

static ssa_command *all_command(const ssa_fetch_source *source) {
    ssa_command *command = ssa_command_new(1, SSA_EXPECT_REPLY);
    ssa_status status = !command || ssa_command_argument(command, "MULTI", 5) || ssa_command_next(command, 2) ||
                                ssa_command_argument(command, "HGETALL", 7) ||
                                ssa_command_item_key(command, &source->base, hash.text, hash.bytes)
                            ? SSA_ENOMEM : SSA_OK;
    for (size_t i = 0; i < ssa_dataset_item_count(source->dataset) && !status; i++) {
        ssa_name name = ssa_dataset_item_at(source->dataset, i)->name;
        status = ssa_command_next(command, 2) || ssa_command_argument(command, "GET", 3) ||
                         ssa_command_item_key(command, &source->base, name.text, name.bytes)
                     ? SSA_ENOMEM : SSA_OK;
    }
    if (!status && !ssa_command_next(command, 1) && !ssa_command_argument(command, "EXEC", 4))
        return command;
    ssa_command_free(command);
    return NULL;
}

static size_t calls_of(const ssa_fetch_source *source) {
    if (source->stage == SSA_FETCH_DONE)
        return 0;
    if (source->stage == SSA_FETCH_PIECES)
        return ssa_fetch_long_calls(source);
    return source->stage == SSA_FETCH_ITEMS ? ssa_dataset_item_count(source->dataset) + 1 : 1;
}

/* The version last: if it is the same then, it was the same for all before it, which are on the same way. */
static void send_source(ssa_request *request, const ssa_fetch_source *source) {
    const void *key = source->base.data;
    size_t bytes = source->base.bytes, at = source->first_call;
    if (source->stage == SSA_FETCH_HASH) {
        ssa_command *command = about(source, SSA_EXPECT_REPLY, "HGETALL", hash, NULL);
        ssa_request_send(request, at, command, key, bytes, SSA_CALL_IDEMPOTENT);
        return;
    }
    if (source->stage == SSA_FETCH_ALL) {
        ssa_request_send(request, at, all_command(source), key, bytes, SSA_CALL_IDEMPOTENT);
        return;
    }
    if (source->stage == SSA_FETCH_PIECES) {
        ssa_fetch_send_longs(request, source);
        return;
    }
    for (size_t i = 0; i < source->calls - 1 && !request->complete; i++, at++) {
        const ssa_item *item = ssa_dataset_item_at(source->dataset, i);
        ssa_expectation expectation = item->kind == SSA_ITEM_TENSOR ? SSA_EXPECT_TENSOR : SSA_EXPECT_BYTES;
        ssa_request_send(request, at, about(source, expectation, "GET", item->name, NULL), key, bytes, SSA_CALL_IDEMPOTENT);
    }
    ssa_request_send(request, at, about(source, SSA_EXPECT_REPLY, "HGET", hash, SSA_FIELD_VERSION), key, bytes, SSA_CALL_IDEMPOTENT);
}

static size_t window_end(const ssa_fetch *fetch) {
    return fetch->count - fetch->first < SSA_FETCH_WINDOW ? fetch->count : fetch->first + SSA_FETCH_WINDOW;
}

/* The next flight; no calls: all of the window are done. */
static size_t plan(ssa_fetch *fetch) {
    size_t calls = 0;
    for (size_t i = fetch->first; i < window_end(fetch); i++) {
        ssa_fetch_source *source = &fetch->sources[i];
        size_t wanted = calls_of(source);
        source->calls = !calls || calls + wanted <= SSA_FETCH_CALLS ? wanted : 0;
        source->first_call = calls;
        calls += source->calls;
    }
    return calls;
}

static void send_flight(ssa_request *request) {
    ssa_fetch *fetch = fetch_of(request);
    size_t calls = plan(fetch);
    while (!calls && window_end(fetch) < fetch->count) {
        fetch->first = window_end(fetch);
        calls = plan(fetch);
    }
    if (!calls) {
        fetch->done(request);
        return;
    }
    if (ssa_request_calls(request, calls)) {
        ssa_request_fail_memory(request);
        return;
    }
    for (size_t i = fetch->first; i < window_end(fetch) && !request->complete; i++)
        if (fetch->sources[i].calls)
            send_source(request, &fetch->sources[i]);
}

/* ---- what came */

static const char *where(const ssa_request *request, size_t i) {
    const ssa_link *link = request->calls[i].last_link;
    return link ? link->address_text : request->engine->description;
}

static void fail_missing(ssa_request *request, const ssa_fetch_source *source) {
    ssa_text name = name_of(source);
    if (!fetch_of(request)->of_list) {
        ssa_request_fail_not_found(request, source->first_call);
        return;
    }
    request->kind = SSA_KIND_DATASET; /* what is not there: not the list */
    ssa_request_fail(request, SSA_ENOTFOUND, "list '%s' names the dataset '%.*s', which is not in %s. Put it again, or make the list anew "
                     "without it.", (char *)request->subject.data, (int)name.bytes, name.data, where(request, source->first_call));
}

static void fail_damaged(ssa_request *request, const ssa_fetch_source *source, const char *why) {
    ssa_text name = name_of(source);
    request->kind = SSA_KIND_DATASET;
    ssa_request_fail(request, SSA_EDATASET, "dataset '%.*s' in %s cannot be read: %s.", (int)name.bytes, name.data,
                     where(request, source->first_call), why);
}

static void fail_item(ssa_request *request, const ssa_fetch_source *source, size_t item, const char *what) {
    ssa_text name = name_of(source);
    ssa_name of = ssa_dataset_item_at(source->dataset, item)->name;
    request->kind = SSA_KIND_DATASET;
    ssa_request_fail(request, SSA_EDATASET, "dataset '%.*s' in %s cannot be read: its item '%.*s' %s.", (int)name.bytes, name.data,
                     where(request, source->first_call), (int)of.bytes, of.text, what);
}

/* The dataset that the answer to HGETALL describes; NULL: the request has ended. */
static ssa_dataset *decode(ssa_request *request, const ssa_fetch_source *source, const ssa_reply *reply) {
    ssa_text name = name_of(source);
    ssa_dataset *dataset;
    ssa_status status = ssa_dataset_new(name.data, name.bytes, &dataset);
    if (!status)
        status = ssa_dataset_decode(dataset, reply);
    if (!status)
        return dataset;
    if (status == SSA_ENOTFOUND)
        fail_missing(request, source);
    else if (status == SSA_ENOMEM || !dataset)
        ssa_request_fail_memory(request);
    else
        fail_damaged(request, source, ssa_dataset_reason(dataset));
    ssa_dataset_free(dataset);
    return NULL;
}

static void use(ssa_fetch_source *source, ssa_dataset *dataset) {
    ssa_dataset_free(source->dataset);
    source->dataset = dataset;
}

static void take_hash(ssa_request *request, ssa_fetch_source *source) {
    ssa_dataset *dataset = decode(request, source, &ssa_request_answer(request, source->first_call)->reply);
    if (!dataset)
        return;
    use(source, dataset);
    if (!ssa_dataset_item_count(dataset))
        source->stage = SSA_FETCH_DONE;
    else
        source->stage = source->changes > CHANGES_BORNE ? SSA_FETCH_ALL : SSA_FETCH_ITEMS;
}

static int has_same_version(const ssa_fetch_source *source, const ssa_reply *reply) {
    ssa_name version = ssa_dataset_version(source->dataset);
    const ssa_node *node = &reply->nodes[0];
    return node->kind == SSA_TOKEN_BULK && node->text_bytes == version.bytes &&
           !memcmp(reply->text.data + node->text_at, version.text, version.bytes);
}

static void begin_anew(ssa_fetch_source *source) {
    ssa_fetch_drop_longs(source);
    source->changes++;
    source->stage = SSA_FETCH_HASH;
}

/* 0: the request has ended. */
static int add_long(ssa_request *request, ssa_fetch_source *source, size_t item, const ssa_manifest *manifest) {
    ssa_status status = ssa_fetch_add_long(request->engine, source, item, manifest);
    if (status == SSA_ENOMEM)
        ssa_request_fail_memory(request);
    else if (status)
        fail_item(request, source, item, "is not what the dataset says");
    return !status;
}

/* It was replaced: then the next look finds another version, or none. */
static void miss_chunks(ssa_request *request, ssa_fetch_source *source, size_t item) {
    ssa_name version = ssa_dataset_version(source->dataset);
    if (version.bytes == sizeof source->missed && !memcmp(version.text, source->missed, sizeof source->missed)) {
        fail_item(request, source, item, "is damaged: chunks of it are missing");
        return;
    }
    if (version.bytes == sizeof source->missed)
        memcpy(source->missed, version.text, sizeof source->missed);
    begin_anew(source);
}

static void take_pieces(ssa_request *request, ssa_fetch_source *source) {
    size_t item;
    ssa_status status = ssa_fetch_take_longs(request, source, &item);
    if (status == SSA_ENOTFOUND)
        miss_chunks(request, source, item);
    else if (status)
        fail_item(request, source, item, "is damaged: a chunk of it is not as long as it should be");
    else
        source->stage = SSA_FETCH_DONE;
}

static void take_items(ssa_request *request, ssa_fetch_source *source) {
    size_t count = source->calls - 1, longest = 0;
    if (!has_same_version(source, &ssa_request_answer(request, source->first_call + count)->reply)) {
        begin_anew(source);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        ssa_command *answer = ssa_request_answer(request, source->first_call + i);
        ssa_manifest manifest;
        if (answer->status == SSA_ENOTFOUND) {
            fail_item(request, source, i, "is not there: it was deleted by itself");
            return;
        }
        if (ssa_chunks_answered(answer, ssa_dataset_item_at(source->dataset, i)->kind == SSA_ITEM_TENSOR, &manifest)) {
            if (!add_long(request, source, i, &manifest))
                return;
            continue;
        }
        if (answer->status) {
            fail_item(request, source, i, "is not what the dataset says");
            return;
        }
        ssa_tensor *came = &answer->tensors[0];
        if (came->header.data_bytes > longest)
            longest = came->header.data_bytes;
        if (ssa_dataset_item_at(source->dataset, i)->kind == SSA_ITEM_TENSOR)
            ssa_dataset_supply_tensor(source->dataset, i, &came->header, &came->memory);
        else
            ssa_dataset_supply_bytes(source->dataset, i, &came->memory, came->header.data_bytes);
    }
    ssa_engine_note_size(request->engine, &request->calls[source->first_call], longest);
    source->stage = source->long_count ? SSA_FETCH_PIECES : SSA_FETCH_DONE;
}

/* ---- hash and items in one answer */

static int same_items(const ssa_dataset *a, const ssa_dataset *b) {
    size_t count = ssa_dataset_item_count(a);
    if (ssa_dataset_item_count(b) != count)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const ssa_item *x = ssa_dataset_item_at(a, i), *y = ssa_dataset_item_at(b, i);
        if (x->kind != y->kind || x->name.bytes != y->name.bytes || memcmp(x->name.text, y->name.text, x->name.bytes))
            return 0;
    }
    return 1;
}

/* SSA_EHEADER: it is no such item. */
static ssa_status supply_copy(ssa_engine *engine, ssa_dataset *dataset, size_t place, const unsigned char *data, size_t bytes) {
    ssa_tensor_header header = {.data_bytes = bytes};
    size_t offset = 0;
    int is_tensor = ssa_dataset_item_at(dataset, place)->kind == SSA_ITEM_TENSOR;
    if (is_tensor && ssa_tensor_header_decode(&header, data, bytes, bytes, &offset))
        return SSA_EHEADER;
    ssa_memory memory = ssa_memory_take(engine->memory, header.data_bytes);
    if (!memory.data)
        return SSA_ENOMEM;
    if (header.data_bytes)
        memcpy(memory.data, data + offset, header.data_bytes);
    if (is_tensor)
        ssa_dataset_supply_tensor(dataset, place, &header, &memory);
    else
        ssa_dataset_supply_bytes(dataset, place, &memory, bytes);
    return SSA_OK;
}

static void take_all(ssa_request *request, ssa_fetch_source *source) {
    const ssa_reply *reply = &ssa_request_answer(request, source->first_call)->reply;
    size_t items = ssa_dataset_item_count(source->dataset);
    int64_t fields = reply->count > 1 && reply->nodes[0].number == (int64_t)items + 1 ? ssa_node_elements(&reply->nodes[1]) : -1;
    if (fields < 0 || reply->count != 2 + (size_t)fields + items) {
        fail_damaged(request, source, "the answer to its transaction has other parts");
        return;
    }
    ssa_reply of_hash = *reply; /* a view: not freed */
    of_hash.nodes = reply->nodes + 1;
    of_hash.count = 1 + (size_t)fields;
    ssa_dataset *dataset = decode(request, source, &of_hash);
    if (!dataset)
        return;
    int same = same_items(source->dataset, dataset);
    use(source, dataset);
    if (!same)
        return; /* the same again, with the names that we know now */
    for (size_t i = 0; i < items; i++) {
        const ssa_node *node = &reply->nodes[2 + (size_t)fields + i];
        ssa_manifest manifest;
        if (node->kind == SSA_TOKEN_BULK && ssa_manifest_decode(&manifest, reply->text.data + node->text_at, node->text_bytes)) {
            if (!add_long(request, source, i, &manifest))
                return;
            continue;
        }
        ssa_status status = node->kind == SSA_TOKEN_BULK
                                ? supply_copy(request->engine, dataset, i, reply->text.data + node->text_at, node->text_bytes)
                                : SSA_ENOTFOUND;
        if (status == SSA_ENOMEM)
            ssa_request_fail_memory(request);
        else if (status)
            fail_item(request, source, i, status == SSA_ENOTFOUND ? "is not there: it was deleted by itself" : "is not what the dataset says");
        if (status)
            return;
    }
    source->stage = source->long_count ? SSA_FETCH_PIECES : SSA_FETCH_DONE;
}

/* ---- a flight is over */

/* What a shard says of a value may be due to a change, and is looked at later; all else ends the request. */
static int is_about_the_value(const ssa_command *answer) {
    return answer->status == SSA_ENOTFOUND || answer->status == SSA_EHEADER || answer->status == SSA_EVERSION ||
           answer->status == SSA_EPROTOCOL ||
           (answer->status == SSA_ESERVER && answer->error.bytes >= 9 && !memcmp(answer->error.data, "WRONGTYPE", 9));
}

static int failed(ssa_request *request, const ssa_fetch_source *source) {
    int in_pieces = source->stage == SSA_FETCH_PIECES;
    size_t borne = source->stage == SSA_FETCH_ITEMS ? source->calls - 1 : in_pieces ? source->calls : 0;
    for (size_t i = 0; i < source->calls; i++) {
        const ssa_call *call = &request->calls[source->first_call + i];
        if (!call->command->status || (i < borne && (is_about_the_value(call->command) || call->command->status == SSA_ESHAPE)))
            continue;
        ssa_request_fail_call(request, call);
        return 1;
    }
    return 0;
}

static void step(ssa_request *request) {
    ssa_fetch *fetch = fetch_of(request);
    for (size_t i = fetch->first; i < window_end(fetch); i++) {
        ssa_fetch_source *source = &fetch->sources[i];
        if (!source->calls)
            continue;
        if (failed(request, source))
            return;
        if (source->stage == SSA_FETCH_HASH)
            take_hash(request, source);
        else if (source->stage == SSA_FETCH_ITEMS)
            take_items(request, source);
        else if (source->stage == SSA_FETCH_PIECES)
            take_pieces(request, source);
        else
            take_all(request, source);
        if (request->complete)
            return;
    }
    send_flight(request);
}

void ssa_fetch_start(ssa_request *request, ssa_step done) {
    ssa_fetch *fetch = fetch_of(request);
    fetch->done = done;
    fetch->first = 0;
    request->step = step;
    send_flight(request);
}
