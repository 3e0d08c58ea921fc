/* What a client tells about itself: to a sink of the host program, to a file, or, where a level was asked for and neither
 * was given, to standard error; silent by default. */
#ifndef SSA_LOG_H
#define SSA_LOG_H

#include <stddef.h>

#include "status.h"

#define SSA_LOG_LINE_BYTES 2048 /* longer lines are cut */

typedef struct ssa_log {
    ssa_log_level level;
    ssa_log_sink sink; /* NULL: none */
    void *user;
    int descriptor;    /* of the file; -1: none. With neither sink nor file: standard error */
} ssa_log;

void ssa_log_init(ssa_log *log); /* quiet; no sink, no file */

/* Also append to this file, which is made if need be (0600: names of data are in it). SSA_ESYSTEM: errno has it. */
ssa_status ssa_log_open(ssa_log *log, const char *path);
void ssa_log_close(ssa_log *log); /* closes the file, if there is one; leaves it quiet */

static inline int ssa_log_wants(const ssa_log *log, ssa_log_level level) {
    return level <= log->level && level != SSA_LOG_QUIET;
}

/* Say something, if anybody wants it. Line ends and other control characters become blanks. In the file each line
 * is one write: UTC time to the millisecond, level, process id, text. Keeps errno; a file that takes no more is no
 * error. No allocation. */
__attribute__((format(printf, 3, 4)))
void ssa_log_write(const ssa_log *log, ssa_log_level level, const char *format, ...);

/* The word of a level ("info"). ssa_log_level_parse: the level of a word in any case, or -1. */
const char *ssa_log_level_name(ssa_log_level level);
int ssa_log_level_parse(const char *word, size_t bytes);

#endif
