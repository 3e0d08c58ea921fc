/* One command unit on its way to a server, as the engine sees it: where it may go, what may be done with it when the
 * server or the connection fails, and who is told at the end. The bytes and the reply are the command's (command.h). */
#ifndef SSA_CALL_H
#define SSA_CALL_H

#include "command.h"

struct ssa_link;
struct ssa_server;
struct ssa_call_list;

enum {
    SSA_CALL_IDEMPOTENT = 1, /* may run twice: repeated when the connection broke after it had left */
    SSA_CALL_FENCE = 2,      /* names keys of several hash tags, or all keys: follows everything in flight on its shard */
    SSA_CALL_BULK = 4,       /* long, there or back: on the bulk connection where there is one */
    SSA_CALL_ASKING = 8,     /* the next try is announced by ASKING */
    SSA_CALL_WATCH = 32,     /* a WATCH: its owner takes its turn (call_routing.c) until ssa_engine_end_turn */
    SSA_CALL_WATCHED = 64,   /* never repeated by itself: the transaction after that WATCH, on the same connection or not at all;
                              * and one that was handed over (ssa_engine_hand_over) */
    SSA_CALL_LEFT = 128      /* an earlier try may have been carried out: it left in full, and its connection was lost */
};

typedef struct ssa_call {
    struct ssa_call *next, *previous;
    struct ssa_call_list *list;  /* the list it waits in; NULL: in a connection, or nowhere */
    struct ssa_link *link;       /* whose list or connection that is; NULL: done, or parked */
    struct ssa_link *last_link;  /* it was given to last, for texts */
    struct ssa_server *server;   /* that it must go to; NULL: the one that owns the slot */
    ssa_command *command;        /* ours, but for the time in a connection */
    void (*done)(struct ssa_call *call); /* the command is complete, with the final status; may free the call */
    void *owner;
    uint64_t key_hash;           /* of the key's hash tag: calls with the same one keep their order */
    uint64_t number;             /* of its submission, which it keeps when it is repeated */
    uint16_t slot;
    uint8_t flags;
    unsigned tries;              /* how often it was refused or lost */
    int64_t ready_at;            /* while it is parked */
} ssa_call;

typedef struct ssa_call_list {
    ssa_call *first, *last;
    ssa_call *walk;              /* where one that walks through it goes on: moved on when that call is removed */
    size_t length;
} ssa_call_list;

void ssa_call_list_append(ssa_call_list *list, ssa_call *call);
/* By its number, into a list that is in order. near: one of the list, from which its place is looked for; NULL: the last. */
void ssa_call_list_insert(ssa_call_list *list, ssa_call *call, ssa_call *near);
void ssa_call_list_remove(ssa_call *call); /* in no list: nothing */

/* The hash of a key's tag. */
uint64_t ssa_key_hash(const void *key, size_t bytes);
/* Slot and hash of a key. */
void ssa_call_key(ssa_call *call, const void *key, size_t bytes);

/* Whether two calls must keep their order. */
int ssa_calls_conflict(const ssa_call *a, const ssa_call *b);

#endif
