/* Waiting, for callers without an event loop: the same connection, driven by poll. */
#ifndef SSA_BLOCKING_H
#define SSA_BLOCKING_H

#include <stdint.h>

#include "connection.h"

/* Nanoseconds of the monotonic clock, in which deadlines are given. */
int64_t ssa_now(void);

/* Send and receive until `command` is complete; NULL: until something was received.
 * SSA_OK; SSA_MORE: the deadline passed or a signal came; any other: the connection is broken and has been failed, so
 * that the command is complete too. */
ssa_status ssa_connection_wait(ssa_connection *connection, const ssa_command *command, int64_t deadline);

#endif
