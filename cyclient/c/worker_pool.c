#include "worker_pool.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "allocator.h"
#include "backoff.h"
#include "engine.h"
#include "failure_text.h"
#include "request.h"
#include "text_begins.h"

#define MOST_BYTES (((uint64_t)2 << 30) - ((uint64_t)1 << 20)) /* a worker hangs up at 2 GiB (WIRE.md, "Workers") */

static const ssa_backoff between_looks = {10000000, 500000000}; /* for a worker when there is none */

static void ask_for_list(ssa_worker_pool *pool);
static void list_answered(ssa_call *call);
static void list_changed(ssa_waiter *waiter);
static void run_answered(ssa_call *call);
static void serve_waiting(ssa_worker_pool *pool);

ssa_status ssa_worker_pool_start(ssa_worker_pool *pool, ssa_engine *engine) {
    pool->engine = engine;
    pool->next_id = 1;
    pool->most_bytes = MOST_BYTES;
    pool->waiter.changed = list_changed;
    pool->waiter.owner = pool;
    return SSA_OK;
}

static void free_peer(ssa_worker_peer *peer) {
    ssa_engine_return_timer(peer->link.engine);
    ssa_link_end(&peer->link);
    ssa_release(peer);
}

void ssa_worker_pool_end(ssa_worker_pool *pool) {
    if (pool->asking)
        ssa_engine_abandon(pool->engine, &pool->question);
    pool->asking = 0;
    ssa_wait_remove(&pool->waiter);
    while (pool->peers) {
        ssa_worker_peer *peer = pool->peers;
        pool->peers = peer->next;
        free_peer(peer);
    }
}

/* ---- the list */

static ssa_worker_peer *find(ssa_worker_pool *pool, const char *id) {
    for (ssa_worker_peer *peer = pool->peers; peer; peer = peer->next)
        if (!strcmp(peer->id, id))
            return peer;
    return NULL;
}

/* The first address that this host can reach: a unix socket of another host is not there. NULL: none. */
static const ssa_address *reachable(const ssa_worker *worker) {
    for (size_t i = 0; i < worker->address_count; i++)
        if (!*worker->addresses[i].path || access(worker->addresses[i].path, F_OK) == 0)
            return &worker->addresses[i];
    return NULL;
}

static ssa_status add_peer(ssa_worker_pool *pool, const ssa_worker *worker, const ssa_address *address) {
    if (ssa_engine_take_timer(pool->engine))
        return SSA_ENOMEM;
    ssa_worker_peer *peer = ssa_allocate(sizeof *peer);
    if (!peer) {
        ssa_engine_return_timer(pool->engine);
        return SSA_ENOMEM;
    }
    memset(peer, 0, sizeof *peer);
    memcpy(peer->id, worker->id, sizeof peer->id);
    memcpy(peer->device, worker->device, sizeof peer->device);
    peer->address = *address;
    peer->listed = 1;
    ssa_link_start(&peer->link, pool->engine, NULL, peer);
    ssa_worker_peer **end = &pool->peers;
    while (*end)
        end = &(*end)->next;
    *end = peer;
    return SSA_OK;
}

static size_t load_of(const ssa_worker_peer *peer) {
    return peer->link.waiting.length + ssa_link_unanswered(&peer->link);
}

void ssa_worker_pool_tidy(ssa_worker_pool *pool) {
    if (!pool->has_retired)
        return;
    pool->has_retired = 0;
    for (ssa_worker_peer **at = &pool->peers; *at;) {
        ssa_worker_peer *peer = *at;
        if (!peer->listed && !load_of(peer)) {
            *at = peer->next;
            free_peer(peer);
            continue;
        }
        pool->has_retired |= !peer->listed;
        at = &peer->next;
    }
}

