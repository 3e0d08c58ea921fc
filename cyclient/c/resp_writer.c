#include "resp_writer.h"

#include <string.h>

#include "allocator.h"

#define FIRST_BYTES 64

ssa_status ssa_buffer_reserve(ssa_buffer *buffer, size_t more) {
    if (buffer->data && buffer->capacity - buffer->bytes >= more)
        return SSA_OK;
    /* Thousands of keys and short answers may be there at a time: the first piece is just long enough. */
    size_t needed, capacity = buffer->capacity > SIZE_MAX / 2 ? SIZE_MAX : 2 * buffer->capacity;
    if (__builtin_add_overflow(buffer->bytes, more, &needed))
        return SSA_ENOMEM;
    if (capacity < needed)
        capacity = needed < FIRST_BYTES ? FIRST_BYTES : needed;
    unsigned char *data = ssa_reallocate(buffer->data, capacity);
    if (!data)
        return SSA_ENOMEM;
    buffer->data = data;
    buffer->capacity = capacity;
    return SSA_OK;
}

ssa_status ssa_buffer_append(ssa_buffer *buffer, const void *data, size_t bytes) {
    if (ssa_buffer_reserve(buffer, bytes))
        return SSA_ENOMEM;
    if (bytes)
        memcpy(buffer->data + buffer->bytes, data, bytes);
    buffer->bytes += bytes;
    return SSA_OK;
}

void ssa_buffer_free(ssa_buffer *buffer) {
    ssa_release(buffer->data);
    memset(buffer, 0, sizeof *buffer);
}

/* A type byte, a decimal number and CR LF: the line that opens everything. */
static ssa_status write_number(ssa_buffer *buffer, char type, int64_t number) {
    char line[24];
    char *end = line + sizeof line, *at = end;
    uint64_t digits = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    *--at = '\n';
    *--at = '\r';
    do
        *--at = (char)('0' + digits % 10);
    while (digits /= 10);
    if (number < 0)
        *--at = '-';
    *--at = type;
    return ssa_buffer_append(buffer, at, (size_t)(end - at));
}

ssa_status ssa_write_array(ssa_buffer *buffer, uint64_t elements) {
    return write_number(buffer, '*', (int64_t)elements);
}

ssa_status ssa_write_push(ssa_buffer *buffer, uint64_t elements) {
    return write_number(buffer, '>', (int64_t)elements);
}

ssa_status ssa_write_integer(ssa_buffer *buffer, int64_t number) {
    return write_number(buffer, ':', number);
}

ssa_status ssa_write_simple(ssa_buffer *buffer, const char *text) {
    size_t bytes = strlen(text);
    if (ssa_buffer_reserve(buffer, bytes + 3))
        return SSA_ENOMEM;
    buffer->data[buffer->bytes++] = '+';
    ssa_buffer_append(buffer, text, bytes);
    return ssa_buffer_append(buffer, "\r\n", 2);
}

ssa_status ssa_write_error(ssa_buffer *buffer, const char *code, const char *text, size_t bytes) {
    size_t code_bytes = strlen(code);
    if (ssa_buffer_reserve(buffer, code_bytes + bytes + 4))
        return SSA_ENOMEM;
    buffer->data[buffer->bytes++] = '-';
    ssa_buffer_append(buffer, code, code_bytes);
    buffer->data[buffer->bytes++] = ' ';
    for (size_t i = 0; i < bytes; i++)
        buffer->data[buffer->bytes++] = text[i] == '\r' || text[i] == '\n' ? ' ' : (unsigned char)text[i];
    return ssa_buffer_append(buffer, "\r\n", 2);
}

ssa_status ssa_write_bulk_length(ssa_buffer *buffer, uint64_t bytes) {
    return write_number(buffer, '$', (int64_t)bytes);
}

ssa_status ssa_write_bulk_end(ssa_buffer *buffer) {
    return ssa_buffer_append(buffer, "\r\n", 2);
}

ssa_status ssa_write_bulk(ssa_buffer *buffer, const void *data, size_t bytes) {
    if (ssa_buffer_reserve(buffer, bytes + 26))
        return SSA_ENOMEM;
    ssa_write_bulk_length(buffer, bytes);
    ssa_buffer_append(buffer, data, bytes);
    return ssa_write_bulk_end(buffer);
}
