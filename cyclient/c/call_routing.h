/* What becomes of a call: which connection it takes, whether it is sent again, and in which order. */
#ifndef SSA_CALL_ROUTING_H
#define SSA_CALL_ROUTING_H

#include "engine.h"

/* Try the parked calls whose moment has come, in their order. */
void ssa_routing_retry(ssa_engine *engine);
/* Calls that wait for this link to open wait for a topology instead, unless they must go to this very server. */
void ssa_routing_park_waiting(ssa_engine *engine, ssa_link *link);
/* From now on what is in flight may come back: later commands on its keys wait until it has been answered. */
void ssa_routing_unsettle(ssa_engine *engine);
/* End a call that is in no connection: done() sees this status and text. */
void ssa_routing_fail(ssa_engine *engine, ssa_call *call, ssa_status status, const char *text);

#endif
