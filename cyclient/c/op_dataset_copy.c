/* Copies and renames of datasets. On one server a rename is one transaction, under a watch of the source. Between
 * servers, and for a copy, what is read at one moment is put at another; the source of a rename goes if it is still
 * what was read. */
#include <string.h>

#include "allocator.h"
#include "key_slot.h"
#include "op_dataset.h"
#include "op_watched.h"
#include "retry.h"

static void begin(ssa_request *request);

static ssa_dataset_state *state_of(ssa_request *request) {
    return request->state;
}

static const ssa_name hash = {"meta", 4}, kept_names = {SSA_KEPT_NAMES, sizeof SSA_KEPT_NAMES - 1};

static ssa_status add_key(ssa_command *command, uint64_t arguments, const char *word, const ssa_buffer *base,
                          ssa_name name, size_t place) {
    ssa_status status = ssa_command_next(command, arguments);
    if (!status)
        status = ssa_command_argument(command, word, strlen(word));
    return status ? status : ssa_command_stored_key(command, base, name, place);
}

/* What PTTL says: 0 is as good as over; negative: no end. */
static void keep_time_left(ssa_dataset_state *state, int64_t milliseconds) {
    state->milliseconds = milliseconds > 0 ? milliseconds : milliseconds == 0;
}

/* Whether it is there, before anything else. */
static void look_for_it(ssa_request *request, ssa_step step) {
    const ssa_dataset_state *state = request->state;
    ssa_command *command = ssa_command_new(3, SSA_EXPECT_REPLY);
    if (command && (ssa_command_argument(command, "HEXISTS", 7) ||
                    ssa_command_item_key(command, &state->base, "meta", 4) ||
                    ssa_command_argument(command, SSA_FIELD_COMPLETE, sizeof SSA_FIELD_COMPLETE - 1))) {
        ssa_command_free(command);
        command = NULL;
    }
    request->step = step;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, command, state->base.data, state->base.bytes, SSA_CALL_IDEMPOTENT);
}

/* 0: the request has ended. */
static int is_there(ssa_request *request) {
    if (ssa_request_failed(request))
        return 0;
    if (!ssa_request_answer(request, 0)->reply.nodes[0].number)
        ssa_request_fail_not_found(request, 0);
    return !request->complete;
}

/* ---- what is read is put, with the time that it has left */

static void begin_copy(ssa_request *request);

static void unlink_copied(ssa_request *request, ssa_stored *stored) {
    const ssa_dataset_state *state = request->state;
    int is_same = stored->version.bytes == sizeof state->version &&
                  !memcmp(stored->version.text, state->version, sizeof state->version);
    if (stored->complete && is_same) {
        ssa_dataset_unlink_stored(request, stored);
        return;
    }
    ssa_watched_leave(request);
    if (stored->complete) /* it was put meanwhile: what is there now is to be renamed */
        ssa_retry_contended(request, begin_copy);
    else
        ssa_request_succeed(request);
}

static void copied(ssa_request *request) {
    const ssa_dataset_state *state = request->state;
    if (state->moves)
        ssa_guard_start(request, &state->base, 0, unlink_copied, ssa_request_succeed);
    else
        ssa_request_succeed(request);
}

static int is_version(const ssa_reply *reply, const ssa_node *node, ssa_name version) {
    return node->text_bytes == version.bytes &&
           (!version.bytes || !memcmp(reply->text.data + node->text_at, version.text, version.bytes));
}

static void store_copy(ssa_request *request) {
    ssa_dataset_state *state = request->state;
    if (ssa_transaction_failed(request, 0))
        return;
    ssa_name version = ssa_dataset_version(state->fetch.sources[0].dataset);
    const ssa_reply *reply = &ssa_request_answer(request, 0)->reply;
    if (reply->count != 3 || !is_version(reply, &reply->nodes[2], version)) {
        ssa_retry_contended(request, begin_copy);
        return;
    }
    keep_time_left(state, reply->nodes[1].number);
    memcpy(state->version, version.text, version.bytes < sizeof state->version ? version.bytes : sizeof state->version);
    ssa_dataset_free(state->dataset);
    state->pieces.limit = state->fetch.sources[0].limit;
    state->dataset = state->fetch.sources[0].dataset;
    state->fetch.sources[0].dataset = NULL;
    state->owned = 1;
    if (ssa_dataset_encode(state->dataset))
        ssa_request_fail_memory(request); /* all of it has come */
    else
        ssa_dataset_put_start(request, &state->target, copied);
}

