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

/* ---- tensors (op_tensor.c). Longer than the option value_limit they are stored in chunks, as bytes are (op_chunk.h); a reader does
 * not notice */

/* Borrows data: header->data_bytes bytes. SSA_EFULL. */
ssa_request *ssa_op_put_tensor(ssa_engine *engine, ssa_text name, const ssa_tensor_header *header, const void *data,
                               ssa_problem *problem);
/* The same under a whole key, for another operation (static). */
ssa_request *ssa_op_put_tensor_by_key(ssa_engine *engine, const char *operation, ssa_text key, const ssa_tensor_header *header,
                                      const void *data, ssa_problem *problem);
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

/* ---- how long something stays (op_ttl.c). kind: SSA_KIND_TENSOR (also bytes), SSA_KIND_DATASET (all of
 * it at one moment), SSA_KIND_LIST or SSA_KIND_KEY. Names have the prefix to read from. SSA_ENOTFOUND. */

/* milliseconds: from now on, at least 1. A put starts anew, without an end. */
ssa_request *ssa_op_set_ttl(ssa_engine *engine, ssa_kind kind, ssa_text name, int64_t milliseconds, ssa_problem *problem);
/* Result: number, milliseconds; -1: it stays. */
ssa_request *ssa_op_get_ttl(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem);
/* It stays, until it is deleted. */
ssa_request *ssa_op_persist(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem);

/* ---- datasets (op_dataset.c, op_dataset_*.c). Whoever reads sees the old or the new one, never a mixture. delete and exists: see above,
 * with SSA_KIND_DATASET for exists */

/* All of it at one moment; nothing stays of what it replaces. Borrows the dataset, which is pinned until the request is complete.
 * SSA_EARGUMENT: it is empty, or not all of it has come. SSA_EFULL. */
ssa_request *ssa_op_put_dataset(ssa_engine *engine, ssa_dataset *dataset, ssa_problem *problem);
/* Result: datasets[0], which is the caller's when it is taken out (set to NULL). SSA_ENOTFOUND; SSA_EDATASET: what is stored is no
 * dataset, or lacks a part. */
ssa_request *ssa_op_get_dataset(ssa_engine *engine, ssa_text name, ssa_problem *problem);
/* All of it at one moment. No error if there is none. The prefix to read from. */
ssa_request *ssa_op_delete_dataset(ssa_engine *engine, ssa_text name, ssa_problem *problem);
/* Read, then put, through this client, as it was at one moment: from the prefix to read from to the one to write with. A rename then
 * deletes what it has read; if somebody put the source again meanwhile, it begins anew. The copy stays until it is deleted,
 * whatever time the source has left. Both the same: nothing happens. SSA_ENOTFOUND, SSA_EFULL. */
ssa_request *ssa_op_copy_dataset(ssa_engine *engine, ssa_text source, ssa_text target, ssa_problem *problem);
ssa_request *ssa_op_rename_dataset(ssa_engine *engine, ssa_text source, ssa_text target, ssa_problem *problem);

/* ---- lists of datasets (op_list.c, op_list_copy.c). They hold names, not copies. delete: see above, with SSA_KIND_LIST */

/* List and dataset have the prefix to write with. It does not look whether there is such a dataset: in a batch, or with several
 * operations under way, it may be there before the dataset is. SSA_ETYPE; SSA_ECLOSED when the connection was lost before the answer:
 * it is not repeated, for it might append twice. */
ssa_request *ssa_op_append_to_list(ssa_engine *engine, ssa_text list, ssa_text dataset, ssa_problem *problem);
/* Result: number; 0: there is none. SSA_ETYPE. */
ssa_request *ssa_op_list_length(ssa_engine *engine, ssa_text list, ssa_problem *problem);
/* As ssa_op_copy and ssa_op_rename. A rename between servers takes along what is appended meanwhile. SSA_ENOTFOUND, SSA_ETYPE. */
ssa_request *ssa_op_copy_list(ssa_engine *engine, ssa_text source, ssa_text target, ssa_problem *problem);
ssa_request *ssa_op_rename_list(ssa_engine *engine, ssa_text source, ssa_text target, ssa_problem *problem);
/* Result: datasets, in the order of the list, each as ssa_op_get_dataset gives it; none if there is no list. All hashes of 512
 * datasets in one flight, on all shards, then all their items. SSA_ENOTFOUND: one that the list names is not there, the text says which;
 * SSA_ETYPE: it is no list of datasets. */
ssa_request *ssa_op_get_datasets_from_list(ssa_engine *engine, ssa_text list, ssa_problem *problem);
/* From one index to another, both included; negative ones count from the end, as in LRANGE. */
ssa_request *ssa_op_get_list_range(ssa_engine *engine, ssa_text list, int64_t from, int64_t to, ssa_problem *problem);

/* ---- waiting (op_wait.c): the shard tells, nothing polls. operation: its name, static ("wait_for_tensor") */

/* Until there is one. Kinds: any. SSA_EWAIT: not before the deadline. */
ssa_request *ssa_op_wait_for(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_problem *problem);
/* Until a list is so long; one that does not exist has length 0. Looks at most every 10 ms at one that changes all the time.
 * Result: number, the length that was seen. SSA_EWAIT, SSA_ETYPE. */
ssa_request *ssa_op_wait_for_list_length(ssa_engine *engine, ssa_text name, int64_t length, ssa_comparison comparison,
                                         ssa_problem *problem);
/* The same for frequency_ms * tries milliseconds, however they are parted. Result: number, 1, or 0 when it did not come true.
 * The timeout at the start is for the last answer alone. */
ssa_request *ssa_op_poll(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, int64_t frequency_ms,
                         int64_t tries, ssa_problem *problem);
