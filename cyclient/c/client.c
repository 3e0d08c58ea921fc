#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "allocator.h"
#include "blocking.h"
#include "call_routing.h"

/* ---- servers */

/* On this host a shard has a socket too, named by its port. */
static int local_socket(const ssa_settings *settings, const ssa_address *address, ssa_address *socket) {
    memset(socket, 0, sizeof *socket);
    if (!*settings->sockets || *address->path)
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
static ssa_server *new_server(ssa_client *client) {
    ssa_server *server = ssa_allocate(sizeof *server);
    if (!server)
        return NULL;
    memset(server, 0, sizeof *server);
    if (ssa_timer_heap_reserve(&client->timers, client->timer_room + 2)) {
        ssa_release(server);
        return NULL;
    }
    client->timer_room += 2;
    for (int i = 0; i < 2; i++)
        ssa_link_start(&server->links[i], client, server, NULL);
    ssa_server **end = &client->servers;
    while (*end)
        end = &(*end)->next;
    *end = server;
    return server;
}

ssa_server *ssa_client_add_server(ssa_client *client, const char *id, const ssa_address *address) {
    ssa_server *server = new_server(client);
    if (!server || ssa_server_set_address(server, &client->settings, address)) {
        if (server)
            server->address_count = 0; /* stays, unused: it is never asked without an address */
        return NULL;
    }
    snprintf(server->id, sizeof server->id, "%s", id);
    return server;
}

/* The way in: all addresses that were given, until a server has said whether they are one shard or many. */
static ssa_status add_way_in(ssa_client *client) {
    ssa_server *server = new_server(client);
    if (!server)
        return SSA_ENOMEM;
    const ssa_settings *settings = &client->settings;
    server->addresses = ssa_allocate(settings->address_count * sizeof *server->addresses);
    if (!server->addresses)
        return SSA_ENOMEM;
    memcpy(server->addresses, settings->addresses, settings->address_count * sizeof *server->addresses);
    server->address_count = settings->address_count;
    server->owns = 1;
    return SSA_OK;
}

static ssa_status describe(ssa_client *client) {
    ssa_buffer text = {NULL, 0, 0};
    for (size_t i = 0; i < client->settings.address_count && i < 8; i++) {
        char one[SSA_ADDRESS_TEXT_BYTES];
        size_t bytes = ssa_address_format(&client->settings.addresses[i], one, sizeof one);
        if ((i && ssa_buffer_append(&text, ", ", 2)) || ssa_buffer_append(&text, one, bytes)) {
            ssa_buffer_free(&text);
            return SSA_ENOMEM;
        }
    }
    if (ssa_buffer_append(&text, client->settings.address_count > 8 ? ", ..." : "", client->settings.address_count > 8 ? 6 : 1)) {
        ssa_buffer_free(&text);
        return SSA_ENOMEM;
    }
    client->description = (char *)text.data;
    return SSA_OK;
}

/* ---- the client */

static void on_parked(ssa_timer *timer) {
    ssa_routing_retry(timer->owner);
}

ssa_client *ssa_client_new(ssa_settings *settings, const ssa_driver *driver) {
    ssa_client *client = ssa_allocate(sizeof *client);
    if (!client) {
        ssa_settings_free(settings);
        return NULL;
    }
    memset(client, 0, sizeof *client);
    client->settings = *settings;
    memset(settings, 0, sizeof *settings);
    if (driver)
        client->driver = *driver;
    client->pid = (int)getpid();
    client->now = ssa_now();
    client->parked_timer.fire = on_parked;
    client->parked_timer.owner = client;
    client->timer_room = 2; /* parked calls; the topology */
    ssa_log_init(&client->log);
    client->log.level = client->settings.log_level;
    ssa_topology_start(client);
    const char *const *prefixes = (const char *const *)client->settings.read_prefixes;
    client->memory = ssa_memory_cache_new((size_t)client->settings.keep_bytes);
    if (!client->memory || ssa_timer_heap_reserve(&client->timers, client->timer_room) || describe(client) ||
        ssa_key_names_init(&client->names, client->settings.write_prefix, prefixes, client->settings.read_prefix_count) ||
        ssa_worker_pool_start(&client->workers, client) || add_way_in(client)) {
        ssa_client_free(client);
        return NULL;
    }
    if (*client->settings.log_file)
        ssa_log_open(&client->log, client->settings.log_file); /* a log that cannot be written stops nobody */
    return client;
}

const char *ssa_client_unusable(const ssa_client *client) {
    if (client->closed)
        return "the client is closed";
    if (client->pid != (int)getpid())
        return "this client was opened in another process, before a fork: open a new one in the child";
    return NULL;
}

/* After a fork the sockets are the parent's as well: they are closed here, nothing is said on them. */
void ssa_client_close(ssa_client *client) {
    if (client->closed)
        return;
    client->closed = 1;
    while (client->requests)
        ssa_request_fail(client->requests, SSA_ECLOSED, "lost %s: the client was closed. '%s' may or may not have been carried out.",
                         client->description, (char *)client->requests->subject.data);
    ssa_topology_end(client);
    ssa_worker_pool_end(&client->workers);
    ssa_wait_table_free(&client->waits);
    for (ssa_server *server = client->servers; server; server = server->next)
        for (int i = 0; i < 2; i++)
            ssa_link_end(&server->links[i]);
    ssa_timer_cancel(&client->timers, &client->parked_timer);
    client->dirty = NULL;
}

void ssa_client_free(ssa_client *client) {
    if (!client)
        return;
    ssa_client_close(client);
    while (client->servers) {
        ssa_server *server = client->servers;
        client->servers = server->next;
        ssa_release(server->addresses);
        ssa_release(server);
    }
    ssa_timer_heap_free(&client->timers);
    ssa_key_names_free(&client->names);
    ssa_settings_free(&client->settings);
    ssa_log_close(&client->log);
    ssa_memory_cache_end(client->memory);
    ssa_release(client->description);
    ssa_release(client);
}

void ssa_client_wake(ssa_client *client) {
    client->now = ssa_now();
    if (!ssa_client_unusable(client))
        ssa_link_wake(&client->servers->links[0]);
}

/* ---- time */

ssa_status ssa_client_take_timer(ssa_client *client) {
    ssa_status status = ssa_timer_heap_reserve(&client->timers, client->timer_room + 1);
    if (status == SSA_OK)
        client->timer_room++;
    return status;
}

void ssa_client_return_timer(ssa_client *client) {
    client->timer_room--;
}

void ssa_client_arm(ssa_client *client, ssa_timer *timer, int64_t at) {
    ssa_timer_arm(&client->timers, timer, at);
}

void ssa_client_tick(ssa_client *client, int64_t now) {
    client->now = now;
    ssa_timer_fire_due(&client->timers, now);
}

int64_t ssa_client_next_moment(const ssa_client *client) {
    return ssa_timer_next(&client->timers);
}

/* ---- sockets */

void ssa_client_mark_dirty(ssa_client *client, ssa_link *link) {
    if (link->dirty)
        return;
    link->dirty = 1;
    link->next_dirty = client->dirty;
    client->dirty = link;
}

void ssa_client_flush(ssa_client *client) {
    while (client->dirty) {
        ssa_link *link = client->dirty;
        client->dirty = link->next_dirty;
        link->dirty = 0;
        ssa_link_flush(link);
    }
}

int ssa_client_flush_idle(ssa_client *client) {
    ssa_link **at = &client->dirty;
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
    return client->dirty != NULL;
}

void ssa_client_ready(ssa_client *client, ssa_link *link, int events, int64_t now) {
    client->now = now;
    ssa_link_ready(link, events);
}

/* ---- requests */

void ssa_client_completed(ssa_client *client, ssa_request *request) {
    request->next = NULL;
    request->previous = client->last_complete;
    *(client->last_complete ? &client->last_complete->next : &client->first_complete) = request;
    client->last_complete = request;
    request->queued = 1;
}

void ssa_client_withdraw(ssa_client *client, ssa_request *request) {
    if (!request->queued)
        return;
    request->queued = 0;
    *(request->previous ? &request->previous->next : &client->first_complete) = request->next;
    *(request->next ? &request->next->previous : &client->last_complete) = request->previous;
    request->next = request->previous = NULL;
}

ssa_request *ssa_client_next_complete(ssa_client *client) {
    ssa_request *request = client->first_complete;
    if (request)
        ssa_client_withdraw(client, request);
    return request;
}

/* ---- the topology */

int ssa_client_learn_mode(ssa_client *client, ssa_server_mode mode) {
    if (client->settings.expected_mode != SSA_MODE_ANY && client->settings.expected_mode != mode)
        return 0;
    if (client->mode == SSA_MODE_ANY)
        client->mode = mode;
    return client->mode == mode;
}

int ssa_client_knows_topology(const ssa_client *client) {
    return client->mode == SSA_MODE_STANDALONE || (client->mode == SSA_MODE_CLUSTER && client->topology.known);
}

ssa_server *ssa_client_next_owner(ssa_client *client, ssa_server *server) {
    server = server ? server->next : client->servers;
    while (server && !server->owns)
        server = server->next;
    return server;
}

ssa_server *ssa_client_owner(ssa_client *client, uint16_t slot) {
    const char *why;
    if (client->mode != SSA_MODE_CLUSTER)
        return client->servers;
    return client->topology.known ? ssa_topology_owner(client, slot, &why) : NULL;
}

void ssa_client_shard_is_silent(ssa_client *client, ssa_link *link) {
    link->server->silent = 1;
    ssa_topology_refresh(client);
}

void ssa_client_link_opened(ssa_client *client, ssa_link *link) {
    if (link->worker) {
        ssa_worker_pool_opened(&client->workers, link->worker);
        return;
    }
    link->server->silent = 0;
    if (client->mode != SSA_MODE_CLUSTER)
        return;
    if (!client->topology.known) {
        ssa_routing_park_waiting(client, link); /* perhaps it is not this server that owns their slots */
        ssa_topology_refresh(client);
    }
}

static void end_waiting(ssa_client *client, ssa_link *link) {
    while (link->waiting.first)
        ssa_routing_fail(client, link->waiting.first, SSA_ECONNECT, link->failure);
}

void ssa_client_link_failed(ssa_client *client, ssa_link *link, int final) {
    if (link->worker) {
        ssa_worker_pool_failed(&client->workers, link->worker, final);
        return;
    }
    if (final)
        end_waiting(client, link);
    if (client->mode == SSA_MODE_CLUSTER)
        ssa_topology_refresh(client);
}

void ssa_client_link_lost(ssa_client *client, ssa_link *link) {
    if (link->worker) {
        ssa_worker_pool_lost(&client->workers, link->worker);
        return;
    }
    if (client->mode == SSA_MODE_CLUSTER && !client->closed)
        ssa_topology_refresh(client);
    ssa_wait_table_wake_all(client);
}

int ssa_client_needs(const ssa_client *client, const ssa_link *link) {
    return link->server && client->topology.in_flight && client->topology.asked == link->server;
}

void ssa_client_topology_changed(ssa_client *client) {
    ssa_routing_unsettle(client);
    for (ssa_server *server = client->servers; server; server = server->next)
        for (int i = 0; i < 2; i++) {
            ssa_link *link = &server->links[i];
            ssa_routing_park_waiting(client, link);
            if (!server->owns && ssa_link_unanswered(link))
                ssa_link_lose(link, "it owns no slots any more");
        }
    ssa_wait_table_wake_all(client);
    ssa_routing_retry(client);
}

void ssa_client_pushed(ssa_client *client, ssa_link *link, const ssa_reply *push) {
    if (link->server)
        ssa_wait_table_pushed(client, push);
}
