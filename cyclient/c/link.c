#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "allocator.h"
#include "blocking.h"
#include "engine.h"
#include "link_handshake.h"
#include "link_opening.h"

#define SHARD_SILENCE INT64_C(1000000000) /* then the rest of the cluster is asked who owns its slots now */

static void on_timer(ssa_timer *timer);

void ssa_link_start(ssa_link *link, ssa_engine *engine, ssa_server *server, ssa_worker_peer *worker) {
    memset(link, 0, sizeof *link);
    link->engine = engine;
    link->server = server;
    link->worker = worker;
    link->descriptor = -1;
    link->retry.fire = on_timer;
    link->retry.owner = link;
}

void ssa_link_watch(ssa_link *link, int events) {
    if (link->events == events)
        return;
    link->events = events;
    if (link->engine->driver.watch)
        link->engine->driver.watch(link->engine->driver.self, link, link->descriptor, events);
}

void ssa_link_close_socket(ssa_link *link) {
    if (link->descriptor < 0)
        return;
    ssa_link_watch(link, 0);
    if (link->descriptor != ssa_name_lookup_descriptor(link->lookup)) /* which is no socket, and closes it itself */
        close(link->descriptor);
    link->descriptor = -1;
}

static void forget_dirty(ssa_link *link) {
    ssa_link **at = &link->engine->dirty;
    while (*at && *at != link)
        at = &(*at)->next_dirty;
    if (*at)
        *at = link->next_dirty;
    link->dirty = 0;
}

void ssa_link_end(ssa_link *link) {
    if (link->dirty)
        forget_dirty(link);
    ssa_timer_cancel(&link->engine->timers, &link->retry);
    if (link->connection && ssa_connection_tls(link->connection) && ssa_is_at_home(&link->engine->home))
        ssa_tls_say_goodbye(ssa_connection_tls(link->connection));
    ssa_link_close_socket(link);
    ssa_name_lookup_free(link->lookup, ssa_is_at_home(&link->engine->home));
    link->lookup = NULL;
    ssa_connection_free(link->connection);
    link->connection = NULL;
    link->state = SSA_LINK_IDLE;
}

int ssa_link_may_answer(const ssa_link *link) {
    if (link->state == SSA_LINK_OPEN || link->state == SSA_LINK_DRAINING)
        return 1;
    if (*link->failure || !link->server)
        return 0;
    return link->server->links[0].ever_open || link->server->links[1].ever_open;
}

const char *ssa_link_silence(const ssa_link *link) {
    return link->state == SSA_LINK_HANDSHAKE  ? "it accepts, but does not answer"
           : link->state == SSA_LINK_SECURING ? "it accepts, but does not answer in TLS: is this its port for TLS?"
                                              : "no answer";
}

size_t ssa_link_unanswered(const ssa_link *link) {
    return link->connection ? ssa_connection_unanswered(link->connection) : 0;
}

/* ---- opening: how it ends (link_opening.c has the rest) */

void ssa_link_opened(ssa_link *link) {
    ssa_engine *engine = link->engine;
    ssa_timer_cancel(&engine->timers, &link->retry);
    ssa_name_lookup_free(link->lookup, 1);
    link->lookup = NULL;
    link->address_tried = NULL;
    link->state = SSA_LINK_OPEN;
    link->ever_open = 1;
    if (!engine->driver.watch && !ssa_connection_tls(link->connection))
        ssa_connection_prepare_waits(link->connection);
    link->delay = 0;
    link->silences = 0;
    link->failure[0] = 0;
    ssa_log_write(&engine->log, SSA_LOG_INFO, "connected to %s", link->address_text);
    ssa_engine_link_opened(engine, link);
    while (link->state == SSA_LINK_OPEN && link->waiting.first)
        ssa_link_queue(link, link->waiting.first);
}

void ssa_link_refused(ssa_link *link, const char *reason, int final) {
    ssa_link_failed(link, reason, final);
}

/* ---- calls */

void ssa_link_queue(ssa_link *link, ssa_call *call) {
    ssa_call_list_remove(call);
    call->link = link;
    int stepping = link->state == SSA_LINK_HANDSHAKE && call == &link->step;
    if (link->state != SSA_LINK_OPEN && !stepping) {
        ssa_call_list_append(&link->waiting, call);
        ssa_link_wake(link);
        return;
    }
    call->command->owner = call;
    ssa_connection_queue(link->connection, call->command);
    ssa_engine_mark_dirty(link->engine, link);
}

