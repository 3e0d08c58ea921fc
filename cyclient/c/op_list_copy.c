#include <string.h>

#include "op_chunk.h"
#include "op_copy.h"
#include "op_list.h"

/* Between servers. A rename takes along what was appended while the list was copied: the source is read again, from where the copy
 * ends, in the transaction that removes it. */
enum { LOOKING = SSA_COPY_ACROSS, READING, WRITING, REMOVING, APPENDING };

static void look(ssa_request *request) {
    const ssa_copy *state = request->state;
    const ssa_buffer *key = &state->source;
    request->stage = LOOKING;
    if (ssa_request_calls(request, 2)) {
        ssa_request_fail_memory(request);
        return;
    }
    ssa_command *length = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("LLEN"), SSA_KEY_TEXT(*key)));
    ssa_command *ttl = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("PTTL"), SSA_KEY_TEXT(*key)));
    ssa_request_send(request, 0, length, key->data, key->bytes, SSA_CALL_IDEMPOTENT);
    ssa_request_send(request, 1, ttl, key->data, key->bytes, SSA_CALL_IDEMPOTENT);
}

static void read_all(ssa_request *request) {
    ssa_copy *state = request->state;
    state->length = (uint64_t)ssa_request_answer(request, 0)->reply.nodes[0].number;
    state->ttl = ssa_request_answer(request, 1)->reply.nodes[0].number;
    if (!state->length) {
        ssa_request_fail_not_found(request, 0);
        return;
    }
    request->stage = READING;
    ssa_list_read(request, &state->source, 0, state->length);
}

/* ---- writing */

static ssa_status add_words(ssa_command *command, uint64_t arguments, const char *word, const ssa_buffer *key) {
    ssa_status status = ssa_command_next(command, arguments);
    if (!status)
        status = ssa_command_argument(command, word, strlen(word));
    return status || !key ? status : ssa_command_argument(command, key->data, key->bytes);
}

static uint64_t elements_of(const ssa_reply *reply) {
    uint64_t count = 0;
    ssa_text element;
    for (size_t at = 0; ssa_list_next(reply, &at, &element);)
        count++;
    return count;
}

/* The word RPUSH and the key stand already. */
static ssa_status add_elements(ssa_command *command, const ssa_reply *reply) {
    ssa_status status = SSA_OK;
    ssa_text element;
    for (size_t at = 0; !status && ssa_list_next(reply, &at, &element);)
        status = ssa_command_argument(command, element.data, element.bytes);
    return status;
}

/* All pages that were read; *length: how many elements. */
static ssa_command *writing_command(ssa_request *request, uint64_t *length) {
    const ssa_copy *state = request->state;
    ssa_command *command = ssa_command_new(1, SSA_EXPECT_REPLY);
    ssa_status status = command ? ssa_command_argument(command, "MULTI", 5) : SSA_ENOMEM;
    if (!status)
        status = ssa_chunks_look(command, &state->target);
    if (!status)
        status = add_words(command, 2, "UNLINK", &state->target);
    *length = 0;
    for (size_t i = 0; i < request->call_count && !status; i++) {
        const ssa_reply *reply = &ssa_request_answer(request, i)->reply;
        uint64_t elements = elements_of(reply);
        *length += elements;
        if (elements && !(status = add_words(command, 2 + elements, "RPUSH", &state->target)))
            status = add_elements(command, reply);
    }
    if (!status && state->ttl > 0 && !(status = add_words(command, 3, "PEXPIRE", &state->target)))
        status = ssa_command_number(command, (uint64_t)state->ttl);
    if (!status && !add_words(command, 1, "EXEC", NULL))
        return command;
    ssa_command_free(command);
    return NULL;
}

static void step(ssa_request *request);

static void send(ssa_request *request, int stage, ssa_command *command, const ssa_buffer *key, unsigned flags) {
    request->stage = stage;
    request->step = step;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, command, key->data, key->bytes, flags);
}

static void write_all(ssa_request *request) {
    ssa_copy *state = request->state;
    ssa_command *command = writing_command(request, &state->length);
    if (command && !state->length) { /* it went while it was read */
        ssa_command_free(command);
        ssa_request_fail_not_found(request, 0);
        return;
    }
    request->forsaken = ssa_copy_forsake_target;
    send(request, WRITING, command, &state->target, SSA_CALL_IDEMPOTENT);
}

/* ---- the end of a rename */

/* A second one would not find again what the first has removed: it is not repeated. */
static void remove_source(ssa_request *request) {
    const ssa_copy *state = request->state;
    ssa_command *command = ssa_command_new(1, SSA_EXPECT_REPLY);
    if (command && (ssa_command_argument(command, "MULTI", 5) || add_words(command, 4, "LRANGE", &state->source) ||
                    ssa_command_number(command, state->length) || ssa_command_argument(command, "-1", 2) ||
                    add_words(command, 2, "UNLINK", &state->source) || add_words(command, 1, "EXEC", NULL))) {
        ssa_command_free(command);
        command = NULL;
    }
    send(request, REMOVING, command, &state->source, 0);
}

static void append_rest(ssa_request *request) {
    const ssa_copy *state = request->state;
    const ssa_reply *reply = &ssa_request_answer(request, 0)->reply;
    uint64_t elements = elements_of(reply); /* in the whole answer: no other strings are in it */
    if (!elements) {
        ssa_request_succeed(request);
        return;
    }
    ssa_command *command = ssa_command_new(2 + elements, SSA_EXPECT_REPLY);
    if (command && (ssa_command_argument(command, "RPUSH", 5) ||
                    ssa_command_argument(command, state->target.data, state->target.bytes) || add_elements(command, reply))) {
        ssa_command_free(command);
        command = NULL;
    }
    send(request, APPENDING, command, &state->target, 0);
}

static void after_writing(ssa_request *request) {
    if (((const ssa_copy *)request->state)->moves)
        remove_source(request);
    else
        ssa_request_succeed(request);
}

static void step(ssa_request *request) {
    const ssa_copy *state = request->state;
    if (request->stage == WRITING) {
        ssa_chunks_drop_found(request, &state->target, 1, after_writing);
        return;
    }
    if (request->stage == REMOVING ? ssa_transaction_failed(request, 0) : ssa_request_failed(request))
        return;
    if (request->stage == LOOKING)
        read_all(request);
    else if (request->stage == READING)
        write_all(request);
    else if (request->stage == REMOVING)
        append_rest(request);
    else
        ssa_request_succeed(request);
}

ssa_request *ssa_op_copy_list(ssa_engine *engine, ssa_text source, ssa_text target, ssa_problem *problem) {
    return ssa_copy_new(engine, "copy_list", SSA_KIND_LIST, source, target, 0, look, step, problem);
}

ssa_request *ssa_op_rename_list(ssa_engine *engine, ssa_text source, ssa_text target, ssa_problem *problem) {
    return ssa_copy_new(engine, "rename_list", SSA_KIND_LIST, source, target, 1, look, step, problem);
}
