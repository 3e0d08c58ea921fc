#include "poll_driver.h"

#include <errno.h>
#include <poll.h>

#include "allocator.h"

#define UNWAKEABLE_NS INT64_C(10000000) /* how long a poll lasts that nobody can wake */
#define FEW 16 /* descriptors that are waited for without an allocation */

/* What is waited for: a request, anything (NULL), or what a guard knows. */
typedef struct waiting {
    ssa_engine *engine;
    const ssa_request *request;
    const ssa_poll_guard *guard;
    int64_t until;
} waiting;

static int is_done(const waiting *w) {
    if (w->guard)
        return w->guard->is_done(w->guard->self);
    return w->request ? w->request->complete : w->engine->first_complete != NULL;
}

static ssa_link *next_link(ssa_engine *engine, ssa_link *after) {
    if (after && after->server) {
        if (after == &after->server->links[0])
            return &after->server->links[1];
        if (after->server->next)
            return &after->server->next->links[0];
    } else if (!after && engine->servers) {
        return &engine->servers->links[0];
    }
    ssa_worker_peer *peer = after && after->worker ? after->worker->next : engine->workers.peers;
    return peer ? &peer->link : NULL;
}

static size_t watched(ssa_engine *engine, ssa_link **only) {
    size_t count = 0;
    for (ssa_link *link = next_link(engine, NULL); link; link = next_link(engine, link))
        if (link->descriptor >= 0 && (link->state != SSA_LINK_OPEN || ssa_link_unanswered(link))) {
            *only = link;
            count++;
        }
    return count;
}

/* One connection owes something, and nothing else is to be looked at: wait in the system calls that move the bytes,
 * each for a short while at most. A poll before them costs 0.5 us with both ends on one core and 5 to 13 us on two.
 * *interrupted: a signal came. Returns whether the time was over with nothing moved. */
static int wait_on(ssa_link *link, int *interrupted) {
    ssa_status status;
    uint64_t before = ssa_connection_statistics_now(link->connection).bytes_received;
    int sending = ssa_connection_wants_write(link->connection);
    *interrupted = 0;
    if (sending) {
        status = ssa_connection_send_waiting(link->connection, interrupted);
        if (*interrupted && status >= 0) /* nobody reads: perhaps because it has said why */
            status = ssa_connection_receive(link->connection);
    } else {
        status = ssa_connection_receive_waiting(link->connection, interrupted);
    }
    int moved = sending || status < 0 || ssa_connection_statistics_now(link->connection).bytes_received != before;
    link->engine->now = ssa_now();
    ssa_link_received(link, status);
    return !moved;
}

/* With another answer on its way the other side may wait for us to read it before it reads on. */
static int may_wait_on(const ssa_engine *engine, const ssa_link *link) {
    return link->state == SSA_LINK_OPEN && ssa_connection_blocks(link->connection) && !engine->workers.waiting &&
           (!ssa_connection_wants_write(link->connection) || ssa_link_unanswered(link) == 1);
}

static short poll_events(int events) {
    return (short)((events & SSA_EVENT_READ ? POLLIN : 0) | (events & SSA_EVENT_WRITE ? POLLOUT : 0));
}

static size_t open_descriptors(ssa_engine *engine) {
    size_t count = 0;
    for (ssa_link *link = next_link(engine, NULL); link; link = next_link(engine, link))
        count += link->descriptor >= 0;
    return count;
}

static int milliseconds_until(int64_t until) {
    int64_t left = until - ssa_now();
    return left <= 0 ? 0 : left > INT64_C(86400000000000) ? 86400000 : (int)((left + 999999) / 1000000);
}

/* Poll with the lock given away, and room for one descriptor more. True: another thread had it meanwhile. */
static int poll_given_away(const waiting *w, struct pollfd *descriptors, size_t count, int64_t until, int *ready) {
    const ssa_poll_guard *guard = w->guard;
    int wake = guard->wake(guard->self);
    if (wake >= 0)
        descriptors[count++] = (struct pollfd){.fd = wake, .events = POLLIN};
    else if (until - w->engine->now > UNWAKEABLE_NS)
        until = w->engine->now + UNWAKEABLE_NS;
    ssa_poll_watch watch = {descriptors, count, until, w->engine->sockets};
    guard->release(guard->self, &watch);
    *ready = poll(descriptors, count, milliseconds_until(until));
    return guard->take(guard->self);
}

