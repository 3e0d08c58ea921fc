#include "op_copy.h"

#include <string.h>

#include "allocator.h"
#include "key_slot.h"
#include "op_chunk.h"

enum { BEGIN, SAME_KEY, ON_ONE_SERVER, LOOKING };
enum { READING = SSA_COPY_ACROSS, WRITING, REMOVING };

/* ---- on one server */

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

/* COPY may run twice, RENAME may not: the second would not find the source. */
static void send_to_one_server(ssa_request *request) {
    const ssa_copy *state = request->state;
    unsigned fence = same_tag(state) ? 0 : SSA_CALL_FENCE;
    if (state->moves)
        send(request, ON_ONE_SERVER, SSA_TEXTS(SSA_TEXT("RENAME"), SSA_KEY_TEXT(state->source), SSA_KEY_TEXT(state->target)), fence);
    else
        send(request, ON_ONE_SERVER,
             SSA_TEXTS(SSA_TEXT("COPY"), SSA_KEY_TEXT(state->source), SSA_KEY_TEXT(state->target), SSA_TEXT("REPLACE")),
             fence | SSA_CALL_IDEMPOTENT);
}

static int says_no_such_key(const ssa_command *answer) {
    static const char text[] = "ERR no such key";
    return answer->status == SSA_ESERVER && answer->error.bytes >= sizeof text - 1 &&
           !memcmp(answer->error.data, text, sizeof text - 1);
}

static void finish_on_one_server(ssa_request *request) {
    const ssa_command *answer = ssa_request_answer(request, 0);
    const ssa_node *node = answer->reply.nodes;
    if (says_no_such_key(answer) || (answer->status == SSA_OK && node->kind == SSA_TOKEN_INTEGER && !node->number))
        ssa_request_fail_not_found(request, 0);
    else if (!ssa_request_failed(request))
        ssa_request_succeed(request);
}

/* ---- in chunks: all of them come here and go there, under names of their own; then the source goes with its chunks */

static void begin(ssa_request *request);
static void step(ssa_request *request);

static void finish_chunks(ssa_request *request) {
    ssa_chunks_drop_found(request, &((ssa_copy *)request->state)->source, 1, ssa_request_succeed);
}

static void after_chunks(ssa_request *request) {
    const ssa_copy *state = request->state;
    if (!state->moves) {
        ssa_request_succeed(request);
        return;
    }
    const ssa_buffer *key = &state->source;
    ssa_command *command = ssa_chunks_look_and(key, SSA_TEXTS({NULL, 0}), SSA_TEXTS(SSA_TEXT("UNLINK"), SSA_KEY_TEXT(*key)));
    request->step = finish_chunks;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, command, key->data, key->bytes, SSA_CALL_IDEMPOTENT);
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
    ssa_chunks_write(request, after_chunks);
}

static void look(ssa_request *request) {
    send(request, LOOKING,
         SSA_TEXTS(SSA_TEXT("GETRANGE"), SSA_KEY_TEXT(((ssa_copy *)request->state)->source), SSA_TEXT("0"), SSA_TEXT(SSA_MANIFEST_LAST)),
         SSA_CALL_IDEMPOTENT);
}

/* It was replaced while its chunks were read. */
static void look_again(ssa_request *request) {
    request->step = step;
    look(request);
}

static void copy_chunks(ssa_request *request, const ssa_manifest *manifest) {
    const ssa_copy *state = request->state;
    ssa_chunk_io *io = ssa_chunk_io_new(request, &state->source);
    if (!io)
        return;
    io->manifest = *manifest;
    if (ssa_chunks_reserve(request))
        ssa_chunks_read(request, write_chunks, look_again);
}

/* What is no string has no chunks: its error is no failure. */
static void take_look(ssa_request *request) {
    ssa_copy *state = request->state;
    const ssa_command *answer = ssa_request_answer(request, 0);
    ssa_manifest manifest;
    int is_string = answer->status != SSA_ESERVER || answer->error.bytes < 9 || memcmp(answer->error.data, "WRONGTYPE", 9);
    if (is_string && ssa_request_failed(request))
        return;
    state->looked = 1;
    if (is_string && ssa_chunks_found(answer, 0, &manifest))
        copy_chunks(request, &manifest);
    else
        begin(request);
}