static void read_all(ssa_request *request, ssa_step done) {
    ssa_dataset_state *state = request->state;
    ssa_fetch_free(&state->fetch);
    if (ssa_fetch_add(&state->fetch, state->base.data, state->base.bytes))
        ssa_request_fail_memory(request); /* the base is one */
    else
        ssa_fetch_start(request, done);
}

/* With the version, which every put and every new end change: so the time left is that of what was read. */
static void ask_for_end(ssa_request *request) {
    const ssa_buffer *base = &state_of(request)->base;
    ssa_command *command = ssa_transaction_begin();
    ssa_status status = command ? add_key(command, 2, "PTTL", base, hash, 0) : SSA_ENOMEM;
    if (!status && !(status = add_key(command, 3, "HGET", base, hash, 0)))
        status = ssa_command_argument(command, SSA_FIELD_VERSION, sizeof SSA_FIELD_VERSION - 1);
    request->step = store_copy;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, ssa_transaction_end(command, status), base->data, base->bytes, SSA_CALL_IDEMPOTENT);
}

static void begin_copy(ssa_request *request) {
    read_all(request, ask_for_end);
}

/* ---- on one server: keys, and chunks with the names that they have, change hands, each with the time that it has left. The
 * answer of EXEC ends with how many names the target has, as that of a put does. */

static void begin_move(ssa_request *request);

static ssa_status add_move(ssa_command *command, const ssa_dataset_state *state, ssa_name name, size_t place) {
    ssa_status status = add_key(command, 3, "RENAME", &state->base, name, place);
    if (!status)
        status = ssa_command_stored_key(command, &state->target, name, place);
    return status;
}

static ssa_status add_names(ssa_command *command, const ssa_buffer *base, const ssa_stored *stored) {
    ssa_status status = stored->count ? add_key(command, 2 + 2 * stored->count, "HSET", base, kept_names, 0) : SSA_OK;
    for (size_t i = 0; i < stored->count && !status; i++) {
        status = ssa_command_argument(command, stored->names[i].text, stored->names[i].bytes);
        if (!status)
            status = ssa_command_argument(command, "", 0);
    }
    return status;
}

/* Those of the target stay under the key that they have, which so gets the end of what comes there. */
static ssa_command *end_move(const ssa_dataset_state *state, ssa_command *command) {
    ssa_status status = ssa_command_end_of_key(command, &state->target, kept_names, 0, state->milliseconds);
    if (!status)
        status = add_key(command, 2, "HLEN", &state->target, kept_names, 0);
    return ssa_transaction_end(command, status);
}

/* But for its end. NULL: no memory. */
static ssa_command *begin_move_command(const ssa_dataset_state *state, const ssa_stored *stored) {
    ssa_command *command = ssa_transaction_begin();
    ssa_status status = command ? add_move(command, state, hash, 0) : SSA_ENOMEM;
    if (!status && !(status = add_key(command, 4, "HSET", &state->target, hash, 0)) &&
        !(status = ssa_command_argument(command, SSA_FIELD_VERSION, sizeof SSA_FIELD_VERSION - 1)))
        status = ssa_command_stamp(command);
    for (size_t i = 0; i < stored->count && !status; i++)
        for (size_t k = 0; k < ssa_stored_keys(&stored->names[i], 1) && !status; k++)
            status = add_move(command, state, stored->names[i], k);
    if (!status)
        status = ssa_command_unlink_stored(command, &state->base, stored); /* what was stale in it */
    if (!status)
        status = add_names(command, &state->target, stored);
    if (!status)
        return command;
    ssa_command_free(command);
    return NULL;
}

static ssa_command *time_left_command(const ssa_buffer *base) {
    ssa_command *command = ssa_command_new(2, SSA_EXPECT_REPLY);
    if (command && !ssa_command_argument(command, "PTTL", 4) && !ssa_command_stored_key(command, base, hash, 0))
        return command;
    ssa_command_free(command);
    return NULL;
}

static ssa_command *count_command(const ssa_buffer *base, const ssa_stored *stored) {
    ssa_command *command = ssa_command_new(2 + ssa_stored_keys(stored->names, stored->count), SSA_EXPECT_REPLY);
    if (command && !ssa_command_argument(command, "EXISTS", 6) && !ssa_command_stored_key(command, base, hash, 0) &&
        !ssa_command_stored_keys(command, base, stored->names, stored->count))
        return command;
    ssa_command_free(command);
    return NULL;
}

