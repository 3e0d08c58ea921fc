#include <math.h>
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "client.h"
#include "settings_table.h"

/* ---- options */

void ssa_options_init(ssa_options *options, size_t size) {
    ssa_options standard = {.size = size, .timeout = -1, .bulk_connection = -1, .trust_topology = -1, .value_limit = -1,
                            .log_level = -1, .tls = -1};
    if (!options)
        return;
    memset(options, 0, size);
    memcpy(options, &standard, size < sizeof standard ? size : sizeof standard);
}

/* Options of a program that was compiled with the header of another version: fields that it does not know are not
 * given. */
static ssa_status take_options(ssa_client *client, const ssa_options *given, ssa_options *options) {
    ssa_options_init(options, sizeof *options);
    if (!given)
        return SSA_OK;
    size_t known = given->size < sizeof *options ? given->size : sizeof *options;
    if (given->size < offsetof(ssa_options, address) + sizeof given->address || given->size > 65536) {
        snprintf(client->unopened_text, sizeof client->unopened_text,
                 "options.size cannot be %zu: use ssa_options_init(&options, sizeof options).", given->size);
        return SSA_EARGUMENT;
    }
    for (size_t i = known; i < given->size; i++)
        if (((const unsigned char *)given)[i]) {
            snprintf(client->unopened_text, sizeof client->unopened_text,
                     "options has fields that this library (%s) does not "
                     "know: use the header of its version.",
                     SSA_VERSION_TEXT);
            return SSA_EARGUMENT;
        }
    memcpy(options, given, known);
    return SSA_OK;
}

/* ---- opening */

static ssa_status resolve(ssa_client *client, const ssa_options *options, ssa_settings *settings) {
    ssa_settings_given given = {
        .address = options->address,
        .user = options->user,
        .password = options->password,
        .identifier = options->identifier,
        .timeout = options->timeout < 0 ? NULL : &options->timeout,
        .bulk_connection = options->bulk_connection,
        .value_limit = options->value_limit,
        .trust_topology = options->trust_topology,
        .log_level = options->log_level,
        .log_file = options->log_file,
        .tls = options->tls,
        .tls_ca = options->tls_ca,
        .tls_cert = options->tls_cert,
        .tls_key = options->tls_key,
        .tls_name = options->tls_name,
        .write_prefix = options->write_prefix,
        .read_prefixes = options->read_prefixes,
        .server_type = options->server_type,
    };
    ssa_buffer mistakes = {NULL, 0, 0};
    ssa_status status = ssa_settings_resolve(settings, &given, NULL, NULL, &mistakes);
    if (status)
        snprintf(client->unopened_text, sizeof client->unopened_text, "%s",
                 status == SSA_ENOMEM ? "no memory for the settings" : (const char *)mistakes.data);
    ssa_buffer_free(&mistakes);
    return status;
}

static ssa_status open_client(ssa_client *client, const ssa_options *given) {
    ssa_options options;
    ssa_settings settings;
    ssa_status status = take_options(client, given, &options);
    if (!status)
        status = resolve(client, &options, &settings);
    if (status)
        return status;
    ssa_settings_prefer_one_connection(&settings);
    client->engine = ssa_engine_new(&settings, NULL);
    if (!client->engine) {
        snprintf(client->unopened_text, sizeof client->unopened_text, "no memory for a client");
        return SSA_ENOMEM;
    }
    const char *why = ssa_engine_unusable(client->engine, &status);
    if (why) {
        snprintf(client->unopened_text, sizeof client->unopened_text, "%s", why);
        ssa_engine_free(client->engine);
        client->engine = NULL;
        return status;
    }
    client->engine->log.sink = options.log_sink;
    client->engine->log.user = options.log_user;
    client->memory = client->engine->memory;
    return SSA_OK;
}

ssa_status ssa_client_new(const ssa_options *options, ssa_client **client) {
    if (!client)
        return SSA_EARGUMENT;
    ssa_client *made = *client = ssa_allocate(sizeof *made);
    if (!made)
        return SSA_ENOMEM;
    memset(made, 0, sizeof *made);
    atomic_init(&made->inside, 0);
    ssa_home_process_init(&made->home);
    atomic_init(&made->users, 1);
    made->last = pthread_self();
    made->pipe[0] = made->pipe[1] = -1;
    pthread_mutex_init(&made->lock, NULL);
    pthread_mutex_init(&made->failures_lock, NULL);
    made->unopened = open_client(made, options);
    return made->unopened;
}

