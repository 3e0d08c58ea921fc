#include "tensor_memory.h"

#include <stdint.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "allocator.h"
#include "tensor_header.h"

/* From here on fresh memory comes as pages that the first write has to fault in, one by one unless they are huge. */
#define HUGE_FROM ((size_t)4 << 20)
#define HUGE_PAGE ((uintptr_t)2 << 20)

ssa_memory ssa_memory_new(size_t bytes) {
    ssa_memory memory = {NULL, NULL};
    if (bytes > SIZE_MAX - SSA_TENSOR_ALIGNMENT)
        return memory;
    memory.allocation = ssa_allocate(bytes + SSA_TENSOR_ALIGNMENT);
    if (!memory.allocation)
        return memory;
    uintptr_t start = ((uintptr_t)memory.allocation + SSA_TENSOR_ALIGNMENT - 1) & ~(uintptr_t)(SSA_TENSOR_ALIGNMENT - 1);
    memory.data = (void *)start;
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_FROM) {
        uintptr_t first = (start + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
        madvise((void *)first, (start + bytes - first) & ~(HUGE_PAGE - 1), MADV_HUGEPAGE); /* a wish; may be refused */
    }
#endif
    return memory;
}

void ssa_memory_free(ssa_memory *memory) {
    ssa_release(memory->allocation);
    memory->data = memory->allocation = NULL;
}
