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

/* ---- bytes (op_bytes.c): under the same names as tensors */

/* Borrows data. SSA_EFULL. */
ssa_request *ssa_op_put_bytes(ssa_engine *engine, ssa_text name, const void *data, size_t bytes, ssa_problem *problem);
/* Result: tensors[0], a row of uint8 in memory of its own (for 64 MiB: no copy besides the one into it). What is stored may be
 * anything that is a string, tensors too. SSA_ENOTFOUND, SSA_ETYPE. */
ssa_request *ssa_op_get_bytes(ssa_engine *engine, ssa_text name, ssa_problem *problem);

/* ---- copying and renaming (op_copy.c). kind: SSA_KIND_TENSOR (also bytes) or SSA_KIND_KEY */

/* The source has the prefix to read from, the target the one to write with; whatever was the target goes. One command where one
 * server has both keys. Otherwise the value comes here and goes there: then a copy is as it was when it was read, and who
 * writes to the source meanwhile may lose that with the rename. The time it has left goes along. operation: static. Both keys
 * the same: nothing happens. SSA_ENOTFOUND, SSA_EFULL; a rename: SSA_ECLOSED when the connection was lost before the answer,
 * for a second one could not find the source any more. */
ssa_request *ssa_op_copy(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text source, ssa_text target,
                         ssa_problem *problem);
ssa_request *ssa_op_rename(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text source, ssa_text target,
                           ssa_problem *problem);

/* ---- how long something stays (op_ttl.c). kind: SSA_KIND_TENSOR (also bytes), SSA_KIND_LIST or SSA_KIND_KEY. Names have the
 * prefix to read from. SSA_ENOTFOUND. */

/* milliseconds: from now on, at least 1. A put starts anew, without an end. */
ssa_request *ssa_op_set_ttl(ssa_engine *engine, ssa_kind kind, ssa_text name, int64_t milliseconds, ssa_problem *problem);
/* Result: number, milliseconds; -1: it stays. */
ssa_request *ssa_op_get_ttl(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem);
/* It stays, until it is deleted. */
ssa_request *ssa_op_persist(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem);

/* ---- waiting (op_wait.c) */

/* Until there is one: the shard tells, nothing polls. SSA_EWAIT. */
ssa_request *ssa_op_wait_for(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_problem *problem);

/* ---- models and scripts (op_model.c). kind: SSA_KIND_MODEL or SSA_KIND_SCRIPT */

typedef struct ssa_model_options {
    ssa_text backend;          /* "TORCH"; not looked at for a script */
    ssa_text device;           /* "CPU", "GPU", "GPU:<n>"; not looked at with num_gpus */
    int first_gpu, num_gpus;   /* num_gpus > 0: the multi-GPU form */
    int64_t batch_size, min_batch_size, min_batch_timeout; /* rows, rows, milliseconds */
    ssa_text tag, inputs, outputs; /* kept with the model; names parted by commas */
} ssa_model_options;

/* A new version. Borrows the blob. Result: number, the version. SSA_EFULL. */
ssa_request *ssa_op_set_model(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_text blob, const ssa_model_options *options,
                              ssa_problem *problem);
/* Result: reply, the blob; second_reply, the map of its metadata; number, the version. SSA_ENOTFOUND. */
ssa_request *ssa_op_get_model(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem);
/* Result: reply, the current version as text. SSA_ENOTFOUND. */
ssa_request *ssa_op_get_model_version(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem);
/* Of one version: reply and second_reply as ssa_op_get_model. SSA_ENOTFOUND. */
ssa_request *ssa_op_get_model_blob(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_text version, ssa_problem *problem);
/* No error if there is none. */
ssa_request *ssa_op_delete_model(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem);

/* Whether a transaction that is call i failed: as a whole, or one command in it. The request has ended then. */
int ssa_transaction_failed(ssa_request *request, size_t i);

/* ---- runs (op_run.c) */

/* One input of a run: a tensor (borrowed), or the name of one in the store. */
typedef struct ssa_run_input {
    ssa_text name;                   /* data NULL: a tensor */
    const ssa_tensor_header *header;
    const void *data;
} ssa_run_input;

typedef struct ssa_run_options {
    ssa_text function;               /* of a script; "" : a model */
    ssa_text device;                 /* wanted; "" : any that serves the model */
    int discard;                     /* outputs by name are not stored: only later operations of the batch see them */
} ssa_run_options;

/* Run a model or script. No outputs named: the result is tensors, the outputs. Named: they are stored under these names by this client, so
 * that a worker that wakes up late never overwrites those of a later step; done when the shards have acknowledged them. SSA_ENOTFOUND,
 * SSA_EMODEL, SSA_EINPUT, SSA_ERUN, SSA_ENOWORKER, SSA_EWORKERLIST. */
ssa_request *ssa_op_run(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, const ssa_run_input *inputs,
                        size_t input_count, const ssa_text *outputs, size_t output_count, const ssa_run_options *options,
                        ssa_problem *problem);

#endif
