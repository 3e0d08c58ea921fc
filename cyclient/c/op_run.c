#include "op_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocator.h"
#include "batch_plan.h"
#include "engine.h"
#include "failure_text.h"
#include "op_build.h"

/* What a worker takes (WIRE.md, "Workers"): checked before it is sent, since the worker hangs up. */
#define LONGEST_KEY 4096

enum { START, RUNNING, LOOKING, REPLACING, STORING };

static void step(ssa_request *request);
static void end(ssa_request *request);

/* By what stays to its end: its step is another while a full store is asked how full it is (store_full.c). */
ssa_run_state *ssa_run_state_of(ssa_request *request) {
    return request->end == end ? request->state : NULL;
}

/* However it ended: nothing of it is left with a worker, which may be gone before the request is freed. */
static void completed(ssa_request *request) {
    ssa_run_state *state = request->state;
    ssa_run_order_leave(&state->run);
    ssa_run_end(&state->run);
    for (size_t i = 0; i < state->put_count; i++)
        ssa_request_cancel(state->puts[i]);
}

static void end(ssa_request *request) {
    ssa_run_state *state = request->state;
    for (size_t i = 0; i < state->input_count; i++)
        ssa_buffer_free(&state->inputs[i].key);
    for (size_t i = 0; i < state->put_count; i++)
        ssa_request_free(state->puts[i]);
    ssa_release(state->puts);
    for (size_t i = 0; i < state->output_count; i++)
        ssa_buffer_free(&state->outputs[i].key);
    ssa_release(state->inputs);
    ssa_release(state->outputs);
    ssa_buffer_free(&state->model);
    ssa_buffer_free(&state->function);
    ssa_release(state);
}

/* ---- the request to the worker */

uint64_t ssa_run_carries(const ssa_request *request) {
    const ssa_run_state *state = request->state;
    uint64_t bytes = 0;
    for (size_t i = 0; i < state->input_count; i++) {
        const ssa_run_source *input = &state->inputs[i];
        if (input->from && input->index < input->from->tensor_count)
            bytes += input->from->tensors[input->index].header.data_bytes;
        else if (!input->from && !input->key.bytes)
            bytes += input->header.data_bytes;
    }
    return bytes;
}

ssa_status ssa_run_add_input(ssa_command *command, const ssa_run_source *input) {
    if (input->key.bytes)
        return ssa_command_argument(command, "K", 1) || ssa_command_argument(command, input->key.data, input->key.bytes) ? SSA_ENOMEM : SSA_OK;
    const ssa_tensor_header *header = &input->header;
    const void *data = input->data;
    if (input->from) {
        header = &input->from->tensors[input->index].header;
        data = input->from->tensors[input->index].memory.data;
    }
    return ssa_command_argument(command, "T", 1) || ssa_command_tensor(command, header, data) ? SSA_ENOMEM : SSA_OK;
}

size_t ssa_run_target_words(ssa_request *request) {
    ssa_run_state *state = request->state;
    state->least_version = ssa_model_versions_of(request->engine->model_versions, state->model_hash);
    return state->least_version ? 4 : 2;
}

ssa_status ssa_run_add_target(ssa_command *command, ssa_request *request) {
    const ssa_run_state *state = request->state;
    ssa_status status = ssa_command_argument(command, state->model.data, state->model.bytes);
    if (!status)
        status = ssa_command_argument(command, state->function.data, state->function.bytes);
    if (!status && state->least_version)
        status = ssa_command_argument(command, "V", 1) || ssa_command_number(command, state->least_version) ? SSA_ENOMEM : SSA_OK;
    return status;
}

static ssa_command *encode(ssa_run *run, uint64_t id, uint64_t attempt, uint64_t timeout_ms) {
    const ssa_run_state *state = run->request->state;
    size_t words = 4 + ssa_run_target_words(run->request) + 2 * state->input_count;
    ssa_command *command = ssa_command_new(words, SSA_EXPECT_RESULTS);
    int failed = !command || ssa_command_argument(command, "SSA.RUN", 7) || ssa_command_number(command, id) ||
                 ssa_command_number(command, attempt) || ssa_command_number(command, timeout_ms) ||
                 ssa_run_add_target(command, run->request);
    for (size_t i = 0; !failed && i < state->input_count; i++)
        failed = ssa_run_add_input(command, &state->inputs[i]) != SSA_OK;
    if (failed) {
        ssa_command_free(command);
        return NULL;
    }
    command->id = id;
    return command;
}

/* ---- its answer */

