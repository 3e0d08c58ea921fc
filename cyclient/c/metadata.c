#include "metadata.h"

#include <string.h>

#define LENGTH_BYTES 8 /* before each string */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "scalars lie in memory as on the wire; a big-endian host must swap them");

int ssa_metadata_type_exists(uint8_t type) {
    return type == SSA_STRING || ssa_metadata_scalar_size(type);
}

size_t ssa_metadata_scalar_size(uint8_t type) {
    switch (type) {
    case SSA_BOOL:
    case SSA_INT32:
    case SSA_INT64:
    case SSA_UINT32:
    case SSA_UINT64:
    case SSA_FLOAT32:
    case SSA_FLOAT64:
        return ssa_dtype_size(type);
    default:
        return 0;
    }
}

static ssa_status decode_strings(ssa_metadata *metadata) {
    size_t at = 0, bytes;
    const char *text;
    while (ssa_metadata_next(metadata, &at, &text, &bytes))
        metadata->count++;
    return at == metadata->bytes ? SSA_OK : SSA_EPROTOCOL;
}

static ssa_status decode_scalars(ssa_metadata *metadata, size_t size) {
    if (metadata->bytes % size)
        return SSA_EPROTOCOL;
    metadata->count = metadata->bytes / size;
    if (metadata->type == SSA_BOOL)
        for (size_t i = 0; i < metadata->count; i++)
            if (metadata->values[i] > 1)
                return SSA_EPROTOCOL;
    return SSA_OK;
}

ssa_status ssa_metadata_decode(ssa_metadata *metadata, const void *entry, size_t bytes) {
    const unsigned char *start = entry;
    if (!bytes || !ssa_metadata_type_exists(start[0]))
        return SSA_EPROTOCOL;
    *metadata = (ssa_metadata){start[0], start + 1, bytes - 1, 0};
    if (metadata->type == SSA_STRING)
        return decode_strings(metadata);
    return decode_scalars(metadata, ssa_metadata_scalar_size(metadata->type));
}

/* Nothing after a string that says more than is left: *at stays before it. */
int ssa_metadata_next(const ssa_metadata *metadata, size_t *at, const char **text, size_t *bytes) {
    size_t left = metadata->bytes - *at;
    uint64_t length;
    if (left < LENGTH_BYTES)
        return 0;
    memcpy(&length, metadata->values + *at, LENGTH_BYTES);
    if (length > left - LENGTH_BYTES)
        return 0;
    *text = (const char *)metadata->values + *at + LENGTH_BYTES;
    *bytes = (size_t)length;
    *at += LENGTH_BYTES + (size_t)length;
    return 1;
}

ssa_status ssa_metadata_begin(ssa_buffer *entry, uint8_t type) {
    return ssa_buffer_append(entry, &type, 1);
}

ssa_status ssa_metadata_add_scalars(ssa_buffer *entry, uint8_t type, const void *values, size_t count) {
    size_t bytes;
    if (__builtin_mul_overflow(count, ssa_metadata_scalar_size(type), &bytes) || ssa_buffer_reserve(entry, bytes))
        return SSA_ENOMEM;
    if (type == SSA_BOOL) {
        const unsigned char *truths = values;
        for (size_t i = 0; i < count; i++)
            entry->data[entry->bytes++] = truths[i] != 0;
        return SSA_OK;
    }
    return ssa_buffer_append(entry, values, bytes);
}

ssa_status ssa_metadata_add_string(ssa_buffer *entry, const void *text, size_t bytes) {
    size_t needed;
    uint64_t length = bytes;
    if (__builtin_add_overflow(bytes, LENGTH_BYTES, &needed) || ssa_buffer_reserve(entry, needed))
        return SSA_ENOMEM;
    ssa_buffer_append(entry, &length, LENGTH_BYTES);
    return ssa_buffer_append(entry, text, bytes);
}
