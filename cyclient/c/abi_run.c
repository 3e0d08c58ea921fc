#include <stdio.h>
#include <string.h>

#include "client_ask.h"
#include "client_future.h"

/* ---- by names */

/* One run: of a model, or of a function of a script; on any device, or on the one that falls to the caller. */
typedef struct named_run {
    const char *operation;
    ssa_kind kind;
    const char *function; /* of a script */
    size_t function_bytes;
    ssa_names inputs, outputs;
    int multigpu, first_gpu, num_gpus;
    int64_t offset;
    int discard; /* outputs are not stored */
} named_run;

static void choose_gpu(ssa_entry *entry, const named_run *run, char device[16]) {
    *device = 0;
    if (!run->multigpu || entry->status)
        return;
    entry->status = ssa_op_check_gpus(run->first_gpu, run->num_gpus, &entry->problem);
    if (entry->status)
        return;
    int turn = (int)(run->offset % run->num_gpus);
    snprintf(device, 16, "GPU:%d", run->first_gpu + (turn < 0 ? turn + run->num_gpus : turn));
}

static ssa_status run_named(ssa_ask *ask, const char *model, size_t model_bytes, named_run run) {
    ssa_entry *entry = &ask->entry;
    ssa_text name, function = {"", 0};
    char device[16];
    ssa_ask_text(ask, "name", model, model_bytes, &name);
    if (run.kind == SSA_KIND_SCRIPT && !ssa_ask_text(ask, "function", run.function, run.function_bytes, &function) &&
        !function.bytes)
        ssa_entry_refuse(entry, SSA_EARGUMENT, "function cannot be empty: name one of the script.");
    choose_gpu(entry, &run, device);
    const ssa_run_arguments *arguments = &ask->held.run;
    ssa_run_arguments_names(&ask->held.run, entry, run.inputs, run.outputs);
    if (!ssa_ask_open(ask)) {
        ssa_run_options options = {.function = function, .device = {device, strlen(device)}, .discard = run.discard};
        ask->request = ssa_op_run(entry->engine, run.operation, run.kind, name, arguments->inputs,
                                  arguments->input_count, arguments->outputs, arguments->output_count, &options,
                                  &entry->problem);
    }
    return ssa_ask_end(ask);
}

ssa_status ssa_run_model(ssa_client *client, const char *name, size_t name_bytes, ssa_names inputs, ssa_names outputs,
                         double timeout) {
    ssa_ask ask;
    named_run run = {.operation = "run_model", .kind = SSA_KIND_MODEL, .inputs = inputs, .outputs = outputs};
    return run_named(ssa_ask_now(&ask, client, timeout), name, name_bytes, run);
}

ssa_status ssa_start_run_model(ssa_client *client, const char *name, size_t name_bytes, ssa_names inputs,
                               ssa_names outputs, double timeout, ssa_future **future) {
    ssa_ask ask;
    named_run run = {.operation = "run_model", .kind = SSA_KIND_MODEL, .inputs = inputs, .outputs = outputs};
    return run_named(ssa_ask_future(&ask, client, timeout, future), name, name_bytes, run);
}

ssa_status ssa_batch_run_model(ssa_batch *batch, const char *name, size_t name_bytes, ssa_names inputs,
                               ssa_names outputs, int keep) {
    ssa_ask ask;
    named_run run = {.operation = "run_model", .kind = SSA_KIND_MODEL, .inputs = inputs, .outputs = outputs,
                     .discard = !keep};
    return run_named(ssa_ask_batch(&ask, batch), name, name_bytes, run);
}

ssa_status ssa_run_model_multigpu(ssa_client *client, const char *name, size_t name_bytes, ssa_names inputs,
                                  ssa_names outputs, int64_t offset, int first_gpu, int num_gpus, double timeout) {
    ssa_ask ask;
    named_run run = {.operation = "run_model_multigpu", .kind = SSA_KIND_MODEL, .inputs = inputs, .outputs = outputs,
                     .multigpu = 1, .offset = offset, .first_gpu = first_gpu, .num_gpus = num_gpus};
    return run_named(ssa_ask_now(&ask, client, timeout), name, name_bytes, run);
}

