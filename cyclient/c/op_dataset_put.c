#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "op_dataset.h"
#include "op_watched.h"

static ssa_dataset_state *state_of(ssa_request *request) {
    return request->state;
}

/* ---- the transaction */

static const ssa_name hash = {"meta", 4}, kept_names = {SSA_KEPT_NAMES, sizeof SSA_KEPT_NAMES - 1};

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

static ssa_status add_pieces(ssa_command *command, const ssa_pieces_list *pieces) {
    ssa_buffer entry = {NULL, 0, 0};
    ssa_status status = ssa_metadata_begin(&entry, SSA_STRING);
    for (size_t i = 0; i < pieces->count && !status; i++)
        status = ssa_metadata_add_string(&entry, pieces->list[i].name.data, pieces->list[i].name.bytes);
    if (!status && !(status = add_text(command, SSA_FIELD_PIECES)))
        status = ssa_command_argument(command, entry.data, entry.bytes);
    ssa_buffer_free(&entry);
    return status;
}

static ssa_status add_fields(ssa_command *command, const ssa_dataset *dataset, const ssa_pieces_list *pieces,
                             const ssa_buffer *base) {
    size_t count = ssa_dataset_encoded_count(dataset);
    ssa_status status = add_about_hash(command, 4 + 2 * count + (pieces->count ? 2 : 0), "HSET", base);
    if (!status && !(status = add_text(command, SSA_FIELD_VERSION)))
        status = ssa_command_stamp(command);
    if (!status && pieces->count)
        status = add_pieces(command, pieces);
    for (size_t i = 0; i < count && !status; i++) {
        ssa_field field = ssa_dataset_encoded_at(dataset, i);
        status = ssa_command_argument(command, field.name.text, field.name.bytes);
        if (!status)
            status = ssa_command_bytes(command, field.data, field.bytes);
    }
    return status;
}

static ssa_status add_value(ssa_command *command, const ssa_item *item, const ssa_pieces *pieces) {
    unsigned char manifest[SSA_MANIFEST_MAX];
    if (pieces)
        return ssa_command_argument(command, manifest, ssa_manifest_encode(&pieces->manifest, manifest));
    return item->kind == SSA_ITEM_TENSOR ? ssa_command_tensor(command, &item->header, item->data)
                                         : ssa_command_bytes(command, item->data, item->header.data_bytes);
}

static ssa_status add_items(ssa_command *command, const ssa_dataset *dataset, const ssa_pieces_list *pieces,
                            const ssa_buffer *base, int64_t milliseconds) {
    ssa_status status = SSA_OK;
    for (size_t i = 0; i < ssa_dataset_item_count(dataset) && !status; i++) {
        const ssa_item *item = ssa_dataset_item_at(dataset, i);
        status = add_word(command, milliseconds ? 5 : 3, "SET");
        if (!status)
            status = ssa_command_item_key(command, base, item->name.text, item->name.bytes);
        if (!status)
            status = add_value(command, item, ssa_pieces_of(pieces, i));
        if (!status && milliseconds && !(status = add_text(command, "PX")))
            status = ssa_command_number(command, (uint64_t)milliseconds);
    }
    return status;
}

static ssa_status add_kept(ssa_command *command, uint64_t arguments, const char *word, const ssa_buffer *base) {
    ssa_status status = add_word(command, arguments, word);
    return status ? status : ssa_command_item_key(command, base, SSA_KEPT_NAMES, sizeof SSA_KEPT_NAMES - 1);
}

static ssa_status add_names(ssa_command *command, const ssa_dataset *dataset, const ssa_pieces_list *pieces,
                            const ssa_buffer *base, int64_t milliseconds) {
    size_t count = ssa_dataset_item_count(dataset);
    ssa_status status = count ? add_kept(command, 2 + 2 * (count + pieces->count), "HSET", base) : SSA_OK;
    for (size_t i = 0; i < pieces->count && !status; i++) {
        const ssa_buffer *name = &pieces->list[i].name;
        status = ssa_command_argument(command, name->data, name->bytes);
        if (!status)
            status = ssa_command_argument(command, "", 0);
    }
    for (size_t i = 0; i < count && !status; i++) {
        ssa_name name = ssa_dataset_item_at(dataset, i)->name;
        status = ssa_command_argument(command, name.text, name.bytes);
        if (!status)
            status = ssa_command_argument(command, "", 0);
    }
    if (!status && !(status = ssa_command_end_of_key(command, base, kept_names, 0, milliseconds)))
        status = add_kept(command, 2, "HLEN", base);
    return status;
}

/* The last answer in that of EXEC is how many names have keys. The hash ends no later than what a reader looks for after it. */
static ssa_command *put_command(const ssa_dataset_state *state, const ssa_buffer *base) {
    const ssa_dataset *dataset = state->dataset;
    const ssa_pieces_list *pieces = &state->pieces;
    int64_t milliseconds = state->milliseconds;
    ssa_command *command = ssa_command_new(1, SSA_EXPECT_REPLY);
    if (command && !add_text(command, "MULTI") && !ssa_pieces_claim(command, pieces, milliseconds) &&
        !add_about_hash(command, 2, "UNLINK", base) && !add_fields(command, dataset, pieces, base) &&
        !(milliseconds && ssa_command_end_of_key(command, base, hash, 0, milliseconds)) &&
        !add_items(command, dataset, pieces, base, milliseconds) && !add_about_hash(command, 4, "HSET", base) &&
        !add_text(command, SSA_FIELD_COMPLETE) && !add_text(command, "1") &&
        !add_names(command, dataset, pieces, base, milliseconds) && !add_word(command, 1, "EXEC"))
        return command;
    ssa_command_free(command);
    return NULL;
}

