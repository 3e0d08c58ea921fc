#include "command.h"

#include <stddef.h>
#include <string.h>
#include <sys/random.h>

#include "allocator.h"

#define KEPT_BYTES 4096 /* of an encoded command, with the memory of a spare one */

static ssa_command *begin(ssa_command *command, uint64_t arguments, ssa_expectation expectation) {
    command->expectation = expectation;
    if (ssa_command_next(command, arguments)) {
        ssa_command_free(command);
        return NULL;
    }
    return command;
}

/* All but the header of the caller's memory, which is long, and set along with it. */
static void clear(ssa_command *command) {
    memset(command, 0, offsetof(ssa_command, into_header));
}

ssa_command *ssa_command_new(uint64_t arguments, ssa_expectation expectation) {
    ssa_command *command = ssa_allocate(sizeof *command);
    if (!command)
        return NULL;
    clear(command);
    return begin(command, arguments, expectation);
}

ssa_command *ssa_command_take(ssa_spares *spares, uint64_t arguments, ssa_expectation expectation) {
    ssa_command *command = ssa_spares_take(spares);
    if (!command)
        return ssa_command_new(arguments, expectation);
    ssa_buffer encoded = command->encoded;
    ssa_reply reply = command->reply;
    clear(command);
    command->encoded = encoded;
    command->reply = reply;
    return begin(command, arguments, expectation);
}

static void free_results(ssa_command *command) {
    for (size_t i = 0; i < command->tensor_count; i++)
        ssa_memory_free(&command->tensors[i].memory);
    ssa_release(command->tensors);
    command->tensors = NULL;
    command->tensor_count = 0;
    ssa_buffer_free(&command->error);
}

static void free_loans(ssa_command *command) {
    for (size_t i = 0; i < command->loan_count; i++)
        ssa_release(command->loans[i].copy);
    ssa_release(command->loans);
    command->loans = NULL;
    command->loan_count = command->loan_capacity = 0;
}

void ssa_command_recycle(ssa_spares *spares, ssa_command *command) {
    if (!command)
        return;
    free_results(command);
    free_loans(command);
    ssa_reply_clear(&command->reply);
    command->encoded.bytes = 0;
    if (command->encoded.capacity > KEPT_BYTES || !ssa_spares_keep(spares, command))
        ssa_command_free(command);
}

ssa_status ssa_command_next(ssa_command *command, uint64_t arguments) {
    size_t before = command->encoded.bytes;
    if (ssa_write_array(&command->encoded, arguments))
        return SSA_ENOMEM;
    command->total += command->encoded.bytes - before;
    command->commands++;
    command->replies++;
    return SSA_OK;
}

void ssa_command_free(ssa_command *command) {
    if (!command)
        return;
    ssa_command_rewind(command);
    free_loans(command);
    ssa_buffer_free(&command->encoded);
    ssa_release(command);
}

void ssa_command_rewind(ssa_command *command) {
    free_results(command);
    ssa_reply_free(&command->reply);
    command->sent = 0;
    command->replies = command->commands;
    command->complete = command->again = 0;
    command->status = SSA_OK;
}

ssa_status ssa_command_argument(ssa_command *command, const void *data, size_t bytes) {
    size_t before = command->encoded.bytes;
    ssa_status status = ssa_write_bulk(&command->encoded, data, bytes);
    command->total += command->encoded.bytes - before;
    return status;
}

ssa_status ssa_command_number(ssa_command *command, uint64_t number) {
    char text[20], *end = text + sizeof text, *at = end;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    return ssa_command_argument(command, at, (size_t)(end - at));
}

