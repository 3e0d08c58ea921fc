/* The way to one server: a socket that is opened when it is needed and opened again when it is known dead, the handshake
 * on it, the calls that wait for it, and its silence. Never waits: the client (engine.h) is told by its driver when the
 * socket or a moment is ready.
 *
 * A new connection is opened only when the old one is known dead: the other side closed or reset it. When we give up on a
 * stream (it is no RESP, there was no memory for a reply) the server may still carry out what lies in its socket: the link
 * says that it will send no more, and waits for the server's end. */
#ifndef SSA_LINK_H
#define SSA_LINK_H

#include "address.h"
#include "call.h"
#include "connection.h"
#include "name_lookup.h"
#include "timer_heap.h"

struct ssa_engine;
struct ssa_server;
struct ssa_worker_peer;

typedef enum ssa_link_state {
    SSA_LINK_IDLE,       /* nobody has needed it yet, or nobody does any more */
    SSA_LINK_RESOLVING,  /* its name is looked up; `descriptor` is the look-up's */
    SSA_LINK_CONNECTING,
    SSA_LINK_SECURING,   /* the handshake of TLS; not on unix sockets, which do not leave the host */
    SSA_LINK_HANDSHAKE,
    SSA_LINK_OPEN,
    SSA_LINK_WAITING,    /* failed; tries again at the moment of its timer */
    SSA_LINK_DRAINING    /* given up; until the server's end of the stream is read */
} ssa_link_state;

typedef struct ssa_link {
    struct ssa_engine *engine;
    struct ssa_server *server;   /* that it leads to, or */
    struct ssa_worker_peer *worker;
    struct ssa_link *next_dirty;
    ssa_link_state state;
    int descriptor;              /* -1: none */
    int events;                  /* what the driver was told to watch for */
    int dirty;                   /* something may be unsent */
    int ever_open;
    size_t address_index;        /* of the server's addresses: the one to try next */
    size_t silences;             /* tries since it was last open that ended because nobody answered */
    ssa_address address;
    ssa_name_lookup *lookup;     /* of the name in `address`, from when it is needed until the link is open; NULL: none */
    const struct addrinfo *address_tried; /* of what it found; NULL: none */
    char tried[400];             /* what the addresses before that one said */
    ssa_connection *connection;  /* NULL: none */
    const void *watched_by;      /* owner of the WATCH that this connection has and no transaction has ended; NULL: none */
    int has_watch;               /* the same, or its owner has gone: to be ended before the next transaction */
    ssa_call_list waiting;       /* calls for when it is open */
    ssa_call step;               /* of the handshake */
    int step_number;
    unsigned char nonce[32];
    ssa_timer retry;             /* backoff, deadline of an opening, look for silence: one at a time, by state */
    int64_t delay;               /* before the next try */
    uint64_t seen_received, seen_sent;
    int seen_sending;
    char address_text[320];
    char failure[512];           /* why the last opening failed; "" : it never did */
} ssa_link;

/* Prepares a link; opens nothing. */
void ssa_link_start(ssa_link *link, struct ssa_engine *engine, struct ssa_server *server,
                    struct ssa_worker_peer *worker);
/* Closes it and frees what it holds. Calls in it must be gone. */
void ssa_link_end(ssa_link *link);

/* Put a call on its way, from the list that it waits in, if any: it leaves at the next flush, or when the link is open. */
void ssa_link_queue(ssa_link *link, ssa_call *call);
/* Open it if it is idle; nothing else. */
void ssa_link_wake(ssa_link *link);

/* Nobody waits for this call any more: takes back the caller's memory. The call is its owner's again, without command. */
void ssa_link_abandon(ssa_link *link, ssa_call *call);

/* What the driver reports. events: SSA_EVENT_READ, SSA_EVENT_WRITE. */
void ssa_link_ready(ssa_link *link, int events);
void ssa_link_flush(ssa_link *link);
/* What came was read already (blocking.h): finish what is complete; `status` as of ssa_connection_receive. */
void ssa_link_received(ssa_link *link, ssa_status status);

/* Take it for dead: everything in flight ends, it is opened again when it is needed. */
void ssa_link_lose(ssa_link *link, const char *reason);

size_t ssa_link_unanswered(const ssa_link *link);
/* What a server that is being connected to does not do. */
const char *ssa_link_silence(const ssa_link *link);
/* It is open, or it is being opened to a server that has answered before and not refused since. */
int ssa_link_may_answer(const ssa_link *link);

/* ---- for the handshake (link_handshake.h) */

void ssa_link_opened(ssa_link *link);
/* final: trying again changes nothing. */
void ssa_link_refused(ssa_link *link, const char *reason, int final);

#endif
