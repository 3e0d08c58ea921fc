#include <string.h>

#include "allocator.h"
#include "failure_text.h"
#include "op_build.h"

typedef struct watch_state {
    ssa_buffer key;
    ssa_waiter waiter;
    int64_t until; /* the caller's deadline; SSA_NEVER */
} watch_state;

enum { ASKED = 1, WATCHING };

static void step(ssa_request *request) {
    watch_state *state = request->state;
    ssa_engine *engine = request->engine;
    if (request->stage == 0) {
        request->stage = ASKED;
        state->until = request->deadline.place ? request->deadline.at : SSA_NEVER;
        ssa_command *command = ssa_tracking_command(engine, 2, "EXISTS");
        if (command &&
            (ssa_command_argument(command, state->key.data, state->key.bytes) || ssa_tracking_close(command))) {
            ssa_command_free(command);
            command = NULL;
        }
        ssa_request_calls(request, 1); /* of one call: cannot fail */
        ssa_request_send(request, 0, command, state->key.data, state->key.bytes, SSA_CALL_IDEMPOTENT);
        return;
    }
    ssa_tracking_answer(ssa_request_answer(request, 0));
    if (ssa_request_failed(request))
        return;
    request->stage = WATCHING;
    ssa_wait_add(&engine->waits, &state->waiter, state->key.data, state->key.bytes);
    int64_t recheck = engine->now + ssa_wait_recheck(engine);
    ssa_engine_arm(engine, &request->deadline, state->until < recheck ? state->until : recheck);
}

static void changed(ssa_waiter *waiter) {
    ssa_request_succeed(waiter->owner);
}

static void overdue(ssa_request *request) {
    const watch_state *state = request->state;
    char span[SSA_SPAN_BYTES];
    if (request->engine->now < state->until) /* nobody told, for long: whoever watches looks for himself */
        ssa_request_succeed(request);
    else if (request->stage == ASKED)
        ssa_request_time_out(request);
    else
        ssa_request_fail(request, SSA_EWAIT, "key '%s' in %s did not change within %s.",
                         (char *)request->subject.data, request->engine->description,
                         ssa_failure_span(request->timeout, span));
}

static void end(ssa_request *request) {
    watch_state *state = request->state;
    ssa_wait_remove(&state->waiter);
    ssa_buffer_free(&state->key);
    ssa_release(state);
}

ssa_request *ssa_op_watch(ssa_engine *engine, ssa_text key, ssa_problem *problem) {
    ssa_request *request = ssa_request_of_key(engine, "watch_key", SSA_KIND_KEY, key, SSA_READING, sizeof(watch_state), step,
                                              end, problem);
    if (!request)
        return NULL;
    watch_state *state = request->state;
    state->waiter.changed = changed;
    state->waiter.owner = request;
    request->overdue = overdue;
    return request;
}
