/* The operations on a store, the same for every face. Each makes a request that is not started yet; NULL: *problem says what
 * the caller did wrong, or that there is no memory. Start it with ssa_request_start, or add it to a batch.
 *
 * Names are pointer and length, copied. What else is borrowed is said; it is borrowed until the request is complete.
 * Every request can also end with SSA_ETIMEOUT, SSA_ECONNECT, SSA_ECLOSED, SSA_ESERVER, SSA_EPERMISSION, SSA_ETOPOLOGY,
 * SSA_ENOMEM, SSA_ECANCELLED, SSA_EFORK. */
#ifndef SSA_OPERATIONS_H
#define SSA_OPERATIONS_H

#include "engine.h"
#include "dataset.h"

typedef struct ssa_text { /* a name, as it is passed in */
    const char *data;
    size_t bytes;
} ssa_text;

/* ---- tensors (op_tensor.c) */

/* Borrows data: header->data_bytes bytes. SSA_EFULL. */
ssa_request *ssa_op_put_tensor(ssa_engine *engine, ssa_text name, const ssa_tensor_header *header, const void *data,
                               ssa_problem *problem);
/* Result: tensors[0], in the order in which it was put. SSA_ENOTFOUND, SSA_EHEADER, SSA_EVERSION, SSA_ETYPE. */
ssa_request *ssa_op_get_tensor(ssa_engine *engine, ssa_text name, ssa_problem *problem);
/* Into the caller's memory, which has room for a tensor of this header and order; undefined unless it succeeds. Also
 * SSA_EDTYPE, SSA_ESHAPE. */
ssa_request *ssa_op_unpack_tensor(ssa_engine *engine, ssa_text name, const ssa_tensor_header *header, void *into,
                                  ssa_problem *problem);
/* By whole keys, whatever the prefixes are: for workers. Result as ssa_op_get_tensor. */
ssa_request *ssa_op_get_tensor_by_key(ssa_engine *engine, ssa_text key, ssa_problem *problem);

/* ---- what every kind of key has (op_key.c). kind: SSA_KIND_TENSOR, SSA_KIND_LIST or SSA_KIND_KEY */

/* No error if there is none. operation: its name, static ("delete_tensor"). */
ssa_request *ssa_op_delete(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_problem *problem);
/* Result: number, 0 or 1. Kinds: any. */
ssa_request *ssa_op_exists(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_problem *problem);

/* ---- waiting (op_wait.c) */

/* Until there is one: the shard tells, nothing polls. SSA_EWAIT. */
ssa_request *ssa_op_wait_for(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_problem *problem);

#endif
