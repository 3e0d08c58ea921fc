#include <string.h>

#include "allocator.h"
#include "op_dataset.h"
#include "op_watched.h"

/* ---- what is stored: five fields of the hash, and the names that are kept; what cannot be a name is passed over */

static int entry_at(const ssa_reply *reply, size_t at, ssa_metadata *entry) {
    const ssa_node *node = at < reply->count ? &reply->nodes[at] : NULL;
    if (!node || node->kind != SSA_TOKEN_BULK || !node->text_bytes)
        return 0;
    return !ssa_metadata_decode(entry, reply->text.data + node->text_at, node->text_bytes) && entry->type == SSA_STRING;
}

static int is_name(const char *text, size_t bytes) {
    ssa_pieces_name pieces;
    if (ssa_pieces_name_decode(&pieces, text, bytes))
        return !ssa_item_name_refusal(pieces.item, pieces.item_bytes);
    return !ssa_item_name_refusal(text, bytes);
}

static ssa_status read_names(const ssa_reply *fields, ssa_stored *stored) {
    static const size_t at[] = {1, 2, 5};
    ssa_metadata entries[3];
    size_t most = 0;
    for (size_t i = 0; i < 3; i++) {
        if (!entry_at(fields, at[i], &entries[i]))
            entries[i] = (ssa_metadata){SSA_STRING, NULL, 0, 0};
        most += entries[i].count;
    }
    if (!most)
        return SSA_OK;
    stored->names = ssa_allocate(most * sizeof *stored->names);
    if (!stored->names)
        return SSA_ENOMEM;
    for (size_t i = 0; i < 3; i++) {
        ssa_name name;
        for (size_t next = 0; ssa_metadata_next(&entries[i], &next, &name.text, &name.bytes);)
            if (is_name(name.text, name.bytes))
                stored->names[stored->count++] = name;
    }
    return SSA_OK;
}

static ssa_status read_kept(const ssa_reply *kept, ssa_stored *stored) {
    if (kept->count < 3)
        return SSA_OK;
    stored->kept = ssa_allocate(kept->count / 2 * sizeof *stored->kept);
    if (!stored->kept)
        return SSA_ENOMEM;
    for (size_t i = 1; i + 1 < kept->count; i += 2) { /* the values are empty */
        const ssa_node *node = &kept->nodes[i];
        const char *text = (const char *)kept->text.data + node->text_at;
        if (node->kind == SSA_TOKEN_BULK && is_name(text, node->text_bytes))
            stored->kept[stored->kept_count++] = (ssa_name){text, node->text_bytes};
    }
    return SSA_OK;
}

static ssa_status read_stored(const ssa_reply *fields, const ssa_reply *kept, ssa_stored *stored) {
    memset(stored, 0, sizeof *stored);
    ssa_status status = read_kept(kept, stored);
    if (status || fields->count < 6)
        return status;
    const ssa_node *version = &fields->nodes[3];
    if (version->kind == SSA_TOKEN_BULK && version->text_bytes)
        stored->version = (ssa_name){(const char *)fields->text.data + version->text_at, version->text_bytes};
    stored->complete = fields->nodes[4].kind == SSA_TOKEN_BULK;
    return read_names(fields, stored);
}

static void free_stored(ssa_stored *stored) {
    ssa_release(stored->names);
    ssa_release(stored->kept);
}

/* ---- the watch and its transaction */

static ssa_guard *guard_of(ssa_request *request) {
    return &((ssa_dataset_state *)request->state)->guard;
}

static ssa_command *watch_command(const ssa_buffer *base) {
    static const char *const fields[] = {SSA_FIELD_TENSOR_NAMES, SSA_FIELD_BYTES_NAMES, SSA_FIELD_VERSION, SSA_FIELD_COMPLETE,
                                         SSA_FIELD_PIECES};
    ssa_command *command = ssa_command_new(2, SSA_EXPECT_REPLY);
    ssa_status status = command ? ssa_command_argument(command, "WATCH", 5) : SSA_ENOMEM;
    if (!status)
        status = ssa_command_item_key(command, base, "meta", 4);
    if (!status && !(status = ssa_command_next(command, 7)) && !(status = ssa_command_argument(command, "HMGET", 5)))
        status = ssa_command_item_key(command, base, "meta", 4);
    for (size_t i = 0; i < sizeof fields / sizeof *fields && !status; i++)
        status = ssa_command_argument(command, fields[i], strlen(fields[i]));
    if (!status)
        return command;
    ssa_command_free(command);
    return NULL;
}

static ssa_command *kept_command(const ssa_buffer *base) {
    ssa_command *command = ssa_command_new(2, SSA_EXPECT_REPLY);
    if (command && !ssa_command_argument(command, "HGETALL", 7) &&
        !ssa_command_item_key(command, base, SSA_KEPT_NAMES, sizeof SSA_KEPT_NAMES - 1))
        return command;
    ssa_command_free(command);
    return NULL;
}

/* The answers are there. */
static void take_look(ssa_request *request) {
    ssa_stored stored;
    if (ssa_request_failed(request))
        return;
    if (read_stored(&ssa_request_answer(request, 0)->reply, &ssa_request_answer(request, 1)->reply, &stored))
        ssa_request_fail_memory(request);
    else
        guard_of(request)->decide(request, &stored);
    free_stored(&stored);
}

static void look(ssa_request *request) {
    const ssa_buffer *base = guard_of(request)->base;
    request->step = take_look;
    if (ssa_request_calls(request, 2)) {
        ssa_request_fail_memory(request);
        return;
    }
    ssa_watched_look(request, watch_command(base));
    ssa_request_send(request, 1, kept_command(base), base->data, base->bytes, SSA_CALL_IDEMPOTENT);
}

static void after_transaction(ssa_request *request) {
    if (!ssa_transaction_failed(request, 0))
        guard_of(request)->done(request);
}

void ssa_guard_act(ssa_request *request, ssa_command *command, int may_repeat) {
    ssa_watched_act(request, command, may_repeat, after_transaction);
}

void ssa_guard_start(ssa_request *request, const ssa_buffer *base, unsigned flags,
                     void (*decide)(ssa_request *, ssa_stored *), ssa_step done) {
    ssa_guard *guard = guard_of(request);
    guard->base = base;
    guard->decide = decide;
    guard->done = done;
    ssa_watched_start(request, base, flags, look);
}
