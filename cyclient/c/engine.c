#include "engine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "allocator.h"
#include "blocking.h"
#include "call_routing.h"
#include "failure_text.h"
#include "op_build.h"
#include "op_control.h"
#include "this_host.h"

/* ---- servers */

/* On this host a shard has a socket too, named by its port; a shard of another host may have the same port. */
static int local_socket(const ssa_settings *settings, const ssa_address *address, ssa_address *socket) {
    memset(socket, 0, sizeof *socket);
    if (!*settings->sockets || *address->path || !ssa_is_this_host(address->host))
        return 0;
    int length = snprintf(socket->path, sizeof socket->path, "%s/%u.sock", settings->sockets, (unsigned)address->port);
    return length < (int)sizeof socket->path && access(socket->path, R_OK | W_OK) == 0;
}

ssa_status ssa_server_set_address(ssa_server *server, const ssa_settings *settings, const ssa_address *address) {
    ssa_address *last = server->address_count ? &server->addresses[server->address_count - 1] : NULL;
    if (last && server->address_count <= 2 && ssa_address_equal(last, address))
        return SSA_OK;
    ssa_address *addresses = ssa_allocate(2 * sizeof *addresses), socket;
    if (!addresses)
        return SSA_ENOMEM;
    size_t count = 0;
    if (local_socket(settings, address, &socket))
        addresses[count++] = socket;
    addresses[count++] = *address;
    ssa_release(server->addresses);
    server->addresses = addresses;
    server->address_count = count;
    return SSA_OK;
}

/* Without addresses. */
static ssa_server *new_server(ssa_engine *engine) {
    ssa_server *server = ssa_allocate(sizeof *server);
    if (!server)
        return NULL;
    memset(server, 0, sizeof *server);
    if (ssa_timer_heap_reserve(&engine->timers, engine->timer_room + 2)) {
        ssa_release(server);
        return NULL;
    }
    engine->timer_room += 2;
    for (int i = 0; i < 2; i++)
        ssa_link_start(&server->links[i], engine, server, NULL);
    ssa_server **end = &engine->servers;
    while (*end)
        end = &(*end)->next;
    *end = server;
    return server;
}

/* Nothing refers to the one that was added last. */
static void drop_last_server(ssa_engine *engine) {
    ssa_server **last = &engine->servers;
    while ((*last)->next)
        last = &(*last)->next;
    ssa_release(*last);
    *last = NULL;
    engine->timer_room -= 2;
}

ssa_server *ssa_engine_add_server(ssa_engine *engine, const char *id, const ssa_address *address) {
    ssa_server *server = new_server(engine);
    if (!server)
        return NULL;
    if (ssa_server_set_address(server, &engine->settings, address)) {
        drop_last_server(engine);
        return NULL;
    }
    snprintf(server->id, sizeof server->id, "%s", id);
    return server;
}

/* The way in: all addresses that were given, until a server has said whether they are one shard or many. */
static ssa_status add_way_in(ssa_engine *engine) {
    ssa_server *server = new_server(engine);
    if (!server)
        return SSA_ENOMEM;
    const ssa_settings *settings = &engine->settings;
    server->addresses = ssa_allocate(settings->address_count * sizeof *server->addresses);
    if (!server->addresses)
        return SSA_ENOMEM;
    memcpy(server->addresses, settings->addresses, settings->address_count * sizeof *server->addresses);
    server->address_count = settings->address_count;
    server->owns = 1;
    return SSA_OK;
}

static ssa_status describe(ssa_engine *engine) {
    ssa_buffer text = {NULL, 0, 0};
    for (size_t i = 0; i < engine->settings.address_count && i < 8; i++) {
        char one[SSA_ADDRESS_TEXT_BYTES];
        size_t bytes = ssa_address_format(&engine->settings.addresses[i], one, sizeof one);
        if ((i && ssa_buffer_append(&text, ", ", 2)) || ssa_buffer_append(&text, one, bytes)) {
            ssa_buffer_free(&text);
            return SSA_ENOMEM;
        }
    }
    if (ssa_buffer_append(&text, engine->settings.address_count > 8 ? ", ..." : "", engine->settings.address_count > 8 ? 6 : 1)) {
        ssa_buffer_free(&text);
        return SSA_ENOMEM;
    }
    engine->description = (char *)text.data;
    return SSA_OK;
}

