/* What waiting without an event loop needs of the system: the clock, and sockets whose calls wait (poll_driver.h waits). */
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

#endif
