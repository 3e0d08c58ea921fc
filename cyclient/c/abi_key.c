#include "client_ask.h"

/* ---- deleting */

static ssa_status delete(ssa_ask *ask, const char *operation, const char *name, size_t name_bytes) {
    ssa_text text;
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_delete(ask->entry.engine, operation, SSA_KIND_TENSOR, text, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_delete_tensor(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    ssa_ask ask;
    return delete(ssa_ask_now(&ask, client, timeout), "delete_tensor", name, name_bytes);
}

ssa_status ssa_batch_delete_tensor(ssa_batch *batch, const char *name, size_t name_bytes) {
    ssa_ask ask;
    return delete(ssa_ask_batch(&ask, batch), "delete_tensor", name, name_bytes);
}

ssa_status ssa_delete_bytes(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    ssa_ask ask;
    return delete(ssa_ask_now(&ask, client, timeout), "delete_bytes", name, name_bytes);
}

ssa_status ssa_batch_delete_bytes(ssa_batch *batch, const char *name, size_t name_bytes) {
    ssa_ask ask;
    return delete(ssa_ask_batch(&ask, batch), "delete_bytes", name, name_bytes);
}

/* ---- copying, renaming */

typedef ssa_request *(*constructor)(ssa_engine *, const char *, ssa_kind, ssa_text, ssa_text, ssa_problem *);

static ssa_status from_to(ssa_ask *ask, constructor construct, const char *operation, const char *source,
                          size_t source_bytes, const char *target, size_t target_bytes) {
    ssa_text from, to;
    ssa_ask_text(ask, "source", source, source_bytes, &from);
    ssa_ask_text(ask, "target", target, target_bytes, &to);
    if (!ssa_ask_open(ask))
        ask->request = construct(ask->entry.engine, operation, SSA_KIND_TENSOR, from, to, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_copy_tensor(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                           size_t target_bytes, double timeout) {
    ssa_ask ask;
    return from_to(ssa_ask_now(&ask, client, timeout), ssa_op_copy, "copy_tensor", source, source_bytes, target,
                   target_bytes);
}

ssa_status ssa_batch_copy_tensor(ssa_batch *batch, const char *source, size_t source_bytes, const char *target,
                                 size_t target_bytes) {
    ssa_ask ask;
    return from_to(ssa_ask_batch(&ask, batch), ssa_op_copy, "copy_tensor", source, source_bytes, target, target_bytes);
}

ssa_status ssa_rename_tensor(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                             size_t target_bytes, double timeout) {
    ssa_ask ask;
    return from_to(ssa_ask_now(&ask, client, timeout), ssa_op_rename, "rename_tensor", source, source_bytes, target,
                   target_bytes);
}

ssa_status ssa_batch_rename_tensor(ssa_batch *batch, const char *source, size_t source_bytes, const char *target,
                                   size_t target_bytes) {
    ssa_ask ask;
    return from_to(ssa_ask_batch(&ask, batch), ssa_op_rename, "rename_tensor", source, source_bytes, target,
                   target_bytes);
}

/* ---- whether there is one */

static ssa_status give_truth(const ssa_result *result, ssa_request *request, char *text) {
    (void)text;
    *(int *)result->to = request->number != 0;
    return SSA_OK;
}

static ssa_status exists(ssa_ask *ask, const char *operation, ssa_kind kind, const char *name, size_t name_bytes,
                         int *found) {
    ssa_text text;
    if (found)
        *found = 0;
    ssa_ask_result(ask, "exists", found, give_truth);
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_exists(ask->entry.engine, operation, kind, text, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_tensor_exists(ssa_client *client, const char *name, size_t name_bytes, int *found, double timeout) {
    ssa_ask ask;
    return exists(ssa_ask_now(&ask, client, timeout), "tensor_exists", SSA_KIND_TENSOR, name, name_bytes, found);
}

ssa_status ssa_batch_tensor_exists(ssa_batch *batch, const char *name, size_t name_bytes, int *found) {
    ssa_ask ask;
    return exists(ssa_ask_batch(&ask, batch), "tensor_exists", SSA_KIND_TENSOR, name, name_bytes, found);
}

ssa_status ssa_bytes_exists(ssa_client *client, const char *name, size_t name_bytes, int *found, double timeout) {
    ssa_ask ask;
    return exists(ssa_ask_now(&ask, client, timeout), "bytes_exists", SSA_KIND_TENSOR, name, name_bytes, found);
}

ssa_status ssa_batch_bytes_exists(ssa_batch *batch, const char *name, size_t name_bytes, int *found) {
    ssa_ask ask;
    return exists(ssa_ask_batch(&ask, batch), "bytes_exists", SSA_KIND_TENSOR, name, name_bytes, found);
}

ssa_status ssa_dataset_exists(ssa_client *client, const char *name, size_t name_bytes, int *found, double timeout) {
    ssa_ask ask;
    return exists(ssa_ask_now(&ask, client, timeout), "dataset_exists", SSA_KIND_DATASET, name, name_bytes, found);
}

ssa_status ssa_batch_dataset_exists(ssa_batch *batch, const char *name, size_t name_bytes, int *found) {
    ssa_ask ask;
    return exists(ssa_ask_batch(&ask, batch), "dataset_exists", SSA_KIND_DATASET, name, name_bytes, found);
}

ssa_status ssa_model_exists(ssa_client *client, const char *name, size_t name_bytes, int *found, double timeout) {
    ssa_ask ask;
    return exists(ssa_ask_now(&ask, client, timeout), "model_exists", SSA_KIND_MODEL, name, name_bytes, found);
}

ssa_status ssa_batch_model_exists(ssa_batch *batch, const char *name, size_t name_bytes, int *found) {
    ssa_ask ask;
    return exists(ssa_ask_batch(&ask, batch), "model_exists", SSA_KIND_MODEL, name, name_bytes, found);
}

ssa_status ssa_script_exists(ssa_client *client, const char *name, size_t name_bytes, int *found, double timeout) {
    ssa_ask ask;
    return exists(ssa_ask_now(&ask, client, timeout), "script_exists", SSA_KIND_SCRIPT, name, name_bytes, found);
}

ssa_status ssa_batch_script_exists(ssa_batch *batch, const char *name, size_t name_bytes, int *found) {
    ssa_ask ask;
    return exists(ssa_ask_batch(&ask, batch), "script_exists", SSA_KIND_SCRIPT, name, name_bytes, found);
}

ssa_status ssa_key_exists(ssa_client *client, const char *key, size_t key_bytes, int *found, double timeout) {
    ssa_ask ask;
    return exists(ssa_ask_now(&ask, client, timeout), "key_exists", SSA_KIND_KEY, key, key_bytes, found);
}

ssa_status ssa_batch_key_exists(ssa_batch *batch, const char *key, size_t key_bytes, int *found) {
    ssa_ask ask;
    return exists(ssa_ask_batch(&ask, batch), "key_exists", SSA_KIND_KEY, key, key_bytes, found);
}
