#include "call_routing.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "backoff.h"
#include "text_begins.h"

/* Of a call that was refused or lost twice; the first time it goes again at once. */
static const ssa_backoff between_tries = {10000000, 200000000};

/* ---- to a connection */

/* Whether this link has, on its way or waiting, what the call must follow. */
static int is_ahead(const ssa_link *link, const ssa_call *call) {
    for (const ssa_call *other = link->waiting.first; other; other = other->next)
        if (ssa_calls_conflict(other, call))
            return 1;
    return link->connection && ssa_connection_conflicts(link->connection, call->command);
}

static size_t bulk_place(const ssa_call *call) {
    return call->key_hash % (sizeof((ssa_engine *)0)->bulk_seen / sizeof *((ssa_engine *)0)->bulk_seen);
}

static int was_long(const ssa_engine *engine, const ssa_call *call) {
    return engine->bulk_seen[bulk_place(call)] == (uint32_t)(call->key_hash >> 32) && call->key_hash;
}

void ssa_engine_note_size(ssa_engine *engine, const ssa_call *call, uint64_t bytes) {
    if (bytes > SSA_BULK_BYTES)
        engine->bulk_seen[bulk_place(call)] = (uint32_t)(call->key_hash >> 32);
    else if (was_long(engine, call))
        engine->bulk_seen[bulk_place(call)] = 0;
}

static int in_use(const ssa_link *link) {
    return link->waiting.length || ssa_link_unanswered(link);
}

/* NULL: what it must follow is on both. */
static ssa_link *choose_link(const ssa_engine *engine, ssa_server *server, const ssa_call *call) {
    ssa_link *commands = &server->links[0], *bulk = &server->links[1];
    if (!engine->settings.bulk_connection)
        return commands;
    int is_long = (call->flags & SSA_CALL_BULK) || call->command->total > SSA_BULK_BYTES || was_long(engine, call);
    int after_bulk = in_use(bulk) && is_ahead(bulk, call);
    int after_commands = (is_long || after_bulk) && in_use(commands) && is_ahead(commands, call);
    if (after_bulk && after_commands)
        return NULL;
    if (after_bulk)
        return bulk;
    return is_long && !after_commands && !(call->flags & SSA_CALL_FENCE) ? bulk : commands;
}

/* A word before a call, whose answer nobody wants. On a link that is not open: nothing. */
static ssa_status announce(ssa_link *link, const char *word) {
    if (link->state != SSA_LINK_OPEN)
        return SSA_OK; /* nothing is watched there */
    ssa_command *command = ssa_command_new(1, SSA_EXPECT_REPLY);
    if (!command || ssa_command_argument(command, word, strlen(word))) {
        ssa_command_free(command);
        return SSA_ENOMEM;
    }
    ssa_connection_queue(link->connection, command);
    ssa_connection_ignore_reply(link->connection, command);
    return SSA_OK;
}

/* ---- turns
 *
 * A WATCH belongs to a connection, and a connection carries everybody's commands; any EXEC on it ends the WATCH, and finds out
 * in its place that the watched key changed. So from the WATCH of one owner until it says that its turn is over,
 * - no other transaction leaves for that server, and nothing else on that key: they are parked, in their order;
 * - its own transaction takes the connection of the WATCH, or fails; it is never repeated by itself, for elsewhere, or on a
 *   connection opened since, nothing is watched.
 * A WATCH that is to be sent again has no turn any more: what was submitted before it, and is sent again too, goes first.
 * A WATCH whose owner went without a transaction is ended by UNWATCH before the next transaction of anybody.
 * Rejected: a script on the server (EVAL), which would need no turn, but a store that lets its users run Lua; a connection of
 * its own for transactions, which lost the order on a key between connections. */

static ssa_server *server_of(const ssa_engine *engine, const ssa_call *call) {
    if (call->server)
        return call->server;
    if (engine->mode == SSA_MODE_CLUSTER && !engine->topology.known)
        return NULL;
    return ssa_engine_owner((ssa_engine *)engine, call->slot);
}

