/* A tensor that the library gave to a caller. */
#ifndef SSA_CLIENT_TENSOR_H
#define SSA_CLIENT_TENSOR_H

#include "command.h"
#include "client.h"

/* What a caller may ask for; SSA_EARGUMENT: refused. */
ssa_status ssa_entry_wanted_layout(ssa_entry *entry, int layout);

/* Make one of what came, in the layout that is wanted; takes the memory over, whatever happens. SSA_ENOMEM; SSA_ELIMIT: too
 * many nested pointers to no elements. text says it. */
ssa_status ssa_tensor_make(ssa_tensor *came, ssa_layout wanted, ssa_tensor **tensor, char text[SSA_MISTAKE_BYTES]);

#endif
