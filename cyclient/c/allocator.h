/* The one table through which the core allocates, so that a test can fail the n-th allocation for each n. */
#ifndef SSA_ALLOCATOR_H
#define SSA_ALLOCATOR_H

#include <stddef.h>

typedef struct ssa_allocator {
    void *(*allocate)(size_t bytes);
    void *(*reallocate)(void *memory, size_t bytes);
    void (*release)(void *memory);
} ssa_allocator;

/* Replace the table; NULL restores malloc, realloc and free. Only before anything was allocated through it. */
void ssa_allocator_set(const ssa_allocator *table);

/* Whether a table is in place: then nothing is kept for reuse, so that every operation asks for all that it needs. */
int ssa_allocator_is_replaced(void);

void *ssa_allocate(size_t bytes);                   /* NULL when there is none */
void *ssa_reallocate(void *memory, size_t bytes);   /* like realloc */
void ssa_release(void *memory);                     /* NULL is allowed */

#endif
