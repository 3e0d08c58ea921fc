#include "slot_map.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "mistake.h"
#include "text_begins.h"

/* A walk over the flat tree of a reply; every step is checked against its end. */
typedef struct walk {
    const ssa_reply *reply;
    size_t at;
    const ssa_address *asked;
    ssa_slot_map *map;
    char *error;
    size_t room;
} walk;

/* One node of the cluster as a range names it. */
typedef struct member {
    ssa_address address;
    const char *id;
    size_t id_bytes;
} member;

static ssa_status refuse(walk *w, const char *why) {
    snprintf(w->error, w->room, "not a reply to CLUSTER SLOTS: %s (element %zu).", why, w->at);
    return SSA_EPROTOCOL;
}

static const ssa_node *next(walk *w) {
    return w->at < w->reply->count ? &w->reply->nodes[w->at++] : NULL;
}

static int is_string(const ssa_node *node) {
    return node->kind == SSA_TOKEN_BULK || node->kind == SSA_TOKEN_SIMPLE;
}

static const char *text_of(const walk *w, const ssa_node *node) {
    return node->text_bytes ? (const char *)w->reply->text.data + node->text_at : "";
}

/* Pass over this many whole elements, however deep. 0: the reply ends before. */
static int skip(walk *w, int64_t elements) {
    while (elements > 0) {
        const ssa_node *node = next(w);
        if (!node)
            return 0;
        int64_t inside = ssa_node_elements(node);
        if (inside < 0 || __builtin_add_overflow(elements - 1, inside, &elements))
            return 0;
    }
    return 1;
}

static int take_array(walk *w, int64_t least, int64_t *elements) {
    const ssa_node *node = next(w);
    if (!node || node->kind != SSA_TOKEN_ARRAY || node->number < least)
        return 0;
    *elements = node->number;
    return 1;
}

static int take_integer(walk *w, int64_t *number) {
    const ssa_node *node = next(w);
    if (!node || node->kind != SSA_TOKEN_INTEGER)
        return 0;
    *number = node->number;
    return 1;
}

/* The host of whom we asked. What listens on a unix socket is on this host. */
static const char *host_of_asked(const ssa_address *asked) {
    return *asked->path || !*asked->host ? "127.0.0.1" : asked->host;
}

/* An endpoint that is null or empty is that of whom we asked; "?" says that the server does not know its own name. */
static int is_unknown(const char *host, size_t bytes) {
    return bytes == 0 || (bytes == 1 && *host == '?');
}

/* ---- what the servers say of one node */

/* The value of "ip" among the metadata, which begins at the next node: a map in RESP3, a flat array in RESP2. */
static ssa_status find_ip(walk *w, const ssa_node **ip) {
    const ssa_node *metadata = next(w);
    *ip = NULL;
    if (!metadata || (metadata->kind != SSA_TOKEN_ARRAY && metadata->kind != SSA_TOKEN_MAP))
        return metadata && metadata->kind == SSA_TOKEN_NULL ? SSA_OK : refuse(w, "the metadata of a node are no map");
    for (int64_t left = metadata->number; left > 0; left -= 2) {
        const ssa_node *name = next(w);
        if (left < 2 || !name || !is_string(name))
            return refuse(w, "the metadata of a node are not names and values");
        const ssa_node *value = w->at < w->reply->count ? &w->reply->nodes[w->at] : NULL;
        if (value && is_string(value) && name->text_bytes == 2 && !memcmp(text_of(w, name), "ip", 2))
            *ip = value;
        if (!skip(w, 1))
            return refuse(w, "it ends too early");
    }
    return SSA_OK;
}

static ssa_status take_id(walk *w, member *node) {
    const ssa_node *id = next(w);
    if (!id || !is_string(id) || id->text_bytes >= sizeof((ssa_shard *)0)->node_id ||
        (id->text_bytes && memchr(text_of(w, id), 0, id->text_bytes)))
        return refuse(w, "the id of a node is no string of fewer than 48 bytes");
    node->id = text_of(w, id);
    node->id_bytes = id->text_bytes;
    return SSA_OK;
}

