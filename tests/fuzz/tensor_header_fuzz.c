// links: tensor_header
/* The header of a tensor: what is accepted is written again and means the same; what is refused is refused however much
 * of it has come. Input: what the value's length is taken to be, the value. */
#include <string.h>

#include "fuzz.h"
#include "tensor_header.h"

static void check_accepted(const ssa_tensor_header *header, const uint8_t *value, uint64_t value_bytes, size_t offset) {
    unsigned char again[SSA_TENSOR_MAX_HEADER];
    CHECK(offset % SSA_TENSOR_ALIGNMENT == 0 && offset == ssa_tensor_header_size(header->ndim));
    CHECK(header->data_bytes <= INT64_MAX && offset + header->data_bytes == value_bytes);
    unsigned __int128 bytes = header->itemsize;
    for (unsigned i = 0; i < header->ndim; i++) {
        bytes *= header->shape[i];
        CHECK(bytes <= INT64_MAX);
    }
    CHECK(bytes == header->data_bytes);
    CHECK(!ssa_dtype_size(header->dtype) || ssa_dtype_size(header->dtype) == header->itemsize);
    ssa_tensor_header_encode(header, again);
    CHECK(!memcmp(again, value, SSA_TENSOR_FIXED_BYTES + 8 * (size_t)header->ndim));
}

static ssa_status decode(ssa_tensor_header *header, const uint8_t *value, size_t available, uint64_t value_bytes, size_t *offset) {
    /* A copy of just that many bytes: reading one more is an error that the sanitizer sees. */
    uint8_t *copy = malloc(available ? available : 1);
    CHECK(copy);
    memcpy(copy, value, available);
    memset(header, 0, sizeof *header);
    ssa_status status = ssa_tensor_header_decode(header, copy, available, value_bytes, offset);
    free(copy);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    input in = {data, bytes};
    uint64_t value_bytes = 0;
    unsigned choice = input_byte(&in);
    for (int i = 0; i < 8; i++)
        value_bytes = value_bytes << 8 | input_byte(&in);
    if (choice % 4 || value_bytes < in.left)
        value_bytes = in.left;
    size_t most = in.left < SSA_TENSOR_MAX_HEADER + 64 ? in.left : SSA_TENSOR_MAX_HEADER + 64;
    ssa_status before = SSA_MORE;
    for (size_t available = 0; available <= most; available++) {
        ssa_tensor_header header;
        size_t offset = 0;
        ssa_status status = decode(&header, in.at, available, value_bytes, &offset);
        CHECK(status == SSA_OK || status == SSA_MORE || status == SSA_EHEADER || status == SSA_EVERSION);
        CHECK(before == SSA_MORE || status == before);
        if (status == SSA_OK)
            check_accepted(&header, in.at, value_bytes, offset);
        before = status;
    }
    CHECK(before != SSA_MORE || in.left < value_bytes);
    return 0;
}
