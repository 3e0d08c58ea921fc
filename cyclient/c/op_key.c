#include "op_build.h"

ssa_request *ssa_op_delete(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_problem *problem) {
    ssa_request *request = ssa_single_new(engine, operation, kind, name, SSA_READING, problem);
    if (!request)
        return NULL;
    ssa_single *single = request->state;
    single->writes = 1;
    ssa_command *command = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("UNLINK"), SSA_KEY_TEXT(single->key)));
    return ssa_single_ready(request, command, SSA_CALL_IDEMPOTENT, problem);
}

static void keep_number(ssa_request *request, ssa_command *answer) {
    request->number = answer->reply.nodes[0].number;
}

/* A dataset is there when all of it is: the last field says so. */
static ssa_command *question(ssa_kind kind, const ssa_buffer *key) {
    if (kind == SSA_KIND_DATASET)
        return ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("HEXISTS"), SSA_KEY_TEXT(*key), SSA_TEXT(SSA_FIELD_COMPLETE)));
    return ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("EXISTS"), SSA_KEY_TEXT(*key)));
}

ssa_request *ssa_op_exists(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_problem *problem) {
    ssa_request *request = ssa_single_new(engine, operation, kind, name, SSA_READING, problem);
    if (!request)
        return NULL;
    ssa_single *single = request->state;
    single->finished = keep_number;
    return ssa_single_ready(request, question(kind, &single->key), SSA_CALL_IDEMPOTENT, problem);
}
