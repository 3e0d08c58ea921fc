#include <inttypes.h>
#include <stdio.h>

#include "op_dataset.h"

static ssa_request *refuse(ssa_problem *problem, int64_t milliseconds) {
    char said[32];
    snprintf(said, sizeof said, "%" PRId64 " ms", milliseconds);
    problem->status = SSA_EARGUMENT;
    ssa_mistake_word(problem->text, sizeof problem->text, "ttl", said,
                     "give the time after which it goes, at least 1 ms, or use persist to let it stay");
    return NULL;
}

/* The number that was answered last says whether there is such a key. */
static void fail_if_zero(ssa_request *request, ssa_command *answer) {
    if (!answer->reply.nodes[0].number)
        ssa_request_fail_not_found(request, 0);
}

ssa_request *ssa_op_set_ttl(ssa_engine *engine, ssa_kind kind, ssa_text name, int64_t milliseconds, ssa_problem *problem) {
    if (milliseconds <= 0)
        return refuse(problem, milliseconds);
    if (kind == SSA_KIND_DATASET)
        return ssa_dataset_expire(engine, "set_ttl", name, milliseconds, problem);
    ssa_request *request = ssa_single_new(engine, "set_ttl", kind, name, SSA_READING, problem);
    if (!request)
        return NULL;
    ssa_single *single = request->state;
    char text[24];
    int bytes = snprintf(text, sizeof text, "%" PRId64, milliseconds);
    single->finished = fail_if_zero;
    ssa_command *command = ssa_command_of(
        SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("PEXPIRE"), SSA_KEY_TEXT(single->key), ((ssa_text){text, (size_t)bytes})));
    return ssa_single_ready(request, command, SSA_CALL_IDEMPOTENT, problem);
}

/* PERSIST says 0 of a key that is not there and of one that has no end. */
static ssa_command *persist_command(const ssa_buffer *key) {
    ssa_command *command = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("PERSIST"), SSA_KEY_TEXT(*key)));
    if (!command || (!ssa_command_next(command, 2) && !ssa_command_argument(command, "EXISTS", 6) &&
                     !ssa_command_argument(command, key->data, key->bytes)))
        return command;
    ssa_command_free(command);
    return NULL;
}

ssa_request *ssa_op_persist(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem) {
    if (kind == SSA_KIND_DATASET)
        return ssa_dataset_expire(engine, "persist", name, 0, problem);
    ssa_request *request = ssa_single_new(engine, "persist", kind, name, SSA_READING, problem);
    if (!request)
        return NULL;
    ssa_single *single = request->state;
    single->finished = fail_if_zero;
    return ssa_single_ready(request, persist_command(&single->key), SSA_CALL_IDEMPOTENT, problem);
}

static void keep_ttl(ssa_request *request, ssa_command *answer) {
    request->number = answer->reply.nodes[0].number;
    if (request->number == -2) /* what PTTL says of a key that is not there */
        ssa_request_fail_not_found(request, 0);
}

ssa_request *ssa_op_get_ttl(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem) {
    ssa_request *request = ssa_single_new(engine, "get_ttl", kind, name, SSA_READING, problem);
    if (!request)
        return NULL;
    ssa_single *single = request->state;
    single->finished = keep_ttl;
    ssa_command *command = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("PTTL"), SSA_KEY_TEXT(single->key)));
    return ssa_single_ready(request, command, SSA_CALL_IDEMPOTENT, problem);
}
