/* One metadata entry of a dataset: scalars of one type, or strings. It is kept as it travels: WIRE.md, "Dataset". */
#ifndef SSA_METADATA_H
#define SSA_METADATA_H

#include <stddef.h>
#include <stdint.h>

#include "resp_writer.h"
#include "status.h"
#include "tensor_header.h"

/* The types are dtypes of tensors: SSA_BOOL, SSA_INT32, SSA_INT64, SSA_UINT32, SSA_UINT64, SSA_FLOAT32, SSA_FLOAT64,
 * and SSA_STRING, here for strings of any length. Bytes of one scalar; 0 for strings and for what no entry can hold. */
size_t ssa_metadata_scalar_size(uint8_t type);
int ssa_metadata_type_exists(uint8_t type);

/* An encoded entry, looked into. Borrowed: values points into the entry. */
typedef struct ssa_metadata {
    uint8_t type;                /* ssa_dtype */
    const unsigned char *values; /* scalars: back to back, as aligned as the entry + 1; strings: by ssa_metadata_next */
    size_t bytes;                /* of values */
    size_t count;                /* scalars, or strings */
} ssa_metadata;

/* Look into an entry of `bytes` bytes from outside. SSA_EPROTOCOL: unknown type, truncated, bytes left over, a truth
 * value other than 0 and 1. Never allocates. */
ssa_status ssa_metadata_decode(ssa_metadata *metadata, const void *entry, size_t bytes);

/* Step through the strings of an entry: *at starts as 0. Returns 0 after the last one. *text is borrowed from the
 * entry. */
int ssa_metadata_next(const ssa_metadata *metadata, size_t *at, const char **text, size_t *bytes);

/* Begin an entry without values at the end of `entry`, or add to the one that stands there. SSA_ENOMEM leaves it as
 * it was. Scalars are in the host's form; a truth value is any byte, what is not 0 is true. */
ssa_status ssa_metadata_begin(ssa_buffer *entry, uint8_t type);
ssa_status ssa_metadata_add_scalars(ssa_buffer *entry, uint8_t type, const void *values, size_t count);
ssa_status ssa_metadata_add_string(ssa_buffer *entry, const void *text, size_t bytes);

#endif