static int is_held_at(const ssa_server *server, const ssa_call *call) {
    if (!server || !server->turn || server->turn == call->owner)
        return 0;
    return (call->flags & (SSA_CALL_WATCH | SSA_CALL_FENCE)) || call->key_hash == server->turn_hash ||
           ssa_command_is_transaction(call->command);
}

/* What waits for the end of a turn does not hold back the calls of its owner. */
static int has_turn_at(const ssa_server *server, const ssa_call *call) {
    return server->turn && server->turn == call->owner;
}

static ssa_link *watching_link(ssa_server *server, const void *owner) {
    for (int i = 0; server && i < 2; i++)
        if (server->links[i].watched_by == owner)
            return &server->links[i];
    return NULL;
}

static void forget_watch(ssa_engine *engine, const void *owner) {
    for (ssa_server *server = engine->servers; server; server = server->next)
        for (int i = 0; i < 2; i++)
            if (server->links[i].watched_by == owner)
                server->links[i].watched_by = NULL;
}

/* Before a call leaves on this link. 0: it cannot. */
static int keep_turns(ssa_engine *engine, ssa_server *server, ssa_link *link, const ssa_call *call) {
    if (call->flags & SSA_CALL_WATCH) {
        forget_watch(engine, call->owner); /* of an earlier try, that went elsewhere */
        server->turn = call->owner;
        server->turn_hash = call->key_hash;
        link->watched_by = call->owner;
        link->has_watch = 1;
    } else if (link->has_watch && ssa_command_is_transaction(call->command)) {
        if (!(call->flags & SSA_CALL_WATCHED) && announce(link, "UNWATCH"))
            return 0;
        link->watched_by = NULL;
        link->has_watch = 0;
    }
    return 1;
}

void ssa_engine_end_turn(ssa_engine *engine, const void *owner) {
    int had_one = 0;
    forget_watch(engine, owner);
    for (ssa_server *server = engine->servers; server; server = server->next)
        if (server->turn == owner) {
            server->turn = NULL;
            had_one = 1;
        }
    if (!had_one || !engine->parked.length || engine->closed)
        return;
    for (ssa_call *call = engine->parked.first; call; call = call->next)
        if (!call->tries)
            call->ready_at = engine->now;
    ssa_engine_arm(engine, &engine->parked_timer, engine->now);
}

/* ---- order
 *
 * Of two calls that conflict the one with the lower number, that was submitted first, is carried out first. Where one is sent
 * again, because it was refused or lost, the other may have left already: it is sent again too, behind the first. So for any
 * two that conflict and are not done, either the later one has not left, or both are on one connection in their order, or the
 * later one is marked to be sent again. A call leaves only where that stays true: */

/* What is about no key waits for nothing: the question who owns which slots is what others are parked for. */
static int follows_parked(const ssa_engine *engine, const ssa_call *call) {
    if (!call->key_hash && !(call->flags & SSA_CALL_FENCE))
        return 0;
    for (const ssa_call *other = engine->parked.first; other && other->number < call->number; other = other->next)
        if (ssa_calls_conflict(other, call))
            return 1;
    return 0;
}

/* What was sent before slots moved, or before a command was refused, may come back: until it has been answered nothing that
 * must follow it leaves on another connection, nor behind it when it is marked. */
static int follows_unsettled(ssa_engine *engine, const ssa_call *call, const ssa_link *to) {
    int older = 0;
    for (ssa_server *server = engine->servers; server; server = server->next)
        for (int i = 0; i < 2; i++) {
            const ssa_link *link = &server->links[i];
            if (!link->connection || !ssa_connection_has_older(link->connection, engine->epoch))
                continue;
            older = 1;
            if (ssa_connection_has_unsettled(link->connection, call->command, engine->epoch, link == to))
                return 1;
        }
    engine->unsettled = older;
    return 0;
}