static void store_in_chunks(ssa_request *request, size_t count) {
    ssa_run_state *state = request->state;
    ssa_problem problem;
    state->puts = ssa_allocate(count * sizeof *state->puts);
    for (size_t i = 0; state->puts && i < state->output_count; i++) {
        const ssa_tensor *tensor = &request->tensors[i];
        if (ssa_run_is_in_dataset(&state->outputs[i]))
            continue;
        ssa_request *put = ssa_op_put_tensor_by_key(request->engine, request->operation, SSA_KEY_TEXT(state->outputs[i].key),
                                                    &tensor->header, tensor->memory.data, &problem);
        if (!put && problem.status == SSA_ENOMEM)
            ssa_request_fail_memory(request);
        else if (!put)
            ssa_request_fail(request, problem.status, "%s", problem.text);
        if (!put)
            return;
        state->puts[state->put_count++] = put;
    }
    if (state->puts)
        ssa_request_start_parts(request, state->puts, state->put_count);
    else
        ssa_request_fail_memory(request);
}

static ssa_command *set_command(const ssa_buffer *key, const ssa_tensor *tensor) {
    ssa_command *command = ssa_command_new(3, SSA_EXPECT_REPLY);
    if (command && !ssa_command_argument(command, "SET", 3) && !ssa_command_argument(command, key->data, key->bytes) &&
        !ssa_command_tensor(command, &tensor->header, tensor->memory.data))
        return command;
    ssa_command_free(command);
    return NULL;
}

/* Under names of their own; what goes into datasets is there by now. */
static void store(ssa_request *request) {
    const ssa_run_state *state = request->state;
    size_t call = 0, count = state->output_count - ssa_run_dataset_outputs(state);
    request->stage = STORING;
    if (!count) {
        ssa_request_succeed(request);
    } else if (request->engine->settings.value_limit) {
        store_in_chunks(request, count);
    } else if (ssa_request_calls(request, count)) {
        ssa_request_fail_memory(request);
    } else {
        for (size_t i = 0; i < state->output_count; i++) {
            const ssa_buffer *key = &state->outputs[i].key;
            if (!ssa_run_is_in_dataset(&state->outputs[i]))
                ssa_request_send(request, call++, set_command(key, &request->tensors[i]), key->data, key->bytes, SSA_CALL_IDEMPOTENT);
        }
    }
}

void ssa_run_store(ssa_request *request) {
    const ssa_run_state *state = request->state;
    if (!state->output_count || state->discard) {
        ssa_request_succeed(request);
    } else if (!ssa_run_dataset_outputs(state)) {
        store(request);
    } else if (!ssa_run_refuse_long(request)) {
        request->stage = LOOKING;
        ssa_run_look_at_datasets(request);
    }
}

/* The answers to what it sent are here. */
static void go_on_storing(ssa_request *request) {
    if (request->stage == LOOKING) {
        request->stage = REPLACING;
        if (ssa_run_datasets_have_them(request))
            ssa_run_replace_tensors(request);
    } else if (request->stage == REPLACING) {
        if (ssa_run_tensors_replaced(request))
            store(request);
    } else if (!ssa_request_failed(request)) {
        ssa_request_succeed(request);
    }
}

static void note_version(ssa_request *request) {
    const ssa_run_state *state = request->state;
    const ssa_node *node = request->reply.nodes;
    char text[24] = "";
    if (!state->least_version || !request->reply.count || node->text_bytes >= sizeof text)
        return;
    memcpy(text, request->reply.text.data + node->text_at, node->text_bytes);
    ssa_model_versions_ran(request->engine->model_versions, state->model_hash, state->least_version, strtoull(text, NULL, 10));
}

/* The outputs are here. */
static void accept_results(ssa_request *request) {
    const ssa_run_state *state = request->state;
    note_version(request);
    int stores = state->output_count && !state->discard;
    if (!request->batch || !stores || ssa_batch_plan_may_store(request->batch, request))
        ssa_run_store(request);
}

static void finished(ssa_run *run) {
    ssa_request *request = run->request;
    const ssa_run_state *state = request->state;
    ssa_command *answer = run->call.command;
    if (answer->status != SSA_OK) {
        ssa_request_fail_call(request, &run->call);
        return;
    }
    ssa_request_keep_tensors(request, answer); /* the first: cannot fail */
    request->reply = answer->reply;            /* the version */
    memset(&answer->reply, 0, sizeof answer->reply);
    if (state->output_count && request->tensor_count != state->output_count) {
        ssa_request_fail(request, SSA_EINPUT, "%s '%s' (%s): it gives %zu tensors, outputs= names %zu. Name each.",
                         ssa_kind_word(request->kind), (char *)request->subject.data, request->operation, request->tensor_count,
                         state->output_count);
        return;
    }
    accept_results(request);
}

