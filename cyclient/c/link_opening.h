/* How a link is opened: the name, each of its addresses in turn, the socket, TLS, until the handshake (link_handshake.h).
 * For link.c, which has the rest of a link's life. */
#ifndef SSA_LINK_OPENING_H
#define SSA_LINK_OPENING_H

#include "link.h"

#define SSA_WORKER_SILENCE INT64_C(1000000000) /* WIRE.md, "Run" */

/* What came for a link in this state: its name was looked up, its socket is connected or has failed, bytes of TLS. */
void ssa_link_resolved(ssa_link *link);
void ssa_link_connected(ssa_link *link);
void ssa_link_secure(ssa_link *link);

/* Nothing came of this address: on to the next one of the name, if it has one. */
void ssa_link_address_failed(ssa_link *link, const char *reason);
/* Nothing came of this try: the next one after a while, if somebody still needs it. final: it would change nothing. */
void ssa_link_failed(ssa_link *link, const char *reason, int final);

/* ---- of link.c */

/* Tell the driver what to watch for. */
void ssa_link_watch(ssa_link *link, int events);
void ssa_link_close_socket(ssa_link *link);

#endif
