#include "front_chain.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"

#define NAME_IN_TEXT 80 /* more of a name does not help who reads an error */

ssa_chain *ssa_chain_new(size_t steps, size_t references) {
    size_t bytes = sizeof(ssa_chain) + steps * sizeof(ssa_step);
    ssa_chain *chain = ssa_allocate(bytes);
    if (!chain)
        return NULL;
    memset(chain, 0, bytes);
    chain->steps_count = steps;
    chain->taken = ssa_allocate(references * sizeof *chain->taken);
    chain->wanted = ssa_allocate(references * sizeof *chain->wanted);
    if (chain->taken && chain->wanted)
        return chain;
    ssa_chain_free(chain);
    return NULL;
}

void ssa_chain_free(ssa_chain *chain) {
    if (!chain)
        return;
    for (size_t i = 0; i < chain->steps_count; i++)
        ssa_target_free(&chain->steps[i].target);
    for (size_t i = 0; i < chain->taken_count; i++)
        ssa_memory_free(&chain->taken[i].memory);
    ssa_release(chain->taken);
    ssa_release(chain->wanted);
    ssa_release(chain);
}

size_t ssa_chain_take(ssa_chain *chain, size_t step, size_t output) {
    for (size_t i = 0; i < chain->taken_count; i++)
        if (chain->taken[i].step == step && chain->taken[i].output == output)
            return i;
    ssa_taken *taken = &chain->taken[chain->taken_count];
    memset(taken, 0, sizeof *taken);
    taken->step = step;
    taken->output = output;
    return chain->taken_count++;
}

ssa_status ssa_chain_keep(ssa_taken *taken, const ssa_array *array) {
    taken->memory = ssa_memory_new(array->header.data_bytes);
    if (!taken->memory.data)
        return SSA_ENOMEM;
    if (array->header.data_bytes)
        memcpy(taken->memory.data, array->data, array->header.data_bytes);
    taken->array.header = array->header;
    taken->array.data = taken->memory.data;
    return SSA_OK;
}

void ssa_request_begin_step(ssa_request *request, size_t step) {
    ssa_chain *chain = request->chain;
    request->looked = 0;
    if (!chain) {
        request->step_inputs = request->inputs_count;
        return;
    }
    chain->step = step;
    request->target = chain->steps[step].target;
    request->first_input = chain->steps[step].first_input;
    request->step_inputs = chain->steps[step].inputs_count;
    for (size_t i = 0; i < request->step_inputs; i++) {
        ssa_input *input = &request->inputs[request->first_input + i];
        if (input->from_step)
            input->array = chain->taken[input->taken].array;
    }
}

const char *ssa_chain_step_name(const ssa_request *request, char text[SSA_STEP_NAME_BYTES]) {
    const ssa_chain *chain = request->chain;
    if (!chain)
        return "";
    const ssa_target *target = &chain->steps[chain->step].target;
    size_t bytes = target->name_bytes;
    if (bytes > NAME_IN_TEXT) {
        bytes = NAME_IN_TEXT;
        while (bytes && ((unsigned char)target->name[bytes] & 0xc0) == 0x80)
            bytes--; /* not in the middle of a character of UTF-8 */
    }
    snprintf(text, SSA_STEP_NAME_BYTES, "step %zu ('%.*s'): ", chain->step, (int)bytes, bytes ? target->name : "");
    return text;
}

size_t ssa_chain_steps_text(const ssa_chain *chain, char text[SSA_STEPS_TEXT_BYTES]) {
    size_t bytes = 0;
    for (size_t i = 0; i < chain->steps_count; i++) {
        const ssa_step *step = &chain->steps[i];
        bytes += (size_t)snprintf(text + bytes, SSA_STEPS_TEXT_BYTES - bytes, "%s%s:%zu", i ? "," : "", step->version,
                                  step->outputs_count);
    }
    return bytes;
}
