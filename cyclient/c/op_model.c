/* Models and scripts as they are stored: WIRE.md, "Model", "Script". */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "allocator.h"
#include "failure_text.h"
#include "op_build.h"
#include "sha256.h"
#include "text_begins.h"

/* A new version removes those before the last one, so many of them: a number that was taken and never used leaves none. */
#define REMOVED 16

typedef struct model_state {
    ssa_buffer current, counter;  /* keys */
    ssa_kind kind;
    const void *blob;             /* borrowed */
    size_t blob_bytes;
    ssa_buffer fields;            /* name, NUL, value, NUL, ... */
    size_t field_count;
} model_state;

static void end(ssa_request *request) {
    model_state *state = request->state;
    ssa_buffer_free(&state->current);
    ssa_buffer_free(&state->counter);
    ssa_buffer_free(&state->fields);
    ssa_release(state);
}

static ssa_request *new_request(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_direction direction,
                                void (*step)(ssa_request *), ssa_problem *problem) {
    model_state *state = ssa_allocate(sizeof *state);
    if (!state)
        return ssa_problem_memory(problem);
    memset(state, 0, sizeof *state);
    state->kind = kind;
    ssa_status status = ssa_key_make_model_part(&engine->names, direction, kind, name.data, name.bytes, SSA_PART_CURRENT, NULL, 0,
                                                &state->current);
    if (!status)
        status = ssa_key_make_model_part(&engine->names, direction, kind, name.data, name.bytes, SSA_PART_COUNTER, NULL, 0,
                                         &state->counter);
    ssa_request *request = status ? NULL : ssa_request_new(engine, operation, kind, name.data, name.bytes, step);
    if (!request) {
        ssa_buffer_free(&state->current);
        ssa_buffer_free(&state->counter);
        ssa_release(state);
        return status ? ssa_problem_names(engine, problem, status) : ssa_problem_memory(problem);
    }
    request->state = state;
    request->end = end;
    ssa_request_order_by(request, &state->current);
    return request;
}

/* The key of a part of one version, made from that of `current`, which ends in that word. */
static ssa_status version_key(const model_state *state, const char *version, size_t bytes, ssa_model_part part, ssa_buffer *key) {
    key->bytes = 0;
    const char *suffix = part == SSA_PART_BLOB ? ".blob" : ".meta";
    return ssa_buffer_append(key, state->current.data, state->current.bytes - strlen("current")) ||
                   ssa_buffer_append(key, version, bytes) || ssa_buffer_append(key, suffix, strlen(suffix))
               ? SSA_ENOMEM : SSA_OK;
}

static ssa_status add_version_key(ssa_command *command, const model_state *state, uint64_t version, ssa_model_part part, ssa_buffer *key) {
    char text[24];
    int bytes = snprintf(text, sizeof text, "%" PRIu64, version);
    return version_key(state, text, (size_t)bytes, part, key) || ssa_command_argument(command, key->data, key->bytes)
               ? SSA_ENOMEM : SSA_OK;
}

/* ---- set */

static uint64_t removed_count(uint64_t version) {
    return version <= 2 ? 0 : version - 2 < REMOVED ? version - 2 : REMOVED;
}

static ssa_status add_removal(ssa_command *command, const model_state *state, uint64_t version, ssa_buffer *key) {
    uint64_t count = removed_count(version);
    if (!count)
        return SSA_OK;
    ssa_status status = ssa_command_next(command, 1 + 2 * count) || ssa_command_argument(command, "UNLINK", 6) ? SSA_ENOMEM : SSA_OK;
    for (uint64_t old = version - 2; !status && count; old--, count--)
        status = add_version_key(command, state, old, SSA_PART_BLOB, key) || add_version_key(command, state, old, SSA_PART_METADATA, key)
                     ? SSA_ENOMEM : SSA_OK;
    return status;
}

