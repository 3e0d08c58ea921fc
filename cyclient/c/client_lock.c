#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "allocator.h"
#include "client.h"

#define SENT_AT_ONCE 16  /* so many operations, each as it is started */
#define SENT_TOGETHER 64 /* of those after them: 64 of 1 KiB in one write are 10 times as quick as in 64 */
#define TURNS 64 /* calls of one thread in a row after which it is alone */

/* ---- the lock */

void ssa_client_lock(ssa_client *client) {
    pthread_mutex_lock(&client->lock);
    client->intruded = 1;
    pthread_t thread = pthread_self();
    if (!pthread_equal(client->last, thread)) {
        client->last = thread;
        client->turns = TURNS;
    } else if (client->turns) {
        client->turns--;
    }
}

static void free_client(ssa_client *client) {
    ssa_engine_free(client->engine);
    for (int i = 0; i < 2; i++)
        if (client->pipe[i] >= 0)
            close(client->pipe[i]);
    ssa_client_errors_free(client);
    pthread_mutex_destroy(&client->failures_lock);
    pthread_mutex_destroy(&client->lock);
    ssa_home_process_end(&client->home);
    ssa_release(client);
}

void ssa_client_join(ssa_client *client) {
    atomic_fetch_add_explicit(&client->users, 1, memory_order_relaxed);
}

void ssa_client_leave(ssa_client *client) {
    if (atomic_fetch_sub_explicit(&client->users, 1, memory_order_acq_rel) == 1)
        free_client(client);
}

int ssa_client_begin_to_free(ssa_client *client) {
    if (!ssa_is_at_home(&client->home) && atomic_load(&client->inside))
        return 0;
    atomic_fetch_add(&client->inside, 1);
    ssa_client_lock(client);
    return 1;
}

void ssa_client_end_to_free(ssa_client *client) {
    ssa_client_unlock(client);
    atomic_fetch_sub(&client->inside, 1);
    ssa_client_leave(client);
}

/* ---- waking the thread that polls */

static void wake(ssa_client *client) {
    if (client->woken || client->pipe[1] < 0)
        return;
    while (write(client->pipe[1], "", 1) < 0 && errno == EINTR)
        ;
    client->woken = 1;
}

/* Another thread may have taken the answer out of the socket that is polled: it looks there for what was told
 * (op_control.c), and for why it cannot send (connection.c). The poll would wait for more of it. */
static int is_over_for_the_driver(const ssa_client *client) {
    return client->closed || (client->driver && client->driver->done);
}

static void wake_if_needed(ssa_client *client) {
    if (client->watch && (is_over_for_the_driver(client) || !ssa_poll_covers(client->watch, client->engine)))
        wake(client);
}

/* Whatever was done with the lock held: who polls meanwhile notices. */
void ssa_client_unlock(ssa_client *client) {
    wake_if_needed(client);
    pthread_mutex_unlock(&client->lock);
}

/* ---- telling who waits */

/* Who drives looks by itself, and is woken when the lock is given back (wake_if_needed). */
static void tell_waiters(ssa_client *client) {
    ssa_request *request;
    while ((request = ssa_engine_next_complete(client->engine))) {
        ssa_ticket *ticket = request->owner;
        ssa_client_waiter *waiter = ticket ? ticket->waiter : NULL;
        if (!waiter)
            continue;
        waiter->done = 1;
        if (waiter->place)
            pthread_cond_signal(&waiter->told);
    }
}

void ssa_client_moved(ssa_client *client) {
    ssa_engine_flush(client->engine);
    tell_waiters(client);
}

/* What is not sent here leaves with the next call that waits or tests. */
void ssa_client_started(ssa_client *client, const ssa_request *request) {
    size_t under_way = client->engine->in_flight;
    const ssa_command *command = request->call_count ? request->calls[0].command : NULL;
    int is_long = command && command->total > SSA_COPY_LIMIT;
    if (under_way <= SENT_AT_ONCE || under_way % SENT_TOGETHER == 0 || is_long || client->watch)
        ssa_client_moved(client);
}

/* ---- driving */

typedef struct driver {
    ssa_client *client;
    const ssa_client_waiter *waiter; /* NULL: it does not wait */
} driver;

static int is_done(void *self) {
    driver *d = self;
    tell_waiters(d->client);
    return d->waiter && d->waiter->done;
}

static int is_wanted(void *self) {
    ssa_client *client = ((driver *)self)->client;
    return client->turns || atomic_load_explicit(&client->inside, memory_order_relaxed) > 1;
}