static ssa_status use_list(ssa_worker_pool *pool, const ssa_worker_list *list) {
    for (ssa_worker_peer *peer = pool->peers; peer; peer = peer->next)
        peer->listed = 0;
    pool->has_retired = pool->peers != NULL;
    for (size_t i = 0; i < list->count; i++) {
        ssa_worker_peer *peer = find(pool, list->workers[i].id);
        const ssa_address *address = reachable(&list->workers[i]);
        if (peer)
            peer->listed = 1;
        else if (address && add_peer(pool, &list->workers[i], address))
            return SSA_ENOMEM;
    }
    return SSA_OK;
}

static void ask_for_list(ssa_worker_pool *pool) {
    ssa_engine *engine = pool->engine;
    ssa_command *command = ssa_tracking_command(engine, 2, "GET");
    size_t bytes = strlen(ssa_worker_list_key);
    if (!command || ssa_command_argument(command, ssa_worker_list_key, bytes) || ssa_tracking_close(command)) {
        ssa_command_free(command);
        return; /* those who wait look again when their pause is over */
    }
    pool->asking = 1;
    pool->current = 1; /* a change that comes while the answer is on its way makes it stale again */
    memset(&pool->question, 0, sizeof pool->question);
    pool->question.command = command;
    pool->question.done = list_answered;
    pool->question.owner = pool;
    pool->question.flags = SSA_CALL_IDEMPOTENT;
    ssa_call_key(&pool->question, ssa_worker_list_key, bytes);
    ssa_wait_add(&engine->waits, &pool->waiter, ssa_worker_list_key, bytes);
    ssa_engine_submit(engine, &pool->question);
}

static void list_answered(ssa_call *call) {
    ssa_worker_pool *pool = call->owner;
    ssa_command *command = call->command;
    call->command = NULL;
    pool->asking = 0;
    pool->error[0] = 0;
    const ssa_node *root = ssa_tracking_answer(command);
    if (!root) {
        pool->current = 0;
        if (command->status == SSA_ESERVER || command->status == SSA_ECONNECT)
            snprintf(pool->error, sizeof pool->error, "the list of workers could not be read: %.*s", (int)command->error.bytes,
                     command->error.bytes ? (char *)command->error.data : "");
    } else if (root->kind == SSA_TOKEN_BULK) { /* null: a shard restarted empty; go on with the workers we know */
        ssa_worker_list list;
        char why[200];
        ssa_status status = ssa_worker_list_decode(&list, command->reply.text.data + root->text_at, root->text_bytes, why, sizeof why);
        if (status == SSA_OK)
            status = use_list(pool, &list);
        else if (status != SSA_ENOMEM)
            snprintf(pool->error, sizeof pool->error, "not a list of workers: %s. Only the supervisor of the workers writes it.", why);
        if (status != SSA_OK)
            pool->current = 0;
        ssa_worker_list_free(&list);
    }
    ssa_command_free(command);
    serve_waiting(pool);
}

static void list_changed(ssa_waiter *waiter) {
    ssa_worker_pool *pool = waiter->owner;
    pool->current = 0;
    if (pool->waiting && !pool->asking)
        ask_for_list(pool);
}

/* ---- runs */

/* In the order in which they came. Who waits already keeps its place. */
static void wait_for_worker(ssa_worker_pool *pool, ssa_run *run) {
    if (run->waits)
        return;
    run->waits = 1;
    run->next = NULL;
    run->previous = pool->last_waiting;
    *(run->previous ? &run->previous->next : &pool->waiting) = run;
    pool->last_waiting = run;
}

static void stop_waiting(ssa_worker_pool *pool, ssa_run *run) {
    if (!run->waits)
        return;
    run->waits = 0;
    *(run->previous ? &run->previous->next : &pool->waiting) = run->next;
    *(run->next ? &run->next->previous : &pool->last_waiting) = run->previous;
    if (pool->served_next == run)
        pool->served_next = run->next;
}

static int is_refused_device(const ssa_run *run, const char *device) {
    for (unsigned i = 0; i < run->refused_count; i++)
        if (!strcmp(run->refused[i], device))
            return 1;
    return 0;
}

