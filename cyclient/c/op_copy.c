#include "op_copy.h"

#include <string.h>

#include "allocator.h"
#include "key_slot.h"
#include "op_chunk.h"
#include "op_watched.h"
#include "retry.h"
#include "text_begins.h"

enum { BEGIN, SAME_KEY };
enum { READING = SSA_COPY_ACROSS, WRITING };

#define NO_SUCH_KEY "ERR no such key"

/* ---- one command */

static int same_tag(const ssa_copy *state) {
    size_t source_bytes, target_bytes;
    const char *source = ssa_key_tag(state->source.data, state->source.bytes, &source_bytes);
    const char *target = ssa_key_tag(state->target.data, state->target.bytes, &target_bytes);
    return source_bytes == target_bytes && !memcmp(source, target, source_bytes);
}

static int same_slot(const ssa_copy *state) {
    return ssa_key_slot(state->source.data, state->source.bytes) == ssa_key_slot(state->target.data, state->target.bytes);
}

static void send(ssa_request *request, int stage, const ssa_text *arguments, unsigned flags) {
    const ssa_copy *state = request->state;
    request->stage = stage;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, ssa_command_of(SSA_EXPECT_REPLY, arguments), state->source.data, state->source.bytes, flags);
}

/* The command that takes all of the source along, whatever kind of value it is. */
static ssa_status add_taking(ssa_command *command, const ssa_copy *state) {
    ssa_text replace = state->moves ? (ssa_text){NULL, 0} : SSA_TEXT("REPLACE");
    return ssa_chunks_add(command, SSA_TEXTS(state->moves ? SSA_TEXT("RENAME") : SSA_TEXT("COPY"), SSA_KEY_TEXT(state->source),
                                             SSA_KEY_TEXT(state->target), replace));
}

static void step(ssa_request *request);

static void finish_same_key(ssa_request *request) {
    if (ssa_request_failed(request))
        return;
    if (ssa_request_answer(request, 0)->reply.nodes[0].number)
        ssa_request_succeed(request);
    else
        ssa_request_fail_not_found(request, 0);
}

/* ---- what may be in chunks: under a watch, so that a manifest, whose chunks are named after its key, is never
 * taken along alone */

static void looked(ssa_request *request, const ssa_manifest *found);

static void watch(ssa_request *request, void (*decide)(ssa_request *, const ssa_manifest *)) {
    const ssa_copy *state = request->state;
    if (request->chunks || ssa_chunk_io_new(request, &state->source))
        ssa_chunks_watch(request, &state->source, same_tag(state) ? 0 : SSA_CALL_FENCE, decide);
}

static void look(ssa_request *request) {
    watch(request, looked);
}

/* It was replaced while it was read. */
static void look_again(ssa_request *request) {
    ssa_retry_contended(request, look);
}

void ssa_copy_forsake_target(ssa_request *request) {
    ssa_chunks_forsake_replaced_at(request, &((const ssa_copy *)request->state)->target);
}

/* The answers of EXEC: what may be the manifest of a value that the target had, then what was said of the source. */
static void finish_watched(ssa_request *request) {
    const ssa_command *answer = ssa_request_answer(request, 0);
    const ssa_node *node = answer->reply.count > 2 ? &answer->reply.nodes[2] : NULL;
    int has_error = answer->status == SSA_OK && node && node->kind == SSA_TOKEN_ERROR;
    if (has_error && ssa_text_begins(answer->reply.text.data + node->text_at, node->text_bytes, NO_SUCH_KEY))
        ssa_request_fail_not_found(request, 0);
    else if (answer->status == SSA_OK && node && node->kind == SSA_TOKEN_INTEGER && !node->number)
        ssa_request_fail_not_found(request, 0);
    else
        ssa_chunks_drop_found(request, &((const ssa_copy *)request->state)->target, 1, ssa_request_succeed);
}

static void take_along(ssa_request *request) {
    const ssa_copy *state = request->state;
    ssa_command *command = ssa_transaction_begin();
    ssa_status status = command ? ssa_chunks_look(command, &state->target) : SSA_ENOMEM;
    if (!status)
        status = add_taking(command, state);
    request->forsaken = ssa_copy_forsake_target;
    ssa_watched_act(request, ssa_transaction_end(command, status), !state->moves, finish_watched);
}

