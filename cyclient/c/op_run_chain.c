#include "op_run_chain.h"

#include <string.h>

#include "allocator.h"
#include "engine.h"
#include "op_run.h"

/* What a worker takes (WIRE.md, "Workers"). */
#define MOST_WORDS 1024
#define OWN_WORDS 7  /* the label, id, attempt, timeout and steps; OUTPUTS and how many */
#define STEP_WORDS 5 /* at most: name, function, V and the least version, number of inputs */

typedef struct chain_output {
    size_t step, index;
} chain_output;

typedef struct chain_state {
    ssa_run run;
    ssa_request **runs;
    size_t count;
    chain_output *outputs; /* that come back */
    size_t output_count;
} chain_state;

/* ---- how much fits into one */

void ssa_chain_size_add(ssa_chain_size *size, const ssa_request *run) {
    const ssa_run_state *state = run->state;
    if (!size->steps++)
        size->words = OWN_WORDS;
    size->words += STEP_WORDS + 3 * state->input_count + 2 * state->output_count;
    size->bytes += ssa_run_carries(run);
}

int ssa_chain_size_fits(const ssa_chain_size *size, const ssa_engine *engine) {
    return size->steps <= SSA_CHAIN_STEPS && size->words <= MOST_WORDS && size->bytes <= engine->workers.most_bytes;
}

/* ---- the request to the worker */

static ssa_status add_words(ssa_command *command, const uint64_t *numbers, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (ssa_command_number(command, numbers[i]))
            return SSA_ENOMEM;
    return SSA_OK;
}

static int is_step_before(const chain_state *chain, const ssa_request *run, size_t step) {
    const ssa_run_state *state = run->state;
    return state->step < step && chain->runs[state->step] == run;
}

static ssa_status add_step(ssa_command *command, const chain_state *chain, size_t step) {
    const ssa_run_state *state = chain->runs[step]->state;
    if (ssa_run_add_target(command, chain->runs[step]) || ssa_command_number(command, state->input_count))
        return SSA_ENOMEM;
    for (size_t i = 0; i < state->input_count; i++) {
        const ssa_run_source *input = &state->inputs[i];
        ssa_status status;
        if (input->from && is_step_before(chain, input->from, step)) {
            const ssa_run_state *from = input->from->state;
            status = ssa_command_argument(command, "O", 1);
            status = status ? status : add_words(command, (const uint64_t[]){from->step, input->index}, 2);
        } else {
            status = ssa_run_add_input(command, input);
        }
        if (status)
            return SSA_ENOMEM;
    }
    return SSA_OK;
}

static uint64_t words_of(const chain_state *chain) {
    uint64_t words = OWN_WORDS + 2 * chain->output_count;
    for (size_t step = 0; step < chain->count; step++) {
        const ssa_run_state *state = chain->runs[step]->state;
        words += 1 + ssa_run_target_words(chain->runs[step]);
        for (size_t i = 0; i < state->input_count; i++)
            words += state->inputs[i].from && is_step_before(chain, state->inputs[i].from, step) ? 3 : 2;
    }
    return words;
}

static ssa_command *encode(ssa_run *run, uint64_t id, uint64_t attempt, uint64_t timeout_ms) {
    const chain_state *chain = run->request->state;
    ssa_command *command = ssa_command_new(words_of(chain), SSA_EXPECT_RESULTS);
    int failed = !command || ssa_command_argument(command, "SSA.CHAIN", 9) ||
                 add_words(command, (const uint64_t[]){id, attempt, timeout_ms, chain->count}, 4);
    for (size_t step = 0; !failed && step < chain->count; step++)
        failed = add_step(command, chain, step) != SSA_OK;
    failed = failed || ssa_command_argument(command, "OUTPUTS", 7) || ssa_command_number(command, chain->output_count);
    for (size_t i = 0; !failed && i < chain->output_count; i++)
        failed = add_words(command, (const uint64_t[]){chain->outputs[i].step, chain->outputs[i].index}, 2) != SSA_OK;
    if (failed) {
        ssa_command_free(command);
        return NULL;
    }
    command->id = id;
    return command;
}

/* ---- its answer */

/* One "version:outputs" of the text; 0: it is none, or the step gave another number of outputs than its run names. */
static int read_step(ssa_text *text, const ssa_run_state *state, ssa_text *version) {
    const char *end = text->data + text->bytes, *colon = memchr(text->data, ':', text->bytes);
    if (!colon || colon == text->data)
        return 0;
    uint64_t outputs = 0;
    const char *at = colon + 1;
    for (; at < end && *at >= '0' && *at <= '9' && outputs <= SSA_CHAIN_OUTPUTS; at++)
        outputs = 10 * outputs + (uint64_t)(*at - '0');
    if (at == colon + 1 || (at < end && *at != ',') || outputs != state->output_count)
        return 0;
    *version = (ssa_text){text->data, (size_t)(colon - text->data)};
    at += at < end;
    *text = (ssa_text){at, (size_t)(end - at)};
    return 1;
}