/* Lower is better: busy last, then suspects, then by what is unanswered. */
static size_t rank_of(const ssa_run *run, const ssa_worker_peer *peer) {
    size_t load = load_of(peer);
    return (load < 1u << 20 ? load : 1u << 20) + (peer->suspect ? (size_t)1 << 21 : 0) + (strcmp(run->busy, peer->id) ? 0 : (size_t)1 << 22);
}

static ssa_worker_peer *pick(ssa_worker_pool *pool, const ssa_run *run) {
    ssa_worker_peer *best = NULL;
    for (ssa_worker_peer *peer = pool->peers; peer; peer = peer->next) {
        if (!peer->listed || !ssa_device_matches(run->device, peer->device) || is_refused_device(run, peer->device))
            continue;
        if (*peer->address.path && peer->link.state != SSA_LINK_OPEN && access(peer->address.path, F_OK))
            continue; /* its socket is gone, and so is it */
        if (!best || rank_of(run, peer) < rank_of(run, best))
            best = peer;
    }
    return best;
}

static int64_t time_left(const ssa_run *run) {
    int64_t until = run->request->until;
    return until == SSA_NEVER ? SSA_NEVER : until - run->request->engine->now;
}

static void send_to(ssa_worker_pool *pool, ssa_run *run, ssa_worker_peer *peer) {
    stop_waiting(pool, run);
    int64_t left = time_left(run);
    uint64_t milliseconds = left == SSA_NEVER ? UINT64_C(86400000) : left > 1000000 ? (uint64_t)(left / 1000000) : 1;
    ssa_command *command = run->encode(run, pool->next_id++, ++run->attempt, milliseconds);
    if (!command) {
        ssa_request_fail_memory(run->request);
        return;
    }
    run->peer = peer;
    memset(&run->call, 0, sizeof run->call);
    run->call.command = command;
    run->call.done = run_answered;
    run->call.owner = run;
    run->call.last_link = &peer->link;
    pool->engine->in_flight++;
    ssa_link_queue(&peer->link, &run->call);
}

static void try_again(ssa_worker_pool *pool, ssa_run *run, int at_once) {
    wait_for_worker(pool, run);
    run->delay = ssa_backoff_next(&between_looks, run->delay);
    ssa_engine_arm(pool->engine, &run->pause, pool->engine->now + (at_once ? 0 : run->delay));
}

/* One look: to a worker, or on waiting. */
static void serve(ssa_worker_pool *pool, ssa_run *run) {
    if (!pool->current && !pool->asking)
        ask_for_list(pool);
    if (pool->asking && (!pool->peers || run->failures)) {
        wait_for_worker(pool, run); /* the answer serves it */
        return;
    }
    ssa_worker_peer *peer = pick(pool, run);
    if (peer)
        send_to(pool, run, peer);
    else
        try_again(pool, run, 0);
}

/* What fails may take others out of the list. */
static void serve_waiting(ssa_worker_pool *pool) {
    ssa_run *run = pool->waiting;
    for (; run; run = pool->served_next) {
        pool->served_next = run->next;
        if (*pool->error && strncmp(pool->error, "not a list", 10) == 0) {
            stop_waiting(pool, run);
            ssa_request_fail(run->request, SSA_EWORKERLIST, "%s", pool->error);
            continue;
        }
        ssa_worker_peer *peer = pick(pool, run);
        if (peer && run->failures < 2) {
            ssa_timer_cancel(&pool->engine->timers, &run->pause);
            send_to(pool, run, peer);
        } else if (!run->pause.place) {
            try_again(pool, run, 0);
        }
    }
}

static void pause_is_over(ssa_timer *timer) {
    ssa_run *run = timer->owner;
    ssa_worker_pool *pool = &run->request->engine->workers;
    pool->current = 0; /* the watch may have been lost: the list decides */
    run->failures = run->failures > 1 ? 1 : run->failures;
    serve(pool, run);
}