static ssa_status add_fields(ssa_command *command, const model_state *state) {
    const char *at = (const char *)state->fields.data;
    for (size_t i = 0; i < 2 * state->field_count; i++) {
        if (ssa_command_argument(command, at, strlen(at)))
            return SSA_ENOMEM;
        at += strlen(at) + 1;
    }
    return SSA_OK;
}

/* One transaction: blob, metadata and, last, `current`; the versions before the last one go. */
static ssa_command *storing_command(const model_state *state, uint64_t version) {
    char text[24];
    size_t bytes = (size_t)snprintf(text, sizeof text, "%" PRIu64, version);
    ssa_buffer key = {NULL, 0, 0};
    ssa_command *command = ssa_command_new(1, SSA_EXPECT_REPLY);
    ssa_status status = SSA_ENOMEM;
    if (command && !ssa_command_argument(command, "MULTI", 5) && !ssa_command_next(command, 3) &&
        !ssa_command_argument(command, "SET", 3) && !add_version_key(command, state, version, SSA_PART_BLOB, &key) &&
        !ssa_command_bytes(command, state->blob, state->blob_bytes) && !ssa_command_next(command, 2 + 2 * state->field_count) &&
        !ssa_command_argument(command, "HSET", 4) && !add_version_key(command, state, version, SSA_PART_METADATA, &key) &&
        !add_fields(command, state) && !ssa_command_next(command, 3) && !ssa_command_argument(command, "SET", 3) &&
        !ssa_command_argument(command, state->current.data, state->current.bytes) && !ssa_command_argument(command, text, bytes) &&
        !add_removal(command, state, version, &key) && !ssa_command_next(command, 1))
        status = ssa_command_argument(command, "EXEC", 4);
    ssa_buffer_free(&key);
    if (status) {
        ssa_command_free(command);
        return NULL;
    }
    return command;
}

/* An error of a command inside the transaction stands in EXEC's array. */
int ssa_transaction_failed(ssa_request *request, size_t i) {
    ssa_command *answer = ssa_request_answer(request, i);
    for (size_t n = 0; answer->status == SSA_OK && n < answer->reply.count; n++) {
        const ssa_node *node = &answer->reply.nodes[n];
        if (node->kind != SSA_TOKEN_ERROR && node->kind != SSA_TOKEN_BULK_ERROR)
            continue;
        answer->error.bytes = 0;
        if (ssa_buffer_append(&answer->error, answer->reply.text.data + node->text_at, node->text_bytes)) {
            ssa_request_fail_memory(request);
            return 1;
        }
        answer->status = SSA_ESERVER;
    }
    return ssa_request_failed(request);
}

static void set_step(ssa_request *request) {
    model_state *state = request->state;
    switch (request->stage++) {
    case 0:
        ssa_request_calls(request, 1);
        /* Taking a number twice does no harm: versions may have gaps. */
        ssa_request_send(request, 0, ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("INCR"), SSA_KEY_TEXT(state->counter))),
                         state->counter.data, state->counter.bytes, SSA_CALL_IDEMPOTENT);
        return;
    case 1:
        if (ssa_request_failed(request))
            return;
        request->number = ssa_request_answer(request, 0)->reply.nodes[0].number;
        ssa_request_calls(request, 1);
        ssa_request_send(request, 0, storing_command(state, (uint64_t)request->number), state->current.data, state->current.bytes,
                         SSA_CALL_IDEMPOTENT);
        return;
    default:
        if (ssa_transaction_failed(request, 0))
            return;
        ssa_model_versions_note(request->engine->model_versions, request->order_hash, (uint64_t)request->number);
        ssa_request_succeed(request);
    }
}

static ssa_status add_field(model_state *state, const char *name, const char *value, size_t bytes) {
    state->field_count++;
    return ssa_buffer_append(&state->fields, name, strlen(name) + 1) || ssa_buffer_append(&state->fields, value, bytes) ||
                   ssa_buffer_append(&state->fields, "", 1)
               ? SSA_ENOMEM : SSA_OK;
}

static ssa_status add_number_field(model_state *state, const char *name, int64_t value) {
    char text[24];
    return add_field(state, name, text, (size_t)snprintf(text, sizeof text, "%" PRId64, value));
}