void ssa_routing_unsettle(ssa_engine *engine) {
    engine->epoch++;
    engine->unsettled = 1;
}

/* ---- leaving */

typedef enum routing {
    LEFT,
    HELD,  /* by another call */
    NOBODY /* can take it now */
} routing;

/* to: where a server has sent it; NULL: to its owner. What nobody can take is compared with no other call: while a cluster is
 * not known, that is all there is. */
static routing route(ssa_engine *engine, ssa_call *call, ssa_server *to) {
    ssa_server *server = to ? to : server_of(engine, call);
    int asking = call->flags & SSA_CALL_ASKING;
    call->flags &= (uint8_t)~SSA_CALL_ASKING; /* for this try */
    if (!server)
        return NOBODY;
    if (is_held_at(server, call) || (!has_turn_at(server, call) && follows_parked(engine, call)))
        return HELD;
    ssa_link *link = call->flags & SSA_CALL_WATCHED ? watching_link(server, call->owner) : choose_link(engine, server, call);
    if (!link || (asking && link->state != SSA_LINK_OPEN))
        return NOBODY;
    if (engine->unsettled && !call->server && follows_unsettled(engine, call, link))
        return HELD;
    if (!keep_turns(engine, server, link, call) || (asking && announce(link, "ASKING")))
        return NOBODY;
    call->last_link = link;
    call->command->epoch = engine->epoch;
    engine->statistics.commands++;
    ssa_link_queue(link, call);
    return LEFT;
}

/* ---- waiting for better times */

static void arm(ssa_engine *engine, int64_t at) {
    if (!engine->parked_timer.place || engine->parked_timer.at > at)
        ssa_engine_arm(engine, &engine->parked_timer, at);
}

/* near: one that is parked, perhaps close to it in the order; NULL: the last. */
static void park_near(ssa_engine *engine, ssa_call *call, ssa_call *near, int64_t delay) {
    call->link = NULL;
    call->ready_at = engine->now + delay;
    ssa_call_list_insert(&engine->parked, call, near);
    arm(engine, call->ready_at);
}

static void park(ssa_engine *engine, ssa_call *call, int64_t delay) {
    park_near(engine, call, NULL, delay);
}

static int64_t delay_after(unsigned tries) {
    return tries < 2 ? 0 : ssa_backoff_before(&between_tries, tries - 2);
}

void ssa_engine_submit(ssa_engine *engine, ssa_call *call) {
    engine->in_flight++;
    call->number = call->command->number = ++engine->submitted;
    call->command->key_hash = call->key_hash;
    call->command->is_fence = call->flags & SSA_CALL_FENCE;
    if (route(engine, call, NULL) != LEFT)
        park(engine, call, engine->parked.length ? between_tries.first : 0);
}

/* Nobody could take it. */
static void put_off(ssa_engine *engine, ssa_call *call) {
    const char *why;
    call->tries += call->tries < 2 ? 2 : 1;
    call->ready_at = engine->now + delay_after(call->tries);
    if (engine->topology.known && !ssa_topology_owner(engine, call->slot, &why) && !call->server) {
        ssa_engine_note_trouble(engine, "Of the cluster %s.", why);
        ssa_topology_refresh(engine);
    }
}

void ssa_routing_retry(ssa_engine *engine) {
    /* In one pass, in order: one that stays holds back those behind it on its key. Who is told of an end may cancel others. */
    int64_t next = SSA_NEVER;
    for (ssa_call *call = engine->parked.first; call; call = engine->parked.walk) {
        engine->parked.walk = call->next;
        if ((call->flags & SSA_CALL_WATCHED) && !watching_link(server_of(engine, call), call->owner)) {
            ssa_routing_fail(engine, call, SSA_ECLOSED, "the connection that watched its key was lost");
            continue;
        }
        if (call->ready_at <= engine->now) {
            routing outcome = route(engine, call, NULL);
            if (outcome == LEFT)
                continue;
            if (outcome == NOBODY)
                put_off(engine, call);
        }
        if (call->ready_at < next)
            next = call->ready_at;
    }
    if (next == SSA_NEVER)
        return;
    if (next <= engine->now)
        next = engine->now + between_tries.first; /* held back by another, which has a moment of its own */
    arm(engine, next);
}

