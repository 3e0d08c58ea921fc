#include "client_ask.h"

/* ---- putting, getting, deleting */

static ssa_status put(ssa_ask *ask, ssa_dataset *dataset) {
    ssa_entry_given(&ask->entry, "dataset", dataset);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_put_dataset(ask->entry.engine, dataset, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_put_dataset(ssa_client *client, ssa_dataset *dataset, double timeout) {
    ssa_ask ask;
    return put(ssa_ask_now(&ask, client, timeout), dataset);
}

ssa_status ssa_batch_put_dataset(ssa_batch *batch, ssa_dataset *dataset) {
    ssa_ask ask;
    return put(ssa_ask_batch(&ask, batch), dataset);
}

static ssa_status give_dataset(const ssa_result *result, ssa_request *request, char *text) {
    (void)text;
    *(ssa_dataset **)result->to = request->datasets[0];
    request->datasets[0] = NULL;
    return SSA_OK;
}

static ssa_status get(ssa_ask *ask, const char *name, size_t name_bytes, ssa_dataset **dataset) {
    ssa_text text;
    if (dataset)
        *dataset = NULL;
    ssa_ask_result(ask, "dataset", dataset, give_dataset);
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_get_dataset(ask->entry.engine, text, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_get_dataset(ssa_client *client, const char *name, size_t name_bytes, ssa_dataset **dataset,
                           double timeout) {
    ssa_ask ask;
    return get(ssa_ask_now(&ask, client, timeout), name, name_bytes, dataset);
}

ssa_status ssa_batch_get_dataset(ssa_batch *batch, const char *name, size_t name_bytes, ssa_dataset **dataset) {
    ssa_ask ask;
    return get(ssa_ask_batch(&ask, batch), name, name_bytes, dataset);
}

static ssa_status delete(ssa_ask *ask, const char *name, size_t name_bytes) {
    ssa_text text;
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_delete_dataset(ask->entry.engine, text, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_delete_dataset(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    ssa_ask ask;
    return delete(ssa_ask_now(&ask, client, timeout), name, name_bytes);
}

ssa_status ssa_batch_delete_dataset(ssa_batch *batch, const char *name, size_t name_bytes) {
    ssa_ask ask;
    return delete(ssa_ask_batch(&ask, batch), name, name_bytes);
}

/* ---- copying, renaming */

typedef ssa_request *(*constructor)(ssa_engine *, ssa_text, ssa_text, ssa_problem *);

static ssa_status from_to(ssa_ask *ask, constructor construct, const char *source, size_t source_bytes,
                          const char *target, size_t target_bytes) {
    ssa_text from, to;
    ssa_ask_text(ask, "source", source, source_bytes, &from);
    ssa_ask_text(ask, "target", target, target_bytes, &to);
    if (!ssa_ask_open(ask))
        ask->request = construct(ask->entry.engine, from, to, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_copy_dataset(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                            size_t target_bytes, double timeout) {
    ssa_ask ask;
    return from_to(ssa_ask_now(&ask, client, timeout), ssa_op_copy_dataset, source, source_bytes, target, target_bytes);
}

ssa_status ssa_batch_copy_dataset(ssa_batch *batch, const char *source, size_t source_bytes, const char *target,
                                  size_t target_bytes) {
    ssa_ask ask;
    return from_to(ssa_ask_batch(&ask, batch), ssa_op_copy_dataset, source, source_bytes, target, target_bytes);
}

ssa_status ssa_rename_dataset(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                              size_t target_bytes, double timeout) {
    ssa_ask ask;
    return from_to(ssa_ask_now(&ask, client, timeout), ssa_op_rename_dataset, source, source_bytes, target,
                   target_bytes);
}

ssa_status ssa_batch_rename_dataset(ssa_batch *batch, const char *source, size_t source_bytes, const char *target,
                                    size_t target_bytes) {
    ssa_ask ask;
    return from_to(ssa_ask_batch(&ask, batch), ssa_op_rename_dataset, source, source_bytes, target, target_bytes);
}