/* ---- choosing the way */

static void begin(ssa_request *request) {
    ssa_copy *state = request->state;
    request->step = step;
    if (state->source.bytes == state->target.bytes && !memcmp(state->source.data, state->target.data, state->source.bytes))
        send(request, SAME_KEY, SSA_TEXTS(SSA_TEXT("EXISTS"), SSA_KEY_TEXT(state->source)), SSA_CALL_IDEMPOTENT);
    else if (!state->looked && request->kind != SSA_KIND_LIST)
        look(request);
    else if (same_slot(state) || request->engine->mode == SSA_MODE_STANDALONE)
        send_to_one_server(request);
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
    case LOOKING:
        take_look(request);
        return;
    case SAME_KEY:
    case ON_ONE_SERVER:
        finish_on_one_server(request);
        return;
    default:
        state->step_across(request);
    }
}

static void end(ssa_request *request) {
    ssa_copy *state = request->state;
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

void ssa_copy_remove_source(ssa_request *request, int stage) {
    const ssa_copy *state = request->state;
    send(request, stage, SSA_TEXTS(SSA_TEXT("UNLINK"), SSA_KEY_TEXT(state->source)), SSA_CALL_IDEMPOTENT);
}

/* ---- strings, between servers: the value comes here and goes there; its remaining time goes with it, as with COPY */

static void read_string(ssa_request *request) {
    const ssa_copy *state = request->state;
    request->stage = READING;
    if (ssa_request_calls(request, 2)) {
        ssa_request_fail_memory(request);
        return;
    }
    ssa_command *ttl = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("PTTL"), SSA_KEY_TEXT(state->source)));
    ssa_command *value = ssa_command_of(SSA_EXPECT_BYTES, SSA_TEXTS(SSA_TEXT("GET"), SSA_KEY_TEXT(state->source)));
    ssa_request_send(request, 0, ttl, state->source.data, state->source.bytes, SSA_CALL_IDEMPOTENT);
    ssa_request_send(request, 1, value, state->source.data, state->source.bytes, SSA_CALL_IDEMPOTENT);
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
    ssa_memory_free(&state->value);
    state->value = came->memory;
    came->memory = (ssa_memory){0};
    ssa_command *command = ssa_command_new(state->ttl > 0 ? 5 : 3, SSA_EXPECT_REPLY);
    if (command && (ssa_command_argument(command, "SET", 3) ||
                    ssa_command_argument(command, state->target.data, state->target.bytes) ||
                    ssa_command_bytes(command, state->value.data, state->bytes) ||
                    (state->ttl > 0 && (ssa_command_argument(command, "PX", 2) || ssa_command_number(command, (uint64_t)state->ttl))))) {
        ssa_command_free(command);
        command = NULL;
    }
    request->stage = WRITING;
    ssa_request_calls(request, 1);
    ssa_request_send(request, 0, command, state->target.data, state->target.bytes, SSA_CALL_IDEMPOTENT);
}

static void step_string(ssa_request *request) {
    const ssa_copy *state = request->state;
    if (ssa_request_failed(request))
        return;
    if (request->stage == READING)
        write_string(request);
    else if (request->stage == WRITING && state->moves)
        ssa_copy_remove_source(request, REMOVING);
    else
        ssa_request_succeed(request);
}

ssa_request *ssa_op_copy(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text source, ssa_text target,
                         ssa_problem *problem) {
    return ssa_copy_new(engine, operation, kind, source, target, 0, read_string, step_string, problem);
}

ssa_request *ssa_op_rename(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text source, ssa_text target,
                           ssa_problem *problem) {
    return ssa_copy_new(engine, operation, kind, source, target, 1, read_string, step_string, problem);
}