/* ---- the client */

static void on_parked(ssa_timer *timer) {
    ssa_routing_retry(timer->owner);
}

ssa_engine *ssa_engine_new(ssa_settings *settings, const ssa_driver *driver) {
    ssa_engine *engine = ssa_allocate(sizeof *engine);
    if (!engine) {
        ssa_settings_free(settings);
        return NULL;
    }
    memset(engine, 0, sizeof *engine);
    engine->settings = *settings;
    memset(settings, 0, sizeof *settings);
    if (driver)
        engine->driver = *driver;
    ssa_home_process_init(&engine->home);
    engine->now = ssa_now();
    engine->parked_timer.fire = on_parked;
    engine->parked_timer.owner = engine;
    engine->timer_room = 3; /* parked calls; the topology; held runs */
    ssa_run_order_begin(engine);
    ssa_log_init(&engine->log);
    engine->log.level = engine->settings.log_level;
    ssa_topology_start(engine);
    const char *const *prefixes = (const char *const *)engine->settings.read_prefixes;
    engine->memory = ssa_memory_cache_new((size_t)engine->settings.keep_bytes);
    engine->model_versions = ssa_model_versions_new();
    if (!engine->memory || !engine->model_versions || ssa_timer_heap_reserve(&engine->timers, engine->timer_room) || describe(engine) ||
        ssa_key_names_init(&engine->names, engine->settings.write_prefix, prefixes, engine->settings.read_prefix_count) ||
        ssa_worker_pool_start(&engine->workers, engine) || add_way_in(engine)) {
        ssa_engine_free(engine);
        return NULL;
    }
    if (engine->settings.tls)
        engine->tls_status = ssa_tls_context_new(&engine->settings, &engine->tls, engine->tls_text);
    if (engine->tls_status == SSA_ENOMEM) {
        ssa_engine_free(engine);
        return NULL;
    }
    if (*engine->settings.log_file)
        ssa_log_open(&engine->log, engine->settings.log_file); /* could be, a moment ago (settings.c); else standard error */
    return engine;
}

const char *ssa_engine_unusable(const ssa_engine *engine, ssa_status *status) {
    *status = SSA_ECLOSED;
    if (engine->closed)
        return "the client is closed: open a new one";
    *status = SSA_EFORK;
    if (!ssa_is_at_home(&engine->home))
        return "this client was opened in another process, before a fork: open a new one in the child";
    *status = engine->tls_status; /* never in the clear what was to be encrypted */
    if (engine->tls_status)
        return engine->tls_text;
    return NULL;
}

/* Requests that would leave something behind end first, while what sees to it can still be sent, as far as the sockets take it. */
static void take_leave(ssa_engine *engine) {
    for (ssa_request *request = engine->requests, *next; request; request = next) {
        next = request->next;
        if (!request->forsaken || request->unattended)
            continue;
        ssa_failure_of_closing(request);
        next = engine->requests; /* others may have ended with it */
    }
    ssa_engine_flush(engine);
}

/* After a fork the sockets are the parent's as well: they are closed here, nothing is said on them. */
void ssa_engine_close(ssa_engine *engine) {
    if (engine->closed)
        return;
    if (ssa_is_at_home(&engine->home))
        take_leave(engine);
    engine->closed = 1;
    while (engine->requests)
        ssa_failure_of_closing(engine->requests);
    ssa_topology_end(engine);
    ssa_worker_pool_end(&engine->workers);
    ssa_control_stop(engine);
    ssa_wait_table_free(&engine->waits);
    for (ssa_server *server = engine->servers; server; server = server->next)
        for (int i = 0; i < 2; i++)
            ssa_link_end(&server->links[i]);
    ssa_timer_cancel(&engine->timers, &engine->parked_timer);
    ssa_timer_cancel(&engine->timers, &engine->run_order.timer);
    engine->dirty = NULL;
}

static void free_spares(ssa_engine *engine) {
    ssa_request *request;
    ssa_command *command;
    while ((request = ssa_spares_empty(&engine->spares.requests))) {
        ssa_buffer_free(&request->subject);
        ssa_release(request);
    }
    while ((command = ssa_spares_empty(&engine->spares.commands)))
        ssa_command_free(command);
    ssa_single_free_spares(&engine->spares.singles);
}

