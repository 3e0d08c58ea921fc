/* The file that SSDB_FILE names: lines `NAME=value` with what a launcher would rather not put on a command line.
 * Private to settings.c. */
#ifndef SSA_SETTINGS_FILE_H
#define SSA_SETTINGS_FILE_H

#include "resp_writer.h"

#define SSA_SETTINGS_FILE_MAX ((size_t)64 << 10)

typedef struct ssa_settings_file {
    char *text; /* lines, each ended by NUL */
    size_t bytes;
} ssa_settings_file;

/* Read it. Empty lines and those that begin with `#` do not count. SSA_EARGUMENT: no file that only we may read, or
 * lines of another form; each mistake is appended to *mistakes with a line end, values are never quoted. SSA_ENOMEM.
 * After an error *file is empty. variable: "SSDB_FILE". */
ssa_status ssa_settings_file_read(ssa_settings_file *file, const char *path, const char *variable,
                                  ssa_buffer *mistakes);

/* The value of a name, or NULL. Borrowed from the file. */
const char *ssa_settings_file_find(const ssa_settings_file *file, const char *name);

/* Zeroes what was read before its memory is released; an empty (all zero) file is allowed. */
void ssa_settings_file_free(ssa_settings_file *file);

/* Overwrite memory in a way that no compiler leaves out. */
void ssa_wipe(void *memory, size_t bytes);

#endif
