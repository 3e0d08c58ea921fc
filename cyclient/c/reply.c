#include "reply.h"

#include <string.h>

#include "allocator.h"

#define FIRST_NODES 8
#define KEPT_TEXT 256

int64_t ssa_node_elements(const ssa_node *node) {
    if (node->kind < SSA_TOKEN_ARRAY)
        return 0;
    return node->kind == SSA_TOKEN_ATTRIBUTE ? node->number + 1 : node->number;
}

static int has_text(ssa_token_kind kind) {
    return kind == SSA_TOKEN_SIMPLE || kind == SSA_TOKEN_ERROR || kind == SSA_TOKEN_BIG_NUMBER;
}

ssa_status ssa_reply_add(ssa_reply *reply, const ssa_token *token) {
    if (reply->count == reply->capacity) {
        size_t capacity = reply->capacity ? 2 * reply->capacity : FIRST_NODES;
        if (reply->capacity >= SSA_REPLY_MAX_NODES)
            return SSA_ELIMIT;
        ssa_node *nodes = ssa_reallocate(reply->nodes, capacity * sizeof *nodes);
        if (!nodes)
            return SSA_ENOMEM;
        reply->nodes = nodes;
        reply->capacity = capacity;
    }
    ssa_node *node = &reply->nodes[reply->count];
    memset(node, 0, sizeof *node);
    node->kind = token->kind;
    node->number = token->number;
    node->real = token->real;
    node->text_at = reply->text.bytes;
    if (has_text(token->kind)) {
        if (ssa_buffer_append(&reply->text, token->text, token->text_bytes))
            return SSA_ENOMEM;
        node->text_bytes = token->text_bytes;
    }
    reply->count++;
    if (reply->depth)
        reply->left[reply->depth - 1]--;
    int64_t follow = ssa_node_elements(node);
    if (follow) {
        if (reply->depth == SSA_REPLY_MAX_DEPTH)
            return SSA_ELIMIT;
        reply->left[reply->depth++] = follow;
    }
    while (reply->depth && reply->left[reply->depth - 1] == 0)
        reply->depth--;
    return reply->depth ? SSA_MORE : SSA_OK;
}

void *ssa_reply_body_space(ssa_reply *reply, size_t bytes) {
    return ssa_buffer_reserve(&reply->text, bytes) ? NULL : reply->text.data + reply->text.bytes;
}

void ssa_reply_body_came(ssa_reply *reply, size_t bytes) {
    reply->text.bytes += bytes;
    reply->nodes[reply->count - 1].text_bytes += bytes;
}

static ssa_node *add_node(ssa_reply *reply, ssa_token_kind kind) {
    ssa_token token = {.kind = kind};
    reply->depth = 0;
    return ssa_reply_add(reply, &token) < 0 ? NULL : &reply->nodes[reply->count - 1];
}

ssa_status ssa_reply_begin_list(ssa_reply *reply) {
    return add_node(reply, SSA_TOKEN_ARRAY) ? SSA_OK : SSA_ENOMEM;
}

ssa_status ssa_reply_add_text(ssa_reply *reply, const void *text, size_t bytes) {
    if (!add_node(reply, SSA_TOKEN_BULK))
        return SSA_ENOMEM;
    if (ssa_buffer_append(&reply->text, text, bytes)) {
        reply->count--;
        return SSA_ENOMEM;
    }
    reply->nodes[reply->count - 1].number = (int64_t)bytes;
    reply->nodes[reply->count - 1].text_bytes = bytes;
    reply->nodes[0].number++;
    return SSA_OK;
}

/* `left` means nothing beyond the depth, and is not written. */
static void forget(ssa_reply *reply) {
    reply->nodes = NULL;
    reply->count = reply->capacity = 0;
    reply->text = (ssa_buffer){NULL, 0, 0};
    reply->depth = 0;
}

void ssa_reply_free(ssa_reply *reply) {
    ssa_release(reply->nodes);
    ssa_release(reply->text.data);
    forget(reply);
}

void ssa_reply_clear(ssa_reply *reply) {
    if (reply->capacity > FIRST_NODES || reply->text.capacity > KEPT_TEXT)
        ssa_reply_free(reply);
    reply->count = reply->depth = 0;
    reply->text.bytes = 0;
}
