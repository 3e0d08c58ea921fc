/* Memory for the elements of one tensor, aligned as on the wire. Moves by plain assignment; exactly one owner frees it. */
#ifndef SSA_TENSOR_MEMORY_H
#define SSA_TENSOR_MEMORY_H

#include <stddef.h>

typedef struct ssa_memory {
    void *data;       /* a multiple of SSA_TENSOR_ALIGNMENT; never NULL once allocated, also for no bytes */
    void *allocation; /* what to release */
    size_t bytes;     /* that fit in */
} ssa_memory;

ssa_memory ssa_memory_new(size_t bytes); /* data is NULL when there is no memory */
void ssa_memory_free(ssa_memory *memory); /* leaves it empty */

#endif
