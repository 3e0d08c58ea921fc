/* Pauses between tries of the same thing: the first, then each twice as long, up to the longest. Pure. */
#ifndef SSA_BACKOFF_H
#define SSA_BACKOFF_H

#include <stdint.h>

typedef struct ssa_backoff {
    int64_t first, longest; /* nanoseconds, > 0 */
} ssa_backoff;

/* The pause after one of `last`; 0: there was none. */
static inline int64_t ssa_backoff_next(const ssa_backoff *backoff, int64_t last) {
    if (!last)
        return backoff->first;
    return last < backoff->longest / 2 ? 2 * last : backoff->longest;
}

/* The pause before this retry; 0 is the first. */
static inline int64_t ssa_backoff_before(const ssa_backoff *backoff, unsigned retry) {
    int64_t pause = ssa_backoff_next(backoff, 0);
    while (retry-- && pause < backoff->longest)
        pause = ssa_backoff_next(backoff, pause);
    return pause;
}

/* From a half to one and a half of it, by a random number: for those that would meet again after the same pause. */
static inline int64_t ssa_backoff_spread(int64_t pause, uint32_t random) {
    return pause / 2 + (int64_t)((double)pause * ((double)random / 4294967296.0));
}

#endif