static ssa_status take_member(walk *w, member *node) {
    int64_t elements, port;
    const ssa_node *endpoint, *ip = NULL;
    *node = (member){.id = "", .id_bytes = 0};
    if (!take_array(w, 2, &elements))
        return refuse(w, "a node is no array of at least host and port");
    endpoint = next(w);
    if (!endpoint || !(is_string(endpoint) || endpoint->kind == SSA_TOKEN_NULL))
        return refuse(w, "the host of a node is no string");
    if (!take_integer(w, &port))
        return refuse(w, "the port of a node is no number");
    if (elements > 2 && take_id(w, node))
        return SSA_EPROTOCOL;
    if (elements > 3 && find_ip(w, &ip))
        return SSA_EPROTOCOL;
    if (!skip(w, elements - 4))
        return refuse(w, "it ends too early");

    const char *host = endpoint->kind == SSA_TOKEN_NULL ? "" : text_of(w, endpoint);
    size_t bytes = endpoint->kind == SSA_TOKEN_NULL ? 0 : endpoint->text_bytes;
    if (bytes == 1 && *host == '?' && ip) {
        host = text_of(w, ip);
        bytes = ip->text_bytes;
    }
    if (is_unknown(host, bytes)) {
        host = host_of_asked(w->asked);
        bytes = strlen(host);
    }
    if (ssa_address_from_host(&node->address, host, bytes, port))
        return refuse(w, "the host and port of a node are no address");
    return SSA_OK;
}

/* ---- shards */

/* An empty shard at the end of the map, not counted yet. */
static ssa_status grow(ssa_slot_map *map) {
    if (map->count < map->capacity)
        return SSA_OK;
    size_t capacity = map->capacity ? 2 * map->capacity : 8;
    if (map->count >= SSA_SHARDS_MAX)
        return SSA_ELIMIT;
    ssa_shard *shards = ssa_reallocate(map->shards, capacity * sizeof *shards);
    if (!shards)
        return SSA_ENOMEM;
    map->shards = shards;
    map->capacity = capacity;
    return SSA_OK;
}

/* Its index, or SSA_NO_SHARD. */
static uint16_t find_shard(const ssa_slot_map *map, const ssa_address *primary) {
    for (size_t i = 0; i < map->count; i++)
        if (ssa_address_equal(&map->shards[i].primary, primary))
            return (uint16_t)i;
    return SSA_NO_SHARD;
}

static ssa_status add_shard(ssa_slot_map *map, const ssa_address *primary, const char *id, size_t id_bytes) {
    ssa_status status = grow(map);
    if (status)
        return status;
    ssa_shard *shard = &map->shards[map->count];
    memset(shard, 0, sizeof *shard);
    shard->primary = *primary;
    memcpy(shard->node_id, id, id_bytes);
    map->count++;
    return SSA_OK;
}

/* The replicas that follow in the reply. Those of a shard's further ranges are the same: they are passed over. */
static ssa_status take_replicas(walk *w, ssa_shard *shard, int64_t count, int is_new) {
    if (count > SSA_REPLICAS_MAX)
        return refuse(w, "a shard has more than 1024 replicas");
    if (is_new && count) {
        shard->replicas = ssa_allocate((size_t)count * sizeof *shard->replicas);
        if (!shard->replicas)
            return SSA_ENOMEM;
    }
    for (int64_t i = 0; i < count; i++) {
        member node;
        ssa_status status = take_member(w, &node);
        if (status)
            return status;
        if (is_new)
            shard->replicas[shard->replica_count++] = node.address;
    }
    return SSA_OK;
}

static ssa_status claim_slots(walk *w, int64_t first, int64_t last, uint16_t shard) {
    for (int64_t slot = first; slot <= last; slot++) {
        if (w->map->shard_of[slot] != SSA_NO_SHARD) {
            snprintf(w->error, w->room, "not a reply to CLUSTER SLOTS: slot %d is in two ranges.", (int)slot);
            return SSA_EPROTOCOL;
        }
        w->map->shard_of[slot] = shard;
    }
    return SSA_OK;
}

static ssa_status take_range(walk *w) {
    int64_t elements, first, last;
    member primary;
    if (!take_array(w, 3, &elements) || !take_integer(w, &first) || !take_integer(w, &last))
        return refuse(w, "a range is no array of first slot, last slot and nodes");
    if (first < 0 || last >= SSA_SLOTS || first > last)
        return refuse(w, "a range is not within 0 to 16383, or reversed");
    ssa_status status = take_member(w, &primary);
    if (status)
        return status;
    uint16_t index = find_shard(w->map, &primary.address);
    int is_new = index == SSA_NO_SHARD;
    if (is_new) {
        index = (uint16_t)w->map->count;
        status = add_shard(w->map, &primary.address, primary.id, primary.id_bytes);
        if (status == SSA_ELIMIT)
            return refuse(w, "it has more than 4096 shards");
    }
    if (!status)
        status = take_replicas(w, &w->map->shards[index], elements - 3, is_new);
    return status ? status : claim_slots(w, first, last, index);
}

