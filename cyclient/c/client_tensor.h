/* A tensor that the library gave to a caller. */
#ifndef SSA_CLIENT_TENSOR_H
#define SSA_CLIENT_TENSOR_H

#include "command.h"
#include "client.h"

/* What a caller may ask for; SSA_EARGUMENT: refused. */
ssa_status ssa_entry_wanted_layout(ssa_entry *entry, int layout);

/* Make one of what came, in the layout that is wanted; takes the memory over, whatever happens. SSA_ENOMEM. */
ssa_status ssa_tensor_make(ssa_tensor *came, ssa_layout wanted, ssa_tensor **tensor);

#endif