static ssa_status add_digest(model_state *state) {
    unsigned char digest[SSA_SHA256_BYTES];
    char text[2 * SSA_SHA256_BYTES + 1];
    ssa_sha256 hash;
    ssa_sha256_start(&hash);
    ssa_sha256_add(&hash, state->blob, state->blob_bytes);
    ssa_sha256_finish(&hash, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return add_field(state, "sha256", text, sizeof text - 1);
}

static ssa_request *refuse(ssa_problem *problem, const char *thing, ssa_text value, const char *remedy) {
    problem->status = SSA_EARGUMENT;
    ssa_mistake_value(problem->text, sizeof problem->text, thing, value.data, value.bytes, remedy);
    return NULL;
}

static ssa_request *refuse_number(ssa_problem *problem, const char *thing, int64_t value, const char *remedy) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    problem->status = SSA_EARGUMENT;
    ssa_mistake_word(problem->text, sizeof problem->text, thing, text, remedy);
    return NULL;
}

ssa_status ssa_op_check_gpus(int first_gpu, int num_gpus, ssa_problem *problem) {
    if (first_gpu < 0)
        refuse_number(problem, "first_gpu", first_gpu, "it counts from 0");
    else if (first_gpu > 9999)
        refuse_number(problem, "first_gpu", first_gpu, "give 9999 at most");
    else if (num_gpus < 1 || num_gpus > 1024)
        refuse_number(problem, "num_gpus", num_gpus, "give 1 to 1024");
    else
        return SSA_OK;
    return SSA_EARGUMENT;
}

/* CPU, GPU, or either with :<n>; upper case is written. */
static int is_device(ssa_text device, char out[16]) {
    if (device.bytes < 3 || device.bytes > 12)
        return 0;
    for (size_t i = 0; i < device.bytes; i++)
        out[i] = device.data[i] >= 'a' && device.data[i] <= 'z' ? (char)(device.data[i] - 32) : device.data[i];
    out[device.bytes] = 0;
    if (memcmp(out, "CPU", 3) && memcmp(out, "GPU", 3))
        return 0;
    size_t digits = device.bytes > 4 && out[3] == ':' ? strspn(out + 4, "0123456789") : 0;
    return device.bytes == 3 || (digits && digits == device.bytes - 4);
}

/* NULL: the rules of batches are kept. */
static const char *batch_mistake(const ssa_model_options *options, const char **thing, int64_t *value) {
    const struct { const char *name; int64_t value; } counts[] = {{"batch_size", options->batch_size},
                                                                {"min_batch_size", options->min_batch_size},
                                                                {"min_batch_timeout", options->min_batch_timeout}};
    for (size_t i = 0; i < 3; i++)
        if (counts[i].value < 0) {
            *thing = counts[i].name;
            *value = counts[i].value;
            return "it counts from 0";
        }
    *thing = "min_batch_size";
    *value = options->min_batch_size;
    if (options->min_batch_size && (!options->batch_size || options->min_batch_size > options->batch_size))
        return "give a batch_size of at least that";
    *thing = "min_batch_timeout";
    *value = options->min_batch_timeout;
    if (!options->min_batch_size != !options->min_batch_timeout)
        return "it goes together with min_batch_size: give both or none";
    return NULL;
}

static ssa_status add_devices(model_state *state, const ssa_model_options *options) {
    char text[16];
    int bytes = snprintf(text, sizeof text, "GPU:%d", options->first_gpu);
    if (add_field(state, "device", text, (size_t)bytes))
        return SSA_ENOMEM;
    state->field_count++;
    if (ssa_buffer_append(&state->fields, "devices", 8))
        return SSA_ENOMEM;
    for (int i = 0; i < options->num_gpus; i++) {
        bytes = snprintf(text, sizeof text, i ? ",GPU:%d" : "GPU:%d", options->first_gpu + i);
        if (ssa_buffer_append(&state->fields, text, (size_t)bytes))
            return SSA_ENOMEM;
    }
    return ssa_buffer_append(&state->fields, "", 1);
}

