/* Moments at which something is due, the earliest first: deadlines, backoffs, looks for silence. Sans-IO: no clock here. */
#ifndef SSA_TIMER_HEAP_H
#define SSA_TIMER_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define SSA_NEVER INT64_MAX

/* Lives inside what it belongs to; must be cancelled before that is freed. Zeroed: not armed. */
typedef struct ssa_timer {
    int64_t at;     /* nanoseconds of the monotonic clock */
    size_t place;   /* in the heap, from 1; 0: not armed */
    void (*fire)(struct ssa_timer *timer);
    void *owner;
} ssa_timer;

typedef struct ssa_timer_heap {
    ssa_timer **timers;
    size_t count, capacity;
} ssa_timer_heap;

/* Room for one more timer, so that arming one cannot fail. SSA_ENOMEM. */
ssa_status ssa_timer_heap_reserve(ssa_timer_heap *heap, size_t timers);
void ssa_timer_heap_free(ssa_timer_heap *heap);

/* Arm, or move, a timer. Needs room reserved for it (ssa_timer_heap_reserve) unless it is armed. */
void ssa_timer_arm(ssa_timer_heap *heap, ssa_timer *timer, int64_t at);
void ssa_timer_cancel(ssa_timer_heap *heap, ssa_timer *timer); /* not armed: nothing */

int64_t ssa_timer_next(const ssa_timer_heap *heap); /* SSA_NEVER: none is armed */

/* Fire all that are due; those armed by a firing one for a moment that has come, too. */
void ssa_timer_fire_due(ssa_timer_heap *heap, int64_t now);

#endif
