/* Waiting, for callers without an event loop: the engine, driven by poll. */
#ifndef SSA_POLL_DRIVER_H
#define SSA_POLL_DRIVER_H

#include "engine.h"

/* Send, receive and keep time until the request is complete; NULL: until anything is. until: a moment of ssa_now();
 * SSA_NEVER: none, the request has its own deadline.
 * SSA_OK: it is; SSA_MORE: the moment has come, or a signal: look at it and call again; SSA_ENOMEM. */
ssa_status ssa_poll_until(ssa_engine *engine, const ssa_request *request, int64_t until);

#endif
