#include <string.h>

#include "allocator.h"
#include "client.h"

/* ---- datasets */

ssa_status ssa_put_dataset(ssa_client *client, ssa_dataset *dataset, double timeout) {
    ssa_entry entry;
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_result(&entry, "dataset", dataset);
    if (!ssa_entry_open(&entry))
        ssa_entry_run(&entry, ssa_op_put_dataset(entry.engine, dataset, &entry.problem));
    return ssa_entry_end(&entry);
}

ssa_status ssa_get_dataset(ssa_client *client, const char *name, size_t name_bytes, ssa_dataset **dataset,
                           double timeout) {
    ssa_entry entry;
    ssa_text text;
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_result(&entry, "dataset", dataset);
    if (dataset)
        *dataset = NULL;
    if (!ssa_entry_text(&entry, "name", name, name_bytes, &text) && !ssa_entry_open(&entry) &&
        !ssa_entry_run(&entry, ssa_op_get_dataset(entry.engine, text, &entry.problem))) {
        *dataset = entry.request->datasets[0];
        entry.request->datasets[0] = NULL;
    }
    return ssa_entry_end(&entry);
}

ssa_status ssa_delete_dataset(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    ssa_entry entry;
    ssa_text text;
    if (!ssa_entry_open_name(&entry, client, name, name_bytes, timeout, &text))
        ssa_entry_run(&entry, ssa_op_delete_dataset(entry.engine, text, &entry.problem));
    return ssa_entry_end(&entry);
}

typedef ssa_request *(*constructor_of_two)(ssa_engine *, ssa_text, ssa_text, ssa_problem *);

static ssa_status with_two(ssa_client *client, constructor_of_two construct, const char *one, const char *first,
                           size_t first_bytes, const char *other, const char *second, size_t second_bytes,
                           double timeout) {
    ssa_entry entry;
    ssa_text from, to;
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_text(&entry, one, first, first_bytes, &from);
    if (!ssa_entry_text(&entry, other, second, second_bytes, &to) && !ssa_entry_open(&entry))
        ssa_entry_run(&entry, construct(entry.engine, from, to, &entry.problem));
    return ssa_entry_end(&entry);
}

ssa_status ssa_copy_dataset(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                            size_t target_bytes, double timeout) {
    return with_two(client, ssa_op_copy_dataset, "source", source, source_bytes, "target", target, target_bytes,
                    timeout);
}

ssa_status ssa_rename_dataset(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                              size_t target_bytes, double timeout) {
    return with_two(client, ssa_op_rename_dataset, "source", source, source_bytes, "target", target, target_bytes,
                    timeout);
}

/* ---- lists */

ssa_status ssa_append_to_list(ssa_client *client, const char *list, size_t list_bytes, const char *dataset,
                              size_t dataset_bytes, double timeout) {
    return with_two(client, ssa_op_append_to_list, "list", list, list_bytes, "dataset", dataset, dataset_bytes,
                    timeout);
}

ssa_status ssa_get_list_length(ssa_client *client, const char *list, size_t list_bytes, int64_t *length,
                               double timeout) {
    ssa_entry entry;
    ssa_text text;
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_result(&entry, "length", length);
    if (!ssa_entry_text(&entry, "list", list, list_bytes, &text) && !ssa_entry_open(&entry) &&
        !ssa_entry_run(&entry, ssa_op_list_length(entry.engine, text, &entry.problem)))
        *length = entry.request->number;
    return ssa_entry_end(&entry);
}

ssa_status ssa_delete_list(ssa_client *client, const char *list, size_t list_bytes, double timeout) {
    ssa_entry entry;
    ssa_text text;
    if (!ssa_entry_open_name(&entry, client, list, list_bytes, timeout, &text))
        ssa_entry_run(&entry, ssa_op_delete(entry.engine, "delete_list", SSA_KIND_LIST, text, &entry.problem));
    return ssa_entry_end(&entry);
}

ssa_status ssa_copy_list(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                         size_t target_bytes, double timeout) {
    return with_two(client, ssa_op_copy_list, "source", source, source_bytes, "target", target, target_bytes, timeout);
}

ssa_status ssa_rename_list(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                           size_t target_bytes, double timeout) {
    return with_two(client, ssa_op_rename_list, "source", source, source_bytes, "target", target, target_bytes,
                    timeout);
}

/* ---- the datasets of a list */

struct ssa_datasets {
    size_t count;
    ssa_dataset **datasets;
};

static ssa_status begin_list(ssa_entry *entry, ssa_client *client, const char *list, size_t bytes,
                             ssa_datasets **datasets, double timeout, ssa_text *text) {
    ssa_entry_begin(entry, client, timeout);
    ssa_entry_result(entry, "datasets", datasets);
    if (datasets)
        *datasets = NULL;
    if (!ssa_entry_text(entry, "list", list, bytes, text))
        ssa_entry_open(entry);
    return entry->status;
}

/* The request's become the caller's. */
static ssa_status end_list(ssa_entry *entry, ssa_request *request, ssa_datasets **datasets) {
    if (!ssa_entry_run(entry, request) && request->dataset_count) {
        ssa_datasets *made = ssa_allocate(sizeof *made);
        if (made) {
            *made = (ssa_datasets){request->dataset_count, request->datasets};
            request->datasets = NULL;
            request->dataset_count = 0;
        } else {
            ssa_entry_refuse(entry, SSA_ENOMEM, "no memory for the datasets");
        }
        *datasets = made;
    }
    return ssa_entry_end(entry);
}

ssa_status ssa_get_datasets_from_list(ssa_client *client, const char *list, size_t list_bytes, ssa_datasets **datasets,
                                      double timeout) {
    ssa_entry entry;
    ssa_text text;
    if (begin_list(&entry, client, list, list_bytes, datasets, timeout, &text))
        return ssa_entry_end(&entry);
    return end_list(&entry, ssa_op_get_datasets_from_list(entry.engine, text, &entry.problem), datasets);
}

ssa_status ssa_get_dataset_list_range(ssa_client *client, const char *list, size_t list_bytes, int64_t from, int64_t to,
                                      ssa_datasets **datasets, double timeout) {
    ssa_entry entry;
    ssa_text text;
    if (begin_list(&entry, client, list, list_bytes, datasets, timeout, &text))
        return ssa_entry_end(&entry);
    return end_list(&entry, ssa_op_get_list_range(entry.engine, text, from, to, &entry.problem), datasets);
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