ssa_request *ssa_op_poll_list_length(ssa_engine *engine, const char *operation, ssa_text name, int64_t length,
                                     ssa_comparison comparison, int64_t frequency_ms, int64_t tries, ssa_problem *problem);

/* Until the whole key may have changed since the watch was armed (op_watch.c): it was written, or the connection that would
 * tell was lost, or nobody told for some seconds. It is armed before any later command of this engine on the key is carried
 * out: start, look, wait for the end, start again: no change is missed. SSA_EWAIT: not before the deadline. */
ssa_request *ssa_op_watch(ssa_engine *engine, ssa_text key, ssa_problem *problem);

/* ---- what a simulation is asked for (op_control.c; WIRE.md, "Control"). entity: "" for the prefix of this client */

/* The safe point. Without a round trip unless something came: the list of requests is tracked, and the server tells of a new one
 * when it answers who sent it, give or take some microseconds. Every engine sees every request once, from the first one in the
 * list on. Result: number, how many; reply, kind, name and value of each in one array (no nodes for
 * none). Not in batches. SSA_EPROTOCOL: a request that cannot be read, once; those behind it come with the next poll. */
ssa_request *ssa_op_control_poll(ssa_engine *engine, ssa_text entity, ssa_problem *problem);
/* kind: "set" (with a name and a value of at most 64 KiB), "checkpoint" or "stop" (without). Result: number, how many requests
 * there are. Not repeated when the connection is lost. */
ssa_request *ssa_op_control_send(ssa_engine *engine, ssa_text entity, ssa_text kind, ssa_text name, ssa_text value,
                                 ssa_problem *problem);
/* Forget all requests: before the entity starts anew, and at its end. Result: number, 0 or 1. */
ssa_request *ssa_op_control_clear(ssa_engine *engine, ssa_text entity, ssa_problem *problem);

/* ---- servers (op_admin.c, op_save.c, op_flush.c). address: "" for all that own slots, else one of the store's; SSA_EARGUMENT (when
 * it has started) lists them. Not in batches. SSA_EPERMISSION names the user that may. */

/* Result: number, how many servers; reply, an array: address and text of each. */
ssa_request *ssa_op_node_info(ssa_engine *engine, ssa_text address, ssa_problem *problem);
/* The same of CLUSTER INFO. SSA_EUNSUPPORTED: it is no cluster. */
ssa_request *ssa_op_cluster_info(ssa_engine *engine, ssa_text address, ssa_problem *problem);
/* Result: number, how many servers answered. */
ssa_request *ssa_op_ping(ssa_engine *engine, ssa_text address, ssa_problem *problem);
/* parameter: a pattern. address: "" only where there is one server. Result: number, how many settings; reply, the map of them.
 * SSA_ENOTFOUND. */
ssa_request *ssa_op_config_get(ssa_engine *engine, ssa_text parameter, ssa_text address, ssa_problem *problem);
ssa_request *ssa_op_config_set(ssa_engine *engine, ssa_text parameter, ssa_text value, ssa_text address, ssa_problem *problem);
/* A snapshot that was begun after the call, on disk; the servers go on answering. Result: number, how many servers. SSA_ESERVER. */
ssa_request *ssa_op_save(ssa_engine *engine, ssa_text address, ssa_problem *problem);
/* Delete all keys but `{ssa:...}`; with a prefix only those that begin with it and a dot. What others write meanwhile may stay.
 * Result: number, how many were deleted. SSA_EPERMISSION (from here): the store is not owned (settings) and the user not "admin". */
ssa_request *ssa_op_flush(ssa_engine *engine, ssa_text prefix, ssa_problem *problem);

/* ---- models and scripts (op_model.c). kind: SSA_KIND_MODEL or SSA_KIND_SCRIPT */

typedef struct ssa_model_options {
    ssa_text backend;          /* "TORCH"; not looked at for a script */
    ssa_text device;           /* "CPU", "GPU", "GPU:<n>"; not looked at with num_gpus */
    int first_gpu, num_gpus;   /* num_gpus > 0: the multi-GPU form */
    int64_t batch_size, min_batch_size, min_batch_timeout; /* rows, rows, milliseconds */
    ssa_text tag, inputs, outputs; /* kept with the model; names parted by commas */
} ssa_model_options;

/* Whether GPU:<first_gpu> and those behind it can be meant; SSA_EARGUMENT: the problem says why not. */
ssa_status ssa_op_check_gpus(int first_gpu, int num_gpus, ssa_problem *problem);
/* A new version. Borrows the blob. Result: number, the version. SSA_EFULL; SSA_EMODEL (from here): a model that is no zip archive,
 * as TorchScript is. */
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
/* The same, whatever devices it is for: there is one version for all of them. SSA_EARGUMENT: these are no GPUs. */
ssa_request *ssa_op_delete_model_multigpu(ssa_engine *engine, ssa_kind kind, ssa_text name, int first_gpu, int num_gpus,
                                          ssa_problem *problem);

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

/* Inputs of a run, at most: a worker takes 1,024 words (WIRE.md, "Workers"), of which each has two and the rest up to eight. */
#define SSA_RUN_TENSORS ((1024 - 8) / 2)

/* Run a model or script. No outputs named: the result is tensors, the outputs. Named: they are stored under these names by this client, so
 * that a worker that wakes up late never overwrites those of a later step; done when the shards have acknowledged them. SSA_ENOTFOUND,
 * SSA_EMODEL, SSA_EINPUT, SSA_ERUN, SSA_ENOWORKER, SSA_EWORKERLIST. */
ssa_request *ssa_op_run(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, const ssa_run_input *inputs,
                        size_t input_count, const ssa_text *outputs, size_t output_count, const ssa_run_options *options,
                        ssa_problem *problem);

#endif
