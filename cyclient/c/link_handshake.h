/* What is said on a new connection before it is of use: who we are, and proof of it (WIRE.md, "Shards", "Proof"). */
#ifndef SSA_LINK_HANDSHAKE_H
#define SSA_LINK_HANDSHAKE_H

#include "link.h"

/* Send the first step (answered: NULL), or look at the answer to the last one and send the next. Ends in
 * ssa_link_opened or ssa_link_refused. */
void ssa_handshake_next(ssa_link *link, ssa_call *answered);

/* The first answer is an alert of TLS: the server speaks it, and we do not. */
int ssa_handshake_met_tls(const ssa_link *link);
/* A question to add to the reason why a connection ended: the server said nothing, so it may speak TLS. Else "". */
const char *ssa_handshake_question(const ssa_link *link);

#endif
