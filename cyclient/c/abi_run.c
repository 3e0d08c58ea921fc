#include <stdio.h>
#include <string.h>

#include "client_run.h"

/* One run by names: of a model, or of a function of a script; on any device, or on the one that falls to the caller. */
typedef struct named_run {
    const char *operation;
    ssa_kind kind;
    const char *name;
    size_t name_bytes;
    const char *function;
    size_t function_bytes;
    ssa_names inputs, outputs;
    int multigpu, first_gpu, num_gpus;
    int64_t offset;
} named_run;

static void choose_gpu(ssa_entry *entry, const named_run *run, char device[16]) {
    *device = 0;
    if (!run->multigpu || entry->status)
        return;
    if (run->first_gpu < 0 || run->num_gpus < 1 || run->first_gpu > 9999 - run->num_gpus || run->offset < 0)
        ssa_entry_refuse(entry, SSA_EARGUMENT,
                         "offset %lld on %d GPUs from GPU:%d on is none: give an offset from 0 on and one GPU or "
                         "more.",
                         (long long)run->offset, run->num_gpus, run->first_gpu);
    else
        snprintf(device, 16, "GPU:%d", run->first_gpu + (int)(run->offset % run->num_gpus));
}

static ssa_status carry_out(ssa_client *client, const named_run *run, double timeout) {
    ssa_entry entry;
    ssa_text name, function = {"", 0};
    ssa_run_arguments arguments = {0};
    char device[16];
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_text(&entry, "name", run->name, run->name_bytes, &name);
    if (run->kind == SSA_KIND_SCRIPT &&
        !ssa_entry_text(&entry, "function", run->function, run->function_bytes, &function) && !function.bytes)
        ssa_entry_refuse(&entry, SSA_EARGUMENT, "function cannot be empty: name one of the script.");
    choose_gpu(&entry, run, device);
    ssa_run_arguments_names(&arguments, &entry, run->inputs, run->outputs);
    if (!ssa_entry_open(&entry)) {
        ssa_run_options options = {.function = function, .device = {device, strlen(device)}};
        ssa_entry_run(&entry,
                      ssa_op_run(entry.engine, run->operation, run->kind, name, arguments.inputs, arguments.input_count,
                                 arguments.outputs, arguments.output_count, &options, &entry.problem));
    }
    ssa_status status = ssa_entry_end(&entry);
    ssa_run_arguments_free(&arguments);
    return status;
}

ssa_status ssa_run_model(ssa_client *client, const char *name, size_t name_bytes, ssa_names inputs, ssa_names outputs,
                         double timeout) {
    named_run run = {.operation = "run_model",
                     .kind = SSA_KIND_MODEL,
                     .name = name,
                     .name_bytes = name_bytes,
                     .inputs = inputs,
                     .outputs = outputs};
    return carry_out(client, &run, timeout);
}

ssa_status ssa_run_model_multigpu(ssa_client *client, const char *name, size_t name_bytes, ssa_names inputs,
                                  ssa_names outputs, int64_t offset, int first_gpu, int num_gpus, double timeout) {
    named_run run = {.operation = "run_model_multigpu", .kind = SSA_KIND_MODEL, .name = name, .name_bytes = name_bytes,
                     .inputs = inputs, .outputs = outputs, .multigpu = 1, .offset = offset, .first_gpu = first_gpu,
                     .num_gpus = num_gpus};
    return carry_out(client, &run, timeout);
}

ssa_status ssa_run_script(ssa_client *client, const char *name, size_t name_bytes, const char *function,
                          size_t function_bytes, ssa_names inputs, ssa_names outputs, double timeout) {
    named_run run = {.operation = "run_script", .kind = SSA_KIND_SCRIPT, .name = name, .name_bytes = name_bytes,
                     .function = function, .function_bytes = function_bytes, .inputs = inputs, .outputs = outputs};
    return carry_out(client, &run, timeout);
}

ssa_status ssa_run_script_multigpu(ssa_client *client, const char *name, size_t name_bytes, const char *function,
                                   size_t function_bytes, ssa_names inputs, ssa_names outputs, int64_t offset,
                                   int first_gpu, int num_gpus, double timeout) {
    named_run run = {.operation = "run_script_multigpu",
                     .kind = SSA_KIND_SCRIPT,
                     .name = name,
                     .name_bytes = name_bytes,
                     .function = function,
                     .function_bytes = function_bytes,
                     .inputs = inputs,
                     .outputs = outputs,
                     .multigpu = 1,
                     .offset = offset,
                     .first_gpu = first_gpu,
                     .num_gpus = num_gpus};
    return carry_out(client, &run, timeout);
}

ssa_status ssa_infer(ssa_client *client, const char *model, size_t model_bytes, const ssa_array *inputs,
                     size_t input_count, ssa_tensor **outputs, size_t *output_count, double timeout) {
    ssa_entry entry;
    ssa_text name;
    ssa_run_arguments arguments = {0};
    ssa_run_options options = {.function = {"", 0}, .device = {"", 0}};
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_result(&entry, "outputs", outputs);
    ssa_entry_result(&entry, "output_count", output_count);
    for (size_t i = 0; outputs && output_count && i < *output_count; i++)
        outputs[i] = NULL;
    ssa_entry_text(&entry, "model", model, model_bytes, &name);
    ssa_run_arguments_arrays(&arguments, &entry, inputs, input_count);
    if (!ssa_entry_open(&entry) &&
        !ssa_entry_run(&entry, ssa_op_run(entry.engine, "infer", SSA_KIND_MODEL, name, arguments.inputs,
                                          arguments.input_count, NULL, 0, &options, &entry.problem))) {
        ssa_entry_unlock(&entry);
        entry.status = ssa_run_outputs(entry.request, outputs, output_count, entry.problem.text);
    }
    ssa_status status = ssa_entry_end(&entry);
    ssa_run_arguments_free(&arguments);
    return status;
}
