/* A snapshot of each server on its disk: BGSAVE, then looks until it is written. Not SAVE: a server answers nobody
 * until that is done, and a store that watches its shards takes it for dead. */
#include <string.h>

#include "allocator.h"
#include "op_servers.h"

#define PAUSE INT64_C(20000000) /* between two looks */

typedef enum progress { TO_BEGIN, WRITING, WRITTEN } progress;

typedef struct save_state {
    ssa_servers servers;
    progress *progress;  /* of each server */
    int64_t until;       /* the caller's deadline; SSA_NEVER */
} save_state;

enum { FINDING = 1, ASKED, PAUSING };

static size_t unwritten(const save_state *state) {
    size_t count = 0;
    for (size_t i = 0; i < state->servers.count; i++)
        count += state->progress[i] != WRITTEN;
    return count;
}

static void ask(ssa_request *request) {
    const save_state *state = request->state;
    size_t call = 0;
    request->stage = ASKED;
    if (ssa_request_calls(request, unwritten(state))) {
        ssa_request_fail_memory(request);
        return;
    }
    for (size_t i = 0; i < state->servers.count && !request->complete; i++) {
        if (state->progress[i] == WRITTEN)
            continue;
        ssa_command *command =
            state->progress[i] == TO_BEGIN
                ? ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("BGSAVE")))
                : ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("INFO"), SSA_TEXT("persistence")));
        /* Twice is once more than needed, and does no harm. */
        ssa_request_send_to(request, call++, command, state->servers.list[i], SSA_CALL_IDEMPOTENT);
    }
}

static int contains(const void *text, size_t bytes, const char *part) {
    return text && memmem(text, bytes, part, strlen(part)) != NULL;
}

/* Another snapshot, or a rewrite of the append-only file, is being written: ours would not begin before it ends. */
static int is_busy(const ssa_command *answer) {
    return answer->status == SSA_ESERVER && (contains(answer->error.data, answer->error.bytes, "already in progress") ||
                                             contains(answer->error.data, answer->error.bytes, "child process"));
}

/* 0: the request has ended. */
static int take_answer(ssa_request *request, size_t server, ssa_call *call) {
    save_state *state = request->state;
    ssa_command *answer = call->command;
    const ssa_buffer *text = &answer->reply.text;
    if (state->progress[server] == TO_BEGIN) {
        if (is_busy(answer))
            answer->status = SSA_OK; /* later */
        else
            state->progress[server] = WRITING;
    } else if (answer->status == SSA_OK && !contains(text->data, text->bytes, "rdb_bgsave_in_progress:1")) {
        state->progress[server] = WRITTEN;
        if (contains(text->data, text->bytes, "rdb_last_bgsave_status:ok"))
            return 1;
        char name[SSA_ADDRESS_TEXT_BYTES];
        ssa_server_name(request->engine, state->servers.list[server], name, sizeof name);
        ssa_request_fail(request, SSA_ESERVER,
                         "save: %s could not write its snapshot. Its log says why; is there room on its disk, "
                         "and for a copy of what changes meanwhile in its memory?",
                         name);
        return 0;
    }
    return 1;
}

static void take_answers(ssa_request *request) {
    save_state *state = request->state;
    for (size_t i = 0, call = 0; i < state->servers.count; i++)
        if (state->progress[i] != WRITTEN && !take_answer(request, i, &request->calls[call++]))
            return;
    if (ssa_request_failed(request))
        return;
    if (!unwritten(state)) {
        request->number = (int64_t)state->servers.count;
        ssa_request_succeed(request);
        return;
    }
    int64_t next = request->engine->now + PAUSE;
    request->stage = PAUSING;
    ssa_engine_arm(request->engine, &request->deadline, state->until < next ? state->until : next);
}

static void step(ssa_request *request) {
    save_state *state = request->state;
    if (request->stage == ASKED) {
        take_answers(request);
        return;
    }
    if (request->stage == 0)
        state->until = request->deadline.place ? request->deadline.at : SSA_NEVER;
    request->stage = FINDING;
    if (ssa_servers_find(request) != SSA_OK)
        return;
    state->progress = ssa_allocate(state->servers.count * sizeof *state->progress);
    if (!state->progress) {
        ssa_request_fail_memory(request);
        return;
    }
    memset(state->progress, 0, state->servers.count * sizeof *state->progress);
    ask(request);
}

static void overdue(ssa_request *request) {
    const save_state *state = request->state;
    if (request->engine->now >= state->until || request->stage != PAUSING) {
        ssa_request_time_out(request);
        return;
    }
    ssa_engine_arm(request->engine, &request->deadline, state->until);
    ask(request);
}

static void end(ssa_request *request) {
    save_state *state = request->state;
    ssa_servers_end(&state->servers);
    ssa_release(state->progress);
    ssa_release(state);
}

ssa_request *ssa_op_save(ssa_engine *engine, ssa_text address, ssa_problem *problem) {
    ssa_request *request = ssa_servers_new(engine, "save", address, sizeof(save_state), step, problem);
    if (request) {
        request->end = end;
        request->overdue = overdue;
    }
    return request;
}
