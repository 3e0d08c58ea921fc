/* One client's connection to the worker: proof, requests in, replies out. WIRE.md, "Workers".
 *
 * Reading is done by one thread at a time, the one that leads (front_lead.c), without a lock. Writing is done by whoever
 * has a reply, under the lock of the connection. A connection lives as long as somebody holds it. */
#ifndef SSA_FRONT_PEER_H
#define SSA_FRONT_PEER_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "request_parser.h"
#include "resp_reader.h"
#include "resp_writer.h"
#include "worker_proof.h"

#define SSA_FIRST_ELEMENTS 10           /* before the proof */
#define SSA_FIRST_BYTES (16u << 10)
#define SSA_REQUEST_ELEMENTS 1024       /* after it */
#define SSA_REQUEST_BYTES (UINT64_C(2) << 30)
#define SSA_WORDS_BYTES (64u << 10)     /* of a request without its tensors */
#define SSA_MAX_WORDS 10

typedef enum ssa_stage {
    SSA_STAGE_HELLO,   /* nothing known of the client */
    SSA_STAGE_PROOF,   /* challenged */
    SSA_STAGE_PROVED,
    SSA_STAGE_LEAVING, /* an error was sent; what still comes is thrown away */
    SSA_STAGE_CLOSED
} ssa_stage;

/* What every connection of a front shares; lives longer than all of them. */
typedef struct ssa_peer_rules {
    const unsigned char *secret;
    size_t secret_bytes;
    const char *worker_id;
    size_t id_bytes;
    int epoll;
    void *context;
    /* A request is complete, or refused (request->refusal): it changes hands. */
    void (*submit)(void *context, ssa_request *request);
    int (*reserve)(void *context, uint64_t bytes);    /* 0: inputs of so many bytes find no room now */
    void (*give_back)(void *context, uint64_t bytes); /* reserved for a request that was never submitted */
} ssa_peer_rules;

typedef struct ssa_peer {
    ssa_link in_front;
    ssa_link unanswered; /* of ssa_request.in_peer; under the lock of the front */
    const ssa_peer_rules *rules;
    atomic_int holders;
    int fd;
    ssa_stage stage;
    uint64_t leave_at;   /* when to give up on the proof or on the client's closing; 0: never */
    unsigned char client_nonce[SSA_NONCE_BYTES], worker_nonce[SSA_NONCE_BYTES];

    /* The request being read. */
    ssa_reader *reader;
    uint64_t arguments, argument; /* how many there are; the one that is read or comes next */
    int in_argument;
    uint64_t request_bytes;
    ssa_buffer words;             /* its strings, tensors excepted */
    size_t word_at[SSA_MAX_WORDS + 1];
    size_t words_count;
    ssa_request_parser parser;    /* of SSA.RUN and SSA.CHAIN; its request is NULL for others */
    unsigned char head[SSA_TENSOR_MAX_HEADER];
    size_t head_bytes;
    unsigned char *into;          /* where the next elements go; NULL: the header is not complete */
    int discard;                  /* throw the rest of this string away */

    /* Replies. */
    pthread_mutex_t write_lock;
    int writable;                 /* 0: the descriptor is closed */
    ssa_buffer unsent;
    size_t sent;
    uint32_t interest;            /* what epoll was asked for */
    ssa_buffer alive;             /* pushes of this tick; only the leader */
} ssa_peer;

/* Takes fd over (non-blocking) and registers it; NULL with fd closed when there is no memory. Held once. */
ssa_peer *ssa_peer_new(const ssa_peer_rules *rules, int fd, uint64_t now);
void ssa_peer_hold(ssa_peer *peer);
void ssa_peer_release(ssa_peer *peer); /* the last one frees it */

/* Read what the socket has and hand over complete requests. SSA_ECLOSED: the client is gone. Only the leader. */
ssa_status ssa_peer_read(ssa_peer *peer, uint64_t now);

/* Send the parts, or keep a copy of what the socket does not take. Any thread. */
ssa_status ssa_peer_send(ssa_peer *peer, struct iovec *parts, size_t count);
/* The socket takes more: send what was kept. Only the leader. */
void ssa_peer_flush(ssa_peer *peer);
size_t ssa_peer_unsent(ssa_peer *peer);

/* Close the descriptor: nothing is read or written any more. Only the leader. */
void ssa_peer_shut(ssa_peer *peer);

#endif
