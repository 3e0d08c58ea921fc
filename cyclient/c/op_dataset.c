#include "op_dataset.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"

#define LONGEST_KEY (4 * SSA_NAME_MAX)

ssa_status ssa_command_item_key(ssa_command *command, const ssa_buffer *base, const char *name, size_t bytes) {
    char key[LONGEST_KEY];
    if (base->bytes + 1 + bytes > sizeof key) /* a base has two names at most */
        return SSA_ENOMEM;
    memcpy(key, base->data, base->bytes);
    key[base->bytes] = '.';
    memcpy(key + base->bytes + 1, name, bytes);
    return ssa_command_argument(command, key, base->bytes + 1 + bytes);
}

/* ---- the state */

static void release(ssa_dataset_state *state) {
    if (state->pinned)
        ssa_dataset_unpin(state->dataset);
    state->pinned = 0;
}

static void completed(ssa_request *request) {
    ssa_dataset_state *state = request->state;
    ssa_timer_cancel(&request->engine->timers, &state->guard.pause);
    ssa_engine_end_turn(request->engine, request);
    release(state);
}

static void end(ssa_request *request) {
    ssa_dataset_state *state = request->state;
    release(state);
    if (state->owned)
        ssa_dataset_free(state->dataset);
    ssa_fetch_free(&state->fetch);
    ssa_pieces_free(&state->pieces);
    ssa_buffer_free(&state->base);
    ssa_buffer_free(&state->target);
    ssa_buffer_free(&state->list);
    ssa_engine_return_timer(request->engine);
    ssa_release(state);
}

ssa_request *ssa_dataset_request(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_step step,
                                 ssa_problem *problem) {
    ssa_request *request = ssa_request_new(engine, operation, kind, name.data, name.data ? name.bytes : 0, step);
    ssa_dataset_state *state = request ? ssa_allocate(sizeof *state) : NULL;
    if (!state || ssa_engine_take_timer(engine)) {
        ssa_release(state);
        ssa_request_free(request);
        return ssa_problem_memory(problem);
    }
    memset(state, 0, sizeof *state);
    request->state = state;
    request->end = end;
    request->completed = completed;
    return request;
}

/* With the keys of the dataset of this name. */
static ssa_request *new_request(ssa_engine *engine, const char *operation, ssa_text name, ssa_direction direction, ssa_step step,
                                ssa_problem *problem) {
    ssa_request *request = ssa_dataset_request(engine, operation, SSA_KIND_DATASET, name, step, problem);
    if (!request)
        return NULL;
    ssa_dataset_state *state = request->state;
    ssa_status status = ssa_key_make_dataset(&engine->names, direction, name.data, name.bytes, &state->base);
    if (status) {
        ssa_request_free(request);
        return ssa_problem_names(engine, problem, status);
    }
    ssa_request_order_by(request, &state->base);
    return request;
}

/* ---- put */

static void begin_put(ssa_request *request) {
    ssa_dataset_state *state = request->state;
    ssa_dataset_put_start(request, &state->base, ssa_request_succeed);
}

ssa_request *ssa_op_put_dataset(ssa_engine *engine, ssa_dataset *dataset, ssa_problem *problem) {
    ssa_name name = ssa_dataset_name(dataset);
    ssa_status status = ssa_dataset_encode(dataset);
    if (status == SSA_ENOMEM)
        return ssa_problem_memory(problem);
    if (status) {
        problem->status = status;
        snprintf(problem->text, sizeof problem->text, "dataset '%.*s' cannot be put: %s.", name.bytes > 120 ? 120 : (int)name.bytes,
                 name.text, ssa_dataset_reason(dataset));
        return NULL;
    }
    ssa_request *request = new_request(engine, "put_dataset", (ssa_text){name.text, name.bytes}, SSA_WRITING, begin_put, problem);
    if (!request)
        return NULL;
    ssa_dataset_state *state = request->state;
    ssa_request_changes(request, 0, &state->base);
    state->dataset = dataset;
    state->pinned = 1;
    ssa_dataset_pin(dataset);
    return request;
}

