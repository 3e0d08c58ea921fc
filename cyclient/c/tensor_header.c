#include "tensor_header.h"

#include <string.h>

static const unsigned char magic[4] = {'S', 'S', 'A', 'T'};

uint32_t ssa_dtype_size(uint8_t dtype) {
    static const uint32_t sizes[] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 2, 8, 16, 0, 0};
    return dtype < sizeof sizes / sizeof *sizes ? sizes[dtype] : 0;
}

size_t ssa_tensor_header_size(uint8_t ndim) {
    size_t bytes = SSA_TENSOR_FIXED_BYTES + 8 * (size_t)ndim;
    return (bytes + SSA_TENSOR_ALIGNMENT - 1) / SSA_TENSOR_ALIGNMENT * SSA_TENSOR_ALIGNMENT;
}

ssa_status ssa_tensor_header_complete(ssa_tensor_header *header) {
    if (header->dtype < SSA_BOOL || header->dtype > SSA_UNICODE || header->ndim > SSA_TENSOR_MAX_NDIM ||
        header->order > SSA_COLUMN_MAJOR)
        return SSA_EHEADER;
    uint32_t size = ssa_dtype_size(header->dtype);
    if (size ? header->itemsize != size
             : !header->itemsize || header->itemsize > INT32_MAX || (header->dtype == SSA_UNICODE && header->itemsize % 4))
        return SSA_EHEADER;
    /* A zero dimension makes the tensor empty, but must not hide an overflow of the others from a reader that
     * multiplies in another order: every factor counts, zeros as one. */
    uint64_t bytes = header->itemsize, bound = header->itemsize;
    for (unsigned i = 0; i < header->ndim; i++) {
        if (header->shape[i] > INT64_MAX ||
            __builtin_mul_overflow(bound, header->shape[i] ? header->shape[i] : 1, &bound) || bound > INT64_MAX)
            return SSA_EHEADER;
        bytes *= header->shape[i];
    }
    header->data_bytes = bytes;
    return SSA_OK;
}

static void put_le(unsigned char *out, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_le(const unsigned char *in, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)in[i] << (8 * i);
    return value;
}

void ssa_tensor_header_copy(ssa_tensor_header *to, const ssa_tensor_header *from) {
    memcpy(to, from, offsetof(ssa_tensor_header, shape) + from->ndim * sizeof *from->shape);
}

void ssa_tensor_header_encode(const ssa_tensor_header *header, unsigned char *out) {
    size_t size = ssa_tensor_header_size(header->ndim);
    memset(out, 0, size);
    memcpy(out, magic, sizeof magic);
    out[4] = SSA_TENSOR_VERSION;
    out[5] = header->dtype;
    out[6] = header->ndim;
    out[7] = header->order;
    put_le(out + 8, size, 4);
    put_le(out + 12, header->itemsize, 4);
    put_le(out + 16, header->data_bytes, 8);
    for (unsigned i = 0; i < header->ndim; i++)
        put_le(out + SSA_TENSOR_FIXED_BYTES + 8 * i, header->shape[i], 8);
}

ssa_status ssa_tensor_header_decode(ssa_tensor_header *header, const unsigned char *bytes, size_t available,
                                    uint64_t value_bytes, size_t *offset) {
    if (value_bytes < SSA_TENSOR_ALIGNMENT || memcmp(bytes, magic, available < 4 ? available : 4))
        return SSA_EHEADER;
    if (available < SSA_TENSOR_FIXED_BYTES)
        return SSA_MORE;
    if (bytes[4] != SSA_TENSOR_VERSION)
        return SSA_EVERSION;
    header->dtype = bytes[5];
    header->ndim = bytes[6];
    header->order = bytes[7];
    header->itemsize = (uint32_t)get_le(bytes + 12, 4);
    if (header->ndim > SSA_TENSOR_MAX_NDIM)
        return SSA_EHEADER;
    size_t size = ssa_tensor_header_size(header->ndim);
    if (get_le(bytes + 8, 4) != size || value_bytes < size)
        return SSA_EHEADER;
    if (available < size)
        return SSA_MORE;
    for (unsigned i = 0; i < header->ndim; i++)
        header->shape[i] = get_le(bytes + SSA_TENSOR_FIXED_BYTES + 8 * i, 8);
    if (ssa_tensor_header_complete(header) != SSA_OK || header->data_bytes != get_le(bytes + 16, 8) ||
        value_bytes - size != header->data_bytes)
        return SSA_EHEADER;
    *offset = size;
    return SSA_OK;
}