void ssa_link_abandon(ssa_link *link, ssa_call *call) {
    ssa_command *command = call->command;
    call->command = NULL;
    if (call->list) {
        ssa_call_list_remove(call);
        ssa_command_free(command);
    } else if (ssa_connection_abandon(link->connection, command) == SSA_ENOMEM) {
        ssa_link_lose(link, "no memory to copy the unsent part of an abandoned command");
    }
    call->link = NULL;
}

/* What is complete and not repeated into `ended`; it stays on the link. */
static void sort_out(ssa_link *link, ssa_command *command, ssa_call_list *ended) {
    ssa_call *call = command->owner;
    call->command = command;
    if (!ssa_engine_call_repeats(link->engine, call))
        ssa_call_list_append(ended, call);
}

static void hand_out(ssa_engine *engine, ssa_call_list *ended) {
    while (ended->first)
        ssa_engine_call_ends(engine, ended->first);
}

/* Hand out what is complete. A handler may lose the link: then the rest is handed out there. */
static void collect(ssa_link *link) {
    ssa_engine *engine = link->engine;
    ssa_call_list ended = {NULL, NULL, NULL, 0};
    ssa_command *command;
    while (link->connection && (command = ssa_connection_next_complete(link->connection))) {
        if (command->owner == &link->step) {
            link->step.command = command;
            ssa_handshake_next(link, &link->step);
        } else {
            sort_out(link, command, &ended);
        }
    }
    hand_out(engine, &ended);
}

static void deliver_pushes(ssa_link *link) {
    ssa_reply push;
    while (link->connection && ssa_connection_next_push(link->connection, &push)) {
        ssa_engine_pushed(link->engine, link, &push);
        ssa_reply_free(&push);
    }
}

/* ---- the end of a connection */

