/* Which server owns which slot of a cluster, and how that is learnt: CLUSTER SLOTS, one question in flight, from any live
 * server, never more often than the backoff allows. The client's own, so that no caller's end can interrupt it.
 *
 * A server is followed only to addresses that were announced to the client (SSDB, or its argument), unless the settings
 * trust what servers say: the cluster bus has no password, and a stranger that joined it could have the client's sent to it. */
#ifndef SSA_TOPOLOGY_H
#define SSA_TOPOLOGY_H

#include "call.h"
#include "slot_map.h"
#include "timer_heap.h"

struct ssa_engine;
struct ssa_server;

typedef struct ssa_topology {
    int known;
    ssa_slot_map map;
    struct ssa_server **owners;  /* of the map's shards, in its order; NULL: not announced */
    ssa_call question;
    int in_flight, wanted;       /* wanted: asked for while one was in flight, or too early */
    struct ssa_server *asked;
    ssa_timer timer;             /* the deadline of a question, or the end of the backoff */
    int64_t delay;
    uint32_t random;             /* state of a small generator: which server is asked, and when */
} ssa_topology;

void ssa_topology_start(struct ssa_engine *engine);
void ssa_topology_end(struct ssa_engine *engine);

/* Ask anew, soon. Cheap: callers need not care whether they have done so already. */
void ssa_topology_refresh(struct ssa_engine *engine);

/* NULL: nobody, or nobody that may be followed; *why (static) says which. */
struct ssa_server *ssa_topology_owner(struct ssa_engine *engine, uint16_t slot, const char **why);

/* Where a redirection leads; a MOVED is noted in the map. NULL: not announced, or no memory (*status). */
struct ssa_server *ssa_topology_follow(struct ssa_engine *engine, const ssa_redirection *redirection, ssa_status *status);

#endif