ssa_status ssa_start_run_model_multigpu(ssa_client *client, const char *name, size_t name_bytes, ssa_names inputs,
                                        ssa_names outputs, int64_t offset, int first_gpu, int num_gpus, double timeout,
                                        ssa_future **future) {
    ssa_ask ask;
    named_run run = {.operation = "run_model_multigpu", .kind = SSA_KIND_MODEL, .inputs = inputs, .outputs = outputs,
                     .multigpu = 1, .offset = offset, .first_gpu = first_gpu, .num_gpus = num_gpus};
    return run_named(ssa_ask_future(&ask, client, timeout, future), name, name_bytes, run);
}

ssa_status ssa_batch_run_model_multigpu(ssa_batch *batch, const char *name, size_t name_bytes, ssa_names inputs,
                                        ssa_names outputs, int64_t offset, int first_gpu, int num_gpus, int keep) {
    ssa_ask ask;
    named_run run = {.operation = "run_model_multigpu", .kind = SSA_KIND_MODEL, .inputs = inputs, .outputs = outputs,
                     .multigpu = 1, .offset = offset, .first_gpu = first_gpu, .num_gpus = num_gpus, .discard = !keep};
    return run_named(ssa_ask_batch(&ask, batch), name, name_bytes, run);
}

ssa_status ssa_run_script(ssa_client *client, const char *name, size_t name_bytes, const char *function,
                          size_t function_bytes, ssa_names inputs, ssa_names outputs, double timeout) {
    ssa_ask ask;
    named_run run = {.operation = "run_script", .kind = SSA_KIND_SCRIPT, .function = function,
                     .function_bytes = function_bytes, .inputs = inputs, .outputs = outputs};
    return run_named(ssa_ask_now(&ask, client, timeout), name, name_bytes, run);
}

ssa_status ssa_start_run_script(ssa_client *client, const char *name, size_t name_bytes, const char *function,
                                size_t function_bytes, ssa_names inputs, ssa_names outputs, double timeout,
                                ssa_future **future) {
    ssa_ask ask;
    named_run run = {.operation = "run_script", .kind = SSA_KIND_SCRIPT, .function = function,
                     .function_bytes = function_bytes, .inputs = inputs, .outputs = outputs};
    return run_named(ssa_ask_future(&ask, client, timeout, future), name, name_bytes, run);
}

ssa_status ssa_batch_run_script(ssa_batch *batch, const char *name, size_t name_bytes, const char *function,
                                size_t function_bytes, ssa_names inputs, ssa_names outputs, int keep) {
    ssa_ask ask;
    named_run run = {.operation = "run_script", .kind = SSA_KIND_SCRIPT, .function = function,
                     .function_bytes = function_bytes, .inputs = inputs, .outputs = outputs, .discard = !keep};
    return run_named(ssa_ask_batch(&ask, batch), name, name_bytes, run);
}

ssa_status ssa_run_script_multigpu(ssa_client *client, const char *name, size_t name_bytes, const char *function,
                                   size_t function_bytes, ssa_names inputs, ssa_names outputs, int64_t offset,
                                   int first_gpu, int num_gpus, double timeout) {
    ssa_ask ask;
    named_run run = {.operation = "run_script_multigpu", .kind = SSA_KIND_SCRIPT, .function = function,
                     .function_bytes = function_bytes, .inputs = inputs, .outputs = outputs, .multigpu = 1,
                     .offset = offset, .first_gpu = first_gpu, .num_gpus = num_gpus};
    return run_named(ssa_ask_now(&ask, client, timeout), name, name_bytes, run);
}