void ssa_client_free(ssa_client *client) {
    if (!client || !ssa_client_begin_to_free(client))
        return;
    client->closed = 1;
    if (client->engine) {
        ssa_engine_close(client->engine);
        ssa_client_moved(client);
    }
    ssa_client_end_to_free(client);
}

/* ---- what it knows */

ssa_status ssa_client_describe(ssa_client *client, char *buffer, size_t room, size_t *bytes) {
    ssa_entry entry;
    ssa_buffer text = {NULL, 0, 0};
    ssa_entry_begin(&entry, client, SSA_CLIENT_TIMEOUT);
    if (room)
        ssa_entry_result(&entry, "buffer", buffer);
    ssa_entry_result(&entry, "bytes", bytes);
    if (!ssa_entry_open(&entry)) {
        if (ssa_settings_describe(&entry.engine->settings, &text)) {
            ssa_entry_refuse(&entry, SSA_ENOMEM, "no memory to describe the client");
        } else {
            *bytes = text.bytes;
            if (room)
                snprintf(buffer, room, "%.*s", (int)text.bytes, (const char *)text.data);
        }
        ssa_buffer_free(&text);
    }
    return ssa_entry_end(&entry);
}

ssa_status ssa_client_statistics(ssa_client *client, ssa_statistics *statistics, size_t size) {
    ssa_entry entry;
    int has_size = size >= sizeof size && size <= 65536;
    ssa_entry_begin(&entry, client, SSA_CLIENT_TIMEOUT);
    ssa_entry_result(&entry, "statistics", statistics);
    if (!entry.status && !has_size)
        ssa_entry_refuse(&entry, SSA_EARGUMENT, "size cannot be %zu: use sizeof(ssa_statistics).", size);
    if (statistics && has_size)
        memset(statistics, 0, size);
    if (!ssa_entry_open(&entry)) {
        const ssa_engine_statistics *own = &entry.engine->statistics;
        ssa_statistics counted = {size,           own->requests, own->commands, own->retries, own->redirections,
                                  own->refreshes, own->connections};
        memcpy(statistics, &counted, size < sizeof counted ? size : sizeof counted);
    }
    return ssa_entry_end(&entry);
}

ssa_status ssa_client_set_timeout(ssa_client *client, double timeout) {
    ssa_entry entry;
    if (!ssa_entry_begin(&entry, client, timeout) && !(timeout > 0))
        ssa_entry_refuse(&entry, SSA_EARGUMENT, "timeout cannot be %g: use seconds above 0, or INFINITY.", timeout);
    if (!ssa_entry_open(&entry))
        entry.engine->settings.timeout_ns = entry.timeout;
    return ssa_entry_end(&entry);
}

/* ---- prefixes */

ssa_status ssa_set_data_source(ssa_client *client, const char *source, size_t source_bytes) {
    ssa_entry entry;
    ssa_text text;
    if (!ssa_entry_begin(&entry, client, SSA_CLIENT_TIMEOUT) &&
        !ssa_entry_text(&entry, "source", source, source_bytes, &text) && !ssa_entry_open(&entry)) {
        ssa_status status = ssa_key_names_set_source(&entry.engine->names, text.data, text.bytes);
        if (status)
            ssa_entry_refuse(&entry, status, "%s", entry.engine->names.error);
    }
    return ssa_entry_end(&entry);
}

static ssa_status use_prefix(ssa_client *client, ssa_kind kind, int use) {
    ssa_entry entry;
    if (!ssa_entry_begin(&entry, client, SSA_CLIENT_TIMEOUT) && !ssa_entry_open(&entry))
        ssa_key_names_set_prefixed(&entry.engine->names, kind, use != 0);
    return ssa_entry_end(&entry);
}

ssa_status ssa_use_tensor_ensemble_prefix(ssa_client *client, int use) {
    return use_prefix(client, SSA_KIND_TENSOR, use);
}

ssa_status ssa_use_dataset_ensemble_prefix(ssa_client *client, int use) {
    return use_prefix(client, SSA_KIND_DATASET, use);
}

ssa_status ssa_use_list_ensemble_prefix(ssa_client *client, int use) {
    return use_prefix(client, SSA_KIND_LIST, use);
}

ssa_status ssa_use_model_ensemble_prefix(ssa_client *client, int use) {
    return use_prefix(client, SSA_KIND_MODEL, use);
}
