#include "client_texts.h"

#include <string.h>

#include "allocator.h"

typedef struct one_text {
    const char *data;
    size_t bytes;
} one_text;

struct ssa_texts {
    size_t count;
    one_text texts[]; /* the bytes lie behind them, each text with a NUL */
};

ssa_texts *ssa_texts_from(int (*next)(void *self, size_t place, ssa_text *text), void *self, ssa_status *status) {
    size_t count = 0, bytes = 0;
    ssa_text text;
    *status = SSA_OK;
    for (; next(self, count, &text); count++)
        bytes += text.bytes + 1;
    if (!count)
        return NULL;
    ssa_texts *texts = ssa_allocate(sizeof *texts + count * sizeof *texts->texts + bytes);
    if (!texts) {
        *status = SSA_ENOMEM;
        return NULL;
    }
    char *at = (char *)(texts->texts + count);
    texts->count = count;
    for (size_t i = 0; i < count; i++) {
        next(self, i, &text);
        if (text.bytes)
            memcpy(at, text.data, text.bytes);
        at[text.bytes] = 0;
        texts->texts[i] = (one_text){at, text.bytes};
        at += text.bytes + 1;
    }
    return texts;
}

/* ---- of a reply */

typedef struct reply_walk {
    const ssa_reply *reply;
    size_t node; /* the one after the last that was given */
} reply_walk;

static int is_text(const ssa_node *node) {
    return node->kind == SSA_TOKEN_BULK || node->kind == SSA_TOKEN_SIMPLE || node->kind == SSA_TOKEN_VERBATIM;
}

static int next_of_reply(void *self, size_t place, ssa_text *text) {
    reply_walk *walk = self;
    if (place == 0)
        walk->node = 0;
    while (walk->node < walk->reply->count && !is_text(&walk->reply->nodes[walk->node]))
        walk->node++;
    if (walk->node == walk->reply->count)
        return 0;
    const ssa_node *node = &walk->reply->nodes[walk->node++];
    *text = (ssa_text){node->text_bytes ? (const char *)walk->reply->text.data + node->text_at : "", node->text_bytes};
    return 1;
}

ssa_texts *ssa_texts_of(const ssa_reply *reply, ssa_status *status) {
    return ssa_texts_from(next_of_reply, &(reply_walk){reply, 0}, status);
}

void ssa_texts_free(ssa_texts *texts) {
    ssa_release(texts);
}

size_t ssa_texts_count(const ssa_texts *texts) {
    return texts ? texts->count : 0;
}

const char *ssa_texts_at(const ssa_texts *texts, size_t place, size_t *bytes) {
    int is_there = place < ssa_texts_count(texts);
    if (bytes)
        *bytes = is_there ? texts->texts[place].bytes : 0;
    return is_there ? texts->texts[place].data : NULL;
}
