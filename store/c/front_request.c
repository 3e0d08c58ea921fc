#include "front_request.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "front_chain.h"

ssa_request *ssa_request_new(size_t room) {
    size_t bytes = sizeof(ssa_request) + room * sizeof(ssa_input);
    ssa_request *request = ssa_allocate(bytes);
    if (!request)
        return NULL;
    memset(request, 0, bytes);
    ssa_link_reset(&request->in_model);
    ssa_link_reset(&request->in_peer);
    atomic_init(&request->holders, 1);
    return request;
}

void ssa_request_free(ssa_request *request) {
    if (!request)
        return;
    for (size_t i = 0; i < request->inputs_count; i++) {
        ssa_memory_free(&request->inputs[i].memory);
        ssa_release(request->inputs[i].key);
    }
    if (!request->chain)
        ssa_target_free(&request->target);
    ssa_chain_free(request->chain);
    ssa_release(request);
}

void ssa_target_free(ssa_target *target) {
    ssa_release(target->name);
    ssa_release(target->function);
}

ssa_status ssa_request_set_text(char **place, size_t *place_bytes, const void *text, size_t bytes) {
    char *copy = ssa_allocate(bytes + 1);
    if (!copy)
        return SSA_ENOMEM;
    if (bytes)
        memcpy(copy, text, bytes);
    copy[bytes] = 0;
    ssa_release(*place);
    *place = copy;
    *place_bytes = bytes;
    return SSA_OK;
}

unsigned char *ssa_request_hold(ssa_request *request, size_t input, const ssa_tensor_header *header) {
    ssa_input *in = &request->inputs[input];
    in->memory = ssa_memory_new(header->data_bytes);
    if (!in->memory.data)
        return NULL;
    in->array.header = *header;
    in->array.data = in->memory.data;
    request->held_bytes += header->data_bytes;
    return in->memory.data;
}

void ssa_request_refuse(ssa_request *request, const char *code, const char *text) {
    if (request->refusal)
        return;
    char step[SSA_STEP_NAME_BYTES];
    request->refusal = code;
    snprintf(request->refusal_text, sizeof request->refusal_text, "%s%s", ssa_chain_step_name(request, step), text);
}

static uint64_t mix(uint64_t hash, uint64_t value) {
    return (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 29);
}

void ssa_request_seal(ssa_request *request) {
    const ssa_input *inputs = request->inputs + request->first_input;
    uint64_t hash = mix(request->step_inputs, request->target.function_bytes);
    request->joinable = request->step_inputs > 0;
    request->rows = request->step_inputs && inputs[0].array.header.ndim ? inputs[0].array.header.shape[0] : 0;
    for (size_t i = 0; i < request->step_inputs; i++) {
        const ssa_tensor_header *header = &inputs[i].array.header;
        if (!header->ndim || header->shape[0] != request->rows || !header->data_bytes)
            request->joinable = 0;
        hash = mix(mix(hash, header->dtype), (uint64_t)header->itemsize << 8 | header->ndim);
        for (unsigned d = 1; d < header->ndim; d++)
            hash = mix(hash, header->shape[d]);
    }
    request->signature = hash;
}

int ssa_requests_alike(const ssa_request *a, const ssa_request *b) {
    const ssa_target *one = &a->target, *other = &b->target;
    if (a->signature != b->signature || a->step_inputs != b->step_inputs ||
        one->function_bytes != other->function_bytes || memcmp(one->function, other->function, one->function_bytes))
        return 0;
    for (size_t i = 0; i < a->step_inputs; i++) {
        const ssa_tensor_header *left = &a->inputs[a->first_input + i].array.header;
        const ssa_tensor_header *right = &b->inputs[b->first_input + i].array.header;
        if (left->dtype != right->dtype || left->itemsize != right->itemsize || left->ndim != right->ndim)
            return 0;
        for (unsigned d = 1; d < left->ndim; d++)
            if (left->shape[d] != right->shape[d])
                return 0;
    }
    return 1;
}

void ssa_array_copy_row_major(const ssa_array *array, unsigned char *out) {
    const ssa_tensor_header *header = &array->header;
    if (!header->data_bytes)
        return;
    if (header->order == SSA_ROW_MAJOR) {
        memcpy(out, array->data, header->data_bytes);
        return;
    }
    uint64_t strides[SSA_TENSOR_MAX_NDIM], index[SSA_TENSOR_MAX_NDIM] = {0}, stride = header->itemsize;
    for (unsigned d = 0; d < header->ndim; d++) {
        strides[d] = stride;
        stride *= header->shape[d];
    }
    const unsigned char *from = array->data;
    for (uint64_t done = 0; done < header->data_bytes; done += header->itemsize) {
        memcpy(out + done, from, header->itemsize);
        for (unsigned d = header->ndim; d-- > 0;) { /* count up like an odometer, the last dimension fastest */
            from += strides[d];
            if (++index[d] < header->shape[d])
                break;
            from -= strides[d] * header->shape[d];
            index[d] = 0;
        }
    }
}
