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

static int is_text(const ssa_node *node) {
    return node->kind == SSA_TOKEN_BULK || node->kind == SSA_TOKEN_SIMPLE || node->kind == SSA_TOKEN_VERBATIM;
}

ssa_texts *ssa_texts_of(const ssa_reply *reply, ssa_status *status) {
    size_t count = 0, bytes = 0;
    *status = SSA_OK;
    for (size_t i = 0; i < reply->count; i++)
        if (is_text(&reply->nodes[i])) {
            count++;
            bytes += reply->nodes[i].text_bytes + 1;
        }
    if (!count)
        return NULL;
    ssa_texts *texts = ssa_allocate(sizeof *texts + count * sizeof *texts->texts + bytes);
    if (!texts) {
        *status = SSA_ENOMEM;
        return NULL;
    }
    char *at = (char *)(texts->texts + count);
    texts->count = 0;
    for (size_t i = 0; i < reply->count; i++) {
        const ssa_node *node = &reply->nodes[i];
        if (!is_text(node))
            continue;
        if (node->text_bytes)
            memcpy(at, reply->text.data + node->text_at, node->text_bytes);
        at[node->text_bytes] = 0;
        texts->texts[texts->count++] = (one_text){at, node->text_bytes};
        at += node->text_bytes + 1;
    }
    return texts;
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
