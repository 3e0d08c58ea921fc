/* Who waits for which keys to change. A server tells (CLIENT TRACKING, OPTIN) when a key that was asked for with
 * CACHING YES is written; every waiter of the key is woken and asks again. */
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
    struct ssa_wait_table *table; /* it is in; NULL: in none, or it is being woken */
    const void *key;             /* borrowed from what waits */
    size_t bytes;
    uint64_t hash;
    void (*changed)(struct ssa_waiter *waiter); /* the key may have changed; it is in no table any more */
    void *owner;
} ssa_waiter;

#define SSA_WAIT_BUCKETS 64 /* to begin with; a power of two, as every later number */

/* Zeroed: empty. Grows with the number of waiters, so that waking one of many stays as cheap as waking one of few;
 * where there is no memory to grow it only gets slower. */
typedef struct ssa_wait_table {
    ssa_waiter *first[SSA_WAIT_BUCKETS];
    ssa_waiter **grown;          /* more buckets, in place of the first; NULL: none */
    size_t buckets, count;       /* buckets: of grown */
} ssa_wait_table;

/* It must not move while it has waiters. */
void ssa_wait_add(ssa_wait_table *table, ssa_waiter *waiter, const void *key, size_t bytes);
void ssa_wait_remove(ssa_waiter *waiter); /* in no table: nothing */
void ssa_wait_table_free(ssa_wait_table *table); /* nobody is woken */

/* A reading command on a key (EXISTS, LLEN ...), after which the key's next change is told, once. The arguments, the
 * name among them, are as many as is said; add the others with ssa_command_argument, then close it. NULL: no memory. */
ssa_command *ssa_tracking_command(const struct ssa_engine *engine, uint64_t arguments, const char *name);
ssa_status ssa_tracking_close(ssa_command *command);
/* What the command answered, once it is complete; NULL: it failed, perhaps inside a transaction. */
const ssa_node *ssa_tracking_answer(ssa_command *command);

/* How long waiters trust that they are told: then they ask again. Longer the more of them one client has. */
int64_t ssa_wait_recheck(const struct ssa_engine *engine);

/* A push of a shard: wakes those it is about. */
void ssa_wait_table_pushed(struct ssa_engine *engine, const ssa_reply *push);
/* What a lost server, or one that no longer owns the slot, would have told is unknown: everybody looks again. */
void ssa_wait_table_wake_all(struct ssa_engine *engine);

#endif
