#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "failure_text.h"
#include "op_build.h"

#define LAST_LOOK INT64_C(1000000000) /* the last look comes when the deadline is over: it has a time of its own */
#define LIST_PAUSE INT64_C(10000000)  /* between two looks at a list that others append to all the time */

/* Stages: the question is under way; it waits to be told of a change; it was told, and does not look again at once. */
enum { ASKED = 1, WAITING, PAUSING };

typedef struct wait_state {
    ssa_buffer key;
    ssa_kind kind;
    ssa_waiter waiter;
    int64_t span;        /* of a poll: how long it goes on; negative: it is a wait */
    int64_t length;      /* of the list, to compare with; */
    ssa_comparison comparison;
    int64_t seen;        /* the length that was seen last */
    int64_t looked;      /* when the last question was sent */
    int64_t until;       /* the caller's deadline, or the end of a poll; SSA_NEVER */
    int is_last_look;
} wait_state;

static ssa_command *question(const ssa_engine *engine, const wait_state *state) {
    int is_dataset = state->kind == SSA_KIND_DATASET; /* is there when all of it is: the last field says so */
    const char *name = is_dataset ? "HEXISTS" : state->kind == SSA_KIND_LIST ? "LLEN" : "EXISTS";
    ssa_command *command = ssa_tracking_command(engine, is_dataset ? 3 : 2, name);
    if (command && (ssa_command_argument(command, state->key.data, state->key.bytes) ||
                    (is_dataset && ssa_command_argument(command, SSA_FIELD_COMPLETE, sizeof SSA_FIELD_COMPLETE - 1)) ||
                    ssa_tracking_close(command))) {
        ssa_command_free(command);
        return NULL;
    }
    return command;
}

static void look(ssa_request *request) {
    wait_state *state = request->state;
    request->stage = ASKED;
    state->looked = request->engine->now;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, question(request->engine, state), state->key.data, state->key.bytes,
                     SSA_CALL_IDEMPOTENT);
}

/* At this moment, or when the time is over; not for a request that has ended, for want of memory for its question. */
static void arm(ssa_request *request, int64_t at) {
    const wait_state *state = request->state;
    if (!request->complete)
        ssa_engine_arm(request->engine, &request->deadline, state->until < at ? state->until : at);
}

static void begin(ssa_request *request) {
    wait_state *state = request->state;
    int64_t now = request->engine->now;
    state->until = request->deadline.place ? request->deadline.at : SSA_NEVER;
    if (state->span >= 0) {
        state->until = state->span < SSA_NEVER - now ? now + state->span : SSA_NEVER;
        ssa_engine_arm(request->engine, &request->deadline, state->until);
    }
    look(request);
}

static int holds(wait_state *state, int64_t number) {
    state->seen = number;
    switch (state->comparison) {
    case SSA_COMPARE_EQUAL:
        return number == state->length;
    case SSA_COMPARE_AT_LEAST:
        return number >= state->length;
    case SSA_COMPARE_AT_MOST:
        return number <= state->length;
    }
    return 0;
}

static void give_up(ssa_request *request) {
    static const char *const words[] = {"", "at least ", "at most "};
    const wait_state *state = request->state;
    const char *name = (const char *)request->subject.data, *where = request->engine->description;
    char span[SSA_SPAN_BYTES];
    ssa_failure_span(request->timeout, span);
    static const char remedy[] = "Is its producer running, and is its prefix right?";
    if (state->span >= 0)
        ssa_request_succeed(request);
    else if (state->kind == SSA_KIND_LIST)
        ssa_request_fail(request, SSA_EWAIT, "list '%s' in %s had %lld datasets after %s, not %s%lld. %s", name,
                         where, (long long)state->seen, span, words[state->comparison], (long long)state->length,
                         remedy);
    else
        ssa_request_fail(request, SSA_EWAIT, "%s '%s' did not appear in %s within %s. %s",
                         ssa_kind_word(state->kind), name, where, span, remedy);
}

static void step(ssa_request *request) {
    wait_state *state = request->state;
    ssa_engine *engine = request->engine;
    if (request->stage == 0) {
        begin(request);
        return;
    }
    const ssa_node *answer = ssa_tracking_answer(ssa_request_answer(request, 0));
    if (ssa_request_failed(request))
        return;
    request->stage = WAITING;
    if (holds(state, answer->number)) {
        request->number = state->span < 0 && state->kind == SSA_KIND_LIST ? state->seen : 1;
        ssa_request_succeed(request);
    } else if (state->is_last_look) {
        give_up(request);
    } else {
        ssa_request_calls(request, 0); /* those who wait in thousands keep no answers */
        ssa_wait_add(&engine->waits, &state->waiter, state->key.data, state->key.bytes);
        arm(request, engine->now + ssa_wait_recheck(engine));
    }
}

