#include "call.h"

#include <string.h>

#include "fnv_hash.h"
#include "key_slot.h"

static void insert_before(ssa_call_list *list, ssa_call *call, ssa_call *before) {
    call->list = list;
    call->next = before;
    call->previous = before ? before->previous : list->last;
    *(call->previous ? &call->previous->next : &list->first) = call;
    *(before ? &before->previous : &list->last) = call;
    list->length++;
}

void ssa_call_list_append(ssa_call_list *list, ssa_call *call) {
    insert_before(list, call, NULL);
}

void ssa_call_list_insert(ssa_call_list *list, ssa_call *call, ssa_call *near) {
    ssa_call *after = near ? near : list->last;
    while (after && after->number > call->number)
        after = after->previous;
    ssa_call *before = after ? after->next : list->first;
    while (before && before->number < call->number)
        before = before->next;
    insert_before(list, call, before);
}

void ssa_call_list_remove(ssa_call *call) {
    ssa_call_list *list = call->list;
    if (!list)
        return;
    if (list->walk == call)
        list->walk = call->next;
    *(call->previous ? &call->previous->next : &list->first) = call->next;
    *(call->next ? &call->next->previous : &list->last) = call->previous;
    list->length--;
    call->list = NULL;
    call->next = call->previous = NULL;
}

/* Keys that share a hash by chance are kept in order for nothing, that is all. */
uint64_t ssa_key_hash(const void *key, size_t bytes) {
    size_t tag_bytes;
    const void *tag = ssa_key_tag(key, bytes, &tag_bytes);
    return ssa_fnv_hash(tag, tag_bytes);
}

void ssa_call_key(ssa_call *call, const void *key, size_t bytes) {
    call->slot = ssa_key_slot(key, bytes);
    call->key_hash = ssa_key_hash(key, bytes);
}

int ssa_calls_conflict(const ssa_call *a, const ssa_call *b) {
    return ((a->flags | b->flags) & SSA_CALL_FENCE) || a->key_hash == b->key_hash;
}
