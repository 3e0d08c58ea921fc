// links: request_parser front_chain front_request allocator tensor_memory tensor_header
/* The words of SSA.RUN and SSA.CHAIN: what is accepted keeps every limit, and points only to what is there. Input: one byte
 * (chain or not; how the number of strings that is announced is wrong), then the words, with line ends between them. */
#include <string.h>

#include "fuzz.h"
#include "request_parser.h"

static size_t count_words(const input *in) {
    size_t words = 1;
    for (size_t i = 0; i < in->left; i++)
        words += in->at[i] == '\n';
    return words;
}

static const char *next_word(input *in, size_t *bytes) {
    const char *word = (const char *)in->at, *end = memchr(word, '\n', in->left);
    *bytes = end ? (size_t)(end - word) : in->left;
    in->at += *bytes + (end != NULL);
    in->left -= *bytes + (end != NULL);
    return word;
}

static void check_target(const ssa_target *target) {
    CHECK(target->name && target->name_bytes >= 1 && target->name_bytes <= 1024 && target->function_bytes <= 1024);
}

/* Of a step of a chain, or of the one step of a run. */
static void check_inputs(const ssa_request *request, size_t step, size_t first, size_t count) {
    CHECK(first <= request->inputs_count && count <= request->inputs_count - first);
    for (size_t i = first; i < first + count; i++) {
        const ssa_input *in = &request->inputs[i];
        CHECK(in->key_bytes <= 4096 && !in->array.data);
        if (!in->from_step)
            continue;
        CHECK(request->chain && !in->key && in->taken < request->chain->taken_count);
        CHECK(request->chain->taken[in->taken].step < step);
    }
}

static void check_chain(const ssa_request *request) {
    const ssa_chain *chain = request->chain;
    size_t inputs = 0;
    CHECK(chain->steps_count >= 1 && chain->steps_count <= SSA_MAX_STEPS && chain->wanted_count >= 1);
    for (size_t i = 0; i < chain->steps_count; i++) {
        const ssa_step *step = &chain->steps[i];
        check_target(i ? &step->target : &request->target);
        CHECK(step->first_input == inputs);
        check_inputs(request, i, step->first_input, step->inputs_count);
        inputs += step->inputs_count;
    }
    CHECK(inputs == request->inputs_count);
    for (size_t i = 0; i < chain->taken_count; i++) {
        CHECK(chain->taken[i].step < chain->steps_count && chain->taken[i].output < SSA_MAX_STEP_OUTPUTS);
        for (size_t k = 0; k < i; k++)
            CHECK(chain->taken[i].step != chain->taken[k].step || chain->taken[i].output != chain->taken[k].output);
    }
    for (size_t i = 0; i < chain->wanted_count; i++)
        CHECK(chain->wanted[i] < chain->taken_count);
}

static void check_request(const ssa_request *request, int chain) {
    CHECK(request->id >= 0 && request->timeout_ms <= UINT64_C(1000000000000) && (request->chain != NULL) == chain);
    if (chain) {
        check_chain(request);
    } else {
        check_target(&request->target);
        check_inputs(request, 0, 0, request->inputs_count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    input in = {data, bytes};
    unsigned which = input_byte(&in);
    int chain = which & 1;
    size_t words = count_words(&in), length;
    uint64_t strings = which & 2 ? words + (which >> 2) % 16 : which & 4 ? words / 2 : words;
    const char *fault = NULL;
    ssa_request_parser parser;
    ssa_status status = ssa_request_parser_begin(&parser, chain, strings, &fault);
    while (status == SSA_OK && parser.part != SSA_PART_END && words--) {
        const char *word = next_word(&in, &length);
        if (parser.part != SSA_PART_TENSOR) {
            status = ssa_request_parser_word(&parser, word, length, &fault);
            continue;
        }
        CHECK(ssa_request_parser_input(&parser) < parser.request->inputs_count);
        status = ssa_request_parser_tensor(&parser, &fault);
    }
    CHECK(status == SSA_OK || (status == SSA_EPROTOCOL && fault && *fault));
    if (status == SSA_OK && parser.part == SSA_PART_END) {
        CHECK(!parser.left);
        ssa_request *request = ssa_request_parser_finish(&parser);
        check_request(request, chain);
        ssa_request_free(request);
    }
    ssa_request_free(parser.request);
    return 0;
}
