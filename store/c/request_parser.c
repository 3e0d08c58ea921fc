#include "request_parser.h"

#include <string.h>

#define NAME_BYTES 1024 /* longest name of a model or function */
#define KEY_BYTES 4096
#define WORDS_BEFORE_INPUTS 5 /* of SSA.RUN; SSA.CHAIN has more */

static ssa_status wrong(const char **fault, const char *text) {
    *fault = text;
    return SSA_EPROTOCOL;
}

ssa_status ssa_request_parser_begin(ssa_request_parser *parser, int chain, uint64_t strings, const char **fault) {
    *parser = (ssa_request_parser){.part = SSA_PART_ID, .chain = chain, .left = strings};
    if (strings < WORDS_BEFORE_INPUTS)
        return wrong(fault, "the request ends before it is complete");
    parser->request = ssa_request_new((size_t)(strings - WORDS_BEFORE_INPUTS) / 2); /* an input has two strings at least */
    return parser->request ? SSA_OK : SSA_ENOMEM;
}

static int read_number(const char *text, size_t bytes, uint64_t most, uint64_t *number) {
    uint64_t value = 0;
    if (!bytes)
        return 0;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
            return 0;
    }
    *number = value;
    return value <= most;
}

static ssa_target *target_of(ssa_request *request) {
    return request->chain ? &request->chain->steps[request->chain->step].target : &request->target;
}

/* An input, or the number of inputs, is read: what comes next. */
static ssa_part after_input(ssa_request_parser *parser) {
    ssa_chain *chain = parser->request->chain;
    if (!chain)
        return parser->left ? SSA_PART_SOURCE : SSA_PART_END;
    if (parser->inputs_left)
        return SSA_PART_SOURCE;
    if (ssa_chain_at_last(chain))
        return SSA_PART_OUTPUTS;
    chain->step++;
    return SSA_PART_NAME;
}

/* ---- one function for each kind of word */

static ssa_status read_head(ssa_request_parser *parser, const char *text, size_t bytes, const char **fault) {
    ssa_request *request = parser->request;
    uint64_t number;
    uint64_t most = parser->part == SSA_PART_TIMEOUT ? UINT64_C(1000000000000) : INT64_MAX;
    if (!read_number(text, bytes, most, &number) || (parser->part == SSA_PART_ATTEMPT && !number))
        return wrong(fault, "id, attempt (from 1) and timeout of a request are decimal numbers");
    if (parser->part == SSA_PART_ID)
        request->id = (int64_t)number;
    else if (parser->part == SSA_PART_TIMEOUT)
        request->timeout_ms = number;
    parser->part = parser->part < SSA_PART_TIMEOUT ? parser->part + 1 : parser->chain ? SSA_PART_STEPS : SSA_PART_NAME;
    return SSA_OK;
}

static ssa_status read_steps(ssa_request_parser *parser, const char *text, size_t bytes, const char **fault) {
    uint64_t number;
    if (!read_number(text, bytes, SSA_MAX_STEPS, &number) || !number)
        return wrong(fault, "a chain has 1 to 64 steps");
    parser->part = SSA_PART_NAME;
    parser->request->chain = ssa_chain_new((size_t)number, (size_t)parser->left / 2 + 1); /* a reference has two strings */
    return parser->request->chain ? SSA_OK : SSA_ENOMEM;
}

static ssa_status read_target(ssa_request_parser *parser, const char *text, size_t bytes, const char **fault) {
    ssa_request *request = parser->request;
    ssa_target *target = target_of(request);
    int is_name = parser->part == SSA_PART_NAME;
    if ((is_name && !bytes) || bytes > NAME_BYTES)
        return wrong(fault, "names of models and functions have 1 to 1024 bytes");
    if (is_name) {
        parser->part = SSA_PART_FUNCTION;
        return ssa_request_set_text(&target->name, &target->name_bytes, text, bytes);
    }
    if (ssa_request_set_text(&target->function, &target->function_bytes, text, bytes))
        return SSA_ENOMEM;
    parser->part = request->chain ? SSA_PART_INPUTS : after_input(parser);
    return SSA_OK;
}