static int fits(const chain_state *chain, const ssa_command *answer, ssa_text text) {
    ssa_text version;
    if (answer->tensor_count != chain->output_count)
        return 0;
    for (size_t step = 0; step < chain->count; step++)
        if (!read_step(&text, chain->runs[step]->state, &version))
            return 0;
    return !text.bytes;
}

static ssa_status give_results(const chain_state *chain, ssa_command *answer, ssa_text text) {
    for (size_t step = 0; step < chain->count; step++) {
        ssa_text version;
        read_step(&text, chain->runs[step]->state, &version);
        if (ssa_run_prepare_results(chain->runs[step], version))
            return SSA_ENOMEM;
    }
    for (size_t i = 0; i < chain->output_count; i++) {
        chain->runs[chain->outputs[i].step]->tensors[chain->outputs[i].index] = answer->tensors[i];
        memset(&answer->tensors[i].memory, 0, sizeof answer->tensors[i].memory);
    }
    return SSA_OK;
}

static void finished(ssa_run *run) {
    ssa_request *request = run->request;
    const chain_state *chain = request->state;
    ssa_command *answer = run->call.command;
    const ssa_node *node = answer->reply.nodes;
    ssa_text text = {NULL, 0};
    if (answer->status == SSA_OK && answer->reply.count == 1)
        text = (ssa_text){(const char *)answer->reply.text.data + node->text_at, node->text_bytes};
    int is_answered = text.bytes && fits(chain, answer, text);
    if (is_answered && give_results(chain, answer, text)) {
        ssa_request_fail_memory(request);
        return;
    }
    request->number = is_answered;
    ssa_request_succeed(request);
}

static void step(ssa_request *request) {
    chain_state *chain = request->state;
    if (ssa_run_start_in_order(&chain->run))
        ssa_request_fail_memory(request);
}

static void overdue(ssa_request *request) {
    ssa_run *run = &((chain_state *)request->state)->run;
    if (run->is_held)
        ssa_run_fail_held(run);
    else
        ssa_run_overdue(run);
}

static void completed(ssa_request *request) {
    ssa_run *run = &((chain_state *)request->state)->run;
    ssa_run_order_leave(run);
    ssa_run_end(run);
}

size_t ssa_chain_length(const ssa_request *request) {
    return request->step == step ? ((const chain_state *)request->state)->count : 0;
}

ssa_request *ssa_chain_step(const ssa_request *request, size_t place) {
    return ((const chain_state *)request->state)->runs[place];
}

/* ---- construction */

static void end(ssa_request *request) {
    chain_state *chain = request->state;
    ssa_release(chain->runs);
    ssa_release(chain->outputs);
    ssa_release(chain);
}

/* What is to come back; a chain has one output at least. */
static ssa_status choose_outputs(chain_state *chain) {
    size_t most = 1;
    for (size_t step = 0; step < chain->count; step++)
        most += ((const ssa_run_state *)chain->runs[step]->state)->output_count;
    chain->outputs = ssa_allocate(most * sizeof *chain->outputs);
    if (!chain->outputs)
        return SSA_ENOMEM;
    for (size_t step = 0; step < chain->count; step++) {
        const ssa_run_state *state = chain->runs[step]->state;
        for (size_t i = 0; i < state->output_count; i++)
            if (!state->discard || state->outputs[i].is_wanted)
                chain->outputs[chain->output_count++] = (chain_output){step, i};
    }
    if (!chain->output_count)
        chain->outputs[chain->output_count++] = (chain_output){chain->count - 1, 0};
    return SSA_OK;
}

ssa_request *ssa_op_run_chain(ssa_engine *engine, ssa_request *const *runs, size_t count) {
    const ssa_request *first = runs[0];
    chain_state *chain = ssa_allocate(sizeof *chain);
    ssa_request *request = chain ? ssa_request_new(engine, first->operation, first->kind, first->subject.data, first->subject.bytes, step) : NULL;
    if (!request) {
        ssa_release(chain);
        return NULL;
    }
    memset(chain, 0, sizeof *chain);
    request->state = chain;
    request->end = end;
    request->overdue = overdue;
    request->completed = completed;
    chain->run.request = request;
    chain->run.encode = encode;
    chain->run.finished = finished;
    memcpy(chain->run.device, ((const ssa_run_state *)first->state)->run.device, sizeof chain->run.device);
    chain->runs = ssa_allocate(count * sizeof(ssa_request *));
    if (!chain->runs) {
        ssa_request_free(request);
        return NULL;
    }
    memcpy(chain->runs, runs, count * sizeof(ssa_request *));
    chain->count = count;
    for (size_t i = 0; i < count; i++)
        ((ssa_run_state *)runs[i]->state)->step = i;
    if (choose_outputs(chain)) {
        ssa_request_free(request);
        return NULL;
    }
    return request;
}
