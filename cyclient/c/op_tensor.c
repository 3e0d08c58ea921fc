#include <string.h>

#include "allocator.h"
#include "array_layout.h"
#include "failure_text.h"
#include "op_build.h"
#include "op_chunk.h"

static void note_put(ssa_request *request, ssa_command *answer) {
    ssa_engine_note_size(request->engine, &request->calls[0], answer->total);
}

static ssa_request *put(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, const ssa_tensor_header *header,
                        const void *data, ssa_problem *problem) {
    ssa_request *request = ssa_single_new(engine, operation, kind, name, SSA_WRITING, problem);
    if (!request)
        return NULL;
    request->kind = SSA_KIND_TENSOR;
    ssa_single *single = request->state;
    single->finished = note_put;
    ssa_tensor_header_copy(&single->wanted, header);
    single->carried = data;
    single->writes = 1;
    ssa_request_changes(request, 0, &single->key);
    if (engine->settings.value_limit)
        return ssa_chunks_put(request, header, data, header->data_bytes, problem);
    ssa_command *command = ssa_command_take(&engine->spares.commands, 3, SSA_EXPECT_REPLY);
    if (command && (ssa_command_argument(command, "SET", 3) || ssa_command_argument(command, single->key.data, single->key.bytes) ||
                    ssa_command_tensor(command, header, data))) {
        ssa_command_free(command);
        command = NULL;
    }
    return ssa_single_ready(request, command, SSA_CALL_IDEMPOTENT, problem);
}

ssa_request *ssa_op_put_tensor(ssa_engine *engine, ssa_text name, const ssa_tensor_header *header, const void *data,
                               ssa_problem *problem) {
    return put(engine, "put_tensor", SSA_KIND_TENSOR, name, header, data, problem);
}

ssa_request *ssa_op_put_tensor_by_key(ssa_engine *engine, const char *operation, ssa_text key, const ssa_tensor_header *header,
                                      const void *data, ssa_problem *problem) {
    return put(engine, operation, SSA_KIND_KEY, key, header, data, problem);
}

static ssa_command *new_get(ssa_engine *engine, const ssa_buffer *key) {
    ssa_command *command = ssa_command_take(&engine->spares.commands, 2, SSA_EXPECT_TENSOR);
    if (command && (ssa_command_argument(command, "GET", 3) || ssa_command_argument(command, key->data, key->bytes))) {
        ssa_command_free(command);
        return NULL;
    }
    return command;
}

static void keep_tensor(ssa_request *request, ssa_command *answer) {
    ssa_engine_note_size(request->engine, &request->calls[0], answer->tensors[0].header.data_bytes);
    ssa_request_keep_tensors(request, answer);
}

static ssa_request *get(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem) {
    ssa_request *request = ssa_single_new(engine, "get_tensor", kind, name, SSA_READING, problem);
    if (!request)
        return NULL;
    ssa_single *single = request->state;
    single->finished = keep_tensor;
    single->reads_tensor = 1;
    request->kind = SSA_KIND_TENSOR;
    ssa_command *command = new_get(engine, &single->key);
    return ssa_single_ready(request, command, SSA_CALL_IDEMPOTENT, problem);
}

ssa_request *ssa_op_get_tensor(ssa_engine *engine, ssa_text name, ssa_problem *problem) {
    return get(engine, SSA_KIND_TENSOR, name, problem);
}

ssa_request *ssa_op_get_tensor_by_key(ssa_engine *engine, ssa_text key, ssa_problem *problem) {
    return get(engine, SSA_KIND_KEY, key, problem);
}

/* Stored in the other order it came in memory of its own: transposed on arrival. */
static void transpose_into(ssa_request *request, ssa_command *answer) {
    ssa_single *single = request->state;
    if (!answer->tensor_count)
        return;
    const ssa_tensor *tensor = &answer->tensors[0];
    ssa_layout_reorder(&tensor->header, single->into, single->wanted.order, tensor->memory.data);
}

ssa_request *ssa_op_unpack_tensor(ssa_engine *engine, ssa_text name, const ssa_tensor_header *header, void *into,
                                  ssa_problem *problem) {
    ssa_request *request = ssa_single_new(engine, "unpack_tensor", SSA_KIND_TENSOR, name, SSA_READING, problem);
    if (!request)
        return NULL;
    ssa_single *single = request->state;
    single->finished = transpose_into;
    single->reads_tensor = 1;
    ssa_tensor_header_copy(&single->wanted, header);
    single->into = into;
    request->wanted = &single->wanted;
    ssa_command *command = new_get(engine, &single->key);
    if (command)
        ssa_command_into(command, header, into);
    unsigned bulk = header->data_bytes > SSA_BULK_BYTES ? SSA_CALL_BULK : 0;
    return ssa_single_ready(request, command, SSA_CALL_IDEMPOTENT | bulk, problem);
}

static ssa_status copy_tensor(ssa_request *request, const ssa_tensor *tensor) {
    ssa_tensor *copy = ssa_allocate(sizeof *copy);
    if (!copy)
        return SSA_ENOMEM;
    copy->header = tensor->header;
    copy->memory = ssa_memory_take(request->engine->memory, tensor->header.data_bytes);
    if (!copy->memory.data) {
        ssa_release(copy);
        return SSA_ENOMEM;
    }
    memcpy(copy->memory.data, tensor->memory.data, tensor->header.data_bytes);
    request->tensors = copy;
    request->tensor_count = 1;
    return SSA_OK;
}

ssa_status ssa_single_answer(ssa_request *request, const ssa_tensor *tensor) {
    const ssa_single *single = request->state;
    if (!single->into)
        return copy_tensor(request, tensor);
    const ssa_tensor_header *have = &tensor->header, *want = &single->wanted;
    int same_dtype = have->dtype == want->dtype && have->itemsize == want->itemsize;
    if (same_dtype && have->ndim == want->ndim && !memcmp(have->shape, want->shape, have->ndim * sizeof *have->shape)) {
        ssa_layout_reorder(have, single->into, want->order, tensor->memory.data);
        return SSA_OK;
    }
    char text[1024];
    request->status = ssa_failure_of_mismatch(request, same_dtype ? SSA_ESHAPE : SSA_EDTYPE, have,
                                              request->engine->description, text, sizeof text);
    if (!ssa_buffer_append(&request->error, text, strlen(text) + 1))
        request->error.bytes--;
    return request->status;
}
