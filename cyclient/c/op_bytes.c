#include "op_build.h"
#include "op_chunk.h"

static void note_put(ssa_request *request, ssa_command *answer) {
    ssa_engine_note_size(request->engine, &request->calls[0], answer->total);
}

ssa_request *ssa_op_put_bytes(ssa_engine *engine, ssa_text name, const void *data, size_t bytes, ssa_problem *problem) {
    ssa_request *request = ssa_single_new(engine, "put_bytes", SSA_KIND_TENSOR, name, SSA_WRITING, problem);
    if (!request)
        return NULL;
    ssa_single *single = request->state;
    single->finished = note_put;
    single->writes = 1;
    ssa_request_changes(request, 0, &single->key);
    if (engine->settings.value_limit || ssa_chunks_must_hide(data, bytes))
        return ssa_chunks_put(request, NULL, data, bytes, problem);
    ssa_command *command = ssa_command_new(3, SSA_EXPECT_REPLY);
    if (command && (ssa_command_argument(command, "SET", 3) || ssa_command_argument(command, single->key.data, single->key.bytes) ||
                    ssa_command_bytes(command, data, bytes))) {
        ssa_command_free(command);
        command = NULL;
    }
    return ssa_single_ready(request, command, SSA_CALL_IDEMPOTENT, problem);
}

static void keep_bytes(ssa_request *request, ssa_command *answer) {
    ssa_engine_note_size(request->engine, &request->calls[0], answer->tensors[0].header.data_bytes);
    ssa_request_keep_tensors(request, answer); /* the first: cannot fail */
}

ssa_request *ssa_op_get_bytes(ssa_engine *engine, ssa_text name, ssa_problem *problem) {
    ssa_request *request = ssa_single_new(engine, "get_bytes", SSA_KIND_TENSOR, name, SSA_READING, problem);
    if (!request)
        return NULL;
    ssa_single *single = request->state;
    single->finished = keep_bytes;
    single->reads_bytes = 1;
    ssa_command *command = ssa_command_of(SSA_EXPECT_BYTES, SSA_TEXTS(SSA_TEXT("GET"), SSA_KEY_TEXT(single->key)));
    return ssa_single_ready(request, command, SSA_CALL_IDEMPOTENT, problem);
}
