/* Memory as an array of numpy has it: where malloc gives it, which is no page's beginning, and if it is large in huge pages
 * within, where they are to be had: copying from small ones takes longer. */
#ifndef ARRAY_MEMORY_H
#define ARRAY_MEMORY_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE ((uintptr_t)2 << 20)
#define HUGE_FROM ((size_t)4 << 20) /* from here on numpy asks for huge pages */

/* NULL where there is none; free() gives it back. */
static void *array_memory(size_t bytes) {
    char *memory = malloc(bytes);
    uintptr_t first = ((uintptr_t)memory + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1), end = ((uintptr_t)memory + bytes) & ~(HUGE_PAGE - 1);
    if (memory && bytes >= HUGE_FROM && first < end)
        madvise((void *)first, end - first, MADV_HUGEPAGE); /* a wish; may be refused */
    return memory;
}

#endif