/* ---- a list: under a watch, since RENAME and COPY would take along what is none */

static void take_list(ssa_request *request) {
    if (ssa_request_failed(request))
        return;
    if (ssa_request_answer(request, 0)->reply.nodes[0].number) {
        take_along(request);
        return;
    }
    ssa_watched_leave(request);
    ssa_request_fail_not_found(request, 0);
}

static void look_at_list(ssa_request *request) {
    const ssa_buffer *key = &((const ssa_copy *)request->state)->source;
    ssa_command *command = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("WATCH"), SSA_KEY_TEXT(*key)));
    if (command && ssa_chunks_add(command, SSA_TEXTS(SSA_TEXT("LLEN"), SSA_KEY_TEXT(*key)))) {
        ssa_command_free(command);
        command = NULL;
    }
    request->step = take_list;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_watched_look(request, command);
}

/* ---- the source goes, if it is still what was copied. Of one in chunks the manifest tells that. Of a short one, that went
 * between servers, the server does: what it says of a change comes before the answer to a later look on the same
 * connection. To compare values would not do: of two renames that go both ways each would find its own value back, and remove
 * it. */

static void after_removal(ssa_request *request) {
    if (!ssa_transaction_failed(request, 0))
        ssa_request_succeed(request);
}

static void unlink_source(ssa_request *request, const ssa_manifest *manifest) {
    const ssa_buffer *key = &((const ssa_copy *)request->state)->source;
    ssa_command *command = ssa_transaction_begin();
    ssa_status status = command ? ssa_chunks_add(command, SSA_TEXTS(SSA_TEXT("UNLINK"), SSA_KEY_TEXT(*key))) : SSA_ENOMEM;
    if (!status && manifest)
        status = ssa_chunks_unlink(command, key, manifest);
    ssa_watched_act(request, ssa_transaction_end(command, status), 1, after_removal);
}

static void remove_short(ssa_request *request) {
    const ssa_copy *state = request->state;
    if (ssa_request_failed(request))
        return;
    if (!ssa_request_answer(request, 0)->reply.nodes[0].number) {
        ssa_request_succeed(request); /* somebody else has removed it */
        return;
    }
    if (state->was_short && !state->has_changed && request->calls[0].last_link == state->told_by) {
        unlink_source(request, NULL);
        return;
    }
    ssa_watched_leave(request);
    look_again(request);
}

/* What was told before the answer to the look is known only after it (ssa_link_received): so there is another question. It also
 * tells a value without bytes from none, as the look does not. */
static void ask_once_more(ssa_request *request) {
    const ssa_copy *state = request->state;
    send(request, WRITING, SSA_TEXTS(SSA_TEXT("EXISTS"), SSA_KEY_TEXT(state->source)), SSA_CALL_IDEMPOTENT | SSA_CALL_FENCE);
    request->step = remove_short;
}

/* What somebody has put meanwhile is to be renamed. */
static void remove_source(ssa_request *request, const ssa_manifest *found) {
    const ssa_copy *state = request->state;
    if (found && !memcmp(found->nonce, state->copied, sizeof state->copied)) {
        unlink_source(request, found);
    } else if (!found && (state->was_short || ssa_chunks_watched_nothing(request))) {
        ask_once_more(request);
    } else {
        ssa_watched_leave(request);
        look_again(request);
    }
}

/* ---- a rename in chunks, on one server: they get the names of a new nonce */

static void finish_move(ssa_request *request) {
    ssa_chunks_drop_found(request, &((const ssa_copy *)request->state)->target, 1, ssa_request_succeed);
}

static ssa_status rename_chunks(ssa_command *command, const ssa_copy *state, const ssa_manifest *from,
                                const ssa_manifest *to) {
    ssa_buffer old = {NULL, 0, 0}, new = {NULL, 0, 0};
    ssa_status status = SSA_OK;
    for (size_t i = 0; i < ssa_manifest_count(from) && !status; i++)
        if (!(status = ssa_chunk_key(from, state->source.data, state->source.bytes, i, &old)) &&
            !(status = ssa_chunk_key(to, state->target.data, state->target.bytes, i, &new)))
            status = ssa_chunks_add(command, SSA_TEXTS(SSA_TEXT("RENAME"), SSA_KEY_TEXT(old), SSA_KEY_TEXT(new)));
    ssa_buffer_free(&old);
    ssa_buffer_free(&new);
    return status;
}

