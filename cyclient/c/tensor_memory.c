#include "tensor_memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "allocator.h"
#include "tensor_header.h"

/* From here on fresh memory comes as pages that the first write has to fault in, one by one unless they are huge. Blocks
 * of this size are kept; the kernel may take their pages meanwhile (MADV_FREE). */
#define LARGE_FROM ((size_t)4 << 20)
#define HUGE_PAGE ((uintptr_t)2 << 20)
#define KEEP_BLOCKS 4

struct ssa_memory_cache {
    atomic_size_t users;  /* the client, and each block that is handed out */
    /* Who finds it in use goes to the allocator: nobody waits, and in the child of a fork a lock that nobody will open means
     * that nothing is kept. */
    atomic_flag in_use;
    atomic_size_t keep_bytes; /* 0 once the client has gone, whoever looks meanwhile */
    ssa_memory kept[KEEP_BLOCKS]; /* in the order in which they were freed */
    size_t count, bytes;
};

ssa_memory_cache *ssa_memory_cache_new(size_t keep_bytes) {
    ssa_memory_cache *cache = ssa_allocate(sizeof *cache);
    if (!cache)
        return NULL;
    memset(cache, 0, sizeof *cache);
    atomic_init(&cache->users, 1);
    atomic_flag_clear(&cache->in_use);
    atomic_init(&cache->keep_bytes, keep_bytes);
    return cache;
}

static void drop(ssa_memory_cache *cache) {
    if (atomic_fetch_sub(&cache->users, 1) > 1)
        return;
    for (size_t i = 0; i < cache->count; i++)
        ssa_release(cache->kept[i].allocation);
    ssa_release(cache);
}

static ssa_memory take_kept(ssa_memory_cache *cache, size_t i) {
    ssa_memory memory = cache->kept[i];
    cache->bytes -= memory.bytes;
    cache->count--;
    memmove(cache->kept + i, cache->kept + i + 1, (cache->count - i) * sizeof *cache->kept);
    return memory;
}

void ssa_memory_cache_end(ssa_memory_cache *cache) {
    if (!cache)
        return;
    atomic_store(&cache->keep_bytes, 0);
    if (!atomic_flag_test_and_set(&cache->in_use)) {
        while (cache->count)
            ssa_release(take_kept(cache, 0).allocation);
        atomic_flag_clear(&cache->in_use);
    }
    drop(cache);
}

/* A kept block that so many bytes fill but for an eighth, or nothing. */
static ssa_memory find_kept(ssa_memory_cache *cache, size_t bytes) {
    for (size_t i = cache->count; i-- > 0;)
        if (cache->kept[i].bytes >= bytes && cache->kept[i].bytes - bytes <= bytes / 8)
            return take_kept(cache, i);
    return (ssa_memory){NULL, NULL, 0, NULL};
}

/* The whole huge pages within; returns where they begin. */
static uintptr_t huge_pages(const ssa_memory *memory, size_t *bytes) {
    uintptr_t start = (uintptr_t)memory->data, first = (start + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    *bytes = (start + memory->bytes - first) & ~(size_t)(HUGE_PAGE - 1);
    return first;
}

static ssa_memory allocate(size_t bytes) {
    ssa_memory memory = {NULL, NULL, 0, NULL};
    if (bytes > SIZE_MAX - SSA_TENSOR_ALIGNMENT)
        return memory;
    memory.allocation = ssa_allocate(bytes + SSA_TENSOR_ALIGNMENT);
    if (!memory.allocation)
        return memory;
    uintptr_t start = ((uintptr_t)memory.allocation + SSA_TENSOR_ALIGNMENT - 1) & ~(uintptr_t)(SSA_TENSOR_ALIGNMENT - 1);
    memory.data = (void *)start;
    memory.bytes = bytes;
#ifdef MADV_HUGEPAGE
    if (bytes >= LARGE_FROM) {
        size_t huge;
        uintptr_t first = huge_pages(&memory, &huge);
        madvise((void *)first, huge, MADV_HUGEPAGE); /* a wish; may be refused */
    }
#endif
    return memory;
}

ssa_memory ssa_memory_take(ssa_memory_cache *cache, size_t bytes) {
    if (!cache || bytes < LARGE_FROM)
        return allocate(bytes);
    ssa_memory memory = {NULL, NULL, 0, NULL};
    if (!atomic_flag_test_and_set(&cache->in_use)) {
        memory = find_kept(cache, bytes);
        atomic_flag_clear(&cache->in_use);
    }
    if (!memory.data)
        memory = allocate(bytes);
    if (memory.data) {
        memory.cache = cache;
        atomic_fetch_add(&cache->users, 1);
    }
    return memory;
}

ssa_memory ssa_memory_new(size_t bytes) {
    return allocate(bytes);
}

/* Whether the cache took it. */
static int keep(ssa_memory_cache *cache, ssa_memory memory) {
    if (atomic_flag_test_and_set(&cache->in_use))
        return 0;
    size_t keep_bytes = atomic_load(&cache->keep_bytes);
    int wanted = memory.bytes <= keep_bytes;
    if (wanted) {
#ifdef MADV_FREE
        size_t huge;
        uintptr_t first = huge_pages(&memory, &huge);
        madvise((void *)first, huge, MADV_FREE);
#endif
        while (cache->count == KEEP_BLOCKS || cache->bytes + memory.bytes > keep_bytes)
            ssa_release(take_kept(cache, 0).allocation);
        cache->kept[cache->count++] = memory;
        cache->bytes += memory.bytes;
    }
    atomic_flag_clear(&cache->in_use);
    return wanted;
}

void ssa_memory_free(ssa_memory *memory) {
    ssa_memory freed = *memory;
    *memory = (ssa_memory){NULL, NULL, 0, NULL};
    if (!freed.cache) {
        ssa_release(freed.allocation);
        return;
    }
    if (!keep(freed.cache, freed))
        ssa_release(freed.allocation);
    drop(freed.cache);
}
