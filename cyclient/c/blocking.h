/* Waiting, for callers without an event loop: the same connection, driven by poll. */
#ifndef SSA_BLOCKING_H
#define SSA_BLOCKING_H

#include <stdint.h>

#include "connection.h"

/* How long one system call waits on the descriptor itself; a wait that has less left, or lasts longer, uses poll. */
#define SSA_CALL_NS INT64_C(5000000)

/* Nanoseconds of the monotonic clock, in which deadlines are given. */
int64_t ssa_now(void);

/* Let waits happen in the system calls that move the bytes: poll before them costs 0.5 us with both ends on one core and
 * 5 to 13 us on two. Without it, or where the system refuses, waits use poll. Call it before the first wait. */
void ssa_connection_prepare_waits(ssa_connection *connection);

/* Send and receive until `command` is complete; NULL: until something was received.
 * SSA_OK; SSA_MORE: the deadline passed or a signal came; any other: the connection is broken and has been failed, so
 * that the command is complete too. */
ssa_status ssa_connection_wait(ssa_connection *connection, const ssa_command *command, int64_t deadline);

#endif