/* NULL: no memory. */
static ssa_command *move_command(const ssa_copy *state, const ssa_manifest *from) {
    ssa_manifest to = *from;
    ssa_command *command = ssa_transaction_begin();
    ssa_status status = command ? ssa_manifest_renew(&to) : SSA_ENOMEM;
    if (!status)
        status = ssa_chunks_look(command, &state->target);
    if (!status)
        status = rename_chunks(command, state, from, &to);
    if (!status)
        status = ssa_chunks_claim(command, &state->target, &to, state->ttl);
    if (!status)
        status = ssa_chunks_name(command, &state->target, &to, state->ttl);
    if (!status)
        status = ssa_chunks_add(command, SSA_TEXTS(SSA_TEXT("UNLINK"), SSA_KEY_TEXT(state->source)));
    return ssa_transaction_end(command, status);
}

static int keep_ttl(ssa_request *request) {
    ssa_copy *state = request->state;
    if (ssa_request_failed(request))
        return 0;
    state->ttl = ssa_request_answer(request, 0)->reply.nodes[0].number;
    if (!state->ttl)
        state->ttl = 1; /* as good as over */
    return 1;
}

static void move_chunks(ssa_request *request) {
    ssa_chunk_io *io = request->chunks;
    if (!keep_ttl(request))
        return;
    if (ssa_request_answer(request, 1)->reply.nodes[0].number == (int64_t)ssa_manifest_count(&io->manifest)) {
        request->forsaken = ssa_copy_forsake_target;
        ssa_watched_act(request, move_command(request->state, &io->manifest), 0, finish_move);
        return;
    }
    ssa_watched_leave(request);
    io->vanished = look_again;
    ssa_chunks_miss(request);
}

/* A transaction that does not find a chunk goes on without it: they are counted before. */
static void count_chunks(ssa_request *request, const ssa_manifest *manifest) {
    const ssa_buffer *key = &((const ssa_copy *)request->state)->source;
    request->chunks->manifest = *manifest;
    request->step = move_chunks;
    if (ssa_request_calls(request, 2)) {
        ssa_request_fail_memory(request);
        return;
    }
    ssa_command *ttl = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("PTTL"), SSA_KEY_TEXT(*key)));
    ssa_request_send(request, 0, ttl, key->data, key->bytes, SSA_CALL_IDEMPOTENT);
    if (!request->complete)
        ssa_request_send(request, 1, ssa_chunks_count_command(key, manifest), key->data, key->bytes, SSA_CALL_IDEMPOTENT);
}

/* ---- else in chunks: all of them come here and go there, under names of their own, with the time that they have left */

static void after_chunks(ssa_request *request) {
    const ssa_copy *state = request->state;
    if (state->moves)
        watch(request, remove_source);
    else
        ssa_request_succeed(request);
}

static void write_chunks(ssa_request *request) {
    const ssa_copy *state = request->state;
    ssa_chunk_io *io = request->chunks;
    ssa_memory value = io->result.memory;
    io->result.memory = (ssa_memory){0}; /* a new key would free it */
    if (!ssa_chunk_io_new(request, &state->target)) {
        ssa_memory_free(&value);
        return;
    }
    io->result.memory = value;
    io->data = io->into;
    io->ttl = state->ttl;
    ssa_chunks_write(request, after_chunks);
}

static void read_chunks(ssa_request *request) {
    if (keep_ttl(request) && ssa_chunks_reserve(request))
        ssa_chunks_read(request, write_chunks, look_again);
}

static void copy_chunks(ssa_request *request, const ssa_manifest *manifest) {
    ssa_copy *state = request->state;
    ssa_chunk_io *io = ssa_chunk_io_new(request, &state->source);
    if (!io)
        return;
    io->manifest = *manifest;
    state->was_short = 0;
    memcpy(state->copied, manifest->nonce, sizeof state->copied);
    send(request, 0, SSA_TEXTS(SSA_TEXT("PTTL"), SSA_KEY_TEXT(state->source)), SSA_CALL_IDEMPOTENT);
    request->step = read_chunks;
}