/* Read what the server still says until it closes; true: it has. */
static int drained(ssa_link *link) {
    char scratch[16384];
    for (int i = 0; i < 64 || ssa_descriptor_is_reset(link->descriptor); i++) {
        ssize_t got = recv(link->descriptor, scratch, sizeof scratch, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            return 1;
        if (got < 0)
            return 0;
    }
    return 0;
}

static void drain(ssa_link *link) {
    if (!drained(link))
        return;
    ssa_link_close_socket(link);
    link->state = SSA_LINK_IDLE;
    if (link->waiting.length)
        ssa_link_wake(link);
}

/* dead: the other side has closed; otherwise it may still read what we sent. */
static void lost(ssa_link *link, const char *reason, int dead) {
    ssa_engine *engine = link->engine;
    ssa_connection *connection = link->connection;
    char text[512];
    snprintf(text, sizeof text, "%s", reason); /* it may lie in the connection */
    if (link->state == SSA_LINK_SECURING || link->state == SSA_LINK_HANDSHAKE) {
        const ssa_tls *tls = ssa_connection_tls(connection);
        ssa_link_failed(link, text, tls && ssa_tls_is_final(tls));
        return;
    }
    ssa_log_write(&engine->log, SSA_LOG_INFO, "lost %s: %s", link->address_text, text);
    ssa_engine_note_trouble(engine, "Last, lost %.80s: %.150s.", link->address_text, text);
    ssa_timer_cancel(&engine->timers, &link->retry);
    ssa_connection_fail(connection, SSA_ECLOSED, text);
    if (dead || link->worker) {
        ssa_link_close_socket(link);
        link->state = SSA_LINK_IDLE;
    } else {
        shutdown(link->descriptor, SHUT_WR);
        ssa_link_watch(link, SSA_EVENT_READ);
        link->state = SSA_LINK_DRAINING;
    }
    link->connection = NULL; /* handlers queue on the next one */
    link->watched_by = NULL;
    link->has_watch = 0;
    ssa_call_list ended = {NULL, NULL, NULL, 0};
    ssa_command *command;
    while ((command = ssa_connection_next_complete(connection)))
        sort_out(link, command, &ended);
    ssa_connection_free(connection);
    hand_out(engine, &ended);
    ssa_engine_link_lost(engine, link);
    if (link->state == SSA_LINK_DRAINING)
        drain(link);
}

void ssa_link_lose(ssa_link *link, const char *reason) {
    if (link->connection)
        lost(link, reason, 1);
    else if (link->state != SSA_LINK_IDLE && link->state != SSA_LINK_WAITING && link->state != SSA_LINK_DRAINING)
        ssa_link_failed(link, reason, 0);
}

static const char *reason_of(ssa_link *link, ssa_status status) {
    const char *known = ssa_connection_error(link->connection);
    if (*known)
        return known;
    return status == SSA_ENOMEM ? "no memory for a reply" : strerror(errno);
}

void ssa_link_received(ssa_link *link, ssa_status status) {
    ssa_connection *connection = link->connection;
    char reason[512];
    if (ssa_handshake_met_tls(link)) {
        ssa_link_failed(link, "it speaks TLS. Ask for it: SSA_TLS=1, or tls=True", 1);
        return;
    }
    if (status < 0) /* before any handler touches errno */
        snprintf(reason, sizeof reason, "%s%s", reason_of(link, status), ssa_handshake_question(link));
    collect(link);
    if (link->connection == connection)
        deliver_pushes(link);
    if (status < 0 && link->connection == connection)
        lost(link, reason, status == SSA_ECLOSED || status == SSA_ESYSTEM);
}

void ssa_link_ready(ssa_link *link, int events) {
    if (link->state == SSA_LINK_RESOLVING) {
        ssa_link_resolved(link);
        return;
    }
    if (link->state == SSA_LINK_CONNECTING) {
        ssa_link_connected(link);
        return;
    }
    if (link->state == SSA_LINK_DRAINING) {
        drain(link);
        return;
    }
    if (link->state == SSA_LINK_SECURING) {
        ssa_link_secure(link);
        return;
    }
    if (!link->connection)
        return;
    if (events & SSA_EVENT_READ)
        ssa_link_received(link, ssa_connection_receive(link->connection));
    if (link->connection && ssa_connection_tls(link->connection) && ssa_connection_wants_write(link->connection))
        ssa_engine_mark_dirty(link->engine, link); /* reading may have made something to write */
    if ((events & SSA_EVENT_WRITE) && link->connection)
        ssa_link_flush(link);
}

/* ---- sending, and silence */

static void watch_for_silence(ssa_link *link) {
    if (link->retry.place || link->state != SSA_LINK_OPEN || (link->server && link->engine->mode != SSA_MODE_CLUSTER))
        return;
    ssa_connection_statistics now = ssa_connection_statistics_now(link->connection);
    link->seen_received = now.bytes_received;
    link->seen_sent = now.bytes_sent;
    link->seen_sending = ssa_connection_wants_write(link->connection);
    ssa_engine_arm(link->engine, &link->retry, link->engine->now + (link->worker ? SSA_WORKER_SILENCE : SHARD_SILENCE));
}

void ssa_link_flush(ssa_link *link) {
    if (!link->connection || link->state == SSA_LINK_SECURING)
        return;
    ssa_status status = ssa_connection_send(link->connection);
    if (status < 0) {
        ssa_link_received(link, status);
        return;
    }
    ssa_link_watch(link, status == SSA_MORE ? SSA_EVENT_READ | SSA_EVENT_WRITE : SSA_EVENT_READ);
    if (ssa_connection_unanswered(link->connection))
        watch_for_silence(link);
}

/* Nothing came, and nothing of a long request was taken; that short ones fit in the socket is no sign of life. */
static int was_silent(const ssa_link *link) {
    ssa_connection_statistics now = ssa_connection_statistics_now(link->connection);
    int sending = ssa_connection_wants_write(link->connection) || link->seen_sending;
    return now.bytes_received == link->seen_received && (now.bytes_sent == link->seen_sent || !sending);
}

static void check_silence(ssa_link *link) {
    if (!ssa_link_unanswered(link))
        return;
    /* A driver that was held up sees its own silence: look into the socket before judging the other side. */
    ssa_link_ready(link, SSA_EVENT_READ);
    if (link->state != SSA_LINK_OPEN || !ssa_link_unanswered(link))
        return;
    if (was_silent(link)) {
        if (link->worker) {
            lost(link, "silent for 1 s with a request unanswered", 1);
            return;
        }
        ssa_engine_shard_is_silent(link->engine, link);
        if (link->state != SSA_LINK_OPEN)
            return;
    }
    watch_for_silence(link);
}

static void on_timer(ssa_timer *timer) {
    ssa_link *link = timer->owner;
    switch (link->state) {
    case SSA_LINK_WAITING:
        link->state = SSA_LINK_IDLE;
        if (link->waiting.length || ssa_engine_needs(link->engine, link))
            ssa_link_wake(link);
        break;
    case SSA_LINK_CONNECTING:
        link->silences++;
        ssa_link_address_failed(link, ssa_link_silence(link));
        break;
    case SSA_LINK_RESOLVING:
    case SSA_LINK_SECURING:
    case SSA_LINK_HANDSHAKE:
        link->silences++;
        ssa_link_failed(link, ssa_link_silence(link), 0);
        break;
    case SSA_LINK_OPEN:
        check_silence(link);
        break;
    default:
        break;
    }
}
