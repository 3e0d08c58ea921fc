/* The header that precedes the elements of every tensor on the wire. Layout: WIRE.md, "Tensor". */
#ifndef SSA_TENSOR_HEADER_H
#define SSA_TENSOR_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define SSA_TENSOR_VERSION 1
#define SSA_TENSOR_ALIGNMENT 64
#define SSA_TENSOR_MAX_NDIM 32
#define SSA_TENSOR_FIXED_BYTES 24 /* before the shape */
/* The longest header: the fixed part and 32 dimensions, rounded up to the alignment. */
#define SSA_TENSOR_MAX_HEADER 320

typedef ssa_layout ssa_order; /* the first two of them */

typedef struct ssa_tensor_header {
    uint8_t dtype;        /* ssa_dtype */
    uint8_t order;        /* ssa_order: how the elements lie; the shape is the logical one either way */
    uint8_t ndim;
    uint32_t itemsize;    /* bytes an element */
    uint64_t data_bytes;  /* bytes of all elements */
    uint64_t shape[SSA_TENSOR_MAX_NDIM];
} ssa_tensor_header;

/* Bytes of an element of this dtype; 0 for strings (the header says how many) and for unknown codes. */
uint32_t ssa_dtype_size(uint8_t dtype);

/* Bytes of the encoded header: a multiple of SSA_TENSOR_ALIGNMENT. */
size_t ssa_tensor_header_size(uint8_t ndim);

/* Fill data_bytes from shape and itemsize, and check all fields.
 * SSA_EHEADER: unknown dtype, an itemsize that is not the dtype's, too many dimensions, a product that overflows. */
ssa_status ssa_tensor_header_complete(ssa_tensor_header *header);

/* Only the dimensions that it has: most of a header is room for 32. */
void ssa_tensor_header_copy(ssa_tensor_header *to, const ssa_tensor_header *from);

/* Write the header to out, which has room for ssa_tensor_header_size(header->ndim) bytes. */
void ssa_tensor_header_encode(const ssa_tensor_header *header, unsigned char *out);

/* Read a header from the first bytes of a value of value_bytes bytes in all; *offset: where the elements start.
 * SSA_MORE: available bytes do not hold the whole header yet. SSA_EHEADER, SSA_EVERSION: not ours. Never allocates. */
ssa_status ssa_tensor_header_decode(ssa_tensor_header *header, const unsigned char *bytes, size_t available,
                                    uint64_t value_bytes, size_t *offset);

#endif