/* Between servers no watch is kept: two renames that go both ways would wait for each other. */
static void looked(ssa_request *request, const ssa_manifest *found) {
    const ssa_copy *state = request->state;
    int is_on_one_server = same_slot(state) || request->engine->mode == SSA_MODE_STANDALONE;
    request->forsaken = NULL; /* of a transaction that came to nothing */
    if (is_on_one_server && !found) {
        take_along(request);
        return;
    }
    if (is_on_one_server && state->moves) {
        count_chunks(request, found);
        return;
    }
    ssa_watched_leave(request);
    request->step = step;
    if (found)
        copy_chunks(request, found);
    else
        state->start_across(request);
}

/* ---- choosing the way */

static void begin(ssa_request *request) {
    ssa_copy *state = request->state;
    request->step = step;
    if (state->source.bytes == state->target.bytes && !memcmp(state->source.data, state->target.data, state->source.bytes))
        send(request, SAME_KEY, SSA_TEXTS(request->kind == SSA_KIND_LIST ? SSA_TEXT("LLEN") : SSA_TEXT("EXISTS"),
                                          SSA_KEY_TEXT(state->source)), SSA_CALL_IDEMPOTENT);
    else if (request->kind != SSA_KIND_LIST)
        watch(request, looked);
    else if (same_slot(state) || request->engine->mode == SSA_MODE_STANDALONE)
        ssa_watched_start(request, &state->source, same_tag(state) ? 0 : SSA_CALL_FENCE, look_at_list);
    else if (request->engine->mode == SSA_MODE_CLUSTER)
        state->start_across(request);
    else /* the answer to anything tells which of both it is */
        send(request, BEGIN, SSA_TEXTS(SSA_TEXT("PING")), SSA_CALL_IDEMPOTENT);
}

static void step(ssa_request *request) {
    const ssa_copy *state = request->state;
    switch (request->stage) {
    case BEGIN:
        if (!ssa_request_failed(request))
            begin(request);
        return;
    case SAME_KEY:
        finish_same_key(request);
        return;
    default:
        state->step_across(request);
    }
}

static void end(ssa_request *request) {
    ssa_copy *state = request->state;
    ssa_wait_remove(&state->waiter);
    ssa_memory_free(&state->value);
    ssa_buffer_free(&state->source);
    ssa_buffer_free(&state->target);
    ssa_release(state);
}

ssa_request *ssa_copy_new(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text source, ssa_text target, int moves,
                          void (*start_across)(ssa_request *), void (*step_across)(ssa_request *), ssa_problem *problem) {
    ssa_request *request = ssa_request_new(engine, operation, kind, source.data, source.data ? source.bytes : 0, step);
    ssa_copy *state = request ? ssa_allocate(sizeof *state) : NULL;
    if (!state) {
        ssa_request_free(request);
        return ssa_problem_memory(problem);
    }
    memset(state, 0, sizeof *state);
    state->moves = moves;
    state->start_across = start_across;
    state->step_across = step_across;
    request->state = state;
    request->end = end;
    ssa_status status = ssa_key_make(&engine->names, SSA_READING, kind, source.data, source.bytes, &state->source);
    if (!status)
        status = ssa_key_make(&engine->names, SSA_WRITING, kind, target.data, target.bytes, &state->target);
    if (status) {
        ssa_request_free(request);
        return ssa_problem_names(engine, problem, status);
    }
    ssa_request_changes(request, 0, &state->target);
    if (moves)
        ssa_request_changes(request, 1, &state->source);
    return request;
}

/* ---- strings, between servers: the value comes here and goes there; its remaining time goes with it, as with COPY */

static void source_changed(ssa_waiter *waiter) {
    ssa_copy *state = waiter->owner;
    state->has_changed = 1;
}