/* A descriptor that is idle is watched too: for pushes, and for its end. */
static ssa_status look(const waiting *w, int64_t until, int *interrupted) {
    struct pollfd few[FEW + 1], *descriptors = few;
    ssa_link *few_links[FEW], **links = few_links;
    size_t count = open_descriptors(w->engine), i = 0;
    if (count > FEW) {
        descriptors = ssa_allocate((count + 1) * (sizeof *descriptors + sizeof *links));
        if (!descriptors)
            return SSA_ENOMEM;
        links = (ssa_link **)(descriptors + count + 1);
    }
    for (ssa_link *link = next_link(w->engine, NULL); link; link = next_link(w->engine, link))
        if (link->descriptor >= 0) {
            links[i] = link;
            descriptors[i++] = (struct pollfd){.fd = link->descriptor, .events = poll_events(link->events)};
        }
    int ready, changed = 0, milliseconds = milliseconds_until(until);
    if (w->guard && milliseconds)
        changed = poll_given_away(w, descriptors, count, until, &ready);
    else
        ready = poll(descriptors, count, milliseconds);
    *interrupted = ready < 0;
    w->engine->now = ssa_now();
    for (i = 0; i < count && ready > 0 && !changed; i++)
        if (descriptors[i].revents && links[i]->descriptor == descriptors[i].fd) {
            int events = (descriptors[i].revents & ~POLLOUT ? SSA_EVENT_READ : 0) |
                         (descriptors[i].revents & POLLOUT ? SSA_EVENT_WRITE : 0);
            ssa_link_ready(links[i], events);
        }
    if (descriptors != few)
        ssa_release(descriptors);
    /* The links may have gone, and descriptors been opened anew under the same numbers: ask again with the lock held.
     */
    return changed && ready > 0 ? look(w, 0, interrupted) : SSA_OK;
}

static ssa_status drive(const waiting *w) {
    ssa_engine *engine = w->engine;
    const ssa_poll_guard *guard = w->guard;
    for (int is_slow = 0;;) {
        engine->now = ssa_now();
        ssa_engine_tidy(engine);
        ssa_engine_flush(engine);
        ssa_engine_tick(engine, engine->now);
        if (is_done(w))
            return SSA_OK;
        if (engine->dirty)
            continue;
        int64_t next = ssa_engine_next_moment(engine);
        if (next > w->until)
            next = w->until;
        ssa_link *only = NULL;
        int interrupted = 0;
        if (!is_slow && next - engine->now >= SSA_CALL_NS && !(guard && guard->is_wanted(guard->self)) &&
            watched(engine, &only) == 1 && may_wait_on(engine, only)) {
            is_slow = wait_on(only, &interrupted);
        } else {
            ssa_status status = look(w, next, &interrupted);
            if (status < 0)
                return status;
        }
        if (is_done(w))
            return SSA_OK;
        if (interrupted || ssa_now() >= w->until)
            return SSA_MORE;
    }
}

/* What was waited for may have ended with something to send that nobody waits for. */
static ssa_status drive_and_flush(const waiting *w) {
    ssa_status status = drive(w);
    ssa_engine_flush(w->engine);
    return status;
}

ssa_status ssa_poll_until(ssa_engine *engine, const ssa_request *request, int64_t until) {
    return drive_and_flush(&(waiting){.engine = engine, .request = request, .until = until});
}

ssa_status ssa_poll_guarded(ssa_engine *engine, int64_t until, const ssa_poll_guard *guard) {
    return drive_and_flush(&(waiting){.engine = engine, .guard = guard, .until = until});
}

int ssa_poll_covers(const ssa_poll_watch *watch, ssa_engine *engine) {
    if (engine->dirty || engine->sockets != watch->sockets || ssa_engine_next_moment(engine) < watch->until)
        return 0;
    for (ssa_link *link = next_link(engine, NULL); link; link = next_link(engine, link)) {
        if (link->descriptor < 0)
            continue;
        size_t i = 0;
        while (i < watch->count && watch->descriptors[i].fd != link->descriptor)
            i++;
        if (i == watch->count || poll_events(link->events) & ~watch->descriptors[i].events)
            return 0;
    }
    return 1;
}
