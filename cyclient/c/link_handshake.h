/* What is said on a new connection before it is of use: who we are, and proof of it (WIRE.md, "Shards", "Proof"). */
#ifndef SSA_LINK_HANDSHAKE_H
#define SSA_LINK_HANDSHAKE_H

#include "link.h"

/* Send the first step (answered: NULL), or look at the answer to the last one and send the next. Ends in
 * ssa_link_opened or ssa_link_refused. */
void ssa_handshake_next(ssa_link *link, ssa_call *answered);

#endif
