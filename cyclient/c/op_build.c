#include "op_build.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "failure_text.h"
#include "op_chunk.h"

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
    ssa_command_free(single->command);
    ssa_buffer_free(&single->key);
}

ssa_request *ssa_single_new(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_direction direction,
                            ssa_problem *problem) {
    ssa_buffer key = {NULL, 0, 0};
    ssa_status status = ssa_key_make(&engine->names, direction, kind, name.data, name.bytes, &key);
    if (status)
        return ssa_problem_names(engine, problem, status);
    ssa_request *request = ssa_request_new_with(engine, operation, kind, name.data, name.bytes, single_step, sizeof(ssa_single));
    if (!request) {
        ssa_buffer_free(&key);
        return ssa_problem_memory(problem);
    }
    ssa_single *single = request->state;
    memset(single, 0, offsetof(ssa_single, wanted));
    single->key = key;
    request->is_single = 1;
    ssa_request_order_by(request, &single->key);
    request->end = single_end;
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
