/* Which shard serves which slot: from a reply to CLUSTER SLOTS, and from MOVED and ASK. Pure. */
#ifndef SSA_SLOT_MAP_H
#define SSA_SLOT_MAP_H

#include "address.h"
#include "key_slot.h"
#include "reply.h"

#define SSA_NO_SHARD UINT16_MAX
#define SSA_SHARDS_MAX 4096
#define SSA_REPLICAS_MAX 1024 /* of one shard */

typedef struct ssa_shard {
    ssa_address primary;
    ssa_address *replicas;
    size_t replica_count;
    char node_id[48]; /* of the primary; "" from servers that do not say, and after ssa_slot_map_move */
} ssa_shard;

typedef struct ssa_slot_map {
    ssa_shard *shards;
    size_t count, capacity;
    uint16_t shard_of[SSA_SLOTS]; /* index into shards, or SSA_NO_SHARD */
} ssa_slot_map;

/* Read a whole reply to CLUSTER SLOTS, in the form of RESP2 or RESP3. asked: whom we asked; its host stands in
 * where the reply names none (of a unix socket: 127.0.0.1, for the server is on this host). Ranges of one primary
 * are one shard; slots that no range names have none. SSA_EPROTOCOL: not such a reply, or ranges that overlap,
 * `error` says which; SSA_ENOMEM. *map is overwritten, and empty after an error. */
ssa_status ssa_slot_map_decode(ssa_slot_map *map, const ssa_reply *reply, const ssa_address *asked, char *error,
                               size_t room);

/* A map of no shards. */
void ssa_slot_map_init(ssa_slot_map *map);
void ssa_slot_map_free(ssa_slot_map *map); /* leaves it empty and usable */

/* The shard of a slot, or NULL. */
const ssa_shard *ssa_slot_map_find(const ssa_slot_map *map, uint16_t slot);

/* A MOVED said that this slot is there now: a shard that is known, or a new one. SSA_EARGUMENT: no such slot;
 * SSA_ELIMIT: too many shards; SSA_ENOMEM. The map is as before then. */
ssa_status ssa_slot_map_move(ssa_slot_map *map, uint16_t slot, const ssa_address *address);

typedef enum ssa_redirection_kind { SSA_NOT_REDIRECTED, SSA_MOVED, SSA_ASK } ssa_redirection_kind;

typedef struct ssa_redirection {
    ssa_redirection_kind kind;
    uint16_t slot;
    ssa_address address;
} ssa_redirection;

/* Read the text of an error reply (without the leading `-`). Another error is SSA_NOT_REDIRECTED, with SSA_OK. An
 * empty host means that of `asked`. SSA_EPROTOCOL: begins as a redirection and is none. */
ssa_status ssa_redirection_parse(ssa_redirection *redirection, const char *text, size_t bytes,
                                 const ssa_address *asked);

#endif