void ssa_routing_park_waiting(ssa_engine *engine, ssa_link *link) {
    ssa_call *near = engine->parked.first;
    for (ssa_call *call = link->waiting.first, *following; call; call = following) {
        following = call->next;
        if (call->server || link->worker)
            continue;
        if (call->flags & SSA_CALL_WATCH)
            ssa_engine_end_turn(engine, call->owner);
        ssa_call_list_remove(call);
        park_near(engine, call, near, 0);
        near = call;
    }
}

/* ---- the end of a try */

static void set_failure(ssa_call *call, ssa_status status, const char *text) {
    call->command->status = status;
    call->command->complete = 1;
    call->command->error.bytes = 0;
    ssa_buffer_append(&call->command->error, text, strlen(text)); /* without memory the status says enough */
}

void ssa_engine_call_ends(ssa_engine *engine, ssa_call *call) {
    ssa_call_list_remove(call);
    engine->in_flight--;
    call->link = NULL;
    call->done(call);
}

void ssa_routing_fail(ssa_engine *engine, ssa_call *call, ssa_status status, const char *text) {
    set_failure(call, status, text);
    ssa_engine_call_ends(engine, call);
}

/* to: where a server has sent it; NULL: where its slot is then. */
static void again(ssa_engine *engine, ssa_call *call, ssa_server *to, int64_t delay) {
    ssa_link *link = call->link;
    if (link->connection)
        ssa_connection_mark_again(link->connection, call->command);
    if (to || ssa_link_unanswered(link))
        ssa_routing_unsettle(engine);
    ssa_command_rewind(call->command);
    ssa_command_stamp_again(call->command);
    engine->statistics.retries++;
    call->tries++;
    call->link = NULL;
    if (call->flags & SSA_CALL_WATCH)
        ssa_engine_end_turn(engine, call->owner);
    if (!to || route(engine, call, to) != LEFT)
        park(engine, call, delay);
}

/* To one that takes it only if it is announced. Where it cannot be now it goes by way of its owner again. */
static void ask_there(ssa_engine *engine, ssa_call *call, ssa_server *server) {
    call->flags |= SSA_CALL_ASKING;
    again(engine, call, server, between_tries.first);
    ssa_routing_unsettle(engine); /* it is where its slot is not: nothing on its key goes elsewhere until it is answered */
    ssa_link *link = call->list == &engine->parked ? choose_link(engine, server, call) : NULL;
    if (link)
        ssa_link_wake(link);
}