void ssa_engine_free(ssa_engine *engine) {
    if (!engine)
        return;
    ssa_engine_close(engine);
    while (engine->servers) {
        ssa_server *server = engine->servers;
        engine->servers = server->next;
        ssa_release(server->addresses);
        ssa_release(server);
    }
    ssa_control_free(engine);
    ssa_timer_heap_free(&engine->timers);
    ssa_key_names_free(&engine->names);
    ssa_tls_context_free(engine->tls);
    ssa_settings_free(&engine->settings);
    ssa_log_close(&engine->log);
    ssa_memory_cache_end(engine->memory);
    ssa_model_versions_release(engine->model_versions);
    free_spares(engine);
    ssa_release(engine->description);
    ssa_home_process_end(&engine->home);
    ssa_release(engine);
}

void ssa_engine_share_model_versions(ssa_engine *engine, const ssa_engine *other) {
    ssa_model_versions *own = engine->model_versions;
    engine->model_versions = ssa_model_versions_hold(other->model_versions);
    ssa_model_versions_release(own);
}

/* ---- time */

ssa_status ssa_engine_take_timer(ssa_engine *engine) {
    ssa_status status = ssa_timer_heap_reserve(&engine->timers, engine->timer_room + 1);
    if (status == SSA_OK)
        engine->timer_room++;
    return status;
}

void ssa_engine_return_timer(ssa_engine *engine) {
    engine->timer_room--;
}

void ssa_engine_arm(ssa_engine *engine, ssa_timer *timer, int64_t at) {
    ssa_timer_arm(&engine->timers, timer, at);
}

void ssa_engine_tick(ssa_engine *engine, int64_t now) {
    engine->now = now;
    ssa_timer_fire_due(&engine->timers, now);
}

void ssa_engine_tidy(ssa_engine *engine) {
    ssa_worker_pool_tidy(&engine->workers);
}

int64_t ssa_engine_next_moment(const ssa_engine *engine) {
    return ssa_timer_next(&engine->timers);
}

/* ---- sockets */

void ssa_engine_mark_dirty(ssa_engine *engine, ssa_link *link) {
    if (link->dirty)
        return;
    link->dirty = 1;
    link->next_dirty = engine->dirty;
    engine->dirty = link;
}

void ssa_engine_flush(ssa_engine *engine) {
    while (engine->dirty) {
        ssa_link *link = engine->dirty;
        engine->dirty = link->next_dirty;
        link->dirty = 0;
        ssa_link_flush(link);
    }
}

int ssa_engine_flush_idle(ssa_engine *engine) {
    ssa_link **at = &engine->dirty;
    while (*at) {
        ssa_link *link = *at;
        if (ssa_link_unanswered(link) > 1) {
            at = &link->next_dirty;
            continue;
        }
        *at = link->next_dirty;
        link->dirty = 0;
        ssa_link_flush(link); /* may put others on the list, in front */
    }
    return engine->dirty != NULL;
}

/* While a link is being opened only its handshake is on it. */
static size_t commands_on(const ssa_link *link) {
    return link->state == SSA_LINK_OPEN ? ssa_link_unanswered(link) : 0;
}

size_t ssa_engine_unanswered(const ssa_engine *engine) {
    size_t count = engine->in_flight;
    for (const ssa_server *server = engine->servers; server; server = server->next)
        count += commands_on(&server->links[0]) + commands_on(&server->links[1]);
    return count;
}

void ssa_engine_ready(ssa_engine *engine, ssa_link *link, int events, int64_t now) {
    engine->now = now;
    ssa_link_ready(link, events);
}

/* ---- requests */

void ssa_engine_note_trouble(ssa_engine *engine, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(engine->trouble, sizeof engine->trouble, format, arguments);
    va_end(arguments);
    engine->trouble_at = engine->now;
}

void ssa_engine_completed(ssa_engine *engine, ssa_request *request) {
    request->next = NULL;
    request->previous = engine->last_complete;
    *(engine->last_complete ? &engine->last_complete->next : &engine->first_complete) = request;
    engine->last_complete = request;
    request->queued = 1;
}

void ssa_engine_withdraw(ssa_engine *engine, ssa_request *request) {
    if (!request->queued)
        return;
    request->queued = 0;
    *(request->previous ? &request->previous->next : &engine->first_complete) = request->next;
    *(request->next ? &request->next->previous : &engine->last_complete) = request->previous;
    request->next = request->previous = NULL;
}