ssa_status ssa_start_run_script_multigpu(ssa_client *client, const char *name, size_t name_bytes, const char *function,
                                         size_t function_bytes, ssa_names inputs, ssa_names outputs, int64_t offset,
                                         int first_gpu, int num_gpus, double timeout, ssa_future **future) {
    ssa_ask ask;
    named_run run = {.operation = "run_script_multigpu", .kind = SSA_KIND_SCRIPT, .function = function,
                     .function_bytes = function_bytes, .inputs = inputs, .outputs = outputs, .multigpu = 1,
                     .offset = offset, .first_gpu = first_gpu, .num_gpus = num_gpus};
    return run_named(ssa_ask_future(&ask, client, timeout, future), name, name_bytes, run);
}

ssa_status ssa_batch_run_script_multigpu(ssa_batch *batch, const char *name, size_t name_bytes, const char *function,
                                         size_t function_bytes, ssa_names inputs, ssa_names outputs, int64_t offset,
                                         int first_gpu, int num_gpus, int keep) {
    ssa_ask ask;
    named_run run = {.operation = "run_script_multigpu", .kind = SSA_KIND_SCRIPT, .function = function,
                     .function_bytes = function_bytes, .inputs = inputs, .outputs = outputs, .multigpu = 1,
                     .offset = offset, .first_gpu = first_gpu, .num_gpus = num_gpus, .discard = !keep};
    return run_named(ssa_ask_batch(&ask, batch), name, name_bytes, run);
}

/* ---- infer */

static ssa_status give_outputs(const ssa_result *result, ssa_request *request, char *text) {
    return ssa_run_outputs(request, result->to, result->count, text);
}

/* Where the outputs of an infer go, if that is known when it is asked for. */
static ssa_ask *give_outputs_to(ssa_ask *ask, ssa_tensor **outputs, size_t *output_count) {
    ssa_ask_result(ask, "outputs", outputs, give_outputs);
    ssa_entry_result(&ask->entry, "output_count", output_count);
    ask->result.count = output_count;
    if (!outputs || !output_count)
        return ask;
    char text[SSA_MISTAKE_BYTES];
    if (ssa_run_room(*output_count, text)) {
        if (!ask->entry.status)
            ssa_entry_refuse(&ask->entry, SSA_EARGUMENT, "%s", text);
        return ask;
    }
    for (size_t i = 0; i < *output_count; i++)
        outputs[i] = NULL;
    return ask;
}

static ssa_status infer(ssa_ask *ask, const char *model, size_t model_bytes, const ssa_array *inputs,
                        size_t input_count) {
    ssa_run_options options = {.function = {"", 0}, .device = {"", 0}};
    ssa_entry *entry = &ask->entry;
    ssa_text name;
    ssa_ask_text(ask, "model", model, model_bytes, &name);
    ssa_run_arguments_arrays(&ask->held.run, entry, inputs, input_count);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_run(entry->engine, "infer", SSA_KIND_MODEL, name, ask->held.run.inputs,
                                  ask->held.run.input_count, NULL, 0, &options, &entry->problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_infer(ssa_client *client, const char *model, size_t model_bytes, const ssa_array *inputs,
                     size_t input_count, ssa_tensor **outputs, size_t *output_count, double timeout) {
    ssa_ask ask;
    ssa_ask_now(&ask, client, timeout);
    return infer(give_outputs_to(&ask, outputs, output_count), model, model_bytes, inputs, input_count);
}

ssa_status ssa_start_infer(ssa_client *client, const char *model, size_t model_bytes, const ssa_array *inputs,
                           size_t input_count, double timeout, ssa_future **future) {
    ssa_ask ask;
    ssa_ask_future(&ask, client, timeout, future);
    if (ask.future)
        ask.future->gives_outputs = 1;
    return infer(&ask, model, model_bytes, inputs, input_count);
}

ssa_status ssa_batch_infer(ssa_batch *batch, const char *model, size_t model_bytes, const ssa_array *inputs,
                           size_t input_count, ssa_tensor **outputs, size_t *output_count) {
    ssa_ask ask;
    ssa_ask_batch(&ask, batch);
    return infer(give_outputs_to(&ask, outputs, output_count), model, model_bytes, inputs, input_count);
}