ssa_status ssa_run_prepare_results(ssa_request *request, ssa_text version) {
    ssa_run_state *state = request->state;
    ssa_token token = {.kind = SSA_TOKEN_BULK, .number = (int64_t)version.bytes};
    request->tensors = ssa_allocate(state->output_count * sizeof *request->tensors);
    if (!request->tensors)
        return SSA_ENOMEM;
    memset(request->tensors, 0, state->output_count * sizeof *request->tensors);
    request->tensor_count = state->output_count;
    void *space = ssa_reply_add(&request->reply, &token) < 0 ? NULL : ssa_reply_body_space(&request->reply, version.bytes);
    if (!space)
        return SSA_ENOMEM;
    memcpy(space, version.data, version.bytes);
    ssa_reply_body_came(&request->reply, version.bytes);
    state->is_answered = 1;
    return SSA_OK;
}

static void describe_excess(char text[SSA_MISTAKE_BYTES], uint64_t bytes) {
    char value[40];
    snprintf(value, sizeof value, "%" PRIu64 " bytes", bytes);
    ssa_mistake_word(text, SSA_MISTAKE_BYTES, "inputs", value, "a request takes at most 2147483648; split the batch");
}

/* What its batch carries is known only now. */
static int refuse_excess(ssa_request *request) {
    char text[SSA_MISTAKE_BYTES];
    uint64_t bytes = ssa_run_carries(request);
    if (bytes <= request->engine->workers.most_bytes)
        return 0;
    describe_excess(text, bytes);
    ssa_request_fail(request, SSA_EARGUMENT, "%s", text);
    return 1;
}

static void step(ssa_request *request) {
    ssa_run_state *state = request->state;
    if (request->stage == START) {
        request->stage = RUNNING;
        if (state->is_answered)
            accept_results(request);
        else if (!refuse_excess(request) && ssa_run_start_in_order(&state->run))
            ssa_request_fail_memory(request);
        return;
    }
    for (size_t i = 0; i < state->put_count; i++)
        if (state->puts[i]->status != SSA_OK) {
            const ssa_buffer *error = &state->puts[i]->error;
            ssa_request_fail(request, state->puts[i]->status, "%s", error->data ? (char *)error->data : "");
            return;
        }
    go_on_storing(request);
}

void ssa_run_fail_held(ssa_run *run) {
    ssa_request *request = run->request;
    const ssa_request *leader = run->leader;
    char span[SSA_SPAN_BYTES];
    ssa_request_fail(request, SSA_ETIMEOUT, "%s '%s': not run, since %s '%s' of this client, which was started earlier and changes what "
                     "it takes, was not done within %s.", request->operation, (char *)request->subject.data,
                     leader ? leader->operation : "an operation", leader ? (char *)leader->subject.data : "",
                     ssa_failure_span(request->timeout, span));
}

static void overdue(ssa_request *request) {
    ssa_run_state *state = request->state;
    if (state->run.is_held)
        ssa_run_fail_held(&state->run);
    else if (request->stage == RUNNING && !request->tensor_count)
        ssa_run_overdue(&state->run);
    else
        ssa_request_time_out(request);
}

/* ---- construction */

static ssa_request *refuse(ssa_problem *problem, const char *thing, const char *value, const char *remedy) {
    problem->status = SSA_EARGUMENT;
    ssa_mistake_word(problem->text, sizeof problem->text, thing, value, remedy);
    return NULL;
}

static ssa_request *check_size(const ssa_engine *engine, const ssa_run_input *inputs, size_t count, ssa_problem *problem) {
    char text[40], remedy[60];
    uint64_t total = 0;
    if (count > SSA_RUN_TENSORS) {
        snprintf(text, sizeof text, "%zu tensors", count);
        snprintf(remedy, sizeof remedy, "a request takes at most %d; join some", SSA_RUN_TENSORS);
        return refuse(problem, "inputs", text, remedy);
    }
    for (size_t i = 0; i < count; i++)
        if (!inputs[i].name.data)
            total += inputs[i].header->data_bytes;
    if (total > engine->workers.most_bytes) {
        problem->status = SSA_EARGUMENT;
        describe_excess(problem->text, total);
        return NULL;
    }
    problem->status = SSA_OK;
    return NULL;
}

static uint64_t hash_of(const ssa_buffer *key) {
    ssa_call call;
    ssa_call_key(&call, key->data, key->bytes);
    return call.key_hash;
}