static void moved(ssa_request *request) {
    const ssa_dataset_state *state = request->state;
    const ssa_reply *reply = &ssa_request_answer(request, 0)->reply;
    if (reply->nodes[reply->count - 1].number > (int64_t)state->moved_names)
        ssa_dataset_drop_stale(request, &state->target, ssa_request_succeed);
    else
        ssa_request_succeed(request);
}

/* It can be read, so it was changed after the look. */
static void look_again(ssa_request *request) {
    ssa_fetch_free(&state_of(request)->fetch);
    ssa_retry_contended(request, begin_move);
}

static void move_all(ssa_request *request) {
    ssa_dataset_state *state = request->state;
    if (ssa_request_failed(request))
        return;
    keep_time_left(state, ssa_request_answer(request, 1)->reply.nodes[0].number);
    if (ssa_request_answer(request, 0)->reply.nodes[0].number == (int64_t)state->moved_keys) {
        ssa_command *command = state->move;
        state->move = NULL;
        ssa_guard_act(request, end_move(state, command), 0);
        return;
    }
    ssa_watched_leave(request);
    read_all(request, look_again); /* what is missing is told, if it is */
}

/* A transaction that does not find a key goes on without it: they are counted before. */
static void count_all(ssa_request *request, ssa_stored *stored) {
    ssa_dataset_state *state = request->state;
    if (!stored->complete) {
        ssa_request_fail_not_found(request, 0);
        return;
    }
    ssa_command *count = count_command(&state->base, stored);
    ssa_command_free(state->move);
    state->move = begin_move_command(state, stored);
    state->moved_names = stored->count;
    state->moved_keys = 1 + ssa_stored_keys(stored->names, stored->count);
    request->step = move_all;
    if (!state->move || ssa_request_calls(request, 2)) {
        ssa_command_free(count);
        ssa_request_fail_memory(request);
        return;
    }
    ssa_request_send(request, 0, count, state->base.data, state->base.bytes, SSA_CALL_IDEMPOTENT);
    if (!request->complete)
        ssa_request_send(request, 1, time_left_command(&state->base), state->base.data, state->base.bytes, SSA_CALL_IDEMPOTENT);
}

static void begin_move(ssa_request *request) {
    ssa_guard_start(request, &state_of(request)->base, SSA_CALL_FENCE, count_all, moved);
}

/* ---- choosing the way */

static void same_key(ssa_request *request) {
    if (is_there(request))
        ssa_request_succeed(request);
}

/* Its server has said what it is. */
static void begin_known(ssa_request *request) {
    if (is_there(request))
        begin(request);
}

static void begin(ssa_request *request) {
    const ssa_dataset_state *state = request->state;
    const ssa_buffer *from = &state->base, *to = &state->target;
    ssa_server_mode mode = request->engine->mode;
    if (from->bytes == to->bytes && !memcmp(from->data, to->data, from->bytes))
        look_for_it(request, same_key);
    else if (!state->moves)
        begin_copy(request);
    else if (mode == SSA_MODE_ANY)
        look_for_it(request, begin_known);
    else if (mode == SSA_MODE_STANDALONE || ssa_key_slot(from->data, from->bytes) == ssa_key_slot(to->data, to->bytes))
        begin_move(request);
    else
        begin_copy(request);
}

static ssa_request *new_copy(ssa_engine *engine, const char *operation, ssa_text source, ssa_text target, int moves,
                             ssa_problem *problem) {
    ssa_request *request = ssa_dataset_request_of(engine, operation, source, SSA_READING, begin, problem);
    if (!request)
        return NULL;
    ssa_dataset_state *state = request->state;
    state->moves = moves;
    request->order_hash = 0; /* keys of two hash tags */
    ssa_status status = ssa_key_make_dataset(&engine->names, SSA_WRITING, target.data, target.bytes, &state->target);
    if (!status) {
        ssa_request_changes(request, 0, &state->target);
        if (moves)
            ssa_request_changes(request, 1, &state->base);
        return request;
    }
    ssa_request_free(request);
    return ssa_problem_names(engine, problem, status);
}

ssa_request *ssa_op_copy_dataset(ssa_engine *engine, ssa_text source, ssa_text target, ssa_problem *problem) {
    return new_copy(engine, "copy_dataset", source, target, 0, problem);
}

ssa_request *ssa_op_rename_dataset(ssa_engine *engine, ssa_text source, ssa_text target, ssa_problem *problem) {
    return new_copy(engine, "rename_dataset", source, target, 1, problem);
}
