/* The engine behind every face: it routes commands to shards, repeats what may be repeated, keeps deadlines and order, and
 * completes requests. It never waits, and starts threads only to look up names (name_lookup.h); a driver (poll_driver.h, or
 * an event loop) tells it which descriptors are ready and what time it is.
 *
 * Order. A later command on a key never overtakes an earlier one of the same client, even when the caller of the earlier one
 * has given up: there is one connection to a shard at a time (two with bulk, where a key that is in flight on one is
 * followed on the same one), what was refused with "not now" waits in one list in its order, and what stands behind a refused
 * command on the same key is repeated after it (call_routing.c, "order").
 *
 * One thread at a time. */
#ifndef SSA_ENGINE_H
#define SSA_ENGINE_H

#include "blocking.h"
#include "home_process.h"
#include "key_names.h"
#include "link.h"
#include "log.h"
#include "model_versions.h"
#include "request.h"
#include "run_order.h"
#include "settings.h"
#include "tensor_memory.h"
#include "timer_heap.h"
#include "topology.h"
#include "wait_table.h"
#include "worker_pool.h"

#define SSA_BULK_BYTES ((size_t)256 << 10) /* longer values go over the bulk connection */

#define SSA_EVENT_READ 1
#define SSA_EVENT_WRITE 2

/* What an event loop must do for the engine. With driver NULL nothing is called: a poll loop asks the links itself. */
typedef struct ssa_driver {
    void *self;
    /* Watch this descriptor for these events (0: no more; it is closed after this returns). */
    void (*watch)(void *self, ssa_link *link, int descriptor, int events);
    int tells_once; /* that a socket was reset, even if what came before that has not been read (libuv) */
} ssa_driver;

/* One server that holds slots, or did. */
typedef struct ssa_server {
    struct ssa_server *next;
    ssa_address *addresses;  /* ways to the same server, the best first */
    size_t address_count;
    char id[48];             /* of a cluster; "" : not known */
    int owns;                /* slots, by the current topology; standalone: it does */
    int silent;              /* owes an answer and sends nothing */
    const void *turn;        /* owner of calls that nobody else's transaction may come between; NULL: nobody */
    uint64_t turn_hash;      /* its key, which nobody else's commands may touch meanwhile */
    ssa_link links[2];       /* commands; bulk */
} ssa_server;

typedef struct ssa_engine_statistics {
    uint64_t requests, commands, retries, redirections, refreshes, connections, bytes_sent, bytes_received;
} ssa_engine_statistics;

typedef struct ssa_engine {
    ssa_settings settings;
    ssa_key_names names;
    ssa_log log;
    ssa_driver driver;
    ssa_home_process home;
    int closed;
    int64_t now;              /* of the last call from the driver */
    struct {
        ssa_spares requests, commands, singles; /* singles: of op_build.h */
    } spares;
    ssa_timer_heap timers;
    size_t timer_room;        /* timers that may be armed at once */
    ssa_tls_context *tls;     /* NULL: none */
    ssa_status tls_status;    /* why there is none though it was asked for; SSA_OK: nothing is wrong */
    char tls_text[SSA_TLS_TEXT_BYTES];
    ssa_memory_cache *memory; /* shared with the tensors that were handed out */

    ssa_server_mode mode;     /* SSA_MODE_ANY until a server has said */
    ssa_server *servers;      /* the first: the way in, with all addresses that were given, until the topology is known */
    ssa_topology topology;    /* of a cluster */

    ssa_call_list parked;     /* not on any link: refused with "not now", or nobody owns their slot; by their numbers */
    ssa_timer parked_timer;
    uint64_t epoch;           /* grows when slots move or a command is refused: see call_routing.c */
    int unsettled;            /* commands of an earlier epoch may be in flight */
    ssa_link *dirty;          /* links with something unsent */
    size_t in_flight;         /* calls submitted and not done */
    uint64_t submitted;       /* calls so far: their numbers */
    uint64_t sockets;         /* made so far: whether a poll that is under way watches all of them */
    ssa_request *requests;    /* all that are not complete */
    ssa_request *first_complete, *last_complete;
    ssa_wait_table waits;
    ssa_worker_pool workers;
    ssa_run_order run_order;
    ssa_model_versions *model_versions;
    struct ssa_control *controls; /* of the entities whose requests are polled (op_control.h) */
    uint32_t bulk_seen[256];  /* hashes of keys whose values were long when last seen */
    ssa_engine_statistics statistics;
    char *description;        /* the addresses that were given, for texts */
    char trouble[256];        /* what last kept commands from being carried out; "" : nothing */
    int64_t trouble_at;       /* when that was */
} ssa_engine;

/* A client of the store that the settings name; takes over the settings (also when it fails). NULL: no memory. Ask
 * ssa_engine_unusable whether it is of use. */
ssa_engine *ssa_engine_new(ssa_settings *settings, const ssa_driver *driver);
/* Every request ends with SSA_ECLOSED; sockets are closed. Requests stay their owners', to be freed before the client. */
void ssa_engine_close(ssa_engine *engine);
void ssa_engine_free(ssa_engine *engine);
/* Both belong to one client: what one of them sets the other's runs know of. */
void ssa_engine_share_model_versions(ssa_engine *engine, const ssa_engine *other);

