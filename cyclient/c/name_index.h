/* Finds a name in a list of names by hashing: datasets may have very many entries, and who wrote them may be anybody.
 * The index holds places in the list, not names: whoever has the list says what stands where. */
#ifndef SSA_NAME_INDEX_H
#define SSA_NAME_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef struct ssa_name {
    const char *text; /* any bytes, no NUL at the end needed */
    size_t bytes;
} ssa_name;

/* The name at a place of the list. */
typedef ssa_name (*ssa_name_at)(const void *list, size_t place);

typedef struct ssa_name_index { /* zeros are an empty one */
    uint32_t *slots; /* place + 1; 0: free */
    size_t capacity, count;
} ssa_name_index;

#define SSA_NAME_NOWHERE ((size_t)-1)

size_t ssa_name_index_find(const ssa_name_index *index, const void *list, ssa_name_at at, ssa_name name);
/* Add the name that stands, or will stand, at place index->count. SSA_ENOMEM leaves the index as it was. */
ssa_status ssa_name_index_add(ssa_name_index *index, const void *list, ssa_name_at at, ssa_name name);
/* After a removal: the list has now `count` names, no more than before. Never allocates. */
void ssa_name_index_rebuild(ssa_name_index *index, const void *list, ssa_name_at at, size_t count);
void ssa_name_index_free(ssa_name_index *index); /* leaves it empty and usable */

#endif
