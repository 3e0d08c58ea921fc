/* The text that tells a caller what cannot be used: the thing, its value, the remedy. Pure, never allocates. */
#ifndef SSA_MISTAKE_H
#define SSA_MISTAKE_H

#include <stddef.h>

/* Room for any text that is composed here: whole for every name and value of usual length, cut for longer ones. */
#define SSA_MISTAKE_BYTES 512

/* Write the value between quotation marks as Python would show it, so that no byte of it can disturb a terminal or
 * a log: control characters and bytes that are not UTF-8 as \xNN. At most about 120 bytes of it, then "...".
 * Returns the length; `out` ends in NUL if room > 0. */
size_t ssa_text_quote(char *out, size_t room, const void *value, size_t bytes);

/* "<thing> cannot be <value>: <remedy>." The value as it is given: a word such as "empty". Returns the length. */
size_t ssa_mistake_word(char *out, size_t room, const char *thing, const char *word, const char *remedy);

/* The same with the value quoted. */
size_t ssa_mistake_value(char *out, size_t room, const char *thing, const void *value, size_t bytes,
                         const char *remedy);

#endif
