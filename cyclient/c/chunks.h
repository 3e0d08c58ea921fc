/* Values that are stored in pieces (WIRE.md, "Chunks"): the manifest that stands at the key, and the keys of the pieces. No I/O. */
#ifndef SSA_CHUNKS_H
#define SSA_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

#include "resp_writer.h"
#include "status.h"
#include "tensor_header.h"

#define SSA_MANIFEST_MAGIC "SSAM"
#define SSA_MANIFEST_FIXED_BYTES 40 /* before the head */
#define SSA_MANIFEST_MAX (SSA_MANIFEST_FIXED_BYTES + SSA_TENSOR_MAX_HEADER)
#define SSA_MANIFEST_LAST "359" /* the index of its last byte, for GETRANGE */
#define SSA_CHUNKS_MAX 65536        /* in one value */
#define SSA_NONCE_BYTES 16
#define SSA_NONCE_DIGITS (2 * SSA_NONCE_BYTES)

typedef struct ssa_manifest {
    unsigned char head[SSA_TENSOR_MAX_HEADER]; /* the first bytes of the value: a tensor's header */
    size_t head_bytes;
    uint64_t rest_bytes;                  /* of the value: what is in the chunks */
    uint64_t chunk_bytes;                 /* of each but the last */
    unsigned char nonce[SSA_NONCE_BYTES]; /* in the names of the chunks: another one for every put */
} ssa_manifest;

/* Whether this whole value is a manifest; *manifest is filled then. */
int ssa_manifest_decode(ssa_manifest *manifest, const void *value, size_t bytes);
/* Returns how many bytes were written to `out`, which has room for SSA_MANIFEST_MAX. */
size_t ssa_manifest_encode(const ssa_manifest *manifest, unsigned char *out);

size_t ssa_manifest_count(const ssa_manifest *manifest);
uint64_t ssa_manifest_chunk_at(const ssa_manifest *manifest, size_t chunk, uint64_t *bytes); /* where it begins */

/* The key of one chunk, in the slot of the value's key; `key` is emptied first. SSA_ENOMEM. */
ssa_status ssa_chunk_key(const ssa_manifest *manifest, const void *of, size_t bytes, size_t chunk, ssa_buffer *key);

/* Where the key of the value ends in what may be the key of one of its chunks, when that has no braces of its own: it stands from place 1 to
 * there. 0: it is no such key. */
size_t ssa_chunk_key_end(const void *chunk, size_t bytes);

/* What a dataset keeps of an item in chunks, beside the names of its items: `.<nonce>.<how many>.<item>`. */
typedef struct ssa_pieces_name {
    const char *item, *nonce; /* nonce: hexadecimal digits, without an end */
    size_t item_bytes, count;
} ssa_pieces_name;

/* The name is emptied first. SSA_ENOMEM. */
ssa_status ssa_pieces_name_encode(const ssa_manifest *manifest, const char *item, size_t bytes, ssa_buffer *name);
/* Whether this is such a name; *pieces borrows from it then. Nothing is said of the item's own name. */
int ssa_pieces_name_decode(ssa_pieces_name *pieces, const char *name, size_t bytes);

#endif
