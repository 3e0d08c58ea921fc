#include "resp_reader.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "real_text.h"

struct ssa_reader {
    ssa_reader_limits limits;
    size_t begin, end, capacity;
    uint64_t body_left;
    int closing; /* CR LF of a body is due */
    int failed;  /* the status it failed with */
    char error[160];
    unsigned char buffer[];
};

ssa_reader *ssa_reader_new(size_t buffer_bytes, ssa_reader_limits limits) {
    if (buffer_bytes < 4096)
        buffer_bytes = 4096;
    ssa_reader *reader = ssa_allocate(sizeof *reader + buffer_bytes);
    if (!reader)
        return NULL;
    memset(reader, 0, sizeof *reader);
    reader->capacity = buffer_bytes;
    reader->limits = limits;
    return reader;
}

void ssa_reader_free(ssa_reader *reader) {
    ssa_release(reader);
}

void ssa_reader_set_limits(ssa_reader *reader, ssa_reader_limits limits) {
    reader->limits = limits;
}

void *ssa_reader_space(ssa_reader *reader, size_t *bytes) {
    if (reader->begin == reader->end) {
        reader->begin = reader->end = 0;
    } else if (reader->end == reader->capacity && reader->begin) {
        memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
        reader->end -= reader->begin;
        reader->begin = 0;
    }
    *bytes = reader->capacity - reader->end;
    return reader->buffer + reader->end;
}

void ssa_reader_fed(ssa_reader *reader, size_t bytes) {
    reader->end += bytes;
}

const unsigned char *ssa_reader_body(const ssa_reader *reader, size_t *buffered) {
    size_t bytes = reader->end - reader->begin;
    *buffered = bytes < reader->body_left ? bytes : (size_t)reader->body_left;
    return reader->buffer + reader->begin;
}

uint64_t ssa_reader_body_left(const ssa_reader *reader) {
    return reader->body_left;
}

void ssa_reader_take(ssa_reader *reader, size_t bytes) {
    reader->begin += bytes;
    reader->body_left -= bytes;
}

void ssa_reader_skip_ahead(ssa_reader *reader, size_t bytes) {
    reader->body_left -= bytes;
}

size_t ssa_reader_buffered(const ssa_reader *reader) {
    return reader->end - reader->begin;
}

int ssa_reader_begins(const ssa_reader *reader, const void *data, size_t bytes) {
    return ssa_reader_buffered(reader) >= bytes && !memcmp(reader->buffer + reader->begin, data, bytes);
}

const char *ssa_reader_error(const ssa_reader *reader) {
    return reader->error;
}

static ssa_status fail(ssa_reader *reader, ssa_status code, const char *what, const unsigned char *line, size_t bytes) {
    char quoted[33];
    size_t shown = bytes < sizeof quoted - 1 ? bytes : sizeof quoted - 1;
    for (size_t i = 0; i < shown; i++)
        quoted[i] = line[i] >= ' ' && line[i] < 127 ? (char)line[i] : '?';
    quoted[shown] = 0;
    snprintf(reader->error, sizeof reader->error, "%s: '%s'", what, quoted);
    reader->failed = code;
    return code;
}

/* Decimal digits with an optional sign, all of the text, no overflow. */
static int parse_integer(const unsigned char *text, size_t bytes, int64_t *number) {
    size_t i = bytes && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    if (i == bytes)
        return 0;
    int64_t value = 0;
    for (; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, text[i] - '0', &value)) /* negative: reaches INT64_MIN */
            return 0;
    }
    if (text[0] != '-' && __builtin_sub_overflow((int64_t)0, value, &value))
        return 0;
    *number = value;
    return 1;
}

/* Decimal digits with an optional sign, of any length below what other languages take in one piece. */
static int is_decimal(const unsigned char *text, size_t bytes) {
    size_t i = bytes && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    if (i == bytes || bytes > 4000)
        return 0;
    while (i < bytes && text[i] >= '0' && text[i] <= '9')
        i++;
    return i == bytes;
}