/* valkey.io, topics/cluster-spec and topics/protocol: it was not executed, and may be soon. */
static int is_not_now(const ssa_engine *engine, const ssa_buffer *text) {
    static const char *const words[] = {"LOADING", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (ssa_text_begins(text->data, text->bytes, words[i]))
            return 1;
    return engine->mode == SSA_MODE_CLUSTER && ssa_text_begins(text->data, text->bytes, "READONLY");
}

/* Where a server said. 0: not there; it ends. */
static int follow(ssa_engine *engine, ssa_call *call, const ssa_redirection *redirection, ssa_status status) {
    const ssa_buffer *text = &call->command->error;
    ssa_server *was = server_of(engine, call);
    ssa_server *server = status == SSA_OK ? ssa_topology_follow(engine, redirection, &status) : NULL;
    engine->statistics.redirections++;
    if (!server) {
        char said[128], whole[400];
        snprintf(said, sizeof said, "%.*s", (int)text->bytes, (const char *)text->data);
        snprintf(whole, sizeof whole, "%.150s redirects to an address that was not announced to this client (%.100s): name it in SSDB, "
                 "or set trust_topology.", call->link->address_text, said);
        ssa_topology_refresh(engine);
        set_failure(call, status == SSA_ENOMEM ? SSA_ENOMEM : SSA_ETOPOLOGY, whole);
        return 0;
    }
    if (redirection->kind == SSA_MOVED) {
        for (int i = 0; i < 2 && was && was != server; i++)
            ssa_routing_park_waiting(engine, &was->links[i]); /* that slot may be theirs */
        ssa_topology_refresh(engine);
    }
    if (call->tries > 16 && call->tries % 2) /* two servers that send it to each other: give the cluster time to agree */
        again(engine, call, NULL, between_tries.longest);
    else if (redirection->kind == SSA_ASK)
        ask_there(engine, call, server);
    else
        again(engine, call, server, 0);
    return 1;
}

static void note_trouble(ssa_engine *engine, const ssa_call *call) {
    const ssa_buffer *text = &call->command->error;
    ssa_engine_note_trouble(engine, "Last, %.80s said: %.*s.", call->link->address_text,
                            (int)(text->bytes < 120 ? text->bytes : 120), text->bytes ? (const char *)text->data : "");
}

int ssa_engine_call_repeats(ssa_engine *engine, ssa_call *call) {
    ssa_command *command = call->command;
    ssa_redirection redirection = {.kind = SSA_NOT_REDIRECTED};
    if (call->link->worker || (call->flags & SSA_CALL_WATCHED))
        return 0;
    int may_repeat = call->flags & SSA_CALL_IDEMPOTENT;
    if (command->status == SSA_ECLOSED) {
        /* Of an incomplete unit the server has carried out nothing. */
        if (command->sent >= command->total)
            call->flags |= SSA_CALL_LEFT;
        if ((!may_repeat && command->sent >= command->total) || engine->closed)
            return 0;
        again(engine, call, NULL, delay_after(call->tries + 1));
        return 1;
    }
    if (command->error.bytes && !call->server) {
        const ssa_buffer *text = &command->error;
        ssa_status status = ssa_redirection_parse(&redirection, (const char *)text->data, text->bytes, &call->link->address);
        if (status != SSA_OK || redirection.kind != SSA_NOT_REDIRECTED)
            return follow(engine, call, &redirection, status);
    }
    if (command->status == SSA_ESERVER && is_not_now(engine, &command->error)) {
        note_trouble(engine, call);
        if (engine->mode == SSA_MODE_CLUSTER)
            ssa_topology_refresh(engine);
        again(engine, call, NULL, delay_after(call->tries + 2));
        return 1;
    }
    if (!command->again || !may_repeat)
        return 0;
    call->flags |= SSA_CALL_LEFT;
    again(engine, call, NULL, 0);
    return 1;
}

void ssa_engine_abandon(ssa_engine *engine, ssa_call *call) {
    if (!call->link && !call->list)
        return; /* it is done */
    engine->in_flight--;
    if (call->link) {
        ssa_link_abandon(call->link, call);
    } else {
        ssa_call_list_remove(call);
        ssa_command_free(call->command);
        call->command = NULL;
    }
}

int ssa_engine_hand_over(ssa_call *call, ssa_call *heir) {
    if (!call->link || call->list || !call->command->sent || ssa_command_return_loans(call->command))
        return 0;
    heir->link = call->link;
    heir->last_link = call->last_link;
    heir->command = call->command;
    heir->number = call->number;
    heir->key_hash = call->key_hash;
    heir->slot = call->slot;
    heir->flags = SSA_CALL_WATCHED; /* never repeated: what it borrowed is not there any more */
    heir->command->owner = heir;
    call->link = NULL;
    call->command = NULL;
    return 1;
}
