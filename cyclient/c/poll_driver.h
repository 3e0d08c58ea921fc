/* Waiting, for callers without an event loop: the engine, driven by poll. */
#ifndef SSA_POLL_DRIVER_H
#define SSA_POLL_DRIVER_H

#include "engine.h"

struct pollfd;

/* Send, receive and keep time until the request is complete; NULL: until anything is. until: a moment of ssa_now();
 * SSA_NEVER: none, the request has its own deadline.
 * SSA_OK: it is; SSA_MORE: the moment has come, or a signal: look at it and call again; SSA_ENOMEM. */
ssa_status ssa_poll_until(ssa_engine *engine, const ssa_request *request, int64_t until);

/* What a poll that is under way would notice. */
typedef struct ssa_poll_watch {
    const struct pollfd *descriptors;
    size_t count;
    int64_t until;
    uint64_t sockets; /* ssa_engine.sockets when it began */
} ssa_poll_watch;

/* How threads share an engine: under a lock that whoever polls gives away meanwhile. */
typedef struct ssa_poll_guard {
    void *self;
    int (*wake)(void *self);      /* a descriptor that ends a poll when it can be read; negative: there is none */
    int (*is_done)(void *self);   /* asked after everything that may have completed requests */
    int (*is_wanted)(void *self); /* whether another thread wants the lock: then nothing waits with it held */
    void (*release)(void *self, const ssa_poll_watch *watch);
    int (*take)(void *self);      /* true: another thread had it meanwhile */
} ssa_poll_guard;

/* The same until the guard says that it is done, for a thread that holds its lock, and does again when this returns. */
ssa_status ssa_poll_guarded(ssa_engine *engine, int64_t until, const ssa_poll_guard *guard);

/* Whether that poll would notice all that the engine waits for now; if not, it is to be woken. */
int ssa_poll_covers(const ssa_poll_watch *watch, ssa_engine *engine);

#endif
