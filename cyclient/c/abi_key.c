#include <math.h>

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

typedef ssa_request *(*constructor_of_two)(ssa_engine *, const char *, ssa_kind, ssa_text, ssa_text, ssa_problem *);

static ssa_status from_to(ssa_client *client, constructor_of_two construct, const char *operation, ssa_kind kind,
                          const char *source, size_t source_bytes, const char *target, size_t target_bytes,
                          double timeout) {
    ssa_entry entry;
    ssa_text from, to;
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_text(&entry, "source", source, source_bytes, &from);
    if (!ssa_entry_text(&entry, "target", target, target_bytes, &to) && !ssa_entry_open(&entry))
        ssa_entry_run(&entry, construct(entry.engine, operation, kind, from, to, &entry.problem));
    return ssa_entry_end(&entry);
}

ssa_status ssa_delete_tensor(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    return delete(client, "delete_tensor", SSA_KIND_TENSOR, name, name_bytes, timeout);
}

ssa_status ssa_delete_bytes(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    return delete(client, "delete_bytes", SSA_KIND_TENSOR, name, name_bytes, timeout);
}

ssa_status ssa_copy_tensor(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                           size_t target_bytes, double timeout) {
    return from_to(client, ssa_op_copy, "copy_tensor", SSA_KIND_TENSOR, source, source_bytes, target, target_bytes,
                   timeout);
}

ssa_status ssa_rename_tensor(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                             size_t target_bytes, double timeout) {
    return from_to(client, ssa_op_rename, "rename_tensor", SSA_KIND_TENSOR, source, source_bytes, target, target_bytes,
                   timeout);
}

ssa_status ssa_bytes_exists(ssa_client *client, const char *name, size_t name_bytes, int *found, double timeout) {
    return exists(client, "bytes_exists", SSA_KIND_TENSOR, name, name_bytes, found, timeout);
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

/* ---- how long something stays */

ssa_status ssa_set_tensor_ttl(ssa_client *client, const char *name, size_t name_bytes, double seconds, double timeout) {
    ssa_entry entry;
    ssa_text text;
    ssa_entry_begin(&entry, client, timeout);
    if (!entry.status && !(seconds >= 0.001 && seconds < 9e12))
        ssa_entry_refuse(&entry, SSA_EARGUMENT,
                         "seconds cannot be %g: use 0.001 or more; ssa_persist_tensor for no end.", seconds);
    if (!ssa_entry_text(&entry, "name", name, name_bytes, &text) && !ssa_entry_open(&entry))
        ssa_entry_run(&entry,
                      ssa_op_set_ttl(entry.engine, SSA_KIND_TENSOR, text, (int64_t)(seconds * 1e3), &entry.problem));
    return ssa_entry_end(&entry);
}

ssa_status ssa_get_tensor_ttl(ssa_client *client, const char *name, size_t name_bytes, double *seconds,
                              double timeout) {
    ssa_entry entry;
    ssa_text text;
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_result(&entry, "seconds", seconds);
    if (!ssa_entry_text(&entry, "name", name, name_bytes, &text) && !ssa_entry_open(&entry) &&
        !ssa_entry_run(&entry, ssa_op_get_ttl(entry.engine, SSA_KIND_TENSOR, text, &entry.problem)))
        *seconds = entry.request->number < 0 ? HUGE_VAL : (double)entry.request->number / 1e3;
    return ssa_entry_end(&entry);
}

ssa_status ssa_persist_tensor(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    ssa_entry entry;
    ssa_text text;
    if (!ssa_entry_open_name(&entry, client, name, name_bytes, timeout, &text))
        ssa_entry_run(&entry, ssa_op_persist(entry.engine, SSA_KIND_TENSOR, text, &entry.problem));
    return ssa_entry_end(&entry);
}
