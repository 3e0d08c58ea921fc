#include "tensor_memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "allocator.h"
#include "tensor_header.h"

/* From here on fresh memory comes as pages that the first write has to fault in, one by one unless they are huge. */
#define LARGE_FROM ((size_t)4 << 20)
#define HUGE_PAGE ((uintptr_t)2 << 20)

/* Such blocks are kept when they are freed, for the next tensor of their size: a loop that gets a field in each step would
 * else fault in, and the kernel clear, all its pages every time (a get of 64 MiB took 1.7 times as long; below 32 MiB
 * glibc does the same of itself). The kernel may take their pages meanwhile (MADV_FREE). Who finds the list in use goes
 * to the allocator: nobody waits, and in the child of a fork a lock that nobody will open means that nothing is kept. */
#define KEEP_BYTES ((size_t)128 << 20)
#define KEEP_BLOCKS 4

static atomic_flag kept_in_use = ATOMIC_FLAG_INIT;
static ssa_memory kept[KEEP_BLOCKS]; /* in the order in which they were freed */
static size_t kept_count, kept_bytes;

static ssa_memory take_kept(size_t i) {
    ssa_memory memory = kept[i];
    kept_bytes -= memory.bytes;
    kept_count--;
    memmove(kept + i, kept + i + 1, (kept_count - i) * sizeof *kept);
    return memory;
}

/* A kept block that so many bytes fill but for an eighth, or nothing. */
static ssa_memory find_kept(size_t bytes) {
    for (size_t i = kept_count; i-- > 0;)
        if (kept[i].bytes >= bytes && kept[i].bytes - bytes <= bytes / 8)
            return take_kept(i);
    return (ssa_memory){NULL, NULL, 0};
}

static void keep(ssa_memory memory) {
    while (kept_count == KEEP_BLOCKS || kept_bytes + memory.bytes > KEEP_BYTES)
        ssa_release(take_kept(0).allocation);
    kept[kept_count++] = memory;
    kept_bytes += memory.bytes;
}

/* The whole huge pages within; returns where they begin. */
static uintptr_t huge_pages(const ssa_memory *memory, size_t *bytes) {
    uintptr_t start = (uintptr_t)memory->data, first = (start + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    *bytes = (start + memory->bytes - first) & ~(size_t)(HUGE_PAGE - 1);
    return first;
}

ssa_memory ssa_memory_new(size_t bytes) {
    ssa_memory memory = {NULL, NULL, 0};
    if (bytes > SIZE_MAX - SSA_TENSOR_ALIGNMENT)
        return memory;
    if (bytes >= LARGE_FROM && !atomic_flag_test_and_set(&kept_in_use)) {
        memory = find_kept(bytes);
        atomic_flag_clear(&kept_in_use);
        if (memory.data)
            return memory;
    }
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

void ssa_memory_free(ssa_memory *memory) {
    ssa_memory freed = *memory;
    *memory = (ssa_memory){NULL, NULL, 0};
    if (freed.data && freed.bytes >= LARGE_FROM && freed.bytes <= KEEP_BYTES && !atomic_flag_test_and_set(&kept_in_use)) {
#ifdef MADV_FREE
        size_t huge;
        uintptr_t first = huge_pages(&freed, &huge);
        madvise((void *)first, huge, MADV_FREE);
#endif
        keep(freed);
        atomic_flag_clear(&kept_in_use);
        return;
    }
    ssa_release(freed.allocation);
}
