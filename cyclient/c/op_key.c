#include "op_build.h"
#include "op_chunk.h"

static void drop_chunks(ssa_request *request, ssa_command *answer) {
    const ssa_single *single = request->state;
    (void)answer;
    ssa_chunks_drop_found(request, &single->key, 1, ssa_request_succeed);
}

ssa_request *ssa_op_delete(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_problem *problem) {
    ssa_request *request = ssa_single_new(engine, operation, kind, name, SSA_READING, problem);
    if (!request)
        return NULL;
    ssa_single *single = request->state;
    single->writes = 1;
    ssa_request_changes(request, 0, &single->key);
    if (engine->settings.value_limit) {
        single->finished = drop_chunks;
        request->forsaken = ssa_chunks_forsake_replaced;
        ssa_command *looking = ssa_chunks_look_and(&single->key, SSA_TEXTS({NULL, 0}),
                                                   SSA_TEXTS(SSA_TEXT("UNLINK"), SSA_KEY_TEXT(single->key)));
        return ssa_single_ready(request, looking, SSA_CALL_IDEMPOTENT, problem);
    }
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
