#include "spares.h"

#include "allocator.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SSA_WATCHED_MEMORY 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SSA_WATCHED_MEMORY 1
#endif

#ifdef SSA_WATCHED_MEMORY
static const size_t most = 0; /* what is used after its end is to be found */
#else
static const size_t most = 1024;
#endif

void *ssa_spares_take(ssa_spares *spares) {
    return ssa_allocator_is_replaced() ? NULL : ssa_spares_empty(spares);
}

void *ssa_spares_empty(ssa_spares *spares) {
    ssa_spare *spare = spares->first;
    if (!spare)
        return NULL;
    spares->first = spare->next;
    spares->count--;
    return spare;
}

int ssa_spares_keep(ssa_spares *spares, void *thing) {
    if (spares->count >= most || ssa_allocator_is_replaced())
        return 0;
    ssa_spare *spare = thing;
    spare->next = spares->first;
    spares->first = spare;
    spares->count++;
    return 1;
}
