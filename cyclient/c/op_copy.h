/* Copying and renaming what lies under one key: by the server where it has both keys, else through this client. */
#ifndef SSA_OP_COPY_H
#define SSA_OP_COPY_H

#include "chunks.h"
#include "op_build.h"
#include "wait_table.h"

typedef struct ssa_copy {
    ssa_buffer source, target;
    int moves;                                      /* the source goes when the target is there */
    void (*start_across)(ssa_request *request);     /* the servers differ: send the first calls, with a stage from SSA_COPY_ACROSS on */
    void (*step_across)(ssa_request *request);      /* goes on from there */
    int64_t ttl;                                    /* of the source, milliseconds; not positive: none */
    unsigned char copied[SSA_NONCE_BYTES];          /* of the manifest whose value was copied */
    int was_short;                                  /* what was copied had no manifest */
    ssa_waiter waiter;                              /* of such a source of a rename: told when it changes after it was read, */
    const ssa_link *told_by;                        /* over this connection */
    int has_changed;
    ssa_memory value;                               /* of a string */
    size_t bytes;
    uint64_t length;                                /* of a list: elements that were there, then that were read */
} ssa_copy;

#define SSA_COPY_ACROSS 10 /* stages of a copy between servers begin here */

/* For request->forsaken: the transaction that replaces the target, and looks at it first, is under way as call 0. */
void ssa_copy_forsake_target(ssa_request *request);

/* For strings or lists; operation: static. */
ssa_request *ssa_copy_new(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text source, ssa_text target, int moves,
                          void (*start_across)(ssa_request *), void (*step_across)(ssa_request *), ssa_problem *problem);

#endif
