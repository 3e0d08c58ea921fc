/* A poll that other threads may end: whoever drives the engine keeps it until the poll returns, and is told that it is wanted. */
#ifndef SSA_POLL_WAKE_H
#define SSA_POLL_WAKE_H

#include <stdatomic.h>

#include "poll_driver.h"

/* Of one engine. */
typedef struct ssa_poll_wake {
    atomic_int wanted; /* another thread asks for the engine */
    atomic_int writer; /* of the pipe that ends a poll; negative: there is none yet */
    int reader;
    int turns;         /* while above 0 threads take turns, and no system call is waited in that cannot be ended */
} ssa_poll_wake;

void ssa_poll_wake_init(ssa_poll_wake *wake);
void ssa_poll_wake_end(ssa_poll_wake *wake); /* closes the pipe, if there is one; safe to repeat */

/* Send, receive and keep time until the request is complete, anything is (then the request need not be; NULL: any), or the
 * engine is asked for. As ssa_poll_until otherwise. */
ssa_status ssa_poll_wakeable(ssa_engine *engine, const ssa_request *request, int64_t until, ssa_poll_wake *wake);

/* End that poll, or the next one; of another thread. It ends at once, or when a system call is over that lasts
 * SSA_CALL_NS at most. */
void ssa_poll_wake_ask(ssa_poll_wake *wake);
/* After a poll, while nobody can ask: whether it was asked for. */
int ssa_poll_wake_answer(ssa_poll_wake *wake);

#endif