static int write_stamp(char *digits) {
    unsigned char random[SSA_STAMP_BYTES / 2];
    if (getentropy(random, sizeof random))
        return 0;
    for (size_t i = 0; i < sizeof random; i++) {
        digits[2 * i] = "0123456789abcdef"[random[i] >> 4];
        digits[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
    }
    return 1;
}

ssa_status ssa_command_stamp(ssa_command *command) {
    char digits[SSA_STAMP_BYTES];
    if (!write_stamp(digits))
        return SSA_ESYSTEM;
    ssa_status status = ssa_command_argument(command, digits, sizeof digits);
    if (!status)
        command->stamp_at = command->encoded.bytes - sizeof digits - 2; /* CR and LF follow it */
    return status;
}

void ssa_command_stamp_again(ssa_command *command) {
    if (command->stamp_at)
        write_stamp((char *)command->encoded.data + command->stamp_at);
}

ssa_status ssa_command_set_error(ssa_command *command, const char *text, size_t bytes) {
    command->error.bytes = 0;
    return ssa_buffer_append(&command->error, text, bytes);
}

int ssa_command_is_transaction(const ssa_command *command) {
    static const char begins[] = "*1\r\n$5\r\nMULTI\r\n";
    return command->encoded.bytes >= sizeof begins - 1 && !memcmp(command->encoded.data, begins, sizeof begins - 1);
}

static ssa_status lend(ssa_command *command, const void *data, size_t bytes) {
    if (command->loan_count == command->loan_capacity) {
        size_t capacity = command->loan_capacity ? 2 * command->loan_capacity : 1;
        ssa_loan *loans = ssa_reallocate(command->loans, capacity * sizeof *loans);
        if (!loans)
            return SSA_ENOMEM;
        command->loans = loans;
        command->loan_capacity = capacity;
    }
    command->loans[command->loan_count++] = (ssa_loan){command->encoded.bytes, data, bytes, NULL};
    command->total += bytes;
    return SSA_OK;
}

/* One string: `head` bytes that are copied, then `bytes` bytes that are copied when short and lent when long. */
static ssa_status add_string(ssa_command *command, const void *head, size_t head_bytes, const void *data, size_t bytes) {
    size_t before = command->encoded.bytes;
    size_t copied = bytes <= SSA_COPY_LIMIT ? bytes : 0;
    if (ssa_buffer_reserve(&command->encoded, head_bytes + copied + 26) ||
        ssa_write_bulk_length(&command->encoded, (uint64_t)head_bytes + bytes) ||
        ssa_buffer_append(&command->encoded, head, head_bytes) ||
        ssa_buffer_append(&command->encoded, data, copied) ||
        (bytes != copied && lend(command, data, bytes)) ||
        ssa_write_bulk_end(&command->encoded))
        return SSA_ENOMEM;
    command->total += command->encoded.bytes - before;
    return SSA_OK;
}

ssa_status ssa_command_bytes(ssa_command *command, const void *data, size_t bytes) {
    return add_string(command, NULL, 0, data, bytes);
}

ssa_status ssa_command_tensor(ssa_command *command, const ssa_tensor_header *header, const void *data) {
    unsigned char head[SSA_TENSOR_MAX_HEADER];
    ssa_tensor_header_encode(header, head);
    return add_string(command, head, ssa_tensor_header_size(header->ndim), data, header->data_bytes);
}

void ssa_command_into(ssa_command *command, const ssa_tensor_header *header, void *memory) {
    command->expectation = SSA_EXPECT_INTO;
    ssa_tensor_header_copy(&command->into_header, header);
    command->into = memory;
}

void ssa_command_bytes_into(ssa_command *command, void *memory, uint64_t bytes) {
    command->into_header = (ssa_tensor_header){SSA_UINT8, SSA_ROW_MAJOR, 1, 1, bytes, {bytes}};
    command->into = memory;
}

size_t ssa_command_unsent(const ssa_command *command, struct iovec *pieces, size_t most) {
    size_t count = 0, skip = command->sent, at = 0;
    for (size_t i = 0; i <= command->loan_count && count < most; i++) {
        size_t end = i < command->loan_count ? command->loans[i].before : command->encoded.bytes;
        struct iovec parts[2] = {{command->encoded.data + at, end - at}, {NULL, 0}};
        if (i < command->loan_count)
            parts[1] = (struct iovec){(void *)(uintptr_t)command->loans[i].data, command->loans[i].bytes};
        at = end;
        for (int p = 0; p < 2 && count < most; p++) {
            size_t skipped = skip < parts[p].iov_len ? skip : parts[p].iov_len;
            skip -= skipped;
            if (parts[p].iov_len > skipped)
                pieces[count++] = (struct iovec){(char *)parts[p].iov_base + skipped, parts[p].iov_len - skipped};
        }
    }
    return count;
}

ssa_status ssa_command_return_loans(ssa_command *command) {
    size_t start = 0; /* where the loan lies in all that is sent */
    for (size_t i = 0; i < command->loan_count; i++) {
        ssa_loan *loan = &command->loans[i];
        size_t position = start + loan->before;
        start += loan->bytes;
        if (loan->copy || position + loan->bytes <= command->sent)
            continue;
        size_t gone = command->sent > position ? command->sent - position : 0;
        loan->copy = ssa_allocate(loan->bytes - gone);
        if (!loan->copy)
            return SSA_ENOMEM;
        memcpy(loan->copy, (const char *)loan->data + gone, loan->bytes - gone);
        /* The part that is gone is never looked at again: the pointer may lie before the copy. */
        loan->data = (const void *)((uintptr_t)loan->copy - gone);
    }
    command->into = NULL;
    return SSA_OK;
}
