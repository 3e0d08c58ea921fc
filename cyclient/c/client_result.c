#include "client_result.h"

#include <string.h>

#include "allocator.h"

void ssa_held_init(ssa_held *held) {
    held->has_array = 0;
    held->run = (ssa_run_arguments){0};
    held->content = (ssa_buffer){NULL, 0, 0};
}

int ssa_held_matters(const ssa_held *held) {
    return held->has_array || held->run.arrays || held->content.data;
}

ssa_held *ssa_held_move(ssa_held *held) {
    ssa_held *moved = ssa_allocate(sizeof *moved);
    if (!moved)
        return NULL;
    if (held->has_array)
        moved->array = held->array;
    moved->has_array = held->has_array;
    moved->run = held->run;
    moved->content = held->content;
    ssa_held_init(held);
    return moved;
}

void ssa_held_clear(ssa_held *held) {
    if (held->has_array)
        ssa_caller_array_free(&held->array);
    ssa_run_arguments_free(&held->run);
    ssa_buffer_free(&held->content);
    held->has_array = 0;
}

void ssa_held_free(ssa_held *held) {
    if (!held)
        return;
    ssa_held_clear(held);
    ssa_release(held);
}

void ssa_request_fail_late(ssa_request *request, ssa_status status, const char *text) {
    request->status = status;
    request->error.bytes = 0;
    if (!ssa_buffer_append(&request->error, text, strlen(text) + 1))
        request->error.bytes--; /* else the status says enough */
}

ssa_status ssa_result_give(const ssa_result *result, ssa_request *request) {
    char text[SSA_MISTAKE_BYTES];
    if (request->status || !result->give)
        return request->status;
    ssa_status status = result->give(result, request, text);
    if (status)
        ssa_request_fail_late(request, status, text);
    return status;
}
