// links: slot_map address allocator key_slot mistake reply real_text resp_reader resp_writer
/* Maps of slots from replies, and redirections from texts. Input: how, who was asked, the reply or the text. */
#include <string.h>

#include "fuzz.h"
#include "fuzz_reply.h"
#include "slot_map.h"

static void check_address(const ssa_address *address) {
    CHECK(!*address->path && *address->host && address->port && memchr(address->host, 0, sizeof address->host));
}

static void check_map(const ssa_slot_map *map) {
    CHECK(map->count <= SSA_SHARDS_MAX && map->count <= map->capacity);
    for (unsigned slot = 0; slot < SSA_SLOTS; slot++) {
        uint16_t shard = map->shard_of[slot];
        CHECK(shard == SSA_NO_SHARD || shard < map->count);
        CHECK(ssa_slot_map_find(map, (uint16_t)slot) == (shard == SSA_NO_SHARD ? NULL : &map->shards[shard]));
    }
    for (size_t i = 0; i < map->count; i++) {
        check_address(&map->shards[i].primary);
        CHECK(map->shards[i].replica_count <= SSA_REPLICAS_MAX);
        for (size_t r = 0; r < map->shards[i].replica_count; r++)
            check_address(&map->shards[i].replicas[r]);
        for (size_t other = 0; other < i; other++)
            CHECK(!ssa_address_equal(&map->shards[i].primary, &map->shards[other].primary));
    }
}

static void read_map(input *in, const ssa_address *asked) {
    static ssa_slot_map map;
    ssa_reply reply;
    unsigned slot = input_word(in), port = 1 + input_byte(in);
    if (input_reply(in, &reply)) {
        char error[300] = "";
        ssa_status status = ssa_slot_map_decode(&map, &reply, asked, error, sizeof error);
        CHECK(status == SSA_OK || status == SSA_EPROTOCOL || status == SSA_ELIMIT);
        CHECK(status == SSA_OK || (*error && !map.count));
        check_map(&map);
        ssa_address moved = {.host = "127.0.0.1", .port = (uint16_t)port};
        status = ssa_slot_map_move(&map, (uint16_t)slot, &moved);
        CHECK(status == (slot < SSA_SLOTS ? SSA_OK : SSA_EARGUMENT));
        CHECK(status || ssa_address_equal(&ssa_slot_map_find(&map, (uint16_t)slot)->primary, &moved));
        check_map(&map);
        ssa_slot_map_free(&map);
    }
    ssa_reply_free(&reply);
}

static void read_redirection(input *in, const ssa_address *asked) {
    ssa_redirection redirection;
    memset(&redirection, 0x5a, sizeof redirection);
    ssa_status status = ssa_redirection_parse(&redirection, (const char *)in->at, in->left, asked);
    CHECK(status == SSA_OK || status == SSA_EPROTOCOL);
    if (status == SSA_OK && redirection.kind != SSA_NOT_REDIRECTED) {
        CHECK(redirection.kind == SSA_MOVED || redirection.kind == SSA_ASK);
        CHECK(redirection.slot < SSA_SLOTS);
        check_address(&redirection.address);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    input in = {data, bytes};
    unsigned way = input_byte(&in);
    ssa_address asked = {.port = 0};
    if (way & 2) {
        strcpy(asked.path, "/run/7000.sock");
    } else {
        strcpy(asked.host, way & 4 ? "::1" : "node");
        asked.port = 7000;
    }
    way & 1 ? read_redirection(&in, &asked) : read_map(&in, &asked);
    return 0;
}
