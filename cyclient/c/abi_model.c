#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "client_texts.h"

/* ---- descriptions */

void ssa_model_description_init(ssa_model_description *description, size_t size) {
    ssa_model_description standard = {.size = size, .backend = "TORCH", .device = "CPU"};
    if (!description)
        return;
    memset(description, 0, size);
    memcpy(description, &standard, size < sizeof standard ? size : sizeof standard);
}

static ssa_text text_of(const char *text) {
    return text ? (ssa_text){text, strlen(text)} : (ssa_text){"", 0};
}

static ssa_status take_description(ssa_entry *entry, const ssa_model_description *given, ssa_model_options *options) {
    ssa_entry_result(entry, "description", given);
    if (!entry->status && given->size != sizeof *given)
        ssa_entry_refuse(entry, SSA_EARGUMENT,
                         "description.size cannot be %zu: use ssa_model_description_init, with the header of "
                         "this library.",
                         given->size);
    if (entry->status)
        return entry->status;
    *options = (ssa_model_options){.backend = text_of(given->backend),
                                   .device = text_of(given->device),
                                   .first_gpu = given->first_gpu,
                                   .num_gpus = given->num_gpus,
                                   .batch_size = given->batch_size,
                                   .min_batch_size = given->min_batch_size,
                                   .min_batch_timeout = given->min_batch_timeout,
                                   .tag = text_of(given->tag),
                                   .inputs = text_of(given->inputs),
                                   .outputs = text_of(given->outputs)};
    return SSA_OK;
}

/* ---- setting */

static ssa_status set(ssa_client *client, ssa_kind kind, const char *name, size_t name_bytes, const char *what,
                      const void *blob, size_t blob_bytes, const ssa_model_description *description, double timeout) {
    ssa_entry entry;
    ssa_text text, content;
    ssa_model_options options;
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_text(&entry, "name", name, name_bytes, &text);
    ssa_entry_text(&entry, what, blob, blob_bytes, &content);
    if (!take_description(&entry, description, &options) && !ssa_entry_open(&entry))
        ssa_entry_run(&entry, ssa_op_set_model(entry.engine, kind, text, content, &options, &entry.problem));
    return ssa_entry_end(&entry);
}

ssa_status ssa_set_model(ssa_client *client, const char *name, size_t name_bytes, const void *model, size_t model_bytes,
                         const ssa_model_description *description, double timeout) {
    return set(client, SSA_KIND_MODEL, name, name_bytes, "model", model, model_bytes, description, timeout);
}

ssa_status ssa_set_script(ssa_client *client, const char *name, size_t name_bytes, const char *script,
                          size_t script_bytes, const ssa_model_description *description, double timeout) {
    return set(client, SSA_KIND_SCRIPT, name, name_bytes, "script", script, script_bytes, description, timeout);
}

/* ---- from a file */

static ssa_status cannot_read(ssa_entry *entry, ssa_text path, int error) {
    return ssa_entry_refuse(entry, SSA_ESYSTEM, "cannot read '%.*s': %s", (int)(path.bytes < 400 ? path.bytes : 400),
                            path.data, strerror(error));
}

/* Of a file of any length, also of one that is no regular one. */
static ssa_status read_all(ssa_entry *entry, FILE *file, ssa_text path, ssa_buffer *content) {
    while (!feof(file)) {
        if (ssa_buffer_reserve(content, content->bytes ? content->bytes : 65536))
            return ssa_entry_refuse(entry, SSA_ENOMEM, "no memory for the bytes of '%.400s'", path.data);
        size_t room = content->capacity - content->bytes;
        content->bytes += fread(content->data + content->bytes, 1, room, file);
        if (ferror(file))
            return cannot_read(entry, path, errno);
    }
    return SSA_OK;
}

static ssa_status read_file(ssa_entry *entry, ssa_text path, ssa_buffer *content) {
    char *name = ssa_allocate(path.bytes + 1);
    if (!name)
        return ssa_entry_refuse(entry, SSA_ENOMEM, "no memory for the name of a file");
    memcpy(name, path.data, path.bytes);
    name[path.bytes] = 0;
    FILE *file = fopen(name, "rbe");
    if (!file) {
        cannot_read(entry, path, errno);
    } else {
        read_all(entry, file, (ssa_text){name, path.bytes}, content);
        fclose(file);
    }
    ssa_release(name);
    return entry->status;
}