ssa_request *ssa_engine_next_complete(ssa_engine *engine) {
    ssa_request *request = engine->first_complete;
    if (request)
        ssa_engine_withdraw(engine, request);
    return request;
}

/* ---- the topology */

int ssa_engine_learn_mode(ssa_engine *engine, ssa_server_mode mode) {
    if (engine->settings.expected_mode != SSA_MODE_ANY && engine->settings.expected_mode != mode)
        return 0;
    if (engine->mode == SSA_MODE_ANY)
        engine->mode = mode;
    return engine->mode == mode;
}

int ssa_engine_knows_topology(const ssa_engine *engine) {
    return engine->mode == SSA_MODE_STANDALONE || (engine->mode == SSA_MODE_CLUSTER && engine->topology.known);
}

ssa_server *ssa_engine_next_owner(ssa_engine *engine, ssa_server *server) {
    server = server ? server->next : engine->servers;
    while (server && !server->owns)
        server = server->next;
    return server;
}

ssa_server *ssa_engine_owner(ssa_engine *engine, uint16_t slot) {
    const char *why;
    if (engine->mode != SSA_MODE_CLUSTER)
        return engine->servers;
    return engine->topology.known ? ssa_topology_owner(engine, slot, &why) : NULL;
}

void ssa_engine_shard_is_silent(ssa_engine *engine, ssa_link *link) {
    ssa_server *server = link->server;
    server->silent = 1;
    if (engine->topology.known || server->address_count < 2) {
        ssa_topology_refresh(engine);
        return;
    }
    link->address_index = (link->address_index + 1) % server->address_count; /* any of them can say who owns what */
    ssa_link_lose(link, "silent for 1 s with the question about the topology unanswered");
}

void ssa_engine_link_opened(ssa_engine *engine, ssa_link *link) {
    if (link->worker) {
        ssa_worker_pool_opened(&engine->workers, link->worker);
        return;
    }
    link->server->silent = 0;
    if (engine->mode != SSA_MODE_CLUSTER)
        return;
    if (!engine->topology.known) {
        ssa_routing_park_waiting(engine, link); /* perhaps it is not this server that owns their slots */
        ssa_topology_refresh(engine);
    }
}

static void end_waiting(ssa_engine *engine, ssa_link *link) {
    while (link->waiting.first)
        ssa_routing_fail(engine, link->waiting.first, SSA_ECONNECT, link->failure);
}

void ssa_engine_link_failed(ssa_engine *engine, ssa_link *link, int final) {
    if (link->worker) {
        ssa_worker_pool_failed(&engine->workers, link->worker, final);
        return;
    }
    if (final)
        end_waiting(engine, link);
    if (engine->mode == SSA_MODE_CLUSTER)
        ssa_topology_refresh(engine);
}

void ssa_engine_link_lost(ssa_engine *engine, ssa_link *link) {
    if (link->worker) {
        ssa_worker_pool_lost(&engine->workers, link->worker);
        return;
    }
    if (engine->mode == SSA_MODE_CLUSTER && !engine->closed)
        ssa_topology_refresh(engine);
    ssa_wait_table_wake_all(engine);
}

int ssa_engine_needs(const ssa_engine *engine, const ssa_link *link) {
    return link->server && engine->topology.in_flight && engine->topology.asked == link->server;
}

void ssa_engine_topology_changed(ssa_engine *engine) {
    ssa_routing_unsettle(engine);
    for (ssa_server *server = engine->servers; server; server = server->next)
        for (int i = 0; i < 2; i++) {
            ssa_link *link = &server->links[i];
            ssa_routing_park_waiting(engine, link);
            if (!server->owns && ssa_link_unanswered(link))
                ssa_link_lose(link, "it owns no slots any more");
        }
    ssa_wait_table_wake_all(engine);
    for (ssa_call *call = engine->parked.first; call; call = call->next)
        call->ready_at = engine->now; /* what they waited for may be this */
    ssa_routing_retry(engine);
}

void ssa_engine_pushed(ssa_engine *engine, ssa_link *link, const ssa_reply *push) {
    if (link->server)
        ssa_wait_table_pushed(engine, push);
}
