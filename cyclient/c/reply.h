/* A whole reply as a flat tree: nodes in the order of the wire, an aggregate followed by its elements. */
#ifndef SSA_REPLY_H
#define SSA_REPLY_H

#include "resp_reader.h"
#include "resp_writer.h"

#define SSA_REPLY_MAX_DEPTH 16
#define SSA_REPLY_MAX_NODES (1u << 20)

typedef struct ssa_node {
    ssa_token_kind kind;
    int64_t number; /* as in ssa_token; for an aggregate: how many elements follow */
    double real;
    size_t text_at, text_bytes; /* in ssa_reply.text: strings, errors, simple strings, big numbers */
} ssa_node;

typedef struct ssa_reply {
    ssa_node *nodes;
    size_t count, capacity;
    ssa_buffer text;
    int64_t left[SSA_REPLY_MAX_DEPTH]; /* elements still to come, for each open aggregate */
    unsigned depth;
} ssa_reply;

/* How many elements follow this node as its own. An attribute has one more than it says: what it belongs to. */
int64_t ssa_node_elements(const ssa_node *node);

/* Take one token of the reply. SSA_OK: the reply is whole; SSA_MORE: it is not. A string's body comes next, through
 * ssa_reply_body. SSA_ELIMIT: nested too deeply or too many elements. */
ssa_status ssa_reply_add(ssa_reply *reply, const ssa_token *token);

/* Where the next `bytes` bytes of the string just added go; NULL: no memory. ssa_reply_body_came: they did. */
void *ssa_reply_body_space(ssa_reply *reply, size_t bytes);
void ssa_reply_body_came(ssa_reply *reply, size_t bytes);

/* A reply of our own making, for results: an array of strings. The reply is empty before. SSA_ENOMEM. */
ssa_status ssa_reply_begin_list(ssa_reply *reply);
ssa_status ssa_reply_add_text(ssa_reply *reply, const void *text, size_t bytes);

void ssa_reply_free(ssa_reply *reply);  /* leaves it empty and usable */
void ssa_reply_clear(ssa_reply *reply); /* the same, with the memory of a short one left to it */

#endif
