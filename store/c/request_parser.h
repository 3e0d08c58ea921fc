/* From the words of SSA.RUN and SSA.CHAIN (WIRE.md) to a request, one word after the other. No socket: whoever reads them
 * passes each word, and streams the tensors to their places itself. Nothing is taken on trust: every number is limited
 * before it is used, and a request may have no word more or less than it announced. */
#ifndef SSA_REQUEST_PARSER_H
#define SSA_REQUEST_PARSER_H

#include "front_chain.h"

/* What the next string of the request is. */
typedef enum ssa_part {
    SSA_PART_ID = 1,
    SSA_PART_ATTEMPT,
    SSA_PART_TIMEOUT,
    SSA_PART_STEPS,
    SSA_PART_NAME,
    SSA_PART_FUNCTION,
    SSA_PART_LEAST_VERSION,
    SSA_PART_INPUTS, /* their number, or V */
    SSA_PART_SOURCE, /* T, K or O; before the first one also V */
    SSA_PART_TENSOR, /* not a word: for the input inputs[inputs_count - 1] */
    SSA_PART_KEY,
    SSA_PART_FROM_STEP,
    SSA_PART_FROM_OUTPUT,
    SSA_PART_OUTPUTS,
    SSA_PART_OUTPUTS_COUNT,
    SSA_PART_OUTPUT_STEP,
    SSA_PART_OUTPUT,
    SSA_PART_END
} ssa_part;

typedef struct ssa_request_parser {
    ssa_request *request; /* being read, owned; NULL: none */
    ssa_part part;
    int chain;
    uint64_t left;        /* strings that follow */
    uint64_t inputs_left, outputs_left;
    size_t from_step;
} ssa_request_parser;

/* Begin after the first word; so many strings follow it, no more than the reader's limit. Allocates.
 * SSA_EPROTOCOL, here and below: *fault says what the request is not, and lives for ever. */
ssa_status ssa_request_parser_begin(ssa_request_parser *parser, int chain, uint64_t strings, const char **fault);

/* The next word. Allocates. */
ssa_status ssa_request_parser_word(ssa_request_parser *parser, const char *text, size_t bytes, const char **fault);
/* The tensor that was next is read. */
ssa_status ssa_request_parser_tensor(ssa_request_parser *parser, const char **fault);

/* Which input of its step the one being read is: for texts. */
size_t ssa_request_parser_input(const ssa_request_parser *parser);

/* All was read: the caller owns the request. */
ssa_request *ssa_request_parser_finish(ssa_request_parser *parser);

#endif