/* From now on; as call 2. */
static void watch_for_changes(ssa_request *request) {
    ssa_copy *state = request->state;
    const ssa_buffer *key = &state->source;
    ssa_command *command = ssa_tracking_command(request->engine, 2, "EXISTS");
    if (command && (ssa_command_argument(command, key->data, key->bytes) || ssa_tracking_close(command))) {
        ssa_command_free(command);
        command = NULL;
    }
    ssa_wait_remove(&state->waiter);
    state->waiter.changed = source_changed;
    state->waiter.owner = state;
    state->has_changed = 0;
    ssa_wait_add(&request->engine->waits, &state->waiter, key->data, key->bytes);
    ssa_request_send(request, 2, command, key->data, key->bytes, SSA_CALL_IDEMPOTENT | SSA_CALL_FENCE);
}

static void read_string(ssa_request *request) {
    const ssa_copy *state = request->state;
    request->stage = READING;
    if (ssa_request_calls(request, state->moves ? 3 : 2)) {
        ssa_request_fail_memory(request);
        return;
    }
    if (state->moves)
        watch_for_changes(request);
    if (request->complete)
        return;
    ssa_command *ttl = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("PTTL"), SSA_KEY_TEXT(state->source)));
    ssa_command *value = ssa_command_of(SSA_EXPECT_BYTES, SSA_TEXTS(SSA_TEXT("GET"), SSA_KEY_TEXT(state->source)));
    ssa_request_send(request, 0, ttl, state->source.data, state->source.bytes, SSA_CALL_IDEMPOTENT);
    ssa_request_send(request, 1, value, state->source.data, state->source.bytes, SSA_CALL_IDEMPOTENT);
}

static ssa_command *write_command(const ssa_copy *state) {
    ssa_command *command = ssa_transaction_begin();
    ssa_status status = command ? ssa_chunks_look(command, &state->target) : SSA_ENOMEM;
    if (!status && !(status = ssa_command_next(command, state->ttl > 0 ? 5 : 3)) && !(status = ssa_command_argument(command, "SET", 3)))
        status = ssa_command_argument(command, state->target.data, state->target.bytes);
    if (!status)
        status = ssa_command_bytes(command, state->value.data, state->bytes);
    if (!status && state->ttl > 0 && !(status = ssa_command_argument(command, "PX", 2)))
        status = ssa_command_number(command, (uint64_t)state->ttl);
    return ssa_transaction_end(command, status);
}

static void write_string(ssa_request *request) {
    ssa_copy *state = request->state;
    ssa_tensor *came = &ssa_request_answer(request, 1)->tensors[0];
    ssa_manifest manifest;
    if (ssa_manifest_decode(&manifest, came->memory.data, came->header.data_bytes)) {
        look_again(request);
        return;
    }
    state->ttl = ssa_request_answer(request, 0)->reply.nodes[0].number;
    state->bytes = came->header.data_bytes;
    state->was_short = 1;
    memset(state->copied, 0, sizeof state->copied);
    ssa_memory_free(&state->value);
    state->value = came->memory;
    came->memory = (ssa_memory){0};
    request->stage = WRITING;
    request->forsaken = ssa_copy_forsake_target;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, write_command(state), state->target.data, state->target.bytes, SSA_CALL_IDEMPOTENT);
}

static void after_string(ssa_request *request) {
    const ssa_copy *state = request->state;
    if (state->moves)
        watch(request, remove_source);
    else
        ssa_request_succeed(request);
}

static void step_string(ssa_request *request) {
    ssa_copy *state = request->state;
    if (request->stage == WRITING) {
        ssa_chunks_drop_found(request, &state->target, 1, after_string);
        return;
    }
    if (state->moves) {
        ssa_tracking_answer(ssa_request_answer(request, 2)); /* its status is that of what it wraps from here on */
        state->told_by = request->calls[2].last_link;
    }
    if (!ssa_request_failed(request))
        write_string(request);
}

ssa_request *ssa_op_copy(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text source, ssa_text target,
                         ssa_problem *problem) {
    return ssa_copy_new(engine, operation, kind, source, target, 0, read_string, step_string, problem);
}

ssa_request *ssa_op_rename(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text source, ssa_text target,
                           ssa_problem *problem) {
    return ssa_copy_new(engine, operation, kind, source, target, 1, read_string, step_string, problem);
}
