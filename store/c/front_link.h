/* Intrusive doubly linked lists: a request stands in the queue of its model and in the list of its connection without
 * an allocation, and leaves either in constant time. A list head is a link that points to itself when empty. */
#ifndef SSA_FRONT_LINK_H
#define SSA_FRONT_LINK_H

#include <stddef.h>

typedef struct ssa_link {
    struct ssa_link *previous, *next;
} ssa_link;

#define SSA_CONTAINER(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void ssa_link_reset(ssa_link *link) {
    link->previous = link->next = link;
}

static inline int ssa_link_alone(const ssa_link *link) {
    return link->next == link;
}

/* Put `link` before `place`: at the end of the list when `place` is its head. */
static inline void ssa_link_insert(ssa_link *place, ssa_link *link) {
    link->previous = place->previous;
    link->next = place;
    place->previous->next = link;
    place->previous = link;
}

static inline void ssa_link_remove(ssa_link *link) {
    link->previous->next = link->next;
    link->next->previous = link->previous;
    ssa_link_reset(link);
}

#endif
