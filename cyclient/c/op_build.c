#include "op_build.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "failure_text.h"
#include "op_chunk.h"

#define KEPT_BYTES 256 /* of a key, with the memory of a spare state */

ssa_request *ssa_problem_memory(ssa_problem *problem) {
    problem->status = SSA_ENOMEM;
    snprintf(problem->text, sizeof problem->text, "no memory for a request");
    return NULL;
}

ssa_request *ssa_problem_names(ssa_engine *engine, ssa_problem *problem, ssa_status status) {
    if (status == SSA_ENOMEM)
        return ssa_problem_memory(problem);
    problem->status = status;
    snprintf(problem->text, sizeof problem->text, "%s", engine->names.error);
    return NULL;
}

ssa_request *ssa_request_of_key(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_direction direction,
                                size_t state_bytes, void (*step)(ssa_request *request), void (*end)(ssa_request *request),
                                ssa_problem *problem) {
    ssa_buffer key = {NULL, 0, 0};
    ssa_status status = ssa_key_make(&engine->names, direction, kind, name.data, name.bytes, &key);
    if (status)
        return ssa_problem_names(engine, problem, status);
    ssa_request *request = ssa_request_new(engine, operation, kind, name.data, name.bytes, step);
    void *state = request ? ssa_allocate(state_bytes) : NULL;
    if (!state) {
        ssa_request_free(request);
        ssa_buffer_free(&key);
        return ssa_problem_memory(problem);
    }
    memset(state, 0, state_bytes);
    memcpy(state, &key, sizeof key);
    request->state = state;
    request->end = end;
    return request;
}

ssa_command *ssa_command_of(ssa_expectation expectation, const ssa_text *arguments) {
    uint64_t count = 0;
    while (arguments[count].data)
        count++;
    ssa_command *command = ssa_command_new(count, expectation);
    for (uint64_t i = 0; command && i < count; i++)
        if (ssa_command_argument(command, arguments[i].data, arguments[i].bytes)) {
            ssa_command_free(command);
            return NULL;
        }
    return command;
}

void ssa_request_fail_not_found(ssa_request *request, size_t i) {
    const ssa_link *link = request->calls[i].last_link;
    char text[1024];
    ssa_failure_not_found(request, link ? link->address_text : request->engine->description, text, sizeof text);
    ssa_request_fail(request, SSA_ENOTFOUND, "%s", text);
}

static void single_step(ssa_request *request) {
    ssa_single *single = request->state;
    if (request->stage++ == 0) {
        ssa_command *command = single->command;
        single->command = NULL;
        ssa_request_calls(request, 1); /* of one call: cannot fail */
        ssa_request_send(request, 0, command, single->key.data, single->key.bytes, single->flags);
        return;
    }
    if (((single->reads_tensor || single->reads_bytes) && ssa_chunks_begin_read(request)) || ssa_request_failed(request))
        return;
    if (single->finished)
        single->finished(request, ssa_request_answer(request, 0));
    if (request->step == single_step)
        ssa_request_succeed(request);
}

void ssa_single_again(ssa_request *request, ssa_command *command) {
    ((ssa_single *)request->state)->command = command;
    request->stage = 0;
    request->step = single_step;
    single_step(request);
}

static void single_end(ssa_request *request) {
    ssa_single *single = request->state;
    ssa_command_recycle(&request->engine->spares.commands, single->command);
    single->key.bytes = 0;
    if (single->key.capacity <= KEPT_BYTES && ssa_spares_keep(&request->engine->spares.singles, single))
        return;
    ssa_buffer_free(&single->key);
    ssa_release(single);
}

void ssa_single_free_spares(ssa_spares *singles) {
    ssa_single *single;
    while ((single = ssa_spares_empty(singles))) {
        ssa_buffer_free(&single->key);
        ssa_release(single);
    }
}

static ssa_single *new_single(ssa_engine *engine) {
    ssa_single *single = ssa_spares_take(&engine->spares.singles);
    ssa_buffer kept = single ? single->key : (ssa_buffer){NULL, 0, 0};
    if (!single)
        single = ssa_allocate(sizeof *single);
    if (!single)
        return NULL;
    memset(single, 0, offsetof(ssa_single, wanted));
    single->key = kept;
    return single;
}

ssa_request *ssa_single_new(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_direction direction,
                            ssa_problem *problem) {
    ssa_request *request = ssa_request_new(engine, operation, kind, name.data, name.bytes, single_step);
    ssa_single *single = request ? new_single(engine) : NULL;
    if (!single) {
        ssa_request_free(request);
        return ssa_problem_memory(problem);
    }
    request->state = single;
    request->end = single_end;
    ssa_status status = ssa_key_make(&engine->names, direction, kind, name.data, name.bytes, &single->key);
    if (status) {
        ssa_request_free(request);
        return ssa_problem_names(engine, problem, status);
    }
    request->is_single = 1;
    ssa_request_order_by(request, &single->key);
    return request;
}

ssa_request *ssa_single_ready(ssa_request *request, ssa_command *command, unsigned flags, ssa_problem *problem) {
    ssa_single *single = request->state;
    if (!command) {
        ssa_request_free(request);
        return ssa_problem_memory(problem);
    }
    single->command = command;
    single->flags = flags;
    return request;
}
