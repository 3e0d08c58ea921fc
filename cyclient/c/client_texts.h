/* Texts that the library gave to a caller. */
#ifndef SSA_CLIENT_TEXTS_H
#define SSA_CLIENT_TEXTS_H

#include "client.h"

/* All strings of a reply, in their order; NULL: it has none, or there is no memory (*status). */
ssa_texts *ssa_texts_of(const ssa_reply *reply, ssa_status *status);
/* Those that a function gives, one after the other: *text has no data after the last. Asked twice over. */
ssa_texts *ssa_texts_from(int (*next)(void *self, size_t place, ssa_text *text), void *self, ssa_status *status);

#endif
