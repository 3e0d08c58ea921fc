// links: real_text resp_reader allocator
/* The tokenizer. The same stream is read in two ways, in pieces that the input chooses and whole, and must give the same
 * tokens, the same bodies and the same end. Input: limits, pieces, the stream. */
#include <string.h>

#include "allocator.h"
#include "fuzz.h"
#include "resp_reader.h"

static uint64_t mixed(uint64_t digest, const void *data, size_t bytes) {
    for (const unsigned char *at = data; bytes--; at++)
        digest = (digest ^ *at) * UINT64_C(0x100000001b3);
    return digest;
}

typedef struct outcome {
    uint64_t digest; /* of all tokens and bodies */
    size_t tokens;
    ssa_status status;
    char error[200];
} outcome;

static int is_string(const ssa_token *token) {
    return token->kind == SSA_TOKEN_BULK || token->kind == SSA_TOKEN_BULK_ERROR || token->kind == SSA_TOKEN_VERBATIM;
}

static void take_token(outcome *seen, const ssa_token *token, const ssa_reader *reader, ssa_reader_limits limits) {
    CHECK(token->kind >= SSA_TOKEN_SIMPLE && token->kind <= SSA_TOKEN_PUSH);
    if (is_string(token)) {
        CHECK(token->number >= 0 && (uint64_t)token->number <= limits.bulk_bytes);
        CHECK(ssa_reader_body_left(reader) == (uint64_t)token->number);
    } else {
        CHECK(ssa_reader_body_left(reader) == 0);
    }
    if (token->kind >= SSA_TOKEN_ARRAY)
        CHECK(token->number >= 0 && (uint64_t)token->number <= limits.elements);
    seen->digest = mixed(seen->digest, &token->kind, sizeof token->kind);
    seen->digest = mixed(seen->digest, &token->number, sizeof token->number);
    seen->digest = mixed(seen->digest, &token->real, sizeof token->real);
    seen->digest = mixed(seen->digest, token->text, token->text_bytes);
    seen->tokens++;
}

/* Take what is buffered of a body; returns whether there was anything to do. */
static int take_body(ssa_reader *reader, outcome *seen, uint32_t *pieces) {
    size_t buffered;
    const unsigned char *body = ssa_reader_body(reader, &buffered);
    CHECK(buffered <= ssa_reader_body_left(reader) && buffered <= ssa_reader_buffered(reader));
    if (!buffered)
        return 0;
    size_t piece = next_piece(pieces, buffered);
    seen->digest = mixed(seen->digest, body, piece);
    ssa_reader_take(reader, piece);
    return 1;
}

/* All tokens that are buffered. */
static void advance(ssa_reader *reader, ssa_reader_limits limits, outcome *seen, uint32_t *pieces) {
    ssa_token token;
    do {
        while (take_body(reader, seen, pieces))
            ;
        seen->status = ssa_reader_next(reader, &token);
        if (seen->status == SSA_OK)
            take_token(seen, &token, reader, limits);
    } while (seen->status == SSA_OK);
}

static outcome read_all(const uint8_t *data, size_t bytes, size_t buffer_bytes, ssa_reader_limits limits, uint32_t pieces, int whole) {
    outcome seen = {.digest = 1, .status = SSA_MORE};
    ssa_reader *reader = ssa_reader_new(buffer_bytes, limits);
    CHECK(reader);
    while (bytes && seen.status == SSA_MORE) {
        size_t left = (size_t)(ssa_reader_body_left(reader) < bytes ? ssa_reader_body_left(reader) : bytes);
        if (left && !whole && !ssa_reader_buffered(reader) && pieces & 1) { /* as one who reads a body past the buffer */
            left = next_piece(&pieces, left);
            seen.digest = mixed(seen.digest, data, left);
            ssa_reader_skip_ahead(reader, left);
            data += left;
            bytes -= left;
            continue;
        }
        size_t space;
        void *to = ssa_reader_space(reader, &space);
        CHECK(space);
        size_t piece = whole ? (space < bytes ? space : bytes) : next_piece(&pieces, space < bytes ? space : bytes);
        memcpy(to, data, piece);
        ssa_reader_fed(reader, piece);
        data += piece;
        bytes -= piece;
        advance(reader, limits, &seen, &pieces);
    }
    ssa_token token;
    if (seen.status < 0) {
        CHECK(seen.status == SSA_EPROTOCOL || seen.status == SSA_ELIMIT);
        CHECK(*ssa_reader_error(reader));
        CHECK(ssa_reader_next(reader, &token) == seen.status);
    }
    snprintf(seen.error, sizeof seen.error, "%s", ssa_reader_error(reader));
    ssa_reader_free(reader);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const uint64_t bulk_limits[] = {16384, 0, 100, UINT64_C(1) << 34, UINT64_MAX};
    static const uint64_t element_limits[] = {10, 0, 1 << 20, UINT64_C(1) << 62, UINT64_MAX};
    input in = {data, bytes};
    unsigned which = input_byte(&in);
    ssa_reader_limits limits = {bulk_limits[which % 5], element_limits[which / 5 % 5]};
    size_t buffer_bytes = which / 25 % 2 ? 4096 : 65536;
    uint32_t pieces = input_word(&in);
    outcome whole = read_all(in.at, in.left, buffer_bytes, limits, pieces, 1);
    outcome cut = read_all(in.at, in.left, buffer_bytes, limits, pieces, 0);
    CHECK(whole.status == cut.status && whole.tokens == cut.tokens && whole.digest == cut.digest);
    CHECK(!strncmp(whole.error, cut.error, 20)); /* what it quotes may be shorter */
    return 0;
}