static ssa_status parse_length(ssa_reader *reader, ssa_token *token, const unsigned char *line, size_t bytes) {
    int64_t count;
    if (!parse_integer(line + 1, bytes - 1, &count) || count < -1)
        return fail(reader, SSA_EPROTOCOL, "not a length", line, bytes);
    if (count == -1) {
        if (line[0] != '$' && line[0] != '*')
            return fail(reader, SSA_EPROTOCOL, "not a length", line, bytes);
        token->kind = SSA_TOKEN_NULL;
        return SSA_OK;
    }
    int is_string = token->kind == SSA_TOKEN_BULK || token->kind == SSA_TOKEN_BULK_ERROR || token->kind == SSA_TOKEN_VERBATIM;
    int is_pairs = token->kind == SSA_TOKEN_MAP || token->kind == SSA_TOKEN_ATTRIBUTE;
    if (__builtin_mul_overflow(count, is_pairs ? 2 : 1, &token->number) ||
        (uint64_t)token->number > (is_string ? reader->limits.bulk_bytes : reader->limits.elements))
        return fail(reader, SSA_ELIMIT, is_string ? "a string longer than allowed" : "more elements than allowed", line, bytes);
    if (is_string) {
        reader->body_left = (uint64_t)count;
        reader->closing = 1;
    }
    return SSA_OK;
}

static ssa_status parse_line(ssa_reader *reader, ssa_token *token, const unsigned char *line, size_t bytes) {
    const unsigned char *text = line + 1;
    size_t text_bytes = bytes - 1;
    token->text = (const char *)text;
    token->text_bytes = text_bytes;
    switch (line[0]) {
    case '+': token->kind = SSA_TOKEN_SIMPLE; return SSA_OK;
    case '-': token->kind = SSA_TOKEN_ERROR; return SSA_OK;
    case '(':
        token->kind = SSA_TOKEN_BIG_NUMBER;
        return is_decimal(text, text_bytes) ? SSA_OK : fail(reader, SSA_EPROTOCOL, "not a number", line, bytes);
    case ':':
        token->kind = SSA_TOKEN_INTEGER;
        return parse_integer(text, text_bytes, &token->number) ? SSA_OK : fail(reader, SSA_EPROTOCOL, "not an integer", line, bytes);
    case ',':
        token->kind = SSA_TOKEN_REAL;
        return ssa_real_parse(token->text, text_bytes, &token->real) ? SSA_OK : fail(reader, SSA_EPROTOCOL, "not a number", line, bytes);
    case '#':
        token->kind = SSA_TOKEN_BOOLEAN;
        token->number = text_bytes == 1 && text[0] == 't';
        return text_bytes == 1 && (text[0] == 't' || text[0] == 'f') ? SSA_OK : fail(reader, SSA_EPROTOCOL, "not a boolean", line, bytes);
    case '_':
        token->kind = SSA_TOKEN_NULL;
        return text_bytes == 0 ? SSA_OK : fail(reader, SSA_EPROTOCOL, "not a null", line, bytes);
    case '$': token->kind = SSA_TOKEN_BULK; return parse_length(reader, token, line, bytes);
    case '!': token->kind = SSA_TOKEN_BULK_ERROR; return parse_length(reader, token, line, bytes);
    case '=': token->kind = SSA_TOKEN_VERBATIM; return parse_length(reader, token, line, bytes);
    case '*': token->kind = SSA_TOKEN_ARRAY; return parse_length(reader, token, line, bytes);
    case '~': token->kind = SSA_TOKEN_SET; return parse_length(reader, token, line, bytes);
    case '%': token->kind = SSA_TOKEN_MAP; return parse_length(reader, token, line, bytes);
    case '|': token->kind = SSA_TOKEN_ATTRIBUTE; return parse_length(reader, token, line, bytes);
    case '>': token->kind = SSA_TOKEN_PUSH; return parse_length(reader, token, line, bytes);
    default: return fail(reader, SSA_EPROTOCOL, "not RESP", line, bytes);
    }
}

ssa_status ssa_reader_next(ssa_reader *reader, ssa_token *token) {
    if (reader->failed)
        return reader->failed;
    if (reader->body_left)
        return SSA_MORE;
    unsigned char *start = reader->buffer + reader->begin;
    size_t buffered = reader->end - reader->begin;
    if (reader->closing) {
        if (buffered < 2)
            return SSA_MORE;
        if (start[0] != '\r' || start[1] != '\n')
            return fail(reader, SSA_EPROTOCOL, "a string does not end where its length says", start, 2);
        reader->closing = 0;
        reader->begin += 2;
        start += 2;
        buffered -= 2;
    }
    unsigned char *newline = memchr(start, '\n', buffered);
    if (!newline) {
        if (buffered == reader->capacity)
            return fail(reader, SSA_ELIMIT, "a line longer than the buffer", start, buffered);
        return SSA_MORE;
    }
    size_t bytes = (size_t)(newline - start);
    if (bytes < 2 || start[bytes - 1] != '\r')
        return fail(reader, SSA_EPROTOCOL, "not RESP", start, bytes);
    reader->begin += bytes + 1;
    memset(token, 0, sizeof *token);
    return parse_line(reader, token, start, bytes - 1);
}