/* ---- get */

static void hand_out(ssa_request *request) {
    ssa_dataset_state *state = request->state;
    request->datasets = ssa_allocate(sizeof *request->datasets);
    if (!request->datasets) {
        ssa_request_fail_memory(request);
        return;
    }
    request->datasets[0] = state->fetch.sources[0].dataset;
    request->dataset_count = 1;
    state->fetch.sources[0].dataset = NULL;
    ssa_request_succeed(request);
}

static void begin_get(ssa_request *request) {
    ssa_dataset_state *state = request->state;
    if (ssa_fetch_add(&state->fetch, state->base.data, state->base.bytes))
        ssa_request_fail_memory(request); /* the base is one */
    else
        ssa_fetch_start(request, hand_out);
}

ssa_request *ssa_op_get_dataset(ssa_engine *engine, ssa_text name, ssa_problem *problem) {
    return new_request(engine, "get_dataset", name, SSA_READING, begin_get, problem);
}

/* ---- what concerns all keys at one moment */

static ssa_command *begin_transaction(void) {
    ssa_command *command = ssa_command_new(1, SSA_EXPECT_REPLY);
    if (!command || !ssa_command_argument(command, "MULTI", 5))
        return command;
    ssa_command_free(command);
    return NULL;
}

/* NULL: no memory, the request has ended. */
static ssa_command *end_transaction(ssa_request *request, ssa_command *command, ssa_status status) {
    if (!status && !ssa_command_next(command, 1) && !ssa_command_argument(command, "EXEC", 4))
        return command;
    ssa_command_free(command);
    ssa_request_fail_memory(request);
    return NULL;
}

static ssa_command *unlink_all(ssa_request *request, ssa_stored *stored) {
    const ssa_dataset_state *state = request->state;
    ssa_command *command = begin_transaction();
    /* Many of them twice, which does no harm. */
    uint64_t keys = 2 + ssa_stored_keys(stored->names, stored->count) + ssa_stored_keys(stored->kept, stored->kept_count);
    ssa_status status = !command || ssa_command_next(command, 1 + keys) || ssa_command_argument(command, "UNLINK", 6)
                            ? SSA_ENOMEM : ssa_command_item_key(command, &state->base, "meta", 4);
    if (!status)
        status = ssa_command_item_key(command, &state->base, SSA_KEPT_NAMES, sizeof SSA_KEPT_NAMES - 1);
    if (!status)
        status = ssa_command_stored_keys(command, &state->base, stored->names, stored->count);
    if (!status)
        status = ssa_command_stored_keys(command, &state->base, stored->kept, stored->kept_count);
    return end_transaction(request, command, status);
}

static void begin_delete(ssa_request *request) {
    ssa_guard_start(request, &((ssa_dataset_state *)request->state)->base, unlink_all, ssa_request_succeed);
}

ssa_request *ssa_op_delete_dataset(ssa_engine *engine, ssa_text name, ssa_problem *problem) {
    ssa_request *request = new_request(engine, "delete_dataset", name, SSA_READING, begin_delete, problem);
    if (request)
        ssa_request_changes(request, 0, &((ssa_dataset_state *)request->state)->base);
    return request;
}

static ssa_status add_expiry(ssa_command *command, const ssa_dataset_state *state, ssa_name name, size_t key) {
    const char *word = state->milliseconds ? "PEXPIRE" : "PERSIST";
    ssa_status status = ssa_command_next(command, state->milliseconds ? 3 : 2);
    if (!status)
        status = ssa_command_argument(command, word, 7);
    if (!status)
        status = ssa_command_stored_key(command, &state->base, name, key);
    if (!status && state->milliseconds)
        status = ssa_command_number(command, (uint64_t)state->milliseconds);
    return status;
}