/* 1: this word says that the least version follows, which it may once, before the inputs. */
static int begin_least_version(ssa_request_parser *parser, const char *text, size_t bytes) {
    if (bytes != 1 || text[0] != 'V' || target_of(parser->request)->least_version || !parser->left)
        return 0;
    parser->part = SSA_PART_LEAST_VERSION;
    return 1;
}

static ssa_status read_least_version(ssa_request_parser *parser, const char *text, size_t bytes, const char **fault) {
    ssa_request *request = parser->request;
    if (!read_number(text, bytes, INT64_MAX, &target_of(request)->least_version) || !target_of(request)->least_version)
        return wrong(fault, "the least version of a model or script is a decimal number from 1");
    parser->part = request->chain ? SSA_PART_INPUTS : after_input(parser);
    return SSA_OK;
}

static ssa_status read_inputs_count(ssa_request_parser *parser, const char *text, size_t bytes, const char **fault) {
    ssa_request *request = parser->request;
    ssa_step *step = &request->chain->steps[request->chain->step];
    if (begin_least_version(parser, text, bytes))
        return SSA_OK;
    if (!read_number(text, bytes, parser->left / 2, &parser->inputs_left))
        return wrong(fault, "a step has a decimal number of inputs, which follow");
    step->first_input = request->inputs_count;
    step->inputs_count = (size_t)parser->inputs_left;
    parser->part = after_input(parser);
    return SSA_OK;
}

static ssa_status read_source(ssa_request_parser *parser, const char *text, size_t bytes, const char **fault) {
    ssa_request *request = parser->request;
    char source = bytes == 1 ? text[0] : 0;
    if (!request->chain && !request->inputs_count && begin_least_version(parser, text, bytes))
        return SSA_OK;
    if (source == 'T')
        parser->part = SSA_PART_TENSOR;
    else if (source == 'K')
        parser->part = SSA_PART_KEY;
    else if (source == 'O' && request->chain)
        parser->part = SSA_PART_FROM_STEP;
    else
        return wrong(fault, "an input is T <tensor> or K <key>, in SSA.CHAIN also O <step> <output>");
    if (!parser->left)
        return wrong(fault, "the request ends before it is complete");
    request->inputs_count++;
    parser->inputs_left -= request->chain != NULL;
    return SSA_OK;
}

static ssa_status read_key(ssa_request_parser *parser, const char *text, size_t bytes) {
    ssa_request *request = parser->request;
    ssa_input *input = &request->inputs[request->inputs_count - 1];
    if (!bytes || bytes > KEY_BYTES)
        ssa_request_refuse(request, "NOINPUT", "a key has 1 to 4096 bytes");
    else if (ssa_request_set_text(&input->key, &input->key_bytes, text, bytes))
        return SSA_ENOMEM;
    parser->part = after_input(parser);
    return SSA_OK;
}

static ssa_status read_reference(ssa_request_parser *parser, const char *text, size_t bytes, const char **fault) {
    ssa_request *request = parser->request;
    ssa_chain *chain = request->chain;
    uint64_t number;
    if (!read_number(text, bytes, UINT32_MAX, &number))
        return wrong(fault, "steps and outputs are decimal numbers");
    if (parser->part == SSA_PART_FROM_STEP || parser->part == SSA_PART_OUTPUT_STEP) {
        int is_input = parser->part == SSA_PART_FROM_STEP;
        if (number >= (is_input ? chain->step : chain->steps_count))
            return wrong(fault, is_input ? "a step takes outputs of earlier steps only" : "an output of a step that there is not");
        parser->from_step = (size_t)number;
        parser->part = is_input ? SSA_PART_FROM_OUTPUT : SSA_PART_OUTPUT;
        return SSA_OK;
    }
    if (number >= SSA_MAX_STEP_OUTPUTS)
        return wrong(fault, "outputs of a step are numbered from 0 to 255");
    size_t taken = ssa_chain_take(chain, parser->from_step, (size_t)number);
    if (parser->part == SSA_PART_FROM_OUTPUT) {
        ssa_input *input = &request->inputs[request->inputs_count - 1];
        input->from_step = 1;
        input->taken = taken;
        parser->part = after_input(parser);
    } else {
        chain->wanted[chain->wanted_count++] = taken;
        parser->part = --parser->outputs_left ? SSA_PART_OUTPUT_STEP : SSA_PART_END;
    }
    return SSA_OK;
}

