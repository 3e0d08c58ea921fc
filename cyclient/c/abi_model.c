#include <string.h>

#include "client_ask.h"
#include "client_file.h"

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
    ssa_model_description standard;
    ssa_model_description_init(&standard, sizeof standard);
    if (!given)
        given = &standard;
    if (!entry->status && given->size != sizeof *given)
        ssa_entry_refuse(entry, SSA_EARGUMENT,
                         "description.size cannot be %zu: use ssa_model_description_init, with the header of "
                         "this library.",
                         given->size);
    if (entry->status)
        return entry->status;
    *options = (ssa_model_options){.backend = text_of(given->backend ? given->backend : standard.backend),
                                   .device = text_of(given->device ? given->device : standard.device),
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

/* What is to be stored: bytes, or those of a file. */
typedef struct given_model {
    ssa_kind kind;
    int is_file, is_multigpu;
    const void *data; /* or the name of the file */
    size_t bytes;
    int first_gpu, num_gpus;
} given_model;

static ssa_status take_gpus(ssa_entry *entry, const given_model *given, ssa_model_options *options) {
    if (entry->status || !given->is_multigpu)
        return entry->status;
    options->first_gpu = given->first_gpu;
    options->num_gpus = given->num_gpus;
    return entry->status = ssa_op_check_gpus(given->first_gpu, given->num_gpus, &entry->problem);
}

static ssa_status set(ssa_ask *ask, const char *name, size_t name_bytes, given_model given,
                      const ssa_model_description *description) {
    ssa_entry *entry = &ask->entry;
    ssa_text text, blob;
    ssa_model_options options;
    const char *what = given.is_file ? "file" : given.kind == SSA_KIND_MODEL ? "model" : "script";
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    ssa_ask_text(ask, what, given.data, given.bytes, &blob);
    take_description(entry, description, &options);
    take_gpus(entry, &given, &options);
    if (given.is_file && !ssa_entry_read_file(entry, blob, &ask->held.content))
        blob = (ssa_text){ask->held.content.bytes ? (const char *)ask->held.content.data : "", ask->held.content.bytes};
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_set_model(entry->engine, given.kind, text, blob, &options, &entry->problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_set_model(ssa_client *client, const char *name, size_t name_bytes, const void *model, size_t model_bytes,
                         const ssa_model_description *description, double timeout) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_MODEL, .data = model, .bytes = model_bytes};
    return set(ssa_ask_now(&ask, client, timeout), name, name_bytes, given, description);
}

ssa_status ssa_batch_set_model(ssa_batch *batch, const char *name, size_t name_bytes, const void *model,
                               size_t model_bytes, const ssa_model_description *description) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_MODEL, .data = model, .bytes = model_bytes};
    return set(ssa_ask_batch(&ask, batch), name, name_bytes, given, description);
}

ssa_status ssa_set_model_multigpu(ssa_client *client, const char *name, size_t name_bytes, const void *model,
                                  size_t model_bytes, int first_gpu, int num_gpus,
                                  const ssa_model_description *description, double timeout) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_MODEL, .data = model, .bytes = model_bytes, .is_multigpu = 1,
                         .first_gpu = first_gpu, .num_gpus = num_gpus};
    return set(ssa_ask_now(&ask, client, timeout), name, name_bytes, given, description);
}

ssa_status ssa_batch_set_model_multigpu(ssa_batch *batch, const char *name, size_t name_bytes, const void *model,
                                        size_t model_bytes, int first_gpu, int num_gpus,
                                        const ssa_model_description *description) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_MODEL, .data = model, .bytes = model_bytes, .is_multigpu = 1,
                         .first_gpu = first_gpu, .num_gpus = num_gpus};
    return set(ssa_ask_batch(&ask, batch), name, name_bytes, given, description);
}

ssa_status ssa_set_model_from_file(ssa_client *client, const char *name, size_t name_bytes, const char *file,
                                   size_t file_bytes, const ssa_model_description *description, double timeout) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_MODEL, .is_file = 1, .data = file, .bytes = file_bytes};
    return set(ssa_ask_now(&ask, client, timeout), name, name_bytes, given, description);
}

ssa_status ssa_batch_set_model_from_file(ssa_batch *batch, const char *name, size_t name_bytes, const char *file,
                                         size_t file_bytes, const ssa_model_description *description) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_MODEL, .is_file = 1, .data = file, .bytes = file_bytes};
    return set(ssa_ask_batch(&ask, batch), name, name_bytes, given, description);
}

