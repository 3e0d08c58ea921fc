#include "topology.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "allocator.h"
#include "backoff.h"
#include "engine.h"

#define QUESTION_TIME INT64_C(1000000000)  /* then another server is asked */

static const ssa_backoff between_questions = {50000000, 1000000000}; /* longer and longer while nothing changes */

static void on_timer(ssa_timer *timer);
static void answered(ssa_call *call);

void ssa_topology_start(ssa_engine *engine) {
    ssa_topology *topology = &engine->topology;
    ssa_slot_map_init(&topology->map);
    topology->timer.fire = on_timer;
    topology->timer.owner = engine;
    topology->delay = 0;
    if (getentropy(&topology->random, sizeof topology->random) || !topology->random)
        topology->random = 1;
}

void ssa_topology_end(ssa_engine *engine) {
    ssa_topology *topology = &engine->topology;
    ssa_timer_cancel(&engine->timers, &topology->timer);
    if (topology->in_flight)
        ssa_engine_abandon(engine, &topology->question);
    topology->in_flight = 0;
    ssa_slot_map_free(&topology->map);
    ssa_release(topology->owners);
    topology->owners = NULL;
    topology->known = 0;
}

static uint32_t next_random(ssa_topology *topology) { /* xorshift32 */
    uint32_t x = topology->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return topology->random = x;
}

/* ---- asking */

static size_t server_count(const ssa_engine *engine) {
    size_t count = 0;
    for (const ssa_server *server = engine->servers; server; server = server->next)
        count++;
    return count;
}

/* One whose connection is open, other than the one asked last; else any other. */
static ssa_server *choose(ssa_engine *engine) {
    ssa_topology *topology = &engine->topology;
    size_t count = server_count(engine), skip = next_random(topology) % count;
    ssa_server *start = engine->servers, *other = NULL;
    while (skip--)
        start = start->next;
    ssa_server *server = start;
    do {
        if (server != topology->asked || count == 1) {
            if (server->links[0].state == SSA_LINK_OPEN && !server->silent)
                return server;
            if (!other)
                other = server;
        }
        server = server->next ? server->next : engine->servers;
    } while (server != start);
    return other;
}

static void rest(ssa_engine *engine, int changed) {
    ssa_topology *topology = &engine->topology;
    topology->delay = ssa_backoff_next(&between_questions, changed ? 0 : topology->delay);
    int64_t jitter = (int64_t)(next_random(topology) % 1024) * (topology->delay / 2048); /* thousands of clients see one failure */
    ssa_engine_arm(engine, &topology->timer, engine->now + topology->delay / 2 + jitter);
}

static void ask(ssa_engine *engine) {
    ssa_topology *topology = &engine->topology;
    ssa_command *command = ssa_command_new(2, SSA_EXPECT_REPLY);
    if (!command || ssa_command_argument(command, "CLUSTER", 7) || ssa_command_argument(command, "SLOTS", 5)) {
        ssa_command_free(command);
        rest(engine, 0);
        return;
    }
    topology->wanted = 0;
    topology->in_flight = 1;
    topology->asked = choose(engine);
    memset(&topology->question, 0, sizeof topology->question);
    topology->question.command = command;
    topology->question.done = answered;
    topology->question.owner = engine;
    topology->question.server = topology->asked;
    engine->statistics.refreshes++;
    ssa_engine_arm(engine, &topology->timer, engine->now + QUESTION_TIME);
    ssa_engine_submit(engine, &topology->question);
}

void ssa_topology_refresh(ssa_engine *engine) {
    ssa_topology *topology = &engine->topology;
    topology->wanted = 1;
    if (!topology->in_flight && !topology->timer.place && !engine->closed)
        ask(engine);
}

static void on_timer(ssa_timer *timer) {
    ssa_engine *engine = timer->owner;
    ssa_topology *topology = &engine->topology;
    if (topology->in_flight) {
        ssa_engine_abandon(engine, &topology->question);
        topology->in_flight = 0;
        topology->wanted = 1;
    }
    if (topology->wanted)
        ask(engine);
}

/* ---- servers */

/* Sockets on this host are named by the port of their shard: an announced socket announces the port too. */
static int socket_has_port(const char *path, unsigned port) {
    char name[16];
    snprintf(name, sizeof name, "/%u.sock", port);
    size_t length = strlen(path), wanted = strlen(name);
    return length >= wanted && !strcmp(path + length - wanted, name);
}

static int is_loopback(const char *host) {
    return !strcmp(host, "127.0.0.1") || !strcmp(host, "localhost") || !strcmp(host, "::1");
}

static int is_announced(const ssa_engine *engine, const ssa_address *address) {
    if (engine->settings.trust_topology)
        return 1;
    for (size_t i = 0; i < engine->settings.address_count; i++) {
        const ssa_address *known = &engine->settings.addresses[i];
        if (ssa_address_equal(known, address) ||
            (is_loopback(address->host) && ((*known->path && socket_has_port(known->path, address->port)) ||
                                             (known->port == address->port && is_loopback(known->host)))))
            return 1;
    }
    return 0;
}

static ssa_server *find_server(ssa_engine *engine, const char *id, const ssa_address *address) {
    for (ssa_server *server = engine->servers; server; server = server->next)
        if (*id && !strcmp(server->id, id))
            return server;
    for (ssa_server *server = engine->servers; server; server = server->next)
        for (size_t i = 0; i < server->address_count && !(*id && *server->id); i++)
            if (ssa_address_equal(&server->addresses[i], address) && server->address_count <= 2)
                return server;
    return NULL;
}

