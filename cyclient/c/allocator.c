#include "allocator.h"

#include <stdlib.h>

static const ssa_allocator standard = {malloc, realloc, free};
static ssa_allocator current = {malloc, realloc, free};

void ssa_allocator_set(const ssa_allocator *table) {
    current = table ? *table : standard;
}

int ssa_allocator_is_replaced(void) {
    return current.allocate != standard.allocate;
}

void *ssa_allocate(size_t bytes) {
    return current.allocate(bytes ? bytes : 1);
}

void *ssa_reallocate(void *memory, size_t bytes) {
    return current.reallocate(memory, bytes ? bytes : 1);
}

void ssa_release(void *memory) {
    current.release(memory);
}
