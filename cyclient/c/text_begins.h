/* Whether a text, which need not end in NUL, begins with a word. Pure. */
#ifndef SSA_TEXT_BEGINS_H
#define SSA_TEXT_BEGINS_H

#include <string.h>

static inline int ssa_text_begins(const void *text, size_t bytes, const char *word) {
    size_t length = strlen(word);
    return bytes >= length && (!length || !memcmp(text, word, length));
}

#endif
