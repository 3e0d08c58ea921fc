#include "tensor_text.h"

#include <inttypes.h>
#include <stdio.h>

void ssa_dtype_text(uint8_t dtype, uint32_t itemsize, char *text, size_t room) {
    static const char *const names[] = {"", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
                                        "float16", "float32", "float64", "bfloat16", "complex64", "complex128"};
    if (dtype == SSA_STRING)
        snprintf(text, room, "|S%" PRIu32, itemsize);
    else if (dtype == SSA_UNICODE)
        snprintf(text, room, "<U%" PRIu32, itemsize / 4);
    else
        snprintf(text, room, "%s", dtype >= SSA_BOOL && dtype <= SSA_COMPLEX128 ? names[dtype] : "unknown");
}

void ssa_tensor_text(const ssa_tensor_header *header, char *text, size_t room) {
    char dtype[24];
    ssa_dtype_text(header->dtype, header->itemsize, dtype, sizeof dtype);
    size_t at = (size_t)snprintf(text, room, "%s (", dtype);
    for (unsigned i = 0; i < header->ndim && at < room; i++)
        at += (size_t)snprintf(text + at, room - at, i ? ", %" PRIu64 : "%" PRIu64, header->shape[i]);
    if (at < room)
        snprintf(text + at, room - at, header->ndim == 1 ? ",)" : ")");
}
