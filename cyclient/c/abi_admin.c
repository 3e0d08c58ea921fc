#include "client_texts.h"

/* ---- what they share */

static ssa_status begin_texts(ssa_entry *entry, ssa_client *client, const char *what, ssa_texts **texts,
                              double timeout) {
    ssa_entry_begin(entry, client, timeout);
    ssa_entry_result(entry, what, texts);
    if (texts)
        *texts = NULL;
    return entry->status;
}

static void keep_texts(ssa_entry *entry, ssa_texts **texts) {
    ssa_status status;
    *texts = ssa_texts_of(&entry->request->reply, &status);
    if (status)
        ssa_entry_refuse(entry, status, "no memory for the answer");
}

/* An operation on one server, or on all. */
typedef ssa_request *(*constructor)(ssa_engine *engine, ssa_text address, ssa_problem *problem);

static ssa_status ask(ssa_client *client, constructor construct, const char *address, size_t bytes, double timeout) {
    ssa_entry entry;
    ssa_text text;
    ssa_entry_begin(&entry, client, timeout);
    if (!ssa_entry_text(&entry, "address", address, bytes, &text) && !ssa_entry_open(&entry))
        ssa_entry_run(&entry, construct(entry.engine, text, &entry.problem));
    return ssa_entry_end(&entry);
}

static ssa_status ask_for_texts(ssa_client *client, constructor construct, const char *address, size_t bytes,
                                ssa_texts **texts, double timeout) {
    ssa_entry entry;
    ssa_text text;
    begin_texts(&entry, client, "info", texts, timeout);
    if (!ssa_entry_text(&entry, "address", address, bytes, &text) && !ssa_entry_open(&entry) &&
        !ssa_entry_run(&entry, construct(entry.engine, text, &entry.problem)))
        keep_texts(&entry, texts);
    return ssa_entry_end(&entry);
}

/* ---- servers */

ssa_status ssa_get_db_node_info(ssa_client *client, const char *address, size_t address_bytes, ssa_texts **info,
                                double timeout) {
    return ask_for_texts(client, ssa_op_node_info, address, address_bytes, info, timeout);
}

ssa_status ssa_get_db_cluster_info(ssa_client *client, const char *address, size_t address_bytes, ssa_texts **info,
                                   double timeout) {
    return ask_for_texts(client, ssa_op_cluster_info, address, address_bytes, info, timeout);
}

ssa_status ssa_ping(ssa_client *client, const char *address, size_t address_bytes, double timeout) {
    return ask(client, ssa_op_ping, address, address_bytes, timeout);
}

ssa_status ssa_save(ssa_client *client, const char *address, size_t address_bytes, double timeout) {
    return ask(client, ssa_op_save, address, address_bytes, timeout);
}

ssa_status ssa_config_get(ssa_client *client, const char *pattern, size_t pattern_bytes, const char *address,
                          size_t address_bytes, ssa_texts **settings, double timeout) {
    ssa_entry entry;
    ssa_text which, where;
    begin_texts(&entry, client, "settings", settings, timeout);
    ssa_entry_text(&entry, "pattern", pattern, pattern_bytes, &which);
    if (!ssa_entry_text(&entry, "address", address, address_bytes, &where) && !ssa_entry_open(&entry) &&
        !ssa_entry_run(&entry, ssa_op_config_get(entry.engine, which, where, &entry.problem)))
        keep_texts(&entry, settings);
    return ssa_entry_end(&entry);
}

ssa_status ssa_config_set(ssa_client *client, const char *parameter, size_t parameter_bytes, const char *value,
                          size_t value_bytes, const char *address, size_t address_bytes, double timeout) {
    ssa_entry entry;
    ssa_text which, what, where;
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_text(&entry, "parameter", parameter, parameter_bytes, &which);
    ssa_entry_text(&entry, "value", value, value_bytes, &what);
    if (!ssa_entry_text(&entry, "address", address, address_bytes, &where) && !ssa_entry_open(&entry))
        ssa_entry_run(&entry, ssa_op_config_set(entry.engine, which, what, where, &entry.problem));
    return ssa_entry_end(&entry);
}

ssa_status ssa_flush_db(ssa_client *client, const char *prefix, size_t prefix_bytes, int64_t *deleted, double timeout) {
    ssa_entry entry;
    ssa_text text;
    ssa_entry_begin(&entry, client, timeout);
    if (!ssa_entry_text(&entry, "prefix", prefix, prefix_bytes, &text) && !ssa_entry_open(&entry) &&
        !ssa_entry_run(&entry, ssa_op_flush(entry.engine, text, &entry.problem)) && deleted)
        *deleted = entry.request->number;
    return ssa_entry_end(&entry);
}

/* ---- what a simulation is asked for */

ssa_status ssa_control_poll(ssa_client *client, const char *entity, size_t entity_bytes, ssa_texts **requests,
                            double timeout) {
    ssa_entry entry;
    ssa_text text;
    begin_texts(&entry, client, "requests", requests, timeout);
    if (!ssa_entry_text(&entry, "entity", entity, entity_bytes, &text) && !ssa_entry_open(&entry) &&
        !ssa_entry_run(&entry, ssa_op_control_poll(entry.engine, text, &entry.problem))) {
        keep_texts(&entry, requests);
        entry.request->taken = !entry.status;
    }
    return ssa_entry_end(&entry);
}

ssa_status ssa_control_send(ssa_client *client, const char *entity, size_t entity_bytes, const char *kind,
                            size_t kind_bytes, const char *name, size_t name_bytes, const char *value,
                            size_t value_bytes, double timeout) {
    ssa_entry entry;
    ssa_text who, what, of, to;
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_text(&entry, "entity", entity, entity_bytes, &who);
    ssa_entry_text(&entry, "kind", kind, kind_bytes, &what);
    ssa_entry_text(&entry, "name", name, name_bytes, &of);
    if (!ssa_entry_text(&entry, "value", value, value_bytes, &to) && !ssa_entry_open(&entry))
        ssa_entry_run(&entry, ssa_op_control_send(entry.engine, who, what, of, to, &entry.problem));
    return ssa_entry_end(&entry);
}

ssa_status ssa_control_clear(ssa_client *client, const char *entity, size_t entity_bytes, double timeout) {
    return ask(client, ssa_op_control_clear, entity, entity_bytes, timeout);
}
