#include <string.h>

#include "allocator.h"
#include "op_dataset.h"

#define FIRST_DELAY INT64_C(10000000)
#define LONGEST_DELAY INT64_C(200000000)


/* ---- what is stored */

static int entry_at(const ssa_reply *reply, size_t at, ssa_metadata *entry) {
    const ssa_node *node = at < reply->count ? &reply->nodes[at] : NULL;
    if (!node || node->kind != SSA_TOKEN_BULK || !node->text_bytes)
        return 0;
    return !ssa_metadata_decode(entry, reply->text.data + node->text_at, node->text_bytes) && entry->type == SSA_STRING;
}

ssa_status ssa_stored_names(const ssa_reply *reply, size_t at, ssa_name **names, size_t *count) {
    ssa_metadata entries[2];
    size_t most = 0;
    *names = NULL;
    *count = 0;
    for (size_t i = 0; i < 2; i++) {
        if (!entry_at(reply, at + i, &entries[i]))
            entries[i] = (ssa_metadata){SSA_STRING, NULL, 0, 0};
        most += entries[i].count;
    }
    if (!most)
        return SSA_OK;
    *names = ssa_allocate(most * sizeof **names);
    if (!*names)
        return SSA_ENOMEM;
    for (size_t i = 0; i < 2; i++) {
        ssa_name name;
        for (size_t next = 0; ssa_metadata_next(&entries[i], &next, &name.text, &name.bytes);)
            if (!ssa_item_name_refusal(name.text, name.bytes))
                (*names)[(*count)++] = name;
    }
    return SSA_OK;
}

static ssa_status read_stored(const ssa_reply *reply, ssa_stored *stored) {
    memset(stored, 0, sizeof *stored);
    if (reply->count < 5)
        return SSA_OK;
    const ssa_node *version = &reply->nodes[3];
    if (version->kind == SSA_TOKEN_BULK && version->text_bytes)
        stored->version = (ssa_name){(const char *)reply->text.data + version->text_at, version->text_bytes};
    stored->complete = reply->nodes[4].kind == SSA_TOKEN_BULK;
    return ssa_stored_names(reply, 1, &stored->names, &stored->count);
}

/* ---- the watch and its transaction */

static ssa_guard *guard_of(ssa_request *request) {
    return &((ssa_dataset_state *)request->state)->guard;
}

static ssa_command *watch_command(const ssa_buffer *base) {
    static const char *const fields[] = {SSA_FIELD_TENSOR_NAMES, SSA_FIELD_BYTES_NAMES, SSA_FIELD_VERSION, SSA_FIELD_COMPLETE};
    ssa_command *command = ssa_command_new(2, SSA_EXPECT_REPLY);
    ssa_status status = command ? ssa_command_argument(command, "WATCH", 5) : SSA_ENOMEM;
    if (!status)
        status = ssa_command_item_key(command, base, "meta", 4);
    if (!status && !(status = ssa_command_next(command, 6)) && !(status = ssa_command_argument(command, "HMGET", 5)))
        status = ssa_command_item_key(command, base, "meta", 4);
    for (size_t i = 0; i < 4 && !status; i++)
        status = ssa_command_argument(command, fields[i], strlen(fields[i]));
    if (!status)
        return command;
    ssa_command_free(command);
    return NULL;
}

static void send(ssa_request *request, ssa_command *command, unsigned flags) {
    const ssa_buffer *base = guard_of(request)->base;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, command, base->data, base->bytes, flags);
}

static void look(ssa_request *request) {
    request->stage = 0;
    send(request, watch_command(guard_of(request)->base), SSA_CALL_IDEMPOTENT | SSA_CALL_WATCH);
}

static void after_pause(ssa_timer *timer) {
    ssa_request *request = timer->owner;
    if (!request->complete)
        look(request);
}

/* Of commands that were not carried out, and may be soon: the transaction is not repeated by itself. */
static int is_not_now(const ssa_command *answer) {
    static const char *const words[] = {"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY"};
    for (size_t i = 0; answer->status == SSA_ESERVER && i < sizeof words / sizeof *words; i++) {
        size_t bytes = strlen(words[i]);
        if (answer->error.bytes >= bytes && !memcmp(answer->error.data, words[i], bytes))
            return 1;
    }
    return answer->status == SSA_ECLOSED;
}

static void finish(ssa_request *request) {
    ssa_engine_end_turn(request->engine, request);
    guard_of(request)->done(request);
}

static void act(ssa_request *request) {
    ssa_stored stored;
    if (ssa_request_failed(request))
        return;
    if (read_stored(&ssa_request_answer(request, 0)->reply, &stored)) {
        ssa_request_fail_memory(request);
        return;
    }
    ssa_command *command = guard_of(request)->decide(request, &stored);
    ssa_release(stored.names);
    if (request->complete)
        ssa_command_free(command);
    else if (command)
        send(request, command, SSA_CALL_WATCHED);
    else
        finish(request);
}

static void conclude(ssa_request *request) {
    ssa_guard *guard = guard_of(request);
    const ssa_command *answer = ssa_request_answer(request, 0);
    if (is_not_now(answer)) {
        guard->delay = guard->delay ? (2 * guard->delay < LONGEST_DELAY ? 2 * guard->delay : LONGEST_DELAY) : FIRST_DELAY;
        ssa_engine_end_turn(request->engine, request);
        ssa_engine_arm(request->engine, &guard->pause, request->engine->now + guard->delay);
    } else if (answer->status == SSA_OK && answer->reply.nodes[0].kind == SSA_TOKEN_NULL) {
        look(request); /* somebody changed it between */
    } else if (!ssa_transaction_failed(request, 0)) {
        finish(request);
    }
}

static void step(ssa_request *request) {
    if (request->stage++ == 0)
        act(request);
    else
        conclude(request);
}

void ssa_guard_start(ssa_request *request, const ssa_buffer *base,
                     ssa_command *(*decide)(ssa_request *, const ssa_stored *), ssa_step done) {
    ssa_guard *guard = guard_of(request);
    guard->base = base;
    guard->decide = decide;
    guard->done = done;
    guard->delay = 0;
    guard->pause.fire = after_pause;
    guard->pause.owner = request;
    request->step = step;
    look(request);
}