static ssa_status describe(model_state *state, const char *backend, const char *device, const ssa_model_options *options) {
    ssa_status status = add_field(state, "backend", backend, strlen(backend));
    if (!status)
        status = options->num_gpus ? add_devices(state, options) : add_field(state, "device", device, strlen(device));
    if (!status && state->kind == SSA_KIND_MODEL)
        status = add_number_field(state, "batch_size", options->batch_size) ||
                         add_number_field(state, "min_batch_size", options->min_batch_size) ||
                         add_number_field(state, "min_batch_timeout", options->min_batch_timeout)
                     ? SSA_ENOMEM : SSA_OK;
    const struct { const char *name; ssa_text value; } texts[] = {
        {"tag", options->tag}, {"inputs", options->inputs}, {"outputs", options->outputs}};
    for (size_t i = 0; !status && i < 3; i++)
        if (texts[i].value.bytes)
            status = add_field(state, texts[i].name, texts[i].value.data, texts[i].value.bytes);
    return status ? status : add_digest(state);
}

/* TorchScript is a zip archive, whatever else is in it: that a worker tells. */
static ssa_request *no_archive(ssa_problem *problem, ssa_text name, ssa_text blob) {
    char model[160], begin[80];
    ssa_text_quote(model, sizeof model, name.data, name.bytes);
    ssa_text_quote(begin, sizeof begin, blob.data, blob.bytes < 16 ? blob.bytes : 16);
    snprintf(problem->text, sizeof problem->text,
             "model %s (the bytes given): %zu bytes that begin with %s: no TorchScript archive, as torch.jit.save writes it", model,
             blob.bytes, begin);
    problem->status = SSA_EMODEL;
    return NULL;
}

ssa_request *ssa_op_set_model(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_text blob, const ssa_model_options *options,
                              ssa_problem *problem) {
    char device[16] = "", backend[32] = "TORCHSCRIPT";
    const char *thing;
    int64_t value;
    if (kind == SSA_KIND_MODEL) {
        if (options->backend.bytes != 5 || strncasecmp(options->backend.data, "TORCH", 5))
            return refuse(problem, "backend", options->backend, "known ones are: TORCH");
        memcpy(backend, "TORCH", 6);
    }
    if (options->num_gpus) {
        if (ssa_op_check_gpus(options->first_gpu, options->num_gpus, problem))
            return NULL;
    } else if (!is_device(options->device, device)) {
        return refuse(problem, "device", options->device, "write CPU, GPU or GPU:<n>");
    }
    const char *remedy = batch_mistake(options, &thing, &value);
    if (remedy)
        return refuse_number(problem, thing, value, remedy);
    if (!blob.bytes) {
        problem->status = SSA_EARGUMENT;
        ssa_mistake_word(problem->text, sizeof problem->text, kind == SSA_KIND_MODEL ? "model" : "script", "empty", "pass its bytes");
        return NULL;
    }
    if (kind == SSA_KIND_MODEL && !ssa_text_begins(blob.data, blob.bytes, "PK\3\4"))
        return no_archive(problem, name, blob);
    const char *operation = options->num_gpus ? (kind == SSA_KIND_MODEL ? "set_model_multigpu" : "set_script_multigpu")
                                              : (kind == SSA_KIND_MODEL ? "set_model" : "set_script");
    ssa_request *request = new_request(engine, operation, kind, name, SSA_WRITING, set_step, problem);
    if (!request)
        return NULL;
    model_state *state = request->state;
    ssa_request_changes(request, 0, &state->current);
    state->blob = blob.data;
    state->blob_bytes = blob.bytes;
    if (describe(state, backend, device, options)) {
        ssa_request_free(request);
        return ssa_problem_memory(problem);
    }
    return request;
}

/* ---- get, delete */

static int is_null(const ssa_command *answer) {
    return answer->reply.nodes[0].kind == SSA_TOKEN_NULL;
}