static ssa_server *server_at(ssa_engine *engine, const char *id, const ssa_address *address) {
    ssa_server *server = find_server(engine, id, address);
    if (!server)
        return ssa_engine_add_server(engine, id, address);
    if (ssa_server_set_address(server, &engine->settings, address))
        return NULL;
    snprintf(server->id, sizeof server->id, "%s", id);
    return server;
}

ssa_server *ssa_topology_owner(ssa_engine *engine, uint16_t slot, const char **why) {
    ssa_topology *topology = &engine->topology;
    uint16_t shard = topology->map.shard_of[slot];
    if (shard == SSA_NO_SHARD) {
        *why = "no shard serves its slot";
        return NULL;
    }
    *why = "the shard of its slot has an address that was not announced to this client: name it in SSDB, or set trust_topology";
    return topology->owners[shard];
}

static ssa_status grow_owners(ssa_topology *topology) {
    ssa_server **owners = ssa_reallocate(topology->owners, (topology->map.count + 1) * sizeof *owners);
    if (!owners)
        return SSA_ENOMEM;
    topology->owners = owners;
    return SSA_OK;
}

ssa_server *ssa_topology_follow(ssa_engine *engine, const ssa_redirection *redirection, ssa_status *status) {
    ssa_topology *topology = &engine->topology;
    *status = SSA_ETOPOLOGY;
    if (!is_announced(engine, &redirection->address))
        return NULL;
    *status = SSA_ENOMEM;
    ssa_server *server = find_server(engine, "", &redirection->address);
    if (!server && !(server = ssa_engine_add_server(engine, "", &redirection->address)))
        return NULL;
    if (redirection->kind == SSA_MOVED && topology->known) {
        size_t count = topology->map.count;
        if (grow_owners(topology) || ssa_slot_map_move(&topology->map, redirection->slot, &redirection->address))
            return NULL;
        for (size_t i = count; i < topology->map.count; i++)
            topology->owners[i] = server;
    }
    *status = SSA_OK;
    return server;
}

/* ---- a new map */

static int same_owners(const ssa_topology *topology, const ssa_slot_map *map) {
    if (!topology->known || topology->map.count != map->count || memcmp(topology->map.shard_of, map->shard_of, sizeof map->shard_of))
        return 0;
    for (size_t i = 0; i < map->count; i++)
        if (!ssa_address_equal(&topology->map.shards[i].primary, &map->shards[i].primary))
            return 0;
    return 1;
}

/* Replicas are asked for the map when no primary answers. */
static void note_replicas(ssa_engine *engine, const ssa_shard *shard) {
    for (size_t i = 0; i < shard->replica_count; i++)
        if (is_announced(engine, &shard->replicas[i]) && !find_server(engine, "", &shard->replicas[i]))
            ssa_engine_add_server(engine, "", &shard->replicas[i]); /* no memory: one fewer to ask */
}

static ssa_status use(ssa_engine *engine, ssa_slot_map *map) {
    ssa_topology *topology = &engine->topology;
    ssa_server **owners = ssa_allocate((map->count + 1) * sizeof *owners);
    if (!owners)
        return SSA_ENOMEM;
    for (size_t i = 0; i < map->count; i++) {
        const ssa_shard *shard = &map->shards[i];
        int announced = is_announced(engine, &shard->primary);
        owners[i] = announced ? server_at(engine, shard->node_id, &shard->primary) : NULL;
        if (!announced) {
            char text[SSA_ADDRESS_TEXT_BYTES];
            ssa_address_format(&shard->primary, text, sizeof text);
            ssa_log_write(&engine->log, SSA_LOG_ERROR, "the cluster names %s, which was not announced: not followed", text);
        } else if (!owners[i]) {
            ssa_release(owners);
            return SSA_ENOMEM;
        }
        note_replicas(engine, shard);
    }
    for (ssa_server *server = engine->servers; server; server = server->next)
        server->owns = 0;
    for (size_t i = 0; i < map->count; i++)
        if (owners[i])
            owners[i]->owns = 1;
    ssa_slot_map_free(&topology->map);
    ssa_release(topology->owners);
    topology->map = *map;
    topology->owners = owners;
    topology->known = 1;
    ssa_slot_map_init(map);
    return SSA_OK;
}

/* The question is a call of ours: the map is too large for the stack of a small thread. */
static void answered(ssa_call *call) {
    ssa_engine *engine = call->owner;
    ssa_topology *topology = &engine->topology;
    ssa_command *command = call->command;
    call->command = NULL;
    topology->in_flight = 0;
    char error[256] = "";
    int changed = 0;
    ssa_status status = command->status;
    ssa_slot_map *map = status == SSA_OK ? ssa_allocate(sizeof *map) : NULL;
    if (map) {
        status = ssa_slot_map_decode(map, &command->reply, &topology->asked->links[0].address, error, sizeof error);
        if (status == SSA_OK) {
            changed = !same_owners(topology, map);
            status = use(engine, map);
            ssa_slot_map_free(map);
        }
        ssa_release(map);
    } else if (status == SSA_OK) {
        status = SSA_ENOMEM;
    }
    if (status != SSA_OK) {
        if (status == SSA_ENOMEM && !command->error.bytes)
            snprintf(error, sizeof error, "no memory for it");
        ssa_engine_note_trouble(engine, "The topology of the cluster could not be read: %.*s%.100s.",
                                (int)(command->error.bytes < 80 ? command->error.bytes : 80),
                                command->error.bytes ? (char *)command->error.data : "", error);
        topology->wanted = 1;
    }
    ssa_command_free(command);
    rest(engine, changed);
    if (changed)
        ssa_engine_topology_changed(engine);
}
