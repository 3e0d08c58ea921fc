/* Incremental RESP2/RESP3 tokenizer, for replies and for requests alike. Sans-IO: bytes in, tokens out, no socket.
 *
 * It yields tokens, not trees: what a reply means is decided one level up, so that the body of a large string goes
 * straight into the memory it is meant for. The life of a string: a token SSA_TOKEN_BULK with its length, then its
 * body, taken from the buffer (ssa_reader_body) or read by the caller from the socket itself (ssa_reader_skip_ahead).
 * The closing CR LF is taken by the next ssa_reader_next. */
#ifndef SSA_RESP_READER_H
#define SSA_RESP_READER_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef enum ssa_token_kind {
    SSA_TOKEN_SIMPLE = 1, /* text */
    SSA_TOKEN_ERROR,      /* text */
    SSA_TOKEN_INTEGER,    /* number */
    SSA_TOKEN_REAL,       /* real */
    SSA_TOKEN_BOOLEAN,    /* number: 0 or 1 */
    SSA_TOKEN_NULL,       /* also RESP2's null string and null array */
    SSA_TOKEN_BIG_NUMBER, /* text: decimal digits */
    SSA_TOKEN_BULK,       /* number: bytes of the body that follows */
    SSA_TOKEN_BULK_ERROR, /* as SSA_TOKEN_BULK; the body is the text of an error */
    SSA_TOKEN_VERBATIM,   /* as SSA_TOKEN_BULK; the body starts with "txt:" or alike */
    SSA_TOKEN_ARRAY,      /* number: elements that follow */
    SSA_TOKEN_SET,
    SSA_TOKEN_MAP,        /* number: elements that follow, keys and values both counted */
    SSA_TOKEN_ATTRIBUTE,
    SSA_TOKEN_PUSH
} ssa_token_kind;

typedef struct ssa_token {
    ssa_token_kind kind;
    int64_t number;
    double real;
    const char *text; /* borrowed: valid until the next call on the reader */
    size_t text_bytes;
} ssa_token;

typedef struct ssa_reader_limits {
    uint64_t bulk_bytes; /* longest string */
    uint64_t elements;   /* most elements of one aggregate; of a map keys and values both count */
} ssa_reader_limits;

typedef struct ssa_reader ssa_reader;

/* Allocates a reader with a buffer of buffer_bytes (at least 4096); NULL when there is no memory. A line (anything but
 * the body of a string) must fit in the buffer. */
ssa_reader *ssa_reader_new(size_t buffer_bytes, ssa_reader_limits limits);
void ssa_reader_free(ssa_reader *reader);
void ssa_reader_set_limits(ssa_reader *reader, ssa_reader_limits limits);

/* Free room in the buffer: fill it from the socket, then say how much came. Never allocates. */
void *ssa_reader_space(ssa_reader *reader, size_t *bytes);
void ssa_reader_fed(ssa_reader *reader, size_t bytes);

/* The next token. SSA_MORE: feed first (also while a body has not been taken in full). SSA_EPROTOCOL, SSA_ELIMIT: the
 * stream is of no further use; text by ssa_reader_error. Never allocates. */
ssa_status ssa_reader_next(ssa_reader *reader, ssa_token *token);

/* The buffered part of the current body and how many bytes of the body are still to come in all (that part included). */
const unsigned char *ssa_reader_body(const ssa_reader *reader, size_t *buffered);
uint64_t ssa_reader_body_left(const ssa_reader *reader);
void ssa_reader_take(ssa_reader *reader, size_t bytes);       /* done with this many buffered bytes of the body */
void ssa_reader_skip_ahead(ssa_reader *reader, size_t bytes); /* the caller read them itself; the buffer is empty */

size_t ssa_reader_buffered(const ssa_reader *reader);         /* bytes in the buffer, not yet taken */
int ssa_reader_begins(const ssa_reader *reader, const void *data, size_t bytes); /* with these */
const char *ssa_reader_error(const ssa_reader *reader);

#endif
