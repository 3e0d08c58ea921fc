#include <math.h>

#include "client_ask.h"

static ssa_status set(ssa_ask *ask, ssa_kind kind, const char *name, size_t name_bytes, double seconds) {
    ssa_text text;
    if (!ask->entry.status && !(seconds >= 0.001 && seconds < 9e12))
        ssa_entry_refuse(&ask->entry, SSA_EARGUMENT,
                         "seconds cannot be %g: use 0.001 or more; ssa_persist_%s for no end.", seconds,
                         kind == SSA_KIND_DATASET ? "dataset" : kind == SSA_KIND_LIST ? "list" : "tensor");
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_set_ttl(ask->entry.engine, kind, text, (int64_t)(seconds * 1e3), &ask->entry.problem);
    return ssa_ask_end(ask);
}

static ssa_status give_seconds(const ssa_result *result, ssa_request *request, char *text) {
    (void)text;
    *(double *)result->to = request->number < 0 ? HUGE_VAL : (double)request->number / 1e3;
    return SSA_OK;
}

static ssa_status get(ssa_ask *ask, ssa_kind kind, const char *name, size_t name_bytes, double *seconds) {
    ssa_text text;
    if (seconds)
        *seconds = 0;
    ssa_ask_result(ask, "seconds", seconds, give_seconds);
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_get_ttl(ask->entry.engine, kind, text, &ask->entry.problem);
    return ssa_ask_end(ask);
}

static ssa_status persist(ssa_ask *ask, ssa_kind kind, const char *name, size_t name_bytes) {
    ssa_text text;
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_persist(ask->entry.engine, kind, text, &ask->entry.problem);
    return ssa_ask_end(ask);
}

/* ---- tensors */

ssa_status ssa_set_tensor_ttl(ssa_client *client, const char *name, size_t name_bytes, double seconds,
                              double timeout) {
    ssa_ask ask;
    return set(ssa_ask_now(&ask, client, timeout), SSA_KIND_TENSOR, name, name_bytes, seconds);
}

ssa_status ssa_batch_set_tensor_ttl(ssa_batch *batch, const char *name, size_t name_bytes, double seconds) {
    ssa_ask ask;
    return set(ssa_ask_batch(&ask, batch), SSA_KIND_TENSOR, name, name_bytes, seconds);
}

ssa_status ssa_get_tensor_ttl(ssa_client *client, const char *name, size_t name_bytes, double *seconds,
                              double timeout) {
    ssa_ask ask;
    return get(ssa_ask_now(&ask, client, timeout), SSA_KIND_TENSOR, name, name_bytes, seconds);
}

ssa_status ssa_batch_get_tensor_ttl(ssa_batch *batch, const char *name, size_t name_bytes, double *seconds) {
    ssa_ask ask;
    return get(ssa_ask_batch(&ask, batch), SSA_KIND_TENSOR, name, name_bytes, seconds);
}

ssa_status ssa_persist_tensor(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    ssa_ask ask;
    return persist(ssa_ask_now(&ask, client, timeout), SSA_KIND_TENSOR, name, name_bytes);
}

ssa_status ssa_batch_persist_tensor(ssa_batch *batch, const char *name, size_t name_bytes) {
    ssa_ask ask;
    return persist(ssa_ask_batch(&ask, batch), SSA_KIND_TENSOR, name, name_bytes);
}

/* ---- datasets */

ssa_status ssa_set_dataset_ttl(ssa_client *client, const char *name, size_t name_bytes, double seconds,
                               double timeout) {
    ssa_ask ask;
    return set(ssa_ask_now(&ask, client, timeout), SSA_KIND_DATASET, name, name_bytes, seconds);
}

ssa_status ssa_batch_set_dataset_ttl(ssa_batch *batch, const char *name, size_t name_bytes, double seconds) {
    ssa_ask ask;
    return set(ssa_ask_batch(&ask, batch), SSA_KIND_DATASET, name, name_bytes, seconds);
}

ssa_status ssa_get_dataset_ttl(ssa_client *client, const char *name, size_t name_bytes, double *seconds,
                               double timeout) {
    ssa_ask ask;
    return get(ssa_ask_now(&ask, client, timeout), SSA_KIND_DATASET, name, name_bytes, seconds);
}

ssa_status ssa_batch_get_dataset_ttl(ssa_batch *batch, const char *name, size_t name_bytes, double *seconds) {
    ssa_ask ask;
    return get(ssa_ask_batch(&ask, batch), SSA_KIND_DATASET, name, name_bytes, seconds);
}

ssa_status ssa_persist_dataset(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    ssa_ask ask;
    return persist(ssa_ask_now(&ask, client, timeout), SSA_KIND_DATASET, name, name_bytes);
}

ssa_status ssa_batch_persist_dataset(ssa_batch *batch, const char *name, size_t name_bytes) {
    ssa_ask ask;
    return persist(ssa_ask_batch(&ask, batch), SSA_KIND_DATASET, name, name_bytes);
}

/* ---- lists of datasets */

ssa_status ssa_set_list_ttl(ssa_client *client, const char *list, size_t list_bytes, double seconds,
                            double timeout) {
    ssa_ask ask;
    return set(ssa_ask_now(&ask, client, timeout), SSA_KIND_LIST, list, list_bytes, seconds);
}

ssa_status ssa_batch_set_list_ttl(ssa_batch *batch, const char *list, size_t list_bytes, double seconds) {
    ssa_ask ask;
    return set(ssa_ask_batch(&ask, batch), SSA_KIND_LIST, list, list_bytes, seconds);
}

ssa_status ssa_get_list_ttl(ssa_client *client, const char *list, size_t list_bytes, double *seconds,
                            double timeout) {
    ssa_ask ask;
    return get(ssa_ask_now(&ask, client, timeout), SSA_KIND_LIST, list, list_bytes, seconds);
}

ssa_status ssa_batch_get_list_ttl(ssa_batch *batch, const char *list, size_t list_bytes, double *seconds) {
    ssa_ask ask;
    return get(ssa_ask_batch(&ask, batch), SSA_KIND_LIST, list, list_bytes, seconds);
}

ssa_status ssa_persist_list(ssa_client *client, const char *list, size_t list_bytes, double timeout) {
    ssa_ask ask;
    return persist(ssa_ask_now(&ask, client, timeout), SSA_KIND_LIST, list, list_bytes);
}

ssa_status ssa_batch_persist_list(ssa_batch *batch, const char *list, size_t list_bytes) {
    ssa_ask ask;
    return persist(ssa_ask_batch(&ask, batch), SSA_KIND_LIST, list, list_bytes);
}
