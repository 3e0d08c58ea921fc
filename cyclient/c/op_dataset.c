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
    release(request->state);
}

static void end(ssa_request *request) {
    ssa_dataset_state *state = request->state;
    release(state);
    if (state->owned)
        ssa_dataset_free(state->dataset);
    ssa_fetch_free(&state->fetch);
    ssa_pieces_free(&state->pieces);
    ssa_command_free(state->move);
    ssa_buffer_free(&state->base);
    ssa_buffer_free(&state->target);
    ssa_buffer_free(&state->list);
    ssa_release(state);
}

ssa_request *ssa_dataset_request(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_step step,
                                 ssa_problem *problem) {
    ssa_request *request = ssa_request_new(engine, operation, kind, name.data, name.data ? name.bytes : 0, step);
    ssa_dataset_state *state = request ? ssa_allocate(sizeof *state) : NULL;
    if (!state) {
        ssa_request_free(request);
        return ssa_problem_memory(problem);
    }
    memset(state, 0, sizeof *state);
    request->state = state;
    request->end = end;
    request->completed = completed;
    return request;
}

ssa_request *ssa_dataset_request_of(ssa_engine *engine, const char *operation, ssa_text name, ssa_direction direction,
                                    ssa_step step, ssa_problem *problem) {
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
    ssa_request *request = ssa_dataset_request_of(engine, "put_dataset", (ssa_text){name.text, name.bytes}, SSA_WRITING, begin_put,
                                                  problem);
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
    return ssa_dataset_request_of(engine, "get_dataset", name, SSA_READING, begin_get, problem);
}

/* ---- what concerns all keys at one moment */

static const ssa_name hash = {"meta", 4}, kept_names = {SSA_KEPT_NAMES, sizeof SSA_KEPT_NAMES - 1};

ssa_status ssa_command_unlink_stored(ssa_command *command, const ssa_buffer *base, const ssa_stored *stored) {
    /* Many of them twice, which does no harm. */
    uint64_t keys = 2 + ssa_stored_keys(stored->names, stored->count) + ssa_stored_keys(stored->kept, stored->kept_count);
    ssa_status status = ssa_command_next(command, 1 + keys) || ssa_command_argument(command, "UNLINK", 6)
                            ? SSA_ENOMEM : ssa_command_item_key(command, base, "meta", 4);
    if (!status)
        status = ssa_command_item_key(command, base, SSA_KEPT_NAMES, sizeof SSA_KEPT_NAMES - 1);
    if (!status)
        status = ssa_command_stored_keys(command, base, stored->names, stored->count);
    if (!status)
        status = ssa_command_stored_keys(command, base, stored->kept, stored->kept_count);
    return status;
}

void ssa_dataset_unlink_stored(ssa_request *request, ssa_stored *stored) {
    ssa_command *command = ssa_transaction_begin();
    const ssa_buffer *base = &((ssa_dataset_state *)request->state)->base;
    ssa_status status = command ? ssa_command_unlink_stored(command, base, stored) : SSA_ENOMEM;
    ssa_guard_act(request, ssa_transaction_end(command, status), 1);
}

static void begin_delete(ssa_request *request) {
    const ssa_buffer *base = &((ssa_dataset_state *)request->state)->base;
    ssa_guard_start(request, base, 0, ssa_dataset_unlink_stored, ssa_request_succeed);
}

ssa_request *ssa_op_delete_dataset(ssa_engine *engine, ssa_text name, ssa_problem *problem) {
    ssa_request *request = ssa_dataset_request_of(engine, "delete_dataset", name, SSA_READING, begin_delete, problem);
    if (request)
        ssa_request_changes(request, 0, &((ssa_dataset_state *)request->state)->base);
    return request;
}

/* Whoever reads it begins anew: a copy under way must take this end along. */
static ssa_status add_version(ssa_command *command, const ssa_buffer *base) {
    ssa_status status = ssa_command_next(command, 4) || ssa_command_argument(command, "HSET", 4)
                            ? SSA_ENOMEM : ssa_command_item_key(command, base, hash.text, hash.bytes);
    if (!status)
        status = ssa_command_argument(command, SSA_FIELD_VERSION, sizeof SSA_FIELD_VERSION - 1);
    return status ? status : ssa_command_stamp(command);
}

static void expire_all(ssa_request *request, ssa_stored *stored) {
    const ssa_dataset_state *state = request->state;
    const ssa_buffer *base = &state->base;
    if (!stored->complete) {
        ssa_request_fail_not_found(request, 0);
        return;
    }
    ssa_command *command = ssa_transaction_begin();
    ssa_status status = command ? add_version(command, base) : SSA_ENOMEM;
    if (!status)
        status = ssa_command_end_of_key(command, base, hash, 0, state->milliseconds);
    if (!status)
        status = ssa_command_end_of_key(command, base, kept_names, 0, state->milliseconds);
    for (size_t i = 0; i < stored->count && !status; i++)
        for (size_t k = 0; k < ssa_stored_keys(&stored->names[i], 1) && !status; k++)
            status = ssa_command_end_of_key(command, base, stored->names[i], k, state->milliseconds);
    ssa_guard_act(request, ssa_transaction_end(command, status), 1);
}

static void begin_expire(ssa_request *request) {
    ssa_guard_start(request, &((ssa_dataset_state *)request->state)->base, 0, expire_all, ssa_request_succeed);
}

ssa_request *ssa_dataset_expire(ssa_engine *engine, const char *operation, ssa_text name, int64_t milliseconds,
                                ssa_problem *problem) {
    ssa_request *request = ssa_dataset_request_of(engine, operation, name, SSA_READING, begin_expire, problem);
    if (request)
        ((ssa_dataset_state *)request->state)->milliseconds = milliseconds;
    return request;
}