static ssa_command *expire_all(ssa_request *request, ssa_stored *stored) {
    const ssa_dataset_state *state = request->state;
    if (!stored->complete) {
        ssa_request_fail_not_found(request, 0);
        return NULL;
    }
    ssa_command *command = begin_transaction();
    ssa_status status = command ? add_expiry(command, state, (ssa_name){"meta", 4}, 0) : SSA_ENOMEM;
    if (!status)
        status = add_expiry(command, state, (ssa_name){SSA_KEPT_NAMES, sizeof SSA_KEPT_NAMES - 1}, 0);
    for (size_t i = 0; i < stored->count && !status; i++)
        for (size_t k = 0; k < ssa_stored_keys(&stored->names[i], 1) && !status; k++)
            status = add_expiry(command, state, stored->names[i], k);
    return end_transaction(request, command, status);
}

static void begin_expire(ssa_request *request) {
    ssa_guard_start(request, &((ssa_dataset_state *)request->state)->base, expire_all, ssa_request_succeed);
}

ssa_request *ssa_dataset_expire(ssa_engine *engine, const char *operation, ssa_text name, int64_t milliseconds,
                                ssa_problem *problem) {
    ssa_request *request = new_request(engine, operation, name, SSA_READING, begin_expire, problem);
    if (request)
        ((ssa_dataset_state *)request->state)->milliseconds = milliseconds;
    return request;
}

/* ---- copy and rename: what is read at one moment is put at another; the source goes if it is still what was read */

static void begin_copy(ssa_request *request);

static ssa_command *unlink_copied(ssa_request *request, ssa_stored *stored) {
    ssa_dataset_state *state = request->state;
    if (!stored->complete) /* gone already */
        return NULL;
    if (stored->version.bytes == sizeof state->version && !memcmp(stored->version.text, state->version, sizeof state->version))
        return unlink_all(request, stored);
    state->again = 1; /* it was put meanwhile: what is there now is to be renamed */
    return NULL;
}

static void finish_rename(ssa_request *request) {
    ssa_dataset_state *state = request->state;
    if (state->again)
        begin_copy(request);
    else
        ssa_request_succeed(request);
}

static void copied(ssa_request *request) {
    ssa_dataset_state *state = request->state;
    if (state->moves)
        ssa_guard_start(request, &state->base, unlink_copied, finish_rename);
    else
        ssa_request_succeed(request);
}

static void store_copy(ssa_request *request) {
    ssa_dataset_state *state = request->state;
    ssa_name version = ssa_dataset_version(state->fetch.sources[0].dataset);
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

static void same_key(ssa_request *request) {
    if (ssa_request_failed(request))
        return;
    if (ssa_request_answer(request, 0)->reply.nodes[0].number)
        ssa_request_succeed(request);
    else
        ssa_request_fail_not_found(request, 0);
}

static void look_for_it(ssa_request *request) {
    const ssa_dataset_state *state = request->state;
    ssa_command *command = ssa_command_new(3, SSA_EXPECT_REPLY);
    if (command && (ssa_command_argument(command, "HEXISTS", 7) || ssa_command_item_key(command, &state->base, "meta", 4) ||
                    ssa_command_argument(command, SSA_FIELD_COMPLETE, sizeof SSA_FIELD_COMPLETE - 1))) {
        ssa_command_free(command);
        command = NULL;
    }
    request->step = same_key;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, command, state->base.data, state->base.bytes, SSA_CALL_IDEMPOTENT);
}

static void begin_copy(ssa_request *request) {
    ssa_dataset_state *state = request->state;
    state->again = 0;
    ssa_fetch_free(&state->fetch);
    if (state->base.bytes == state->target.bytes && !memcmp(state->base.data, state->target.data, state->base.bytes))
        look_for_it(request);
    else if (ssa_fetch_add(&state->fetch, state->base.data, state->base.bytes))
        ssa_request_fail_memory(request);
    else
        ssa_fetch_start(request, store_copy);
}

static ssa_request *new_copy(ssa_engine *engine, const char *operation, ssa_text source, ssa_text target, int moves,
                             ssa_problem *problem) {
    ssa_request *request = new_request(engine, operation, source, SSA_READING, begin_copy, problem);
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