static void not_found(ssa_request *request) {
    char text[512];
    const ssa_link *link = request->calls[0].last_link;
    ssa_failure_not_found(request, link ? link->address_text : request->engine->description, text, sizeof text);
    ssa_request_fail(request, SSA_ENOTFOUND, "%s", text);
}

static void ask_current(ssa_request *request) {
    model_state *state = request->state;
    ssa_request_calls(request, 1);
    ssa_request_send(request, 0, ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("GET"), SSA_KEY_TEXT(state->current))),
                     state->current.data, state->current.bytes, SSA_CALL_IDEMPOTENT);
}

static void ask_version(ssa_request *request, const char *version, size_t bytes) {
    model_state *state = request->state;
    ssa_buffer blob = {NULL, 0, 0}, metadata = {NULL, 0, 0};
    if (version_key(state, version, bytes, SSA_PART_BLOB, &blob) || version_key(state, version, bytes, SSA_PART_METADATA, &metadata) ||
        ssa_request_calls(request, 2)) {
        ssa_request_fail_memory(request);
    } else {
        ssa_request_send(request, 0, ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("GET"), SSA_KEY_TEXT(blob))), blob.data,
                         blob.bytes, SSA_CALL_IDEMPOTENT | SSA_CALL_BULK);
        ssa_request_send(request, 1, ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("HGETALL"), SSA_KEY_TEXT(metadata))),
                         metadata.data, metadata.bytes, SSA_CALL_IDEMPOTENT);
    }
    ssa_buffer_free(&blob);
    ssa_buffer_free(&metadata);
}

static void take_reply(ssa_reply *to, ssa_command *from) {
    ssa_reply_free(to);
    *to = from->reply;
    memset(&from->reply, 0, sizeof from->reply);
}

/* The blob and the metadata of the version that `current` names; once more from the start when that went meanwhile. */
static void get_step(ssa_request *request) {
    if (request->stage == 0) {
        request->stage = 1;
        ask_current(request);
        return;
    }
    if (ssa_request_failed(request))
        return;
    ssa_command *answer = ssa_request_answer(request, 0);
    if (request->stage % 2) {
        if (is_null(answer)) {
            not_found(request);
            return;
        }
        const ssa_node *node = &answer->reply.nodes[0];
        char version[24];
        size_t bytes = node->text_bytes < sizeof version ? node->text_bytes : sizeof version - 1;
        memcpy(version, answer->reply.text.data + node->text_at, bytes);
        version[bytes] = 0;
        request->number = strtoll(version, NULL, 10);
        request->stage++;
        ask_version(request, version, bytes);
        return;
    }
    if (is_null(answer) || ssa_request_answer(request, 1)->reply.count < 2) {
        request->stage++;
        if (request->stage > 20)
            not_found(request);
        else
            ask_current(request);
        return;
    }
    take_reply(&request->reply, answer);
    take_reply(&request->second_reply, ssa_request_answer(request, 1));
    ssa_request_succeed(request);
}

ssa_request *ssa_op_get_model(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem) {
    const char *operation = kind == SSA_KIND_MODEL ? "get_model" : "get_script";
    return new_request(engine, operation, kind, name, SSA_READING, get_step, problem);
}

static void version_step(ssa_request *request) {
    if (request->stage++ == 0) {
        ask_current(request);
        return;
    }
    if (ssa_request_failed(request))
        return;
    if (is_null(ssa_request_answer(request, 0))) {
        not_found(request);
        return;
    }
    take_reply(&request->reply, ssa_request_answer(request, 0));
    ssa_request_succeed(request);
}

ssa_request *ssa_op_get_model_version(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem) {
    return new_request(engine, "get_model_version", kind, name, SSA_READING, version_step, problem);
}

