#include "name_index.h"

#include <string.h>

#include "allocator.h"
#include "fnv_hash.h"

static size_t hash_of(ssa_name name) {
    uint64_t hash = ssa_fnv_hash(name.text, name.bytes);
    return (size_t)(hash ^ hash >> 32);
}

/* The slot that holds the name, or the free one where it belongs: at least half of them are free. */
static uint32_t *slot_of(const ssa_name_index *index, const void *list, ssa_name_at at, ssa_name name) {
    for (size_t i = hash_of(name);; i++) {
        uint32_t *slot = &index->slots[i & (index->capacity - 1)];
        if (!*slot)
            return slot;
        ssa_name there = at(list, *slot - 1);
        if (there.bytes == name.bytes && !memcmp(there.text, name.text, name.bytes))
            return slot;
    }
}

static void fill(ssa_name_index *index, const void *list, ssa_name_at at, size_t count) {
    memset(index->slots, 0, index->capacity * sizeof *index->slots);
    for (size_t place = 0; place < count; place++)
        *slot_of(index, list, at, at(list, place)) = (uint32_t)place + 1;
    index->count = count;
}

static ssa_status grow(ssa_name_index *index, const void *list, ssa_name_at at) {
    size_t capacity = index->capacity ? 2 * index->capacity : 16;
    uint32_t *slots = ssa_allocate(capacity * sizeof *slots);
    if (!slots)
        return SSA_ENOMEM;
    ssa_release(index->slots);
    index->slots = slots;
    index->capacity = capacity;
    fill(index, list, at, index->count);
    return SSA_OK;
}

size_t ssa_name_index_find(const ssa_name_index *index, const void *list, ssa_name_at at, ssa_name name) {
    uint32_t found = index->count ? *slot_of(index, list, at, name) : 0;
    return found ? found - 1 : SSA_NAME_NOWHERE;
}

ssa_status ssa_name_index_add(ssa_name_index *index, const void *list, ssa_name_at at, ssa_name name) {
    if (2 * (index->count + 1) > index->capacity && grow(index, list, at))
        return SSA_ENOMEM;
    *slot_of(index, list, at, name) = (uint32_t)++index->count;
    return SSA_OK;
}

void ssa_name_index_rebuild(ssa_name_index *index, const void *list, ssa_name_at at, size_t count) {
    if (index->slots)
        fill(index, list, at, count);
}

void ssa_name_index_free(ssa_name_index *index) {
    ssa_release(index->slots);
    memset(index, 0, sizeof *index);
}