static void changed(ssa_waiter *waiter) {
    ssa_request *request = waiter->owner;
    const wait_state *state = request->state;
    if (request->complete)
        return;
    if (state->kind == SSA_KIND_LIST && request->engine->now - state->looked < LIST_PAUSE) {
        request->stage = PAUSING;
        arm(request, state->looked + LIST_PAUSE);
        return;
    }
    look(request);
    arm(request, SSA_NEVER);
}

static void overdue(ssa_request *request) {
    wait_state *state = request->state;
    int64_t now = request->engine->now;
    int is_poll = state->span >= 0, is_over = now >= state->until;
    /* Who waits for no time asks whether it is there now: the first look is the last one. */
    int may_be_late = is_poll || request->timeout == 0;
    if (state->is_last_look || (request->stage == ASKED && is_over && !may_be_late)) {
        ssa_request_time_out(request);
        return;
    }
    ssa_wait_remove(&state->waiter);
    if (!is_over) {
        arm(request, SSA_NEVER);
    } else {
        int64_t time = is_poll ? request->timeout : LAST_LOOK;
        state->is_last_look = 1;
        ssa_engine_arm(request->engine, &request->deadline, time < SSA_NEVER - now ? now + time : SSA_NEVER);
    }
    if (request->stage != ASKED) /* else the answer on its way is the last look */
        look(request);
}

static void end(ssa_request *request) {
    wait_state *state = request->state;
    ssa_wait_remove(&state->waiter);
    ssa_buffer_free(&state->key);
    ssa_release(state);
}

/* Until EXISTS, or alike, is at least 1. */
static ssa_request *new_wait(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name,
                             ssa_problem *problem) {
    ssa_request *request =
        ssa_request_of_key(engine, operation, kind, name, SSA_READING, sizeof(wait_state), step, end, problem);
    if (!request)
        return NULL;
    wait_state *state = request->state;
    state->kind = kind == SSA_KIND_LIST ? SSA_KIND_KEY : kind;
    state->waiter.changed = changed;
    state->waiter.owner = request;
    state->span = -1;
    state->length = 1;
    state->comparison = SSA_COMPARE_AT_LEAST;
    request->overdue = overdue;
    return request;
}

ssa_request *ssa_op_wait_for(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name,
                             ssa_problem *problem) {
    return new_wait(engine, operation, kind, name, problem);
}

static ssa_request *new_list_wait(ssa_engine *engine, const char *operation, ssa_text name, int64_t length,
                                  ssa_comparison comparison, ssa_problem *problem) {
    if (length < 0) {
        char word[24];
        snprintf(word, sizeof word, "%lld", (long long)length);
        ssa_mistake_word(problem->text, sizeof problem->text, "length", word, "a list has no fewer than 0 datasets");
        problem->status = SSA_EARGUMENT;
        return NULL;
    }
    ssa_request *request = new_wait(engine, operation, SSA_KIND_LIST, name, problem);
    if (request) {
        wait_state *state = request->state;
        state->kind = SSA_KIND_LIST;
        state->length = length;
        state->comparison = comparison;
    }
    return request;
}

ssa_request *ssa_op_wait_for_list_length(ssa_engine *engine, ssa_text name, int64_t length, ssa_comparison comparison,
                                         ssa_problem *problem) {
    return new_list_wait(engine, "wait_for_list_length", name, length, comparison, problem);
}

/* ---- polls */

static ssa_status check_times(int64_t frequency_ms, int64_t tries, ssa_problem *problem) {
    char word[24];
    snprintf(word, sizeof word, "%lld", (long long)(frequency_ms < 0 ? frequency_ms : tries));
    if (frequency_ms < 0)
        ssa_mistake_word(problem->text, sizeof problem->text, "poll_frequency_ms", word,
                         "give milliseconds, 0 or more");
    else if (tries < 1)
        ssa_mistake_word(problem->text, sizeof problem->text, "num_tries", word, "give 1 or more");
    else
        return SSA_OK;
    return problem->status = SSA_EARGUMENT;
}

static ssa_request *for_a_while(ssa_request *request, int64_t frequency_ms, int64_t tries) {
    int64_t nanoseconds;
    if (request) {
        wait_state *state = request->state;
        if (__builtin_mul_overflow(frequency_ms, INT64_C(1000000), &nanoseconds) ||
            __builtin_mul_overflow(nanoseconds, tries, &state->span))
            state->span = SSA_NEVER;
    }
    return request;
}

ssa_request *ssa_op_poll(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, int64_t frequency_ms,
                         int64_t tries, ssa_problem *problem) {
    if (check_times(frequency_ms, tries, problem))
        return NULL;
    return for_a_while(new_wait(engine, operation, kind, name, problem), frequency_ms, tries);
}

ssa_request *ssa_op_poll_list_length(ssa_engine *engine, const char *operation, ssa_text name, int64_t length,
                                     ssa_comparison comparison, int64_t frequency_ms, int64_t tries,
                                     ssa_problem *problem) {
    if (check_times(frequency_ms, tries, problem))
        return NULL;
    return for_a_while(new_list_wait(engine, operation, name, length, comparison, problem), frequency_ms, tries);
}