static ssa_status read_outputs(ssa_request_parser *parser, const char *text, size_t bytes, const char **fault) {
    if (parser->part == SSA_PART_OUTPUTS) {
        parser->part = SSA_PART_OUTPUTS_COUNT;
        return bytes == 7 && !memcmp(text, "OUTPUTS", 7) ? SSA_OK : wrong(fault, "OUTPUTS follows the last step of a chain");
    }
    if (!read_number(text, bytes, parser->left / 2, &parser->outputs_left) || !parser->outputs_left)
        return wrong(fault, "a chain has a decimal number of outputs, one at least, which follow");
    parser->part = SSA_PART_OUTPUT_STEP;
    return SSA_OK;
}

static ssa_status read_word(ssa_request_parser *parser, const char *text, size_t bytes, const char **fault) {
    switch (parser->part) {
    case SSA_PART_ID:
    case SSA_PART_ATTEMPT:
    case SSA_PART_TIMEOUT:
        return read_head(parser, text, bytes, fault);
    case SSA_PART_STEPS:
        return read_steps(parser, text, bytes, fault);
    case SSA_PART_NAME:
    case SSA_PART_FUNCTION:
        return read_target(parser, text, bytes, fault);
    case SSA_PART_LEAST_VERSION:
        return read_least_version(parser, text, bytes, fault);
    case SSA_PART_INPUTS:
        return read_inputs_count(parser, text, bytes, fault);
    case SSA_PART_SOURCE:
        return read_source(parser, text, bytes, fault);
    case SSA_PART_KEY:
        return read_key(parser, text, bytes);
    case SSA_PART_FROM_STEP:
    case SSA_PART_FROM_OUTPUT:
    case SSA_PART_OUTPUT_STEP:
    case SSA_PART_OUTPUT:
        return read_reference(parser, text, bytes, fault);
    case SSA_PART_OUTPUTS:
    case SSA_PART_OUTPUTS_COUNT:
        return read_outputs(parser, text, bytes, fault);
    case SSA_PART_TENSOR:
    case SSA_PART_END:
        break;
    }
    return wrong(fault, "a request longer than it says");
}

/* The last string and the end of the request come together. */
static ssa_status check_end(const ssa_request_parser *parser, const char **fault) {
    if (parser->part == SSA_PART_END && parser->left)
        return wrong(fault, "a request longer than it says");
    if (parser->part != SSA_PART_END && !parser->left)
        return wrong(fault, "the request ends before it is complete");
    return SSA_OK;
}

ssa_status ssa_request_parser_word(ssa_request_parser *parser, const char *text, size_t bytes, const char **fault) {
    parser->left--;
    ssa_status status = read_word(parser, text, bytes, fault);
    return status == SSA_OK ? check_end(parser, fault) : status;
}

ssa_status ssa_request_parser_tensor(ssa_request_parser *parser, const char **fault) {
    parser->left--;
    parser->part = after_input(parser);
    return check_end(parser, fault);
}

size_t ssa_request_parser_input(const ssa_request_parser *parser) {
    const ssa_request *request = parser->request;
    size_t first = request->chain ? request->chain->steps[request->chain->step].first_input : 0;
    return request->inputs_count - 1 - first;
}

ssa_request *ssa_request_parser_finish(ssa_request_parser *parser) {
    ssa_request *request = parser->request;
    parser->request = NULL;
    ssa_request_begin_step(request, 0);
    return request;
}
