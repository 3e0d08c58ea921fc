/* Memory for the elements of one tensor, aligned as on the wire. Moves by plain assignment; exactly one owner frees it. */
#ifndef SSA_TENSOR_MEMORY_H
#define SSA_TENSOR_MEMORY_H

#include <stddef.h>

/* Large blocks that were freed and wait for the next tensor of their size: a loop that gets a field in each step would
 * else fault in, and the kernel clear, all its pages every time (a get of 64 MiB took 1.7 times as long; below 32 MiB
 * glibc does the same of itself). One a client, shared with the tensors that came from it, whichever thread frees them;
 * it goes with the last of them. */
typedef struct ssa_memory_cache ssa_memory_cache;

typedef struct ssa_memory {
    void *data;              /* a multiple of SSA_TENSOR_ALIGNMENT; never NULL once allocated, also for no bytes */
    void *allocation;        /* what to release */
    size_t bytes;            /* that fit in */
    ssa_memory_cache *cache; /* where it goes when it is freed; NULL: to the allocator */
} ssa_memory;

/* Keeps up to keep_bytes. NULL: no memory. */
ssa_memory_cache *ssa_memory_cache_new(size_t keep_bytes);
/* The client has gone: nothing is kept any more; the last tensor takes the cache along. NULL is allowed. */
void ssa_memory_cache_end(ssa_memory_cache *cache);

/* cache: where to look first, and where it goes when it is freed; NULL: none. data is NULL when there is no memory. */
ssa_memory ssa_memory_take(ssa_memory_cache *cache, size_t bytes);
ssa_memory ssa_memory_new(size_t bytes);  /* without a cache */
void ssa_memory_free(ssa_memory *memory); /* leaves it empty */

#endif