/* ---- for the driver */

void ssa_engine_tick(ssa_engine *engine, int64_t now);    /* fire the timers that are due */
/* Free the links that nobody needs any more. Whenever no other function of the engine is under way, now and then. */
void ssa_engine_tidy(ssa_engine *engine);
int64_t ssa_engine_next_moment(const ssa_engine *engine); /* when to call it next; SSA_NEVER */
void ssa_engine_flush(ssa_engine *engine);                /* send what is queued */
/* Commands that were sent, or are to be, and are not answered; those too that nobody waits for any more. */
size_t ssa_engine_unanswered(const ssa_engine *engine);
/* Send at once on links that were idle; true: others have something to send, flush at the end of the turn. */
int ssa_engine_flush_idle(ssa_engine *engine);
void ssa_engine_ready(ssa_engine *engine, ssa_link *link, int events, int64_t now);
ssa_request *ssa_engine_next_complete(ssa_engine *engine); /* NULL: none; once each */

/* ---- for requests */

/* Send the call to the shard of its slot, or to its node. Its done() is called once, never from within this. */
void ssa_engine_submit(ssa_engine *engine, ssa_call *call);
/* Nobody waits for it any more; done() is not called. */
void ssa_engine_abandon(ssa_engine *engine, ssa_call *call);
/* Another call awaits the answer in place of this one, which is done: it is not repeated, and what it borrowed is given back. 0: nothing
 * of it has left, or there is no memory: it is to be abandoned. */
int ssa_engine_hand_over(ssa_call *call, ssa_call *heir);
/* The turn of this owner's watched transaction is over, if it had one. */
void ssa_engine_end_turn(ssa_engine *engine, const void *owner);
/* Room for one more timer than before; SSA_ENOMEM. Give it back with ssa_engine_return_timer. */
ssa_status ssa_engine_take_timer(ssa_engine *engine);
void ssa_engine_return_timer(ssa_engine *engine);
void ssa_engine_arm(ssa_engine *engine, ssa_timer *timer, int64_t at);

/* What keeps commands from being carried out now: told to those that are late because of it. */
__attribute__((format(printf, 2, 3)))
void ssa_engine_note_trouble(ssa_engine *engine, const char *format, ...);

/* It is complete: hand it to the face, in its turn. */
void ssa_engine_completed(ssa_engine *engine, ssa_request *request);
/* Out of the queue of complete ones, if it is there. */
void ssa_engine_withdraw(ssa_engine *engine, ssa_request *request);
/* Why it cannot be used (closed, forked, or it was asked for TLS and cannot have it): text that stays; NULL: it can. */
const char *ssa_engine_unusable(const ssa_engine *engine, ssa_status *status);

/* The servers that own slots, for commands to all of them, once the topology is known. The next after `server`; NULL:
 * the first; returns NULL after the last. */
ssa_server *ssa_engine_next_owner(ssa_engine *engine, ssa_server *server);
/* 1: a server has said what it is and, in a cluster, who owns what. */
int ssa_engine_knows_topology(const ssa_engine *engine);
/* The owner of a slot, or NULL. */
ssa_server *ssa_engine_owner(ssa_engine *engine, uint16_t slot);

/* Remember that the value of this key was long, or was not: the next get of it takes the fitting connection. */
void ssa_engine_note_size(ssa_engine *engine, const ssa_call *call, uint64_t bytes);

/* ---- for the topology */

ssa_server *ssa_engine_add_server(ssa_engine *engine, const char *id, const ssa_address *address); /* NULL: no memory */
/* It listens there now. Nothing changes when it did before. */
ssa_status ssa_server_set_address(ssa_server *server, const ssa_settings *settings, const ssa_address *address);
void ssa_engine_topology_changed(ssa_engine *engine);

/* ---- for links */

void ssa_engine_link_opened(ssa_engine *engine, ssa_link *link);
void ssa_engine_link_failed(ssa_engine *engine, ssa_link *link, int final); /* final: trying again changes nothing */
/* It is complete. 1: it is sent again, now or later; 0: it ends. Of calls that came together ask for all before any ends: who
 * is told may submit a call that must not overtake one of the others. */
int ssa_engine_call_repeats(ssa_engine *engine, ssa_call *call);
void ssa_engine_call_ends(ssa_engine *engine, ssa_call *call);
void ssa_engine_pushed(ssa_engine *engine, ssa_link *link, const ssa_reply *push);
void ssa_engine_mark_dirty(ssa_engine *engine, ssa_link *link);
/* A server said what it is. 0: not what was expected. */
int ssa_engine_learn_mode(ssa_engine *engine, ssa_server_mode mode);
void ssa_engine_link_lost(ssa_engine *engine, ssa_link *link);
void ssa_engine_shard_is_silent(ssa_engine *engine, ssa_link *link);
/* Whether anybody waits for this link to open, besides calls in its list. */
int ssa_engine_needs(const ssa_engine *engine, const ssa_link *link);

#endif
