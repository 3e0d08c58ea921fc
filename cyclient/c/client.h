/* What a program in C holds: an engine that its threads share, and the text of what failed last in each of them.
 *
 * Sharing. One lock guards the engine. A thread that waits for its operation drives the engine for all of them: it
 * polls with the lock given away, so that others can start operations meanwhile, and tells each whose operation is
 * complete; the others sleep until they are told, or until it leaves and one of them has to drive. Alone in the handle
 * a thread waits in the system calls that move the bytes, with the lock held, for SSA_CALL_NS at most: that saves a
 * poll for each operation (poll_driver.h), and is not done while several threads take turns. */
#ifndef SSA_CLIENT_H
#define SSA_CLIENT_H

#include "../include/ssasync.h"

#include <pthread.h>
#include <stdatomic.h>

#include "operations.h"
#include "poll_driver.h"

#define SSA_CLIENT_ERROR_BYTES 1280

/* A thread that waits for operations; lives on its stack. */
typedef struct ssa_client_waiter {
    struct ssa_client_waiter *next, **place; /* among those that do not drive */
    pthread_cond_t told;
    int done;                                /* one of its operations is complete */
} ssa_client_waiter;

/* What the owner of an engine's request is. */
typedef struct ssa_ticket {
    ssa_client_waiter *waiter; /* NULL: nobody waits for it now */
} ssa_ticket;

/* What failed last in one thread. */
typedef struct ssa_client_failure {
    struct ssa_client_failure *next;
    pthread_t thread;
    char text[SSA_CLIENT_ERROR_BYTES];
} ssa_client_failure;

struct ssa_client {
    ssa_home_process home;
    ssa_status unopened;          /* why there is no engine; its text is that of its opening */
    char unopened_text[SSA_CLIENT_ERROR_BYTES];
    ssa_engine *engine;
    ssa_memory_cache *memory;     /* the engine's, which needs no lock */

    atomic_int inside;            /* threads that are in a call, also in one that frees */
    atomic_size_t users;          /* those, the handle, its futures and batches: the last one frees everything */
    pthread_mutex_t lock;         /* of all that follows */
    pthread_t last;               /* that had the lock */
    int turns;                    /* while above 0 threads take turns; counts down while one has it all the time */
    int closed;
    int driving;                  /* a thread drives the engine */
    const ssa_client_waiter *driver; /* it; NULL: nobody drives, or for nothing of its own */
    const ssa_poll_watch *watch;  /* what it polls for, with the lock given away; NULL: it does not */
    int intruded;                 /* somebody had the lock since then */
    int woken;                    /* there is a byte in the pipe */
    int pipe[2];                  /* wakes a poll; -1: there is none yet */
    ssa_client_waiter *waiting;

    pthread_mutex_t failures_lock;
    ssa_client_failure *failures, first_failure; /* each thread has its own */
    int has_first;
};

/* ---- one call of a thread (client_entry.c) */

typedef struct ssa_entry {
    ssa_client *client;  /* NULL: there is none, or it may not be touched */
    ssa_engine *engine;  /* while it is open */
    int locked;
    ssa_status status;
    ssa_problem problem; /* text of a failure, if the request has none */
    const char *reason;  /* the same, of somebody else's; NULL */
    ssa_request *request;
    ssa_ticket ticket;
    int64_t timeout;     /* as of ssa_request_start */
} ssa_entry;

/* Enter a handle. Without the lock yet: look at the arguments, copy what has to be copied. All of these return
 * entry->status; whatever it is, the call ends with ssa_entry_end. */
ssa_status ssa_entry_begin(ssa_entry *entry, ssa_client *client, double timeout);
/* What the caller did wrong. */
__attribute__((format(printf, 3, 4)))
ssa_status ssa_entry_refuse(ssa_entry *entry, ssa_status status, const char *format, ...);
/* A text that is passed in: where it is, its length or SSA_TEXT_ENDS, what it is called. SSA_EARGUMENT: it is none;
 * problem says so. */
ssa_status ssa_text_given(const char *what, const char *data, size_t bytes, ssa_text *text,
                          char problem[SSA_MISTAKE_BYTES]);
/* The same of an entry. */
ssa_status ssa_entry_text(ssa_entry *entry, const char *what, const char *data, size_t bytes, ssa_text *text);
/* What an argument points to, and where a result goes. */
ssa_status ssa_entry_given(ssa_entry *entry, const char *what, const void *argument);
ssa_status ssa_entry_result(ssa_entry *entry, const char *what, const void *result);
/* Take the lock. Only with SSA_OK may entry->engine be touched. */
ssa_status ssa_entry_open(ssa_entry *entry);
/* The same for what a closed client answers too. */
ssa_status ssa_entry_open_any(ssa_entry *entry);
/* Give the lock back, for long work on what is this thread's alone: the engine is not touched any more. */
void ssa_entry_unlock(ssa_entry *entry);
/* All of that for an operation on one name. */
ssa_status ssa_entry_open_name(ssa_entry *entry, ssa_client *client, const char *name, size_t bytes, double timeout,
                               ssa_text *text);
/* Carry out a request, which the entry owns; NULL: entry->problem says why there is none. */
ssa_status ssa_entry_run(ssa_entry *entry, ssa_request *request);
/* Wait for a request that was started. SSA_OK: it is complete; SSA_ENOMEM: it is to be cancelled. */
ssa_status ssa_entry_wait(ssa_entry *entry, ssa_request *request);
/* Leave: what is left is freed, a failure is noted. */
ssa_status ssa_entry_end(ssa_entry *entry);

/* Seconds as the caller gives them in nanoseconds of ssa_request_start; 0: that is no time. */
int ssa_seconds(double seconds, int64_t *nanoseconds);

/* ---- sharing (client_lock.c) */

void ssa_client_lock(ssa_client *client);
void ssa_client_unlock(ssa_client *client);
/* A future or a batch is one more user. */
void ssa_client_join(ssa_client *client);
/* One user less; the last one frees the client. With the lock not held. */
void ssa_client_leave(ssa_client *client);
/* For a user that is freed: take the lock. 0: nothing may be taken apart, for this is the child of a fork during which a
 * thread was in a call, perhaps with the lock. */
int ssa_client_begin_to_free(ssa_client *client);
/* Give the lock back; one user less. */
void ssa_client_end_to_free(ssa_client *client);

/* Until one of the requests whose tickets name this waiter is complete. With the lock held. until: a moment.
 * SSA_OK: waiter->done; SSA_MORE: the moment has come; SSA_ENOMEM. */
ssa_status ssa_client_wait(ssa_client *client, ssa_client_waiter *waiter, int64_t until);
/* Move on what can be moved on without waiting. */
ssa_status ssa_client_progress(ssa_client *client);
/* Something was ended by a thread that does not wait: send what is to be sent, tell who waits. */
void ssa_client_moved(ssa_client *client);
/* The same for what was started. Where many operations are under way the short ones leave together. */
void ssa_client_started(ssa_client *client, const ssa_request *request);

/* ---- errors (client_error.c) */

void ssa_client_note(ssa_client *client, const char *text); /* as what failed last in this thread */
void ssa_client_errors_free(ssa_client *client);

#endif
