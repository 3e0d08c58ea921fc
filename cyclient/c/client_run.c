#include "client_run.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"

static void *make_places(ssa_entry *entry, const char *what, size_t count, size_t bytes) {
    if (entry->status)
        return NULL;
    if (count > SSA_RUN_TENSORS) { /* often one that nobody has set */
        ssa_entry_refuse(entry, SSA_EARGUMENT, "%s cannot be %zu tensors: a run takes at most %d.", what, count,
                         SSA_RUN_TENSORS);
        return NULL;
    }
    void *places = ssa_allocate(count * bytes);
    if (places)
        memset(places, 0, count * bytes);
    else
        ssa_entry_refuse(entry, SSA_ENOMEM, "no memory for the %s of a run", what);
    return places;
}

static void take_name(ssa_entry *entry, const char *what, ssa_names names, size_t i, ssa_text *text) {
    ssa_entry_text(entry, what, names.names[i], names.bytes ? names.bytes[i] : SSA_TEXT_ENDS, text);
}

ssa_status ssa_run_arguments_names(ssa_run_arguments *arguments, ssa_entry *entry, ssa_names inputs,
                                   ssa_names outputs) {
    if (inputs.count)
        ssa_entry_given(entry, "inputs.names", inputs.names);
    if (outputs.count)
        ssa_entry_given(entry, "outputs.names", outputs.names);
    if (!entry->status && !outputs.count)
        ssa_entry_refuse(entry, SSA_EARGUMENT, "outputs.count cannot be 0: name where the outputs are to be stored.");
    arguments->inputs = make_places(entry, "inputs", inputs.count, sizeof *arguments->inputs);
    arguments->outputs = make_places(entry, "outputs", outputs.count, sizeof *arguments->outputs);
    for (size_t i = 0; i < inputs.count && !entry->status; i++)
        take_name(entry, "an input", inputs, i, &arguments->inputs[i].name);
    for (size_t i = 0; i < outputs.count && !entry->status; i++)
        take_name(entry, "an output", outputs, i, &arguments->outputs[i]);
    arguments->input_count = inputs.count;
    arguments->output_count = outputs.count;
    return entry->status;
}

ssa_status ssa_run_arguments_arrays(ssa_run_arguments *arguments, ssa_entry *entry, const ssa_array *inputs,
                                    size_t count) {
    if (count)
        ssa_entry_given(entry, "inputs", inputs);
    arguments->inputs = make_places(entry, "inputs", count, sizeof *arguments->inputs);
    arguments->arrays = make_places(entry, "inputs", count, sizeof *arguments->arrays);
    for (size_t i = 0; i < count && !entry->status; i++) {
        ssa_caller_array *array = &arguments->arrays[i];
        arguments->input_count = i + 1;
        entry->status = ssa_caller_array_take(array, &inputs[i], 0, entry->problem.text);
        if (!entry->status)
            entry->status = ssa_caller_array_pack(array, entry->client->memory, entry->problem.text);
        arguments->inputs[i].header = &array->header;
        arguments->inputs[i].data = ssa_caller_array_packed(array);
    }
    return entry->status;
}

void ssa_run_arguments_free(ssa_run_arguments *arguments) {
    for (size_t i = 0; arguments->arrays && i < arguments->input_count; i++)
        ssa_caller_array_free(&arguments->arrays[i]);
    ssa_release(arguments->arrays);
    ssa_release(arguments->inputs);
    ssa_release(arguments->outputs);
    *arguments = (ssa_run_arguments){0};
}

ssa_status ssa_run_room(size_t output_count, char text[SSA_MISTAKE_BYTES]) {
    if (output_count <= SSA_RUN_TENSORS)
        return SSA_OK;
    snprintf(text, SSA_MISTAKE_BYTES, "output_count cannot be %zu: set it to how many tensors there is room for in outputs, "
             "at most %d.", output_count, SSA_RUN_TENSORS);
    return SSA_EARGUMENT;
}

ssa_status ssa_run_outputs(ssa_request *request, ssa_tensor **outputs, size_t *count, char text[SSA_MISTAKE_BYTES]) {
    size_t room = *count, given = request->tensor_count;
    ssa_status status = SSA_OK;
    *count = given;
    if (given > room) {
        snprintf(text, SSA_MISTAKE_BYTES, "output_count cannot be %zu: the model gave %zu outputs.", room, given);
        return SSA_ELIMIT;
    }
    for (size_t i = 0; i < given && !status; i++)
        status = ssa_tensor_make(&request->tensors[i], SSA_ROW_MAJOR, &outputs[i], text);
    if (!status)
        return SSA_OK;
    for (size_t i = 0; i < given; i++) {
        ssa_tensor_free(outputs[i]);
        outputs[i] = NULL;
    }
    snprintf(text, SSA_MISTAKE_BYTES, "no memory for the outputs");
    return status;
}
