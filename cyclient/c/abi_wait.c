#include "client.h"

static ssa_status wait_for(ssa_client *client, const char *operation, ssa_kind kind, const char *name, size_t bytes,
                           double timeout) {
    ssa_entry entry;
    ssa_text text;
    if (!ssa_entry_open_name(&entry, client, name, bytes, timeout, &text))
        ssa_entry_run(&entry, ssa_op_wait_for(entry.engine, operation, kind, text, &entry.problem));
    return ssa_entry_end(&entry);
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

ssa_status ssa_wait_for_list_length(ssa_client *client, const char *list, size_t list_bytes, int64_t length,
                                    ssa_comparison comparison, double timeout) {
    ssa_entry entry;
    ssa_text text;
    ssa_entry_begin(&entry, client, timeout);
    if (!entry.status && ((int)comparison < SSA_COMPARE_EQUAL || (int)comparison > SSA_COMPARE_AT_MOST))
        ssa_entry_refuse(&entry, SSA_EARGUMENT, "comparison cannot be %d: use one of ssa_comparison.", (int)comparison);
    if (!ssa_entry_text(&entry, "list", list, list_bytes, &text) && !ssa_entry_open(&entry))
        ssa_entry_run(&entry, ssa_op_wait_for_list_length(entry.engine, text, length, comparison, &entry.problem));
    return ssa_entry_end(&entry);
}

/* ---- polls */

/* One that waits for so long and says whether it came true. */
static ssa_status begin_poll(ssa_entry *entry, ssa_client *client, const char *name, size_t bytes, int *found,
                             double timeout, ssa_text *text) {
    ssa_entry_begin(entry, client, timeout);
    ssa_entry_result(entry, "found", found);
    if (!ssa_entry_text(entry, "name", name, bytes, text))
        ssa_entry_open(entry);
    return entry->status;
}

static ssa_status poll_for(ssa_client *client, const char *operation, ssa_kind kind, const char *name, size_t bytes,
                           int64_t frequency_ms, int64_t tries, int *found, double timeout) {
    ssa_entry entry;
    ssa_text text;
    if (!begin_poll(&entry, client, name, bytes, found, timeout, &text) &&
        !ssa_entry_run(&entry, ssa_op_poll(entry.engine, operation, kind, text, frequency_ms, tries, &entry.problem)))
        *found = entry.request->number != 0;
    return ssa_entry_end(&entry);
}

ssa_status ssa_poll_key(ssa_client *client, const char *key, size_t key_bytes, int64_t frequency_ms, int64_t tries,
                        int *found, double timeout) {
    return poll_for(client, "poll_key", SSA_KIND_KEY, key, key_bytes, frequency_ms, tries, found, timeout);
}

ssa_status ssa_poll_tensor(ssa_client *client, const char *name, size_t name_bytes, int64_t frequency_ms, int64_t tries,
                           int *found, double timeout) {
    return poll_for(client, "poll_tensor", SSA_KIND_TENSOR, name, name_bytes, frequency_ms, tries, found, timeout);
}

ssa_status ssa_poll_dataset(ssa_client *client, const char *name, size_t name_bytes, int64_t frequency_ms,
                            int64_t tries, int *found, double timeout) {
    return poll_for(client, "poll_dataset", SSA_KIND_DATASET, name, name_bytes, frequency_ms, tries, found, timeout);
}

ssa_status ssa_poll_model(ssa_client *client, const char *name, size_t name_bytes, int64_t frequency_ms, int64_t tries,
                          int *found, double timeout) {
    return poll_for(client, "poll_model", SSA_KIND_MODEL, name, name_bytes, frequency_ms, tries, found, timeout);
}

static ssa_status poll_length(ssa_client *client, const char *operation, const char *list, size_t bytes, int64_t length,
                              ssa_comparison comparison, int64_t frequency_ms, int64_t tries, int *found,
                              double timeout) {
    ssa_entry entry;
    ssa_text text;
    if (!begin_poll(&entry, client, list, bytes, found, timeout, &text) &&
        !ssa_entry_run(&entry, ssa_op_poll_list_length(entry.engine, operation, text, length, comparison, frequency_ms,
                                                       tries, &entry.problem)))
        *found = entry.request->number != 0;
    return ssa_entry_end(&entry);
}

ssa_status ssa_poll_list_length(ssa_client *client, const char *list, size_t list_bytes, int64_t length,
                                int64_t frequency_ms, int64_t tries, int *found, double timeout) {
    return poll_length(client, "poll_list_length", list, list_bytes, length, SSA_COMPARE_EQUAL, frequency_ms, tries,
                       found, timeout);
}

ssa_status ssa_poll_list_length_gte(ssa_client *client, const char *list, size_t list_bytes, int64_t length,
                                    int64_t frequency_ms, int64_t tries, int *found, double timeout) {
    return poll_length(client, "poll_list_length_gte", list, list_bytes, length, SSA_COMPARE_AT_LEAST, frequency_ms,
                       tries, found, timeout);
}

ssa_status ssa_poll_list_length_lte(ssa_client *client, const char *list, size_t list_bytes, int64_t length,
                                    int64_t frequency_ms, int64_t tries, int *found, double timeout) {
    return poll_length(client, "poll_list_length_lte", list, list_bytes, length, SSA_COMPARE_AT_MOST, frequency_ms,
                       tries, found, timeout);
}
