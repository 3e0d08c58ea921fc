// links: request_parser front_chain front_request allocator tensor_memory tensor_header
/* Words in, requests out: what WIRE.md says of SSA.RUN and SSA.CHAIN, and that no other words get through. */
#include "request_parser.h"

#include "../../cyclient/c/check.h"

/* Feeds all words; "<tensor>" stands for one. The caller frees what is in the parser. */
static ssa_status feed(ssa_request_parser *parser, int chain, const char *const *words, size_t count, const char **fault) {
    ssa_status status = ssa_request_parser_begin(parser, chain, count, fault);
    for (size_t i = 0; status == SSA_OK && i < count; i++) {
        if (parser->part == SSA_PART_TENSOR)
            status = ssa_request_parser_tensor(parser, fault);
        else
            status = ssa_request_parser_word(parser, words[i], strlen(words[i]), fault);
    }
    return status;
}

#define COUNT(words) (sizeof(words) / sizeof *(words))

static const char *const CHAIN[] = {
    "7", "2", "60000", "3",
    "prepare", "split", "2", "T", "<tensor>", "K", "ens_0.u",
    "closure", "", "1", "O", "0", "1",
    "prepare", "join", "3", "O", "1", "0", "O", "0", "1", "T", "<tensor>",
    "OUTPUTS", "3", "2", "0", "0", "1", "2", "0"};

static void test_a_run_has_its_inputs_in_order(void) {
    static const char *const words[] = {"7", "2", "60000", "closure", "", "T", "<tensor>", "K", "ens_0.u", "T", "<tensor>"};
    ssa_request_parser parser;
    const char *fault = NULL;
    CHECK_NUMBER(feed(&parser, 0, words, COUNT(words), &fault), SSA_OK);
    CHECK_NUMBER(parser.part, SSA_PART_END);
    ssa_request *request = ssa_request_parser_finish(&parser);
    CHECK(!parser.request && !request->chain && !request->refusal);
    CHECK_NUMBER(request->id, 7);
    CHECK_NUMBER(request->timeout_ms, 60000);
    CHECK_TEXT(request->target.name, "closure");
    CHECK(!ssa_target_is_script(&request->target));
    CHECK_NUMBER(request->inputs_count, 3);
    CHECK_NUMBER(request->step_inputs, 3);
    CHECK(!request->inputs[0].key && !request->inputs[2].key);
    CHECK_TEXT(request->inputs[1].key, "ens_0.u");
    ssa_request_free(request);
}

static void test_a_chain_has_its_steps_and_notes_each_output_once(void) {
    ssa_request_parser parser;
    const char *fault = NULL;
    CHECK_NUMBER(feed(&parser, 1, CHAIN, COUNT(CHAIN), &fault), SSA_OK);
    ssa_request *request = ssa_request_parser_finish(&parser);
    const ssa_chain *chain = request->chain;
    CHECK_NUMBER(chain->steps_count, 3);
    CHECK_NUMBER(chain->step, 0);
    CHECK_TEXT(request->target.function, "split");
    CHECK_NUMBER(request->step_inputs, 2);
    CHECK_TEXT(chain->steps[1].target.name, "closure");
    CHECK_NUMBER(chain->steps[1].first_input, 2);
    CHECK_NUMBER(chain->steps[2].first_input, 3);
    CHECK_NUMBER(chain->steps[2].inputs_count, 3);
    CHECK_NUMBER(request->inputs_count, 6);
    CHECK_NUMBER(chain->taken_count, 3);
    CHECK_NUMBER(chain->wanted_count, 3);
    CHECK_NUMBER(request->inputs[2].taken, request->inputs[4].taken);
    CHECK_NUMBER(chain->wanted[0], chain->wanted[2]);
    CHECK_NUMBER(chain->wanted[1], request->inputs[2].taken);
    ssa_request_begin_step(request, 2);
    CHECK_TEXT(request->target.function, "join");
    CHECK_NUMBER(request->first_input, 3);
    char text[SSA_STEP_NAME_BYTES];
    CHECK_TEXT(ssa_chain_step_name(request, text), "step 2 ('prepare'): ");
    ssa_request_free(request);
}

static void test_a_chain_that_ends_anywhere_is_not_one(void) {
    for (size_t count = 0; count < COUNT(CHAIN); count++) {
        ssa_request_parser parser;
        const char *fault = NULL;
        CHECK_NUMBER(feed(&parser, 1, CHAIN, count, &fault), SSA_EPROTOCOL);
        CHECK(fault != NULL);
        ssa_request_free(parser.request);
    }
}

