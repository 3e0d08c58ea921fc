/* One whole reply out of a stream of bytes, as a connection would give it. */
#ifndef SSA_FUZZ_REPLY_H
#define SSA_FUZZ_REPLY_H

#include <string.h>

#include "fuzz.h"
#include "reply.h"

static inline void take_body(ssa_reader *reader, ssa_reply *reply) {
    size_t bytes;
    const unsigned char *body = ssa_reader_body(reader, &bytes);
    if (!bytes)
        return;
    void *space = ssa_reply_body_space(reply, bytes);
    CHECK(space);
    memcpy(space, body, bytes);
    ssa_reply_body_came(reply, bytes);
    ssa_reader_take(reader, bytes);
}

static inline int feed(ssa_reader *reader, input *in) {
    size_t bytes;
    void *space = ssa_reader_space(reader, &bytes);
    bytes = bytes < in->left ? bytes : in->left;
    memcpy(space, in->at, bytes);
    ssa_reader_fed(reader, bytes);
    in->at += bytes;
    in->left -= bytes;
    return bytes != 0;
}

/* Whether the rest of the input begins with a reply. The caller frees *reply either way. */
static inline int input_reply(input *in, ssa_reply *reply) {
    ssa_reader *reader = ssa_reader_new(4096, (ssa_reader_limits){1 << 16, 1 << 16});
    ssa_status tree = SSA_MORE, status = SSA_MORE;
    CHECK(reader);
    memset(reply, 0, sizeof *reply);
    do {
        take_body(reader, reply);
        if (tree == SSA_OK && !ssa_reader_body_left(reader))
            break;
        ssa_token token;
        status = ssa_reader_next(reader, &token);
        if (status == SSA_OK)
            tree = ssa_reply_add(reply, &token);
    } while (tree >= 0 && (status == SSA_OK || (status == SSA_MORE && feed(reader, in))));
    int whole = tree == SSA_OK && !ssa_reader_body_left(reader);
    ssa_reader_free(reader);
    return whole;
}

#endif
