#include "mistake.h"

#include <stdint.h>
#include <string.h>

#define QUOTED_BYTES 120

/* A text that grows in memory of fixed size; what does not fit is dropped, never half an escape. */
typedef struct text {
    char *at;
    size_t length, room;
    int full;
} text;

static text text_in(char *out, size_t room) {
    if (room)
        *out = 0;
    return (text){out, 0, room, room == 0};
}

static void add(text *t, const char *data, size_t bytes) {
    if (t->full || bytes >= t->room - t->length) {
        t->full = 1;
        return;
    }
    memcpy(t->at + t->length, data, bytes);
    t->length += bytes;
    t->at[t->length] = 0;
}

static void add_word(text *t, const char *word) {
    size_t bytes = strlen(word);
    if (!t->full && bytes >= t->room - t->length)
        bytes = t->room - t->length - 1;
    add(t, word, bytes);
}

/* Bytes of the printable UTF-8 character that begins here; 0: none does. */
static size_t character(const unsigned char *at, size_t left) {
    if (at[0] < 0x80)
        return at[0] >= 0x20 && at[0] != 0x7f;
    size_t bytes = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || bytes > left)
        return 0;
    uint32_t code = at[0] & (0x7f >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    if (code < 0xa0 || (bytes == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
        (bytes == 4 && (code < 0x10000 || code > 0x10ffff)))
        return 0;
    /* Marks that turn the direction of what follows, and line ends beyond ASCII. */
    if ((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
        return 0;
    return bytes;
}

static void add_byte(text *t, unsigned char byte) {
    static const char digits[] = "0123456789abcdef";
    const char *short_form = byte == '\n' ? "\\n" : byte == '\r' ? "\\r" : byte == '\t' ? "\\t" : NULL;
    char escape[4] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    if (short_form)
        add(t, short_form, 2);
    else
        add(t, escape, 4);
}

static void add_quoted(text *t, const void *value, size_t bytes) {
    const unsigned char *at = value, *end = at + (bytes < QUOTED_BYTES ? bytes : QUOTED_BYTES);
    const char mark = bytes && memchr(value, '\'', bytes) && !memchr(value, '"', bytes) ? '"' : '\'';
    add(t, &mark, 1);
    while (at < end) {
        size_t whole = character(at, bytes - (size_t)(at - (const unsigned char *)value));
        if (!whole)
            add_byte(t, *at);
        else if (*at == '\\' || *at == (unsigned char)mark) {
            add(t, "\\", 1);
            add(t, (const char *)at, 1);
        } else
            add(t, (const char *)at, whole);
        at += whole ? whole : 1;
    }
    add(t, &mark, 1);
    if (bytes > QUOTED_BYTES)
        add_word(t, "...");
}

size_t ssa_text_quote(char *out, size_t room, const void *value, size_t bytes) {
    text t = text_in(out, room);
    add_quoted(&t, value, bytes);
    return t.length;
}

static size_t finish(text *t, const char *remedy) {
    add_word(t, ": ");
    add_word(t, remedy);
    add_word(t, ".");
    return t->length;
}

size_t ssa_mistake_word(char *out, size_t room, const char *thing, const char *word, const char *remedy) {
    text t = text_in(out, room);
    add_word(&t, thing);
    add_word(&t, " cannot be ");
    add_word(&t, word);
    return finish(&t, remedy);
}

size_t ssa_mistake_value(char *out, size_t room, const char *thing, const void *value, size_t bytes,
                         const char *remedy) {
    text t = text_in(out, room);
    add_word(&t, thing);
    add_word(&t, " cannot be ");
    add_quoted(&t, value, bytes);
    return finish(&t, remedy);
}