static void blob_step(ssa_request *request) {
    if (request->stage++ == 0) {
        const model_state *state = request->state;
        ask_version(request, (const char *)state->fields.data, state->fields.bytes);
        return;
    }
    if (ssa_request_failed(request))
        return;
    if (is_null(ssa_request_answer(request, 0)) || ssa_request_answer(request, 1)->reply.count < 2) {
        not_found(request);
        return;
    }
    take_reply(&request->reply, ssa_request_answer(request, 0));
    take_reply(&request->second_reply, ssa_request_answer(request, 1));
    ssa_request_succeed(request);
}

ssa_request *ssa_op_get_model_blob(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_text version, ssa_problem *problem) {
    ssa_request *request = new_request(engine, "get_model", kind, name, SSA_READING, blob_step, problem);
    if (!request)
        return NULL;
    model_state *state = request->state;
    if (ssa_buffer_append(&state->fields, version.data, version.bytes)) {
        ssa_request_free(request);
        return ssa_problem_memory(problem);
    }
    return request;
}

static ssa_command *deleting_command(const model_state *state, uint64_t counter) {
    uint64_t count = counter < REMOVED + 2 ? counter : REMOVED + 2;
    ssa_buffer key = {NULL, 0, 0};
    ssa_command *command = ssa_command_new(2 + 2 * count, SSA_EXPECT_REPLY);
    int failed = !command || ssa_command_argument(command, "UNLINK", 6) ||
                 ssa_command_argument(command, state->current.data, state->current.bytes);
    for (uint64_t version = counter; !failed && count; version--, count--)
        failed = add_version_key(command, state, version, SSA_PART_BLOB, &key) ||
                 add_version_key(command, state, version, SSA_PART_METADATA, &key);
    ssa_buffer_free(&key);
    if (failed) {
        ssa_command_free(command);
        return NULL;
    }
    return command;
}

/* The counter stays: workers keep models by version, and a number must never mean two models. */
static void delete_step(ssa_request *request) {
    model_state *state = request->state;
    switch (request->stage++) {
    case 0:
        ssa_request_calls(request, 1);
        ssa_request_send(request, 0, ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("GET"), SSA_KEY_TEXT(state->counter))),
                         state->counter.data, state->counter.bytes, SSA_CALL_IDEMPOTENT);
        return;
    case 1: {
        if (ssa_request_failed(request))
            return;
        const ssa_reply *reply = &ssa_request_answer(request, 0)->reply;
        if (reply->nodes[0].kind == SSA_TOKEN_NULL) {
            ssa_request_succeed(request);
            return;
        }
        char text[24];
        snprintf(text, sizeof text, "%.*s", (int)(reply->nodes[0].text_bytes < 20 ? reply->nodes[0].text_bytes : 20),
                 (char *)reply->text.data + reply->nodes[0].text_at);
        request->number = strtoll(text, NULL, 10);
        ssa_request_calls(request, 1);
        ssa_request_send(request, 0, deleting_command(state, (uint64_t)request->number), state->current.data, state->current.bytes, SSA_CALL_IDEMPOTENT);
        return;
    }
    default:
        if (ssa_request_failed(request))
            return;
        ssa_model_versions_note(request->engine->model_versions, request->order_hash, (uint64_t)request->number + 1);
        ssa_request_succeed(request);
    }
}

static ssa_request *new_deletion(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_problem *problem) {
    ssa_request *request = new_request(engine, operation, kind, name, SSA_READING, delete_step, problem);
    if (request)
        ssa_request_changes(request, 0, &((model_state *)request->state)->current);
    return request;
}

ssa_request *ssa_op_delete_model(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem) {
    return new_deletion(engine, kind == SSA_KIND_MODEL ? "delete_model" : "delete_script", kind, name, problem);
}

ssa_request *ssa_op_delete_model_multigpu(ssa_engine *engine, ssa_kind kind, ssa_text name, int first_gpu, int num_gpus,
                                          ssa_problem *problem) {
    if (ssa_op_check_gpus(first_gpu, num_gpus, problem))
        return NULL;
    const char *operation = kind == SSA_KIND_MODEL ? "delete_model_multigpu" : "delete_script_multigpu";
    return new_deletion(engine, operation, kind, name, problem);
}