static ssa_status add_inputs(ssa_engine *engine, ssa_run_state *state, const ssa_run_input *inputs, size_t count) {
    state->inputs = ssa_allocate((count + 1) * sizeof *state->inputs);
    if (!state->inputs)
        return SSA_ENOMEM;
    memset(state->inputs, 0, (count + 1) * sizeof *state->inputs);
    state->input_count = count;
    for (size_t i = 0; i < count; i++) {
        ssa_run_source *source = &state->inputs[i];
        if (!inputs[i].name.data) {
            source->header = *inputs[i].header;
            source->data = inputs[i].data;
            continue;
        }
        ssa_status status = ssa_key_make_run_tensor(&engine->names, SSA_READING, inputs[i].name.data, inputs[i].name.bytes, &source->key);
        if (status)
            return status;
        source->hash = hash_of(&source->key);
        if (source->key.bytes > LONGEST_KEY)
            return SSA_ELIMIT;
    }
    return SSA_OK;
}

/* Which of both would be there in the end nobody could say. */
static int is_named_before(const ssa_run_state *state, size_t place) {
    const ssa_buffer *key = &state->outputs[place].key;
    for (size_t i = 0; i < place; i++)
        if (state->outputs[i].key.bytes == key->bytes && !memcmp(state->outputs[i].key.data, key->data, key->bytes))
            return 1;
    return 0;
}

static ssa_status add_outputs(ssa_engine *engine, ssa_run_state *state, const ssa_text *outputs, size_t count) {
    state->outputs = ssa_allocate((count + 1) * sizeof *state->outputs);
    if (!state->outputs)
        return SSA_ENOMEM;
    memset(state->outputs, 0, (count + 1) * sizeof *state->outputs);
    state->output_count = count;
    for (size_t i = 0; i < count; i++) {
        ssa_run_output *output = &state->outputs[i];
        ssa_status status = ssa_key_make_run_tensor(&engine->names, SSA_WRITING, outputs[i].data, outputs[i].bytes, &output->key);
        if (status)
            return status;
        if (is_named_before(state, i)) {
            ssa_mistake_value(engine->names.error, sizeof engine->names.error, "an output", outputs[i].data, outputs[i].bytes,
                              "an output before it has that name; give each a name of its own");
            return SSA_EARGUMENT;
        }
        output->hash = hash_of(&output->key);
    }
    return SSA_OK;
}

/* The name of the model as workers look it up, with its prefix where models have one: what stands in its key between
 * `{ssa:<kind>:` and `}current`. */
static ssa_status add_model(ssa_engine *engine, ssa_run_state *state, ssa_kind kind, ssa_text name) {
    ssa_buffer key = {NULL, 0, 0};
    ssa_status status = ssa_key_make(&engine->names, SSA_READING, kind, name.data, name.bytes, &key);
    if (!status) {
        size_t before = strlen("{ssa::") + strlen(ssa_kind_word(kind)), after = strlen("}current");
        status = ssa_buffer_append(&state->model, key.data + before, key.bytes - before - after);
        state->model_hash = ssa_key_hash(key.data, key.bytes);
    }
    ssa_buffer_free(&key);
    return status;
}

ssa_request *ssa_op_run(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, const ssa_run_input *inputs,
                        size_t input_count, const ssa_text *outputs, size_t output_count, const ssa_run_options *options,
                        ssa_problem *problem) {
    check_size(engine, inputs, input_count, problem);
    if (problem->status)
        return NULL;
    ssa_run_state *state = ssa_allocate(sizeof *state);
    ssa_request *request = state ? ssa_request_new(engine, operation, kind, name.data, name.bytes, step) : NULL;
    if (!request) {
        ssa_release(state);
        return ssa_problem_memory(problem);
    }
    memset(state, 0, sizeof *state);
    state->run.request = request;
    state->run.encode = encode;
    state->run.finished = finished;
    state->discard = options->discard;
    request->state = state;
    request->end = end;
    request->overdue = overdue;
    request->completed = completed;
    if (options->device.bytes >= sizeof state->run.device) {
        ssa_request_free(request);
        return refuse(problem, "device", "that", "write CPU, GPU or GPU:<n>");
    }
    if (options->device.bytes)
        memcpy(state->run.device, options->device.data, options->device.bytes);
    ssa_status status = add_model(engine, state, kind, name);
    if (!status)
        status = ssa_buffer_append(&state->function, options->function.data, options->function.bytes);
    if (!status)
        status = add_inputs(engine, state, inputs, input_count);
    if (!status)
        status = add_outputs(engine, state, outputs, output_count);
    if (!status)
        return request;
    ssa_request_free(request);
    if (status == SSA_ELIMIT)
        return refuse(problem, "inputs", "a longer key than workers take", "use at most 4096 bytes");
    return ssa_problem_names(engine, problem, status);
}
