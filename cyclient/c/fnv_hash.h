/* FNV-1a of Fowler, Noll and Vo, in 64 bits. For tables and for "may be the same": those who choose the data can choose collisions, so
 * equal hashes may cost time and never decide. Pure. */
#ifndef SSA_FNV_HASH_H
#define SSA_FNV_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t ssa_fnv_hash(const void *data, size_t bytes) {
    const unsigned char *at = data;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
