/* A file that a caller names instead of its bytes. */
#ifndef SSA_CLIENT_FILE_H
#define SSA_CLIENT_FILE_H

#include "client.h"

/* All of it behind what is in content. SSA_ESYSTEM: it cannot be read; SSA_ENOMEM. */
ssa_status ssa_entry_read_file(ssa_entry *entry, ssa_text path, ssa_buffer *content);

#endif
