#include <string.h>

#include "allocator.h"
#include "op_dataset.h"

static ssa_dataset_state *state_of(ssa_request *request) {
    return request->state;
}

/* ---- the transaction */

static ssa_status add_word(ssa_command *command, uint64_t arguments, const char *word) {
    ssa_status status = ssa_command_next(command, arguments);
    return status ? status : ssa_command_argument(command, word, strlen(word));
}

static ssa_status add_about_hash(ssa_command *command, uint64_t arguments, const char *word, const ssa_buffer *base) {
    ssa_status status = add_word(command, arguments, word);
    return status ? status : ssa_command_item_key(command, base, "meta", 4);
}

static ssa_status add_text(ssa_command *command, const char *text) {
    return ssa_command_argument(command, text, strlen(text));
}

static ssa_status add_fields(ssa_command *command, const ssa_dataset *dataset, const ssa_buffer *base) {
    size_t count = ssa_dataset_encoded_count(dataset);
    ssa_status status = add_about_hash(command, 4 + 2 * count, "HSET", base);
    if (!status && !(status = add_text(command, SSA_FIELD_VERSION)))
        status = ssa_command_stamp(command);
    for (size_t i = 0; i < count && !status; i++) {
        ssa_field field = ssa_dataset_encoded_at(dataset, i);
        status = ssa_command_argument(command, field.name.text, field.name.bytes);
        if (!status)
            status = ssa_command_bytes(command, field.data, field.bytes);
    }
    return status;
}

static ssa_status add_items(ssa_command *command, const ssa_dataset *dataset, const ssa_buffer *base) {
    ssa_status status = SSA_OK;
    for (size_t i = 0; i < ssa_dataset_item_count(dataset) && !status; i++) {
        const ssa_item *item = ssa_dataset_item_at(dataset, i);
        status = add_word(command, 3, "SET");
        if (!status)
            status = ssa_command_item_key(command, base, item->name.text, item->name.bytes);
        if (!status)
            status = item->kind == SSA_ITEM_TENSOR ? ssa_command_tensor(command, &item->header, item->data)
                                                   : ssa_command_bytes(command, item->data, item->header.data_bytes);
    }
    return status;
}

/* The first answer in that of EXEC are the names that were there. */
static ssa_command *put_command(const ssa_dataset *dataset, const ssa_buffer *base) {
    ssa_command *command = ssa_command_new(1, SSA_EXPECT_REPLY);
    if (command && !add_text(command, "MULTI") && !add_about_hash(command, 4, "HMGET", base) &&
        !add_text(command, SSA_FIELD_TENSOR_NAMES) && !add_text(command, SSA_FIELD_BYTES_NAMES) &&
        !add_about_hash(command, 2, "UNLINK", base) && !add_fields(command, dataset, base) && !add_items(command, dataset, base) &&
        !add_about_hash(command, 4, "HSET", base) && !add_text(command, SSA_FIELD_COMPLETE) && !add_text(command, "1") &&
        !add_word(command, 1, "EXEC"))
        return command;
    ssa_command_free(command);
    return NULL;
}

/* ---- what it replaced */

static ssa_status keep_stale_names(ssa_dataset_state *state, const ssa_reply *reply) {
    ssa_name *names;
    size_t count;
    state->stale.bytes = 0;
    ssa_status status = ssa_stored_names(reply, 2, &names, &count);
    for (size_t i = 0; i < count && !status; i++) {
        if (ssa_dataset_has_item(state->dataset, names[i].text, names[i].bytes))
            continue;
        if (!state->stale.bytes)
            status = ssa_metadata_begin(&state->stale, SSA_STRING);
        if (!status)
            status = ssa_metadata_add_string(&state->stale, names[i].text, names[i].bytes);
    }
    ssa_release(names);
    return status;
}

static ssa_name stored_name(const void *list, size_t place) {
    return ((const ssa_name *)list)[place];
}

static ssa_status index_names(const ssa_stored *stored, ssa_name_index *index) {
    ssa_status status = SSA_OK;
    memset(index, 0, sizeof *index);
    for (size_t i = 0; i < stored->count && !status; i++) /* one that is there twice only takes a place */
        status = ssa_name_index_add(index, stored->names, stored_name, stored->names[i]);
    return status;
}

/* Those stale names that nobody has put again. *count with command NULL: how many. */
static ssa_status add_stale(ssa_command *command, const ssa_dataset_state *state, const ssa_stored *stored,
                            const ssa_name_index *index, uint64_t *count) {
    ssa_metadata stale;
    ssa_name name;
    ssa_status status = ssa_metadata_decode(&stale, state->stale.data, state->stale.bytes);
    for (size_t next = 0; !status && ssa_metadata_next(&stale, &next, &name.text, &name.bytes);) {
        if (ssa_name_index_find(index, stored->names, stored_name, name) != SSA_NAME_NOWHERE)
            continue;
        ++*count;
        if (command)
            status = ssa_command_item_key(command, state->guard.base, name.text, name.bytes);
    }
    return status;
}

static ssa_command *drop_stale(ssa_request *request, const ssa_stored *stored) {
    const ssa_dataset_state *state = request->state;
    ssa_name_index index;
    ssa_command *command = NULL;
    uint64_t count = 0;
    ssa_status status = index_names(stored, &index);
    if (!status)
        status = add_stale(NULL, state, stored, &index, &count);
    if (!status && count) {
        uint64_t again = 0;
        command = ssa_command_new(1, SSA_EXPECT_REPLY);
        if (!command || add_text(command, "MULTI") || add_word(command, 1 + count, "UNLINK") ||
            add_stale(command, state, stored, &index, &again) || add_word(command, 1, "EXEC"))
            status = SSA_ENOMEM;
    }
    ssa_name_index_free(&index);
    if (status)
        ssa_request_fail_memory(request);
    return command;
}

/* What an error inside the transaction says; that the key was no hash is none: it is now. */
static int put_failed(ssa_request *request) {
    ssa_command *answer = ssa_request_answer(request, 0);
    if (answer->status == SSA_OK && answer->reply.count > 1 && answer->reply.nodes[1].kind == SSA_TOKEN_ERROR)
        answer->reply.nodes[1].kind = SSA_TOKEN_NULL;
    if (ssa_transaction_failed(request, 0))
        return 1;
    if (answer->reply.count > 1)
        return 0;
    ssa_request_fail(request, SSA_EINTERNAL, "internal error: the transaction of '%s' was not carried out. Please report it.",
                     (char *)request->subject.data);
    return 1;
}

static void step(ssa_request *request) {
    ssa_dataset_state *state = state_of(request);
    if (put_failed(request))
        return;
    ssa_command *answer = ssa_request_answer(request, 0);
    ssa_engine_note_size(request->engine, &request->calls[0], answer->total);
    if (keep_stale_names(state, &answer->reply))
        ssa_request_fail_memory(request);
    else if (state->stale.bytes)
        ssa_guard_start(request, state->guard.base, drop_stale, state->put_done);
    else
        state->put_done(request);
}

void ssa_dataset_put_start(ssa_request *request, const ssa_buffer *base, ssa_step done) {
    ssa_dataset_state *state = state_of(request);
    state->put_done = done;
    state->guard.base = base;
    request->step = step;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, put_command(state->dataset, base), base->data, base->bytes, SSA_CALL_IDEMPOTENT);
}