ssa_status ssa_run_start(ssa_run *run) {
    ssa_engine *engine = run->request->engine;
    if (!run->has_timer && ssa_engine_take_timer(engine))
        return SSA_ENOMEM;
    run->has_timer = 1;
    run->pause.fire = pause_is_over;
    run->pause.owner = run;
    serve(&engine->workers, run);
    return SSA_OK;
}

void ssa_run_end(ssa_run *run) {
    ssa_engine *engine = run->request->engine;
    stop_waiting(&engine->workers, run);
    ssa_timer_cancel(&engine->timers, &run->pause);
    ssa_engine_abandon(engine, &run->call);
    ssa_command_free(run->call.command);
    run->call.command = NULL;
    if (run->has_timer)
        ssa_engine_return_timer(engine);
    run->has_timer = 0;
}

static void tell(ssa_run *run, const char *format, const char *where, const ssa_buffer *text) {
    size_t have = strlen(run->story);
    if (have > sizeof run->story / 2) { /* whole parts of its last half stay, if there are any */
        const char *rest = strstr(run->story + have / 2, "; ");
        have = rest ? strlen(rest + 2) : 0;
        memmove(run->story, rest ? rest + 2 : "", have + 1);
    }
    if (have)
        have += (size_t)snprintf(run->story + have, sizeof run->story - have, "; ");
    snprintf(run->story + have, sizeof run->story - have, format, where, (int)(text->bytes < 150 ? text->bytes : 150),
             text->bytes ? (const char *)text->data : "");
}

static int begins(const ssa_buffer *text, const char *word) {
    return ssa_text_begins(text->data, text->bytes, word);
}

static void failed_once(ssa_worker_pool *pool, ssa_run *run, ssa_worker_peer *peer, int is_lost) {
    ssa_command_free(run->call.command);
    run->call.command = NULL;
    run->peer = NULL;
    run->failures++;
    if (is_lost) {
        peer->suspect = 1;
        pool->current = 0;
    }
    /* The first failure is answered at once: another worker may be there. From then on the list decides. */
    if (run->failures > 1) {
        if (!pool->asking && !pool->current)
            ask_for_list(pool);
        try_again(pool, run, 0);
    } else {
        try_again(pool, run, 1);
    }
}

static void refused_device(ssa_worker_pool *pool, ssa_run *run, ssa_worker_peer *peer) {
    if (run->refused_count < SSA_DEVICES_MAX)
        memcpy(run->refused[run->refused_count++], peer->device, sizeof peer->device);
    run->call.command = NULL;
    run->peer = NULL;
    serve(pool, run);
}

static int other_device(const ssa_worker_pool *pool, const ssa_run *run, const char *device) {
    for (const ssa_worker_peer *peer = pool->peers; peer; peer = peer->next)
        if (peer->listed && strcmp(peer->device, device) && !is_refused_device(run, peer->device) &&
            ssa_device_matches(run->device, peer->device))
            return 1;
    return 0;
}

/* Our deadline is over, says the worker's clock, which may be a moment ahead of ours. */
static void expired(ssa_run *run, const ssa_worker_peer *peer) {
    ssa_request *request = run->request;
    const ssa_buffer *said = &run->call.command->error;
    char span[SSA_SPAN_BYTES];
    run->peer = NULL;
    ssa_request_fail(request, SSA_ETIMEOUT, "%s '%s': no answer from %s within %s (it says: %.*s).", request->operation,
                     (char *)request->subject.data, peer->link.address_text, ssa_failure_span(request->timeout, span),
                     (int)(said->bytes < 200 ? said->bytes : 200), (char *)said->data);
}