/* ---- what it left stale */

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

/* Bring the names that are not in the dataset to the front of those that are kept; returns how many they are. */
static size_t part_stale(ssa_stored *stored, const ssa_name_index *index) {
    size_t stale = 0;
    for (size_t i = 0; i < stored->kept_count; i++)
        if (ssa_name_index_find(index, stored->names, stored_name, stored->kept[i]) == SSA_NAME_NOWHERE) {
            ssa_name name = stored->kept[i];
            stored->kept[i] = stored->kept[stale];
            stored->kept[stale++] = name;
        }
    return stale;
}

static ssa_command *stale_command(const ssa_buffer *base, const ssa_name *stale, size_t count) {
    ssa_command *command = ssa_command_new(1, SSA_EXPECT_REPLY);
    ssa_status status = !command || add_text(command, "MULTI") || add_word(command, 1 + ssa_stored_keys(stale, count), "UNLINK")
                            ? SSA_ENOMEM : ssa_command_stored_keys(command, base, stale, count);
    if (!status)
        status = add_kept(command, 2 + count, "HDEL", base);
    for (size_t i = 0; i < count && !status; i++)
        status = ssa_command_argument(command, stale[i].text, stale[i].bytes);
    if (!status && !add_word(command, 1, "EXEC"))
        return command;
    ssa_command_free(command);
    return NULL;
}

static void drop_stale(ssa_request *request, ssa_stored *stored) {
    const ssa_dataset_state *state = request->state;
    ssa_name_index index;
    ssa_status status = index_names(stored, &index);
    size_t count = status ? 0 : part_stale(stored, &index);
    ssa_name_index_free(&index);
    if (status) {
        ssa_request_fail_memory(request);
    } else if (count) {
        ssa_guard_act(request, stale_command(state->guard.base, stored->kept, count), 1);
    } else {
        ssa_watched_leave(request);
        state->guard.done(request);
    }
}

void ssa_dataset_drop_stale(ssa_request *request, const ssa_buffer *base, ssa_step done) {
    ssa_guard_start(request, base, 0, drop_stale, done);
}

static void begin(ssa_request *request);

static void step(ssa_request *request) {
    ssa_dataset_state *state = state_of(request);
    const ssa_command *answer = ssa_request_answer(request, 0);
    int was_refused = answer->status == SSA_ESERVER;
    request->forsaken = was_refused ? ssa_pieces_forsake : NULL;
    if (state->pieces.count && ssa_chunks_lost(request)) {
        if (was_refused)
            ssa_pieces_forsake(request);
        begin(request);
        return;
    }
    if (ssa_transaction_failed(request, 0))
        return;
    const ssa_node *names = &answer->reply.nodes[answer->reply.count - 1];
    ssa_engine_note_size(request->engine, &request->calls[0], answer->total);
    if (names->kind != SSA_TOKEN_INTEGER)
        ssa_request_fail(request, SSA_EINTERNAL, "internal error: the transaction of '%s' was not carried out. Please report it.",
                         (char *)request->subject.data);
    else if (!ssa_pieces_claimed(answer, &state->pieces))
        begin(request);
    else if (names->number > (int64_t)(ssa_dataset_item_count(state->dataset) + state->pieces.count))
        ssa_dataset_drop_stale(request, state->guard.base, state->put_done);
    else
        state->put_done(request);
}

/* Once it has left it may be carried out: then the chunks are the dataset's, whose names lead to them; else they go
 * after their hour. */
static void forsake_put(ssa_request *request) {
    if (!ssa_request_has_left(request))
        ssa_pieces_forsake(request);
}

static void send(ssa_request *request) {
    ssa_dataset_state *state = state_of(request);
    const ssa_buffer *base = state->guard.base;
    if (state->pieces.count && ssa_request_failed(request))
        return;
    request->step = step;
    request->forsaken = forsake_put;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, put_command(state, base), base->data, base->bytes,
                     state->pieces.count ? 0 : SSA_CALL_IDEMPOTENT);
}

static void begin(ssa_request *request) {
    ssa_dataset_state *state = state_of(request);
    request->step = send;
    if (state->pieces.count)
        ssa_pieces_send(request, &state->pieces, state->dataset);
    else
        send(request);
}

static void refuse(ssa_request *request) {
    const ssa_dataset_state *state = request->state;
    const ssa_pieces *pieces = &state->pieces.list[state->pieces.count];
    char said[64], remedy[96], text[SSA_MISTAKE_BYTES];
    snprintf(said, sizeof said, "%" PRIu64 " bytes", state->pieces.limit);
    snprintf(remedy, sizeof remedy, "this value needs at least %" PRIu64 " bytes a chunk",
             pieces->manifest.rest_bytes / SSA_CHUNKS_MAX + 1);
    ssa_mistake_word(text, sizeof text, "value_limit", said, remedy);
    ssa_request_fail(request, SSA_EARGUMENT, "%s", text);
}

void ssa_dataset_put_start(ssa_request *request, const ssa_buffer *base, ssa_step done) {
    ssa_dataset_state *state = state_of(request);
    state->put_done = done;
    state->guard.base = base;
    if (request->engine->settings.value_limit)
        state->pieces.limit = (uint64_t)request->engine->settings.value_limit;
    ssa_status status = ssa_pieces_plan(&state->pieces, state->dataset, base);
    if (status == SSA_EARGUMENT)
        refuse(request);
    else if (status)
        ssa_request_fail_memory(request);
    else
        begin(request);
}