static void test_a_wrong_word_in_any_place_is_refused_or_means_something_else(void) {
    static const char *const wrong[] = {"", "-1", "18446744073709551616", "9999999999", "x", "O", "\0", "1 "};
    for (size_t place = 0; place < COUNT(CHAIN); place++) {
        for (size_t i = 0; i < COUNT(wrong); i++) {
            const char *words[COUNT(CHAIN)];
            memcpy(words, CHAIN, sizeof words);
            words[place] = wrong[i];
            ssa_request_parser parser;
            const char *fault = NULL;
            ssa_status status = feed(&parser, 1, words, COUNT(words), &fault);
            CHECK(status == SSA_OK || (status == SSA_EPROTOCOL && fault));
            ssa_request_free(parser.request);
        }
    }
}

/* What every request that got through must fulfil, whatever its words were. */
static void check_request(const ssa_request *request, uint64_t strings) {
    CHECK(request->inputs_count <= strings / 2);
    const ssa_chain *chain = request->chain;
    if (!chain)
        return;
    CHECK(chain->steps_count >= 1 && chain->steps_count <= SSA_MAX_STEPS && chain->wanted_count >= 1);
    size_t inputs = 0;
    for (size_t s = 0; s < chain->steps_count; s++) {
        const ssa_step *step = &chain->steps[s];
        CHECK(step->target.name && step->target.name_bytes);
        CHECK(step->first_input == inputs);
        inputs += step->inputs_count;
        for (size_t i = step->first_input; i < inputs; i++) {
            const ssa_input *input = &request->inputs[i];
            CHECK(!input->from_step || (input->taken < chain->taken_count && chain->taken[input->taken].step < s));
        }
    }
    CHECK(inputs == request->inputs_count);
    for (size_t i = 0; i < chain->wanted_count; i++)
        CHECK(chain->wanted[i] < chain->taken_count && chain->taken[chain->wanted[i]].step < chain->steps_count);
}

static uint32_t dice(uint32_t *state) { /* xorshift32 */
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void test_random_words_never_make_a_request_that_contradicts_itself(void) {
    static const char *const known[] = {"0", "1", "2", "3", "7", "255", "256", "T", "K", "O", "OUTPUTS", "f", "", "64", "65"};
    uint32_t state = 20;
    long complete = 0;
    for (long round = 0; round < 300000; round++) {
        const char *words[48];
        size_t count = 5 + dice(&state) % (COUNT(words) - 5);
        int chain = dice(&state) % 4 != 0;
        /* Mostly what fits at this place: else few would get past the first words. */
        ssa_request_parser parser;
        const char *fault = NULL;
        ssa_status status = ssa_request_parser_begin(&parser, chain, count, &fault);
        for (size_t i = 0; status == SSA_OK && i < count; i++) {
            static const char *const sources[] = {"T", "K", "O"};
            const char *word = known[dice(&state) % COUNT(known)];
            if (dice(&state) % 16) {
                if (parser.part == SSA_PART_SOURCE)
                    word = sources[dice(&state) % 3];
                else if (parser.part == SSA_PART_OUTPUTS)
                    word = "OUTPUTS";
                else if (parser.part < SSA_PART_STEPS || (parser.part > SSA_PART_FUNCTION && parser.part != SSA_PART_KEY))
                    word = known[dice(&state) % 3];
            }
            status = parser.part == SSA_PART_TENSOR ? ssa_request_parser_tensor(&parser, &fault)
                                                    : ssa_request_parser_word(&parser, word, strlen(word), &fault);
        }
        if (status == SSA_OK) {
            complete++;
            ssa_request *request = ssa_request_parser_finish(&parser);
            check_request(request, count);
            ssa_request_free(request);
        } else {
            CHECK(status == SSA_EPROTOCOL && fault);
            ssa_request_free(parser.request);
        }
    }
    CHECK(complete > 100);
}

static ssa_status exercise(void) {
    ssa_request_parser parser;
    const char *fault = NULL;
    ssa_status status = feed(&parser, 1, CHAIN, COUNT(CHAIN), &fault);
    if (status == SSA_OK) {
        static const ssa_tensor_header header = {.data_bytes = 64};
        unsigned char bytes[64] = {0};
        ssa_array array = {header, bytes};
        status = ssa_chain_keep(&parser.request->chain->taken[0], &array);
    }
    ssa_request_free(parser.request);
    return status;
}

CHECK_MAIN(exercise, test_a_run_has_its_inputs_in_order, test_a_chain_has_its_steps_and_notes_each_output_once,
           test_a_chain_that_ends_anywhere_is_not_one, test_a_wrong_word_in_any_place_is_refused_or_means_something_else,
           test_random_words_never_make_a_request_that_contradicts_itself)
