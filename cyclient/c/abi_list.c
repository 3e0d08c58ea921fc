#include <stdio.h>

#include "allocator.h"
#include "client_ask.h"

/* ---- the names in a list */

typedef ssa_request *(*constructor)(ssa_engine *, ssa_text, ssa_text, ssa_problem *);

static ssa_status with_two(ssa_ask *ask, constructor construct, const char *one, const char *first, size_t first_bytes,
                           const char *other, const char *second, size_t second_bytes) {
    ssa_text from, to;
    ssa_ask_text(ask, one, first, first_bytes, &from);
    ssa_ask_text(ask, other, second, second_bytes, &to);
    if (!ssa_ask_open(ask))
        ask->request = construct(ask->entry.engine, from, to, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_append_to_list(ssa_client *client, const char *list, size_t list_bytes, const char *dataset,
                              size_t dataset_bytes, double timeout) {
    ssa_ask ask;
    return with_two(ssa_ask_now(&ask, client, timeout), ssa_op_append_to_list, "list", list, list_bytes, "dataset",
                    dataset, dataset_bytes);
}

ssa_status ssa_batch_append_to_list(ssa_batch *batch, const char *list, size_t list_bytes, const char *dataset,
                                    size_t dataset_bytes) {
    ssa_ask ask;
    return with_two(ssa_ask_batch(&ask, batch), ssa_op_append_to_list, "list", list, list_bytes, "dataset", dataset,
                    dataset_bytes);
}

ssa_status ssa_copy_list(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                         size_t target_bytes, double timeout) {
    ssa_ask ask;
    return with_two(ssa_ask_now(&ask, client, timeout), ssa_op_copy_list, "source", source, source_bytes, "target",
                    target, target_bytes);
}

ssa_status ssa_batch_copy_list(ssa_batch *batch, const char *source, size_t source_bytes, const char *target,
                               size_t target_bytes) {
    ssa_ask ask;
    return with_two(ssa_ask_batch(&ask, batch), ssa_op_copy_list, "source", source, source_bytes, "target", target,
                    target_bytes);
}

ssa_status ssa_rename_list(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                           size_t target_bytes, double timeout) {
    ssa_ask ask;
    return with_two(ssa_ask_now(&ask, client, timeout), ssa_op_rename_list, "source", source, source_bytes, "target",
                    target, target_bytes);
}

ssa_status ssa_batch_rename_list(ssa_batch *batch, const char *source, size_t source_bytes, const char *target,
                                 size_t target_bytes) {
    ssa_ask ask;
    return with_two(ssa_ask_batch(&ask, batch), ssa_op_rename_list, "source", source, source_bytes, "target", target,
                    target_bytes);
}

static ssa_status give_number(const ssa_result *result, ssa_request *request, char *text) {
    (void)text;
    *(int64_t *)result->to = request->number;
    return SSA_OK;
}

static ssa_status get_length(ssa_ask *ask, const char *list, size_t list_bytes, int64_t *length) {
    ssa_text text;
    if (length)
        *length = 0;
    ssa_ask_result(ask, "length", length, give_number);
    ssa_ask_text(ask, "list", list, list_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_list_length(ask->entry.engine, text, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_get_list_length(ssa_client *client, const char *list, size_t list_bytes, int64_t *length,
                               double timeout) {
    ssa_ask ask;
    return get_length(ssa_ask_now(&ask, client, timeout), list, list_bytes, length);
}

ssa_status ssa_batch_get_list_length(ssa_batch *batch, const char *list, size_t list_bytes, int64_t *length) {
    ssa_ask ask;
    return get_length(ssa_ask_batch(&ask, batch), list, list_bytes, length);
}

static ssa_status delete(ssa_ask *ask, const char *list, size_t list_bytes) {
    ssa_text text;
    ssa_ask_text(ask, "list", list, list_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_delete(ask->entry.engine, "delete_list", SSA_KIND_LIST, text, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_delete_list(ssa_client *client, const char *list, size_t list_bytes, double timeout) {
    ssa_ask ask;
    return delete(ssa_ask_now(&ask, client, timeout), list, list_bytes);
}

ssa_status ssa_batch_delete_list(ssa_batch *batch, const char *list, size_t list_bytes) {
    ssa_ask ask;
    return delete(ssa_ask_batch(&ask, batch), list, list_bytes);
}

/* ---- the datasets of a list */

struct ssa_datasets {
    size_t count;
    ssa_dataset **datasets;
};

/* The request's become the caller's. */
static ssa_status give_datasets(const ssa_result *result, ssa_request *request, char *text) {
    if (!request->dataset_count)
        return SSA_OK;
    ssa_datasets *made = ssa_allocate(sizeof *made);
    if (!made) {
        snprintf(text, SSA_MISTAKE_BYTES, "no memory for the datasets");
        return SSA_ENOMEM;
    }
    *made = (ssa_datasets){request->dataset_count, request->datasets};
    request->datasets = NULL;
    request->dataset_count = 0;
    *(ssa_datasets **)result->to = made;
    return SSA_OK;
}

/* from, to: NULL: all of them. */
static ssa_status get_range(ssa_ask *ask, const char *list, size_t list_bytes, const int64_t *from, const int64_t *to,
                            ssa_datasets **datasets) {
    ssa_text text;
    if (datasets)
        *datasets = NULL;
    ssa_ask_result(ask, "datasets", datasets, give_datasets);
    ssa_ask_text(ask, "list", list, list_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = from ? ssa_op_get_list_range(ask->entry.engine, text, *from, *to, &ask->entry.problem)
                            : ssa_op_get_datasets_from_list(ask->entry.engine, text, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_get_datasets_from_list(ssa_client *client, const char *list, size_t list_bytes, ssa_datasets **datasets,
                                      double timeout) {
    ssa_ask ask;
    return get_range(ssa_ask_now(&ask, client, timeout), list, list_bytes, NULL, NULL, datasets);
}

ssa_status ssa_batch_get_datasets_from_list(ssa_batch *batch, const char *list, size_t list_bytes,
                                            ssa_datasets **datasets) {
    ssa_ask ask;
    return get_range(ssa_ask_batch(&ask, batch), list, list_bytes, NULL, NULL, datasets);
}

ssa_status ssa_get_dataset_list_range(ssa_client *client, const char *list, size_t list_bytes, int64_t from, int64_t to,
                                      ssa_datasets **datasets, double timeout) {
    ssa_ask ask;
    return get_range(ssa_ask_now(&ask, client, timeout), list, list_bytes, &from, &to, datasets);
}

ssa_status ssa_batch_get_dataset_list_range(ssa_batch *batch, const char *list, size_t list_bytes, int64_t from,
                                            int64_t to, ssa_datasets **datasets) {
    ssa_ask ask;
    return get_range(ssa_ask_batch(&ask, batch), list, list_bytes, &from, &to, datasets);
}

void ssa_datasets_free(ssa_datasets *datasets) {
    if (!datasets)
        return;
    for (size_t i = 0; i < datasets->count; i++)
        ssa_dataset_free(datasets->datasets[i]);
    ssa_release(datasets->datasets);
    ssa_release(datasets);
}

size_t ssa_datasets_count(const ssa_datasets *datasets) {
    return datasets ? datasets->count : 0;
}

ssa_dataset *ssa_datasets_take(ssa_datasets *datasets, size_t place) {
    if (place >= ssa_datasets_count(datasets))
        return NULL;
    ssa_dataset *taken = datasets->datasets[place];
    datasets->datasets[place] = NULL;
    return taken;
}