ssa_status ssa_set_model_from_file_multigpu(ssa_client *client, const char *name, size_t name_bytes, const char *file,
                                            size_t file_bytes, int first_gpu, int num_gpus,
                                            const ssa_model_description *description, double timeout) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_MODEL, .is_file = 1, .data = file, .bytes = file_bytes, .is_multigpu = 1,
                         .first_gpu = first_gpu, .num_gpus = num_gpus};
    return set(ssa_ask_now(&ask, client, timeout), name, name_bytes, given, description);
}

ssa_status ssa_batch_set_model_from_file_multigpu(ssa_batch *batch, const char *name, size_t name_bytes,
                                                  const char *file, size_t file_bytes, int first_gpu, int num_gpus,
                                                  const ssa_model_description *description) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_MODEL, .is_file = 1, .data = file, .bytes = file_bytes, .is_multigpu = 1,
                         .first_gpu = first_gpu, .num_gpus = num_gpus};
    return set(ssa_ask_batch(&ask, batch), name, name_bytes, given, description);
}

/* ---- scripts */

ssa_status ssa_set_script(ssa_client *client, const char *name, size_t name_bytes, const char *script,
                          size_t script_bytes, const ssa_model_description *description, double timeout) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_SCRIPT, .data = script, .bytes = script_bytes};
    return set(ssa_ask_now(&ask, client, timeout), name, name_bytes, given, description);
}

ssa_status ssa_batch_set_script(ssa_batch *batch, const char *name, size_t name_bytes, const char *script,
                                size_t script_bytes, const ssa_model_description *description) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_SCRIPT, .data = script, .bytes = script_bytes};
    return set(ssa_ask_batch(&ask, batch), name, name_bytes, given, description);
}

ssa_status ssa_set_script_multigpu(ssa_client *client, const char *name, size_t name_bytes, const char *script,
                                   size_t script_bytes, int first_gpu, int num_gpus, double timeout) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_SCRIPT, .data = script, .bytes = script_bytes, .is_multigpu = 1,
                         .first_gpu = first_gpu, .num_gpus = num_gpus};
    return set(ssa_ask_now(&ask, client, timeout), name, name_bytes, given, NULL);
}

ssa_status ssa_batch_set_script_multigpu(ssa_batch *batch, const char *name, size_t name_bytes, const char *script,
                                         size_t script_bytes, int first_gpu, int num_gpus) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_SCRIPT, .data = script, .bytes = script_bytes, .is_multigpu = 1,
                         .first_gpu = first_gpu, .num_gpus = num_gpus};
    return set(ssa_ask_batch(&ask, batch), name, name_bytes, given, NULL);
}

ssa_status ssa_set_script_from_file(ssa_client *client, const char *name, size_t name_bytes, const char *file,
                                    size_t file_bytes, const ssa_model_description *description, double timeout) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_SCRIPT, .is_file = 1, .data = file, .bytes = file_bytes};
    return set(ssa_ask_now(&ask, client, timeout), name, name_bytes, given, description);
}

ssa_status ssa_batch_set_script_from_file(ssa_batch *batch, const char *name, size_t name_bytes, const char *file,
                                          size_t file_bytes, const ssa_model_description *description) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_SCRIPT, .is_file = 1, .data = file, .bytes = file_bytes};
    return set(ssa_ask_batch(&ask, batch), name, name_bytes, given, description);
}

ssa_status ssa_set_script_from_file_multigpu(ssa_client *client, const char *name, size_t name_bytes, const char *file,
                                             size_t file_bytes, int first_gpu, int num_gpus, double timeout) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_SCRIPT, .is_file = 1, .data = file, .bytes = file_bytes, .is_multigpu = 1,
                         .first_gpu = first_gpu, .num_gpus = num_gpus};
    return set(ssa_ask_now(&ask, client, timeout), name, name_bytes, given, NULL);
}

ssa_status ssa_batch_set_script_from_file_multigpu(ssa_batch *batch, const char *name, size_t name_bytes,
                                                   const char *file, size_t file_bytes, int first_gpu, int num_gpus) {
    ssa_ask ask;
    given_model given = {.kind = SSA_KIND_SCRIPT, .is_file = 1, .data = file, .bytes = file_bytes, .is_multigpu = 1,
                         .first_gpu = first_gpu, .num_gpus = num_gpus};
    return set(ssa_ask_batch(&ask, batch), name, name_bytes, given, NULL);
}
