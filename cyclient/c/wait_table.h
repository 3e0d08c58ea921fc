/* Who waits for which keys to change. A server tells (CLIENT TRACKING, OPTIN) when a key that was asked for with CACHING YES
 * is written; every waiter of the key is woken and asks again. */
#ifndef SSA_WAIT_TABLE_H
#define SSA_WAIT_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "command.h"

struct ssa_engine;
struct ssa_link;

/* Lives inside what waits. Zeroed: in no table. */
typedef struct ssa_waiter {
    struct ssa_waiter *next, **place;
    const void *key;             /* borrowed from what waits */
    size_t bytes;
    uint64_t hash;
    void (*changed)(struct ssa_waiter *waiter); /* the key may have changed; it is in no table any more */
    void *owner;
} ssa_waiter;

#define SSA_WAIT_BUCKETS 64

typedef struct ssa_wait_table {
    ssa_waiter *buckets[SSA_WAIT_BUCKETS];
} ssa_wait_table;

void ssa_wait_add(ssa_wait_table *table, ssa_waiter *waiter, const void *key, size_t bytes);
void ssa_wait_remove(ssa_waiter *waiter); /* in no table: nothing */
void ssa_wait_table_free(ssa_wait_table *table); /* nobody is woken */

/* EXISTS (or another reading command) on this key, after which its next change is told, once. Add the key's own arguments
 * with ssa_command_argument. NULL: no memory. */
ssa_command *ssa_tracking_command(uint64_t arguments, const char *name);

/* A push of a shard: wakes those it is about. */
void ssa_wait_table_pushed(struct ssa_engine *engine, const ssa_reply *push);
/* What a lost server, or one that no longer owns the slot, would have told is unknown: everybody looks again. */
void ssa_wait_table_wake_all(struct ssa_engine *engine);

#endif