static void run_answered(ssa_call *call) {
    ssa_run *run = call->owner;
    ssa_worker_pool *pool = &run->request->engine->workers;
    ssa_worker_peer *peer = run->peer;
    ssa_command *command = call->command;
    if (command->status == SSA_ECLOSED || command->status == SSA_ECONNECT) {
        int lost = command->status == SSA_ECLOSED;
        if (lost && begins(&command->error, "PROTOCOL")) { /* it understood us and refuses this request: so would any other */
            ssa_request_fail(run->request, SSA_ECLOSED, "lost %s: %.*s.", peer->link.address_text, (int)command->error.bytes,
                             (char *)command->error.data);
            return;
        }
        tell(run, lost ? "lost %s: %.*s" : "cannot connect to %s: %.*s", peer->link.address_text, &command->error);
        failed_once(pool, run, peer, 1);
        return;
    }
    peer->suspect = 0;
    if (command->status == SSA_ESERVER && begins(&command->error, "BUSY")) {
        memcpy(run->busy, peer->id, sizeof run->busy);
        tell(run, "%s: %.*s", peer->link.address_text, &command->error);
        failed_once(pool, run, peer, 0);
        return;
    }
    if (command->status == SSA_ESERVER && begins(&command->error, "WRONGDEVICE") && other_device(pool, run, peer->device)) {
        ssa_command_free(command);
        refused_device(pool, run, peer);
        return;
    }
    if (command->status == SSA_ESERVER && begins(&command->error, "EXPIRED")) {
        expired(run, peer);
        return;
    }
    run->peer = NULL;
    run->finished(run);
}

void ssa_run_overdue(ssa_run *run) {
    ssa_request *request = run->request;
    ssa_worker_pool *pool = &request->engine->workers;
    char span[SSA_SPAN_BYTES];
    ssa_failure_span(request->timeout, span);
    if (!*run->story && run->call.link && run->peer) {
        ssa_request_fail(request, run->peer->link.state == SSA_LINK_OPEN ? SSA_ETIMEOUT : SSA_ENOWORKER,
                         run->peer->link.state == SSA_LINK_OPEN ? "%s '%s': no answer from %s within %s."
                                                                : "%s '%s': %s did not take a connection within %s.",
                         request->operation, (char *)request->subject.data, run->peer->link.address_text, span);
        return;
    }
    if (pool->asking && !*run->story && !pool->peers) { /* the store itself does not answer */
        request->shared = &pool->question;
        char text[1024];
        ssa_status status = ssa_failure_of_timeout(request, text, sizeof text);
        request->shared = NULL;
        ssa_request_fail(request, status, "%s", text);
        return;
    }
    if (run->call.link && run->peer)
        tell(run, "%s: no answer%.*s", run->peer->link.address_text, &(ssa_buffer){NULL, 0, 0});
    char wanted[40] = "";
    if (*run->device)
        snprintf(wanted, sizeof wanted, " of device %s", run->device);
    ssa_request_fail(request, SSA_ENOWORKER, "%s '%s': no worker%s answered within %s (%s). Give Orchestrator(workers=...) at "
                     "least one, or see its log.", ssa_kind_word(request->kind), (char *)request->subject.data, wanted, span,
                     *run->story ? run->story : *pool->error ? pool->error : "the store lists no worker");
}

/* ---- links */

void ssa_worker_pool_opened(ssa_worker_pool *pool, ssa_worker_peer *peer) {
    (void)pool;
    peer->suspect = 0;
}

/* What waits for the connection goes to another worker, or comes back when the list names this one again. */
void ssa_worker_pool_failed(ssa_worker_pool *pool, ssa_worker_peer *peer, int final) {
    (void)final;
    peer->suspect = 1;
    while (peer->link.waiting.first) {
        ssa_call *call = peer->link.waiting.first;
        ssa_call_list_remove(call);
        pool->engine->in_flight--;
        call->link = NULL;
        call->command->status = SSA_ECONNECT;
        call->command->error.bytes = 0;
        ssa_buffer_append(&call->command->error, peer->link.failure, strlen(peer->link.failure));
        call->done(call);
    }
}

void ssa_worker_pool_lost(ssa_worker_pool *pool, ssa_worker_peer *peer) {
    peer->suspect = 1;
    pool->current = 0;
}
