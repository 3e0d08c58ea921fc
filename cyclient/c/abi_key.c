#include "client.h"

static ssa_status delete(ssa_client *client, const char *operation, ssa_kind kind, const char *name, size_t bytes,
                         double timeout) {
    ssa_entry entry;
    ssa_text text;
    if (!ssa_entry_open_name(&entry, client, name, bytes, timeout, &text))
        ssa_entry_run(&entry, ssa_op_delete(entry.engine, operation, kind, text, &entry.problem));
    return ssa_entry_end(&entry);
}

static ssa_status exists(ssa_client *client, const char *operation, ssa_kind kind, const char *name, size_t bytes,
                         int *found, double timeout) {
    ssa_entry entry;
    ssa_text text;
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_result(&entry, "exists", found);
    if (!ssa_entry_text(&entry, "name", name, bytes, &text) && !ssa_entry_open(&entry) &&
        !ssa_entry_run(&entry, ssa_op_exists(entry.engine, operation, kind, text, &entry.problem)))
        *found = entry.request->number != 0;
    return ssa_entry_end(&entry);
}

static ssa_status wait_for(ssa_client *client, const char *operation, ssa_kind kind, const char *name, size_t bytes,
                           double timeout) {
    ssa_entry entry;
    ssa_text text;
    if (!ssa_entry_open_name(&entry, client, name, bytes, timeout, &text))
        ssa_entry_run(&entry, ssa_op_wait_for(entry.engine, operation, kind, text, &entry.problem));
    return ssa_entry_end(&entry);
}

ssa_status ssa_delete_tensor(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    return delete(client, "delete_tensor", SSA_KIND_TENSOR, name, name_bytes, timeout);
}

ssa_status ssa_tensor_exists(ssa_client *client, const char *name, size_t name_bytes, int *found, double timeout) {
    return exists(client, "tensor_exists", SSA_KIND_TENSOR, name, name_bytes, found, timeout);
}

ssa_status ssa_dataset_exists(ssa_client *client, const char *name, size_t name_bytes, int *found, double timeout) {
    return exists(client, "dataset_exists", SSA_KIND_DATASET, name, name_bytes, found, timeout);
}

ssa_status ssa_model_exists(ssa_client *client, const char *name, size_t name_bytes, int *found, double timeout) {
    return exists(client, "model_exists", SSA_KIND_MODEL, name, name_bytes, found, timeout);
}

ssa_status ssa_script_exists(ssa_client *client, const char *name, size_t name_bytes, int *found, double timeout) {
    return exists(client, "script_exists", SSA_KIND_SCRIPT, name, name_bytes, found, timeout);
}

ssa_status ssa_key_exists(ssa_client *client, const char *key, size_t key_bytes, int *found, double timeout) {
    return exists(client, "key_exists", SSA_KIND_KEY, key, key_bytes, found, timeout);
}

ssa_status ssa_wait_for_tensor(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    return wait_for(client, "wait_for_tensor", SSA_KIND_TENSOR, name, name_bytes, timeout);
}

ssa_status ssa_wait_for_dataset(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    return wait_for(client, "wait_for_dataset", SSA_KIND_DATASET, name, name_bytes, timeout);
}

ssa_status ssa_wait_for_model(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    return wait_for(client, "wait_for_model", SSA_KIND_MODEL, name, name_bytes, timeout);
}

ssa_status ssa_wait_for_key(ssa_client *client, const char *key, size_t key_bytes, double timeout) {
    return wait_for(client, "wait_for_key", SSA_KIND_KEY, key, key_bytes, timeout);
}
