/* RESP encoder into a growing buffer: commands and requests on one side, a worker's replies on the other. */
#ifndef SSA_RESP_WRITER_H
#define SSA_RESP_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef struct ssa_buffer {
    unsigned char *data; /* allocated; ssa_buffer_free releases it */
    size_t bytes, capacity;
} ssa_buffer;

/* Room for `more` further bytes; each writer below does it itself. SSA_ENOMEM leaves the buffer as it was. After SSA_OK
 * there is memory, even for no bytes: an empty string has a place. */
ssa_status ssa_buffer_reserve(ssa_buffer *buffer, size_t more);
ssa_status ssa_buffer_append(ssa_buffer *buffer, const void *data, size_t bytes);
void ssa_buffer_free(ssa_buffer *buffer); /* leaves it empty and usable */

ssa_status ssa_write_array(ssa_buffer *buffer, uint64_t elements);
ssa_status ssa_write_push(ssa_buffer *buffer, uint64_t elements);
ssa_status ssa_write_integer(ssa_buffer *buffer, int64_t number);
ssa_status ssa_write_simple(ssa_buffer *buffer, const char *text);                           /* no CR or LF in it */
ssa_status ssa_write_error(ssa_buffer *buffer, const char *code, const char *text, size_t bytes); /* CR, LF become blanks */
ssa_status ssa_write_bulk_length(ssa_buffer *buffer, uint64_t bytes); /* the body and ssa_write_bulk_end follow */
ssa_status ssa_write_bulk_end(ssa_buffer *buffer);
ssa_status ssa_write_bulk(ssa_buffer *buffer, const void *data, size_t bytes);

#endif
