/* Puts and gets of one value that may be in chunks. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "array_layout.h"
#include "failure_text.h"
#include "op_chunk.h"

/* ---- put */

static void after_short_put(ssa_request *request, ssa_command *answer) {
    ssa_single *single = request->state;
    ssa_engine_note_size(request->engine, &request->calls[0], answer->total);
    ssa_chunks_drop_found(request, &single->key, 1, ssa_request_succeed);
}

static ssa_command *short_put(const ssa_buffer *key, const ssa_tensor_header *header, const void *data, uint64_t bytes) {
    ssa_command *command = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("MULTI")));
    if (command && !ssa_command_next(command, 4) && !ssa_command_argument(command, "GETRANGE", 8) &&
        !ssa_command_argument(command, key->data, key->bytes) && !ssa_command_number(command, 0) &&
        !ssa_command_number(command, SSA_MANIFEST_MAX - 1) && !ssa_command_next(command, 3) &&
        !ssa_command_argument(command, "SET", 3) && !ssa_command_argument(command, key->data, key->bytes) &&
        !(header ? ssa_command_tensor(command, header, data) : ssa_command_bytes(command, data, (size_t)bytes)) &&
        !ssa_command_next(command, 1) && !ssa_command_argument(command, "EXEC", 4))
        return command;
    ssa_command_free(command);
    return NULL;
}

static void begin_long_put(ssa_request *request) {
    ssa_chunks_write(request, ssa_request_succeed);
}

static ssa_request *refuse(ssa_request *request, uint64_t bytes, int64_t limit, ssa_problem *problem) {
    char said[64], remedy[96];
    snprintf(said, sizeof said, "%" PRId64 " bytes", limit);
    snprintf(remedy, sizeof remedy, "this value needs at least %" PRIu64 " bytes a chunk", bytes / SSA_CHUNKS_MAX + 1);
    problem->status = SSA_EARGUMENT;
    ssa_mistake_word(problem->text, sizeof problem->text, "value_limit", said, remedy);
    ssa_request_free(request);
    return NULL;
}

int ssa_chunks_must_hide(const void *data, uint64_t bytes) {
    ssa_manifest manifest;
    return bytes <= SSA_MANIFEST_MAX && ssa_manifest_decode(&manifest, data, (size_t)bytes);
}

ssa_request *ssa_chunks_put(ssa_request *request, const ssa_tensor_header *header, const void *data, uint64_t bytes,
                            ssa_problem *problem) {
    ssa_single *single = request->state;
    int64_t limit = request->engine->settings.value_limit;
    size_t head_bytes = header ? ssa_tensor_header_size(header->ndim) : 0;
    uint64_t chunk_bytes = limit ? (uint64_t)limit : bytes;
    if (!bytes || (head_bytes + bytes <= chunk_bytes && !(!header && ssa_chunks_must_hide(data, bytes)))) {
        single->finished = after_short_put;
        request->forsaken = ssa_chunks_forsake_replaced;
        return ssa_single_ready(request, short_put(&single->key, header, data, bytes), SSA_CALL_IDEMPOTENT, problem);
    }
    if ((bytes - 1) / chunk_bytes >= SSA_CHUNKS_MAX)
        return refuse(request, bytes, limit, problem);
    ssa_chunk_io *io = ssa_chunk_io_new(request, &single->key);
    if (!io) {
        ssa_request_free(request);
        return ssa_problem_memory(problem);
    }
    if (header)
        ssa_tensor_header_encode(header, io->manifest.head);
    io->manifest.head_bytes = head_bytes;
    io->manifest.rest_bytes = bytes;
    io->manifest.chunk_bytes = chunk_bytes;
    io->data = data;
    request->is_single = 0;
    request->step = begin_long_put;
    return request;
}

/* ---- get */

static void start_over(ssa_request *request) {
    const ssa_single *single = request->state;
    ssa_command *command = ssa_command_of(single->reads_tensor ? SSA_EXPECT_TENSOR : SSA_EXPECT_BYTES,
                                          SSA_TEXTS(SSA_TEXT("GET"), SSA_KEY_TEXT(single->key)));
    if (command && single->into)
        ssa_command_into(command, &single->wanted, single->into);
    ssa_single_again(request, command);
}

static void after_last_chunk(ssa_request *request) {
    const ssa_single *single = request->state;
    ssa_chunk_io *io = request->chunks;
    ssa_engine_note_size(request->engine, &request->calls[0], io->manifest.chunk_bytes);
    if (single->into && io->result.memory.data) {
        ssa_layout_reorder(&io->result.header, single->into, single->wanted.order, io->result.memory.data);
    } else if (!single->into) {
        request->tensors = ssa_allocate(sizeof *request->tensors);
        if (!request->tensors) {
            ssa_request_fail_memory(request);
            return;
        }
        request->tensors[0] = io->result;
        request->tensor_count = 1;
        io->result.memory = (ssa_memory){0};
    }
    ssa_request_succeed(request);
}

static int fits(ssa_request *request, const ssa_tensor_header *have) {
    const ssa_tensor_header *want = &((const ssa_single *)request->state)->wanted;
    int same_dtype = have->dtype == want->dtype && have->itemsize == want->itemsize;
    if (same_dtype && have->ndim == want->ndim && !memcmp(have->shape, want->shape, have->ndim * sizeof *have->shape))
        return 1;
    char text[1024];
    ssa_status status = ssa_failure_of_mismatch(request, same_dtype ? SSA_ESHAPE : SSA_EDTYPE, have, request->engine->description,
                                                text, sizeof text);
    ssa_request_fail(request, status, "%s", text);
    return 0;
}

/* 0: the request has ended. */
static int prepare_tensor(ssa_request *request, const ssa_tensor_header *header) {
    const ssa_single *single = request->state;
    ssa_chunk_io *io = request->chunks;
    if (single->into && !fits(request, header))
        return 0;
    io->result.header = *header;
    io->into = single->into;
    if (single->into && header->order == single->wanted.order)
        return 1;
    io->result.memory = ssa_memory_take(request->engine->memory, header->data_bytes);
    io->into = io->result.memory.data;
    if (!io->into)
        ssa_request_fail_memory(request);
    return io->into != NULL;
}

int ssa_chunks_answered(const ssa_command *answer, int as_tensor, ssa_manifest *manifest) {
    if (as_tensor)
        return answer->status == SSA_EHEADER && ssa_chunks_found(answer, 0, manifest);
    return answer->status == SSA_OK && answer->tensor_count && answer->tensors[0].header.data_bytes <= SSA_MANIFEST_MAX &&
           ssa_manifest_decode(manifest, answer->tensors[0].memory.data, (size_t)answer->tensors[0].header.data_bytes);
}

int ssa_chunks_begin_read(ssa_request *request) {
    const ssa_single *single = request->state;
    ssa_manifest manifest;
    ssa_tensor_header header;
    size_t offset;
    if (!ssa_chunks_answered(ssa_request_answer(request, 0), single->reads_tensor, &manifest))
        return 0;
    if (single->reads_tensor &&
        (ssa_tensor_header_decode(&header, manifest.head, manifest.head_bytes, manifest.head_bytes + manifest.rest_bytes, &offset) ||
         offset != manifest.head_bytes))
        return 0;
    ssa_chunk_io *io = ssa_chunk_io_new(request, &single->key);
    if (!io)
        return 1;
    io->manifest = manifest;
    if (single->reads_tensor ? prepare_tensor(request, &header) : ssa_chunks_reserve(request))
        ssa_chunks_read(request, after_last_chunk, start_over);
    return 1;
}