static int wake_descriptor(void *self) {
    ssa_client *client = ((driver *)self)->client;
    if (client->pipe[0] < 0 && !pipe(client->pipe))
        for (int i = 0; i < 2; i++) {
            fcntl(client->pipe[i], F_SETFD, FD_CLOEXEC);
            fcntl(client->pipe[i], F_SETFL, fcntl(client->pipe[i], F_GETFL) | O_NONBLOCK);
        }
    return client->pipe[0];
}

static void release(void *self, const ssa_poll_watch *watch) {
    ssa_client *client = ((driver *)self)->client;
    client->watch = watch;
    client->intruded = 0;
    pthread_mutex_unlock(&client->lock);
}

static int take(void *self) {
    ssa_client *client = ((driver *)self)->client;
    pthread_mutex_lock(&client->lock);
    client->watch = NULL;
    if (client->woken) {
        char byte;
        while (read(client->pipe[0], &byte, 1) < 0 && errno == EINTR)
            ;
        client->woken = 0;
    }
    return client->intruded;
}

static ssa_status drive(ssa_client *client, const ssa_client_waiter *waiter, int64_t until) {
    driver d = {client, waiter};
    ssa_poll_guard guard = {.self = &d,
                            .wake = wake_descriptor,
                            .is_done = is_done,
                            .is_wanted = is_wanted,
                            .release = release,
                            .take = take};
    client->driving = 1;
    client->driver = waiter;
    ssa_status status = ssa_poll_guarded(client->engine, until, &guard);
    client->driving = 0;
    client->driver = NULL;
    return status;
}

/* ---- waiting for the thread that drives */

static int init_condition(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes))
        return 0;
#ifndef __APPLE__
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    int error = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return !error;
}

static void sleep_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until) {
    if (until == SSA_NEVER) {
        pthread_cond_wait(condition, lock);
        return;
    }
#ifdef __APPLE__
    int64_t left = until - ssa_now();
    struct timespec time = {.tv_sec = left < 0 ? 0 : left / 1000000000, .tv_nsec = left < 0 ? 0 : left % 1000000000};
    pthread_cond_timedwait_relative_np(condition, lock, &time);
#else
    struct timespec time = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
    pthread_cond_timedwait(condition, lock, &time);
#endif
}

static void join_waiting(ssa_client *client, ssa_client_waiter *waiter) {
    waiter->next = client->waiting;
    waiter->place = &client->waiting;
    if (waiter->next)
        waiter->next->place = &waiter->next;
    client->waiting = waiter;
}

static void leave_waiting(ssa_client_waiter *waiter) {
    *waiter->place = waiter->next;
    if (waiter->next)
        waiter->next->place = waiter->place;
    waiter->place = NULL;
}

/* Sleep until an operation of this thread is complete, or nobody drives. */
static ssa_status follow(ssa_client *client, ssa_client_waiter *waiter, int64_t until) {
    if (!init_condition(&waiter->told))
        return SSA_ENOMEM;
    join_waiting(client, waiter);
    wake_if_needed(client);
    while (!waiter->done && client->driving && (until == SSA_NEVER || ssa_now() < until))
        sleep_until(&waiter->told, &client->lock, until);
    leave_waiting(waiter);
    pthread_cond_destroy(&waiter->told);
    return SSA_OK;
}

/* Nobody drives, and others wait: one of them has to. */
static void hand_over(ssa_client *client) {
    if (!client->driving && client->waiting)
        pthread_cond_signal(&client->waiting->told);
}

ssa_status ssa_client_wait(ssa_client *client, ssa_client_waiter *waiter, int64_t until) {
    ssa_status status = SSA_OK;
    if (client->driving) {
        ssa_engine_flush(client->engine);
        client->engine->now = ssa_now();
    }
    tell_waiters(client);
    while (!waiter->done && status >= 0) {
        if (until != SSA_NEVER && ssa_now() >= until) {
            status = SSA_MORE;
            break;
        }
        status = client->driving ? follow(client, waiter, until) : drive(client, waiter, until);
    }
    hand_over(client);
    return waiter->done ? SSA_OK : status;
}

ssa_status ssa_client_progress(ssa_client *client) {
    if (client->driving) {
        ssa_client_moved(client);
        return SSA_OK;
    }
    ssa_status status = drive(client, NULL, 0);
    hand_over(client);
    return status < 0 ? status : SSA_OK;
}
