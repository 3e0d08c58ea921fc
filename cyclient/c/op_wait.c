#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "failure_text.h"
#include "op_build.h"

#define RECHECK INT64_C(5000000000)   /* asks again after this time even if nothing was told: for a lost invalidation */
#define LAST_LOOK INT64_C(1000000000) /* the last look comes when the deadline is over: it has a time of its own */

typedef struct wait_state {
    ssa_buffer key;
    ssa_kind kind;
    ssa_waiter waiter;
    int64_t until;       /* the caller's deadline; SSA_NEVER */
    int is_last_look;
} wait_state;

static ssa_command *question(const wait_state *state) {
    ssa_command *command = state->kind == SSA_KIND_DATASET ? ssa_tracking_command(3, "HEXISTS") : ssa_tracking_command(2, "EXISTS");
    if (command && (ssa_command_argument(command, state->key.data, state->key.bytes) ||
                    (state->kind == SSA_KIND_DATASET &&
                     ssa_command_argument(command, SSA_FIELD_COMPLETE, sizeof SSA_FIELD_COMPLETE - 1)))) {
        ssa_command_free(command);
        return NULL;
    }
    return command;
}

static void look(ssa_request *request) {
    wait_state *state = request->state;
    request->stage = 1;
    ssa_request_calls(request, 1);
    ssa_request_send(request, 0, question(state), state->key.data, state->key.bytes, SSA_CALL_IDEMPOTENT);
}

static void arm(ssa_request *request) {
    wait_state *state = request->state;
    int64_t now = request->engine->now, recheck = now + RECHECK;
    ssa_engine_arm(request->engine, &request->deadline, state->until < recheck ? state->until : recheck);
}

static void step(ssa_request *request) {
    wait_state *state = request->state;
    if (request->stage == 0) {
        state->until = request->deadline.place ? request->deadline.at : SSA_NEVER;
        look(request);
        return;
    }
    if (ssa_request_failed(request))
        return;
    request->stage = 2;
    if (ssa_request_answer(request, 0)->reply.nodes[0].number) {
        ssa_request_succeed(request);
    } else if (state->is_last_look) {
        ssa_request_fail(request, SSA_EWAIT, "%s '%s' did not appear in %s within %.4g s. Is its producer running, and is its prefix "
                         "right?", ssa_kind_word(state->kind), (char *)request->subject.data, request->engine->description,
                         (double)(request->timeout / 10000000) / 100);
    } else {
        ssa_wait_add(&request->engine->waits, &state->waiter, state->key.data, state->key.bytes);
        arm(request);
    }
}

static void changed(ssa_waiter *waiter) {
    ssa_request *request = waiter->owner;
    if (!request->complete)
        look(request);
}

static void overdue(ssa_request *request) {
    wait_state *state = request->state;
    if (state->is_last_look || (request->stage == 1 && request->engine->now >= state->until)) {
        ssa_request_time_out(request);
        return;
    }
    if (request->stage == 1) { /* the answer is on its way; only the recheck is due */
        arm(request);
        return;
    }
    ssa_wait_remove(&state->waiter);
    if (request->engine->now >= state->until) {
        state->is_last_look = 1;
        ssa_engine_arm(request->engine, &request->deadline, request->engine->now + LAST_LOOK);
    } else {
        ssa_engine_arm(request->engine, &request->deadline, state->until);
    }
    look(request);
}

static void end(ssa_request *request) {
    wait_state *state = request->state;
    ssa_wait_remove(&state->waiter);
    ssa_buffer_free(&state->key);
    ssa_release(state);
}

ssa_request *ssa_op_wait_for(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_problem *problem) {
    ssa_buffer key = {NULL, 0, 0};
    ssa_status status = ssa_key_make(&engine->names, SSA_READING, kind, name.data, name.bytes, &key);
    if (status)
        return ssa_problem_names(engine, problem, status);
    ssa_request *request = ssa_request_new(engine, operation, kind, name.data, name.bytes, step);
    wait_state *state = request ? ssa_allocate(sizeof *state) : NULL;
    if (!state) {
        ssa_request_free(request);
        ssa_buffer_free(&key);
        return ssa_problem_memory(problem);
    }
    memset(state, 0, sizeof *state);
    state->key = key;
    state->kind = kind;
    state->waiter.changed = changed;
    state->waiter.owner = request;
    request->state = state;
    request->end = end;
    request->overdue = overdue;
    return request;
}