static ssa_status take_ranges(walk *w) {
    int64_t ranges;
    if (!take_array(w, 0, &ranges))
        return refuse(w, "it is no array");
    /* Before any work is done for it: ranges do not overlap, so there cannot be more of them than slots. */
    if (ranges > SSA_SLOTS)
        return refuse(w, "it has more than 16384 ranges");
    while (ranges--) {
        ssa_status status = take_range(w);
        if (status)
            return status;
    }
    return w->at == w->reply->count ? SSA_OK : refuse(w, "something follows it");
}

ssa_status ssa_slot_map_decode(ssa_slot_map *map, const ssa_reply *reply, const ssa_address *asked, char *error,
                               size_t room) {
    ssa_slot_map_init(map);
    if (room)
        *error = 0;
    walk w = {.reply = reply, .asked = asked, .map = map, .error = error, .room = room};
    ssa_status status = take_ranges(&w);
    if (status)
        ssa_slot_map_free(map);
    return status;
}

void ssa_slot_map_init(ssa_slot_map *map) {
    map->shards = NULL;
    map->count = map->capacity = 0;
    memset(map->shard_of, 0xff, sizeof map->shard_of); /* SSA_NO_SHARD */
}

void ssa_slot_map_free(ssa_slot_map *map) {
    for (size_t i = 0; i < map->count; i++)
        ssa_release(map->shards[i].replicas);
    ssa_release(map->shards);
    ssa_slot_map_init(map);
}

const ssa_shard *ssa_slot_map_find(const ssa_slot_map *map, uint16_t slot) {
    return slot < SSA_SLOTS && map->shard_of[slot] != SSA_NO_SHARD ? &map->shards[map->shard_of[slot]] : NULL;
}

ssa_status ssa_slot_map_move(ssa_slot_map *map, uint16_t slot, const ssa_address *address) {
    if (slot >= SSA_SLOTS)
        return SSA_EARGUMENT;
    uint16_t index = find_shard(map, address);
    if (index == SSA_NO_SHARD) {
        ssa_status status = add_shard(map, address, "", 0);
        if (status)
            return status;
        index = (uint16_t)(map->count - 1);
    }
    map->shard_of[slot] = index;
    return SSA_OK;
}

/* ---- redirections */

/* Digits up to the end of the text or the next blank, at most five; -1: something else. */
static int64_t take_digits(const char **at, const char *end) {
    int64_t number = 0;
    int digits = 0;
    for (; *at < end && **at != ' '; ++*at, digits++) {
        if (**at < '0' || **at > '9' || digits == 5)
            return -1;
        number = 10 * number + (**at - '0');
    }
    return digits ? number : -1;
}

/* `host:port`, `::1:port`, `[::1]:port`, `:port`: the port follows the last colon. */
static ssa_status take_target(ssa_address *address, const char *text, size_t bytes, const ssa_address *asked) {
    size_t after = bytes;
    while (after && text[after - 1] != ':')
        after--;
    if (!after)
        return SSA_EPROTOCOL;
    const char *host = text, *digits = text + after, *end = text + bytes;
    size_t host_bytes = after - 1;
    int64_t port = take_digits(&digits, end);
    if (host_bytes > 2 && host[0] == '[' && host[host_bytes - 1] == ']') {
        host++;
        host_bytes -= 2;
    } else if (is_unknown(host, host_bytes)) {
        host = host_of_asked(asked);
        host_bytes = strlen(host);
    }
    return ssa_address_from_host(address, host, host_bytes, port) ? SSA_EPROTOCOL : SSA_OK;
}

ssa_status ssa_redirection_parse(ssa_redirection *redirection, const char *text, size_t bytes,
                                 const ssa_address *asked) {
    memset(redirection, 0, sizeof *redirection);
    int moved = ssa_text_begins(text, bytes, "MOVED ");
    if (!moved && !ssa_text_begins(text, bytes, "ASK "))
        return SSA_OK;
    const char *at = text + (moved ? 6 : 4), *end = text + bytes;
    int64_t slot = take_digits(&at, end);
    if (slot < 0 || slot >= SSA_SLOTS || at == end)
        return SSA_EPROTOCOL;
    const char *target = at + 1, *blank = memchr(target, ' ', (size_t)(end - target));
    ssa_redirection found = {.kind = moved ? SSA_MOVED : SSA_ASK, .slot = (uint16_t)slot};
    if (take_target(&found.address, target, (size_t)((blank ? blank : end) - target), asked))
        return SSA_EPROTOCOL;
    *redirection = found;
    return SSA_OK;
}