static ssa_status set_from_file(ssa_client *client, ssa_kind kind, const char *name, size_t name_bytes,
                                const char *file, size_t file_bytes, const ssa_model_description *description,
                                double timeout) {
    ssa_entry entry;
    ssa_text text, path;
    ssa_model_options options;
    ssa_buffer content = {NULL, 0, 0};
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_text(&entry, "name", name, name_bytes, &text);
    ssa_entry_text(&entry, "file", file, file_bytes, &path);
    if (!take_description(&entry, description, &options) && !read_file(&entry, path, &content) &&
        !ssa_entry_open(&entry)) {
        ssa_text blob = {content.bytes ? (const char *)content.data : "", content.bytes};
        ssa_entry_run(&entry, ssa_op_set_model(entry.engine, kind, text, blob, &options, &entry.problem));
    }
    ssa_status status = ssa_entry_end(&entry);
    ssa_buffer_free(&content);
    return status;
}

ssa_status ssa_set_model_from_file(ssa_client *client, const char *name, size_t name_bytes, const char *file,
                                   size_t file_bytes, const ssa_model_description *description, double timeout) {
    return set_from_file(client, SSA_KIND_MODEL, name, name_bytes, file, file_bytes, description, timeout);
}

ssa_status ssa_set_script_from_file(ssa_client *client, const char *name, size_t name_bytes, const char *file,
                                    size_t file_bytes, const ssa_model_description *description, double timeout) {
    return set_from_file(client, SSA_KIND_SCRIPT, name, name_bytes, file, file_bytes, description, timeout);
}

/* ---- getting, deleting */

static ssa_status get(ssa_client *client, ssa_kind kind, const char *name, size_t name_bytes, int metadata,
                      ssa_texts **texts, double timeout) {
    ssa_entry entry;
    ssa_text text;
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_result(&entry, "the result", texts);
    if (texts)
        *texts = NULL;
    if (!ssa_entry_text(&entry, "name", name, name_bytes, &text) && !ssa_entry_open(&entry) &&
        !ssa_entry_run(&entry, ssa_op_get_model(entry.engine, kind, text, &entry.problem))) {
        ssa_status status;
        *texts = ssa_texts_of(metadata ? &entry.request->second_reply : &entry.request->reply, &status);
        if (status)
            ssa_entry_refuse(&entry, status, "no memory for the answer");
    }
    return ssa_entry_end(&entry);
}

ssa_status ssa_get_model(ssa_client *client, const char *name, size_t name_bytes, ssa_texts **model, double timeout) {
    return get(client, SSA_KIND_MODEL, name, name_bytes, 0, model, timeout);
}

ssa_status ssa_get_script(ssa_client *client, const char *name, size_t name_bytes, ssa_texts **script, double timeout) {
    return get(client, SSA_KIND_SCRIPT, name, name_bytes, 0, script, timeout);
}

ssa_status ssa_get_model_metadata(ssa_client *client, const char *name, size_t name_bytes, ssa_texts **metadata,
                                  double timeout) {
    return get(client, SSA_KIND_MODEL, name, name_bytes, 1, metadata, timeout);
}

static ssa_status delete(ssa_client *client, ssa_kind kind, const char *name, size_t name_bytes, double timeout) {
    ssa_entry entry;
    ssa_text text;
    if (!ssa_entry_open_name(&entry, client, name, name_bytes, timeout, &text))
        ssa_entry_run(&entry, ssa_op_delete_model(entry.engine, kind, text, &entry.problem));
    return ssa_entry_end(&entry);
}

ssa_status ssa_delete_model(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    return delete(client, SSA_KIND_MODEL, name, name_bytes, timeout);
}

ssa_status ssa_delete_script(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    return delete(client, SSA_KIND_SCRIPT, name, name_bytes, timeout);
}
