/* One request to a workload, as an element of its list (WIRE.md, "Control"). No I/O. */
#ifndef SSA_CONTROL_ENTRY_H
#define SSA_CONTROL_ENTRY_H

#include "operations.h"

#define SSA_CONTROL_ID_BYTES 16                  /* hexadecimal digits in front: which request this is */
#define SSA_CONTROL_VALUE_MAX ((size_t)64 << 10)

typedef struct ssa_control_entry {
    ssa_text kind, name, value; /* borrowed; name and value of "set" alone, else empty */
} ssa_control_entry;

/* What an element says: it borrows from the text. 0: it is no request, or of a kind that is unknown here. */
int ssa_control_entry_read(ssa_control_entry *entry, const char *text, size_t bytes);

/* Is it one that can be written? SSA_EARGUMENT: *problem says why. */
ssa_status ssa_control_entry_check(const ssa_control_entry *entry, ssa_problem *problem);

/* Append one that was checked, with an id of its own. SSA_ENOMEM, SSA_ESYSTEM. */
ssa_status ssa_control_entry_write(const ssa_control_entry *entry, ssa_buffer *text);

#endif
