#include "connection_private.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "chunks.h"

#define MAX_RESULTS 1024
#define VERSION_BYTES 4096 /* longest version of a run, or of the steps of a chain */

ssa_status ssa_connection_broken(ssa_connection *connection, ssa_status status, const char *text) {
    snprintf(connection->error, sizeof connection->error, "%s", text);
    return status;
}

static ssa_status keep_push(ssa_connection *connection) {
    ssa_push *next = ssa_allocate(sizeof *next);
    if (!next)
        return SSA_ENOMEM;
    next->next = NULL;
    next->reply = connection->tree;
    memset(&connection->tree, 0, sizeof connection->tree);
    *(connection->last_push ? &connection->last_push->next : &connection->first_push) = next;
    connection->last_push = next;
    connection->statistics.pushes++;
    connection->stage = SSA_READING_BETWEEN;
    return SSA_OK;
}

/* The first error of a unit of several commands says why; what the last reply says follows from it. */
static ssa_status keep_first_error(ssa_command *command, const ssa_node *root, const ssa_buffer *text) {
    return command->error.bytes ? SSA_OK : ssa_command_set_error(command, (char *)text->data + root->text_at, root->text_bytes);
}

/* A tree is whole: it belongs to a push or to the current command. */
static ssa_status finish_tree(ssa_connection *connection) {
    if (connection->tree_is_push)
        return keep_push(connection);
    ssa_command *command = connection->current;
    const ssa_node *root = connection->tree.nodes;
    while (root->kind == SSA_TOKEN_ATTRIBUTE) { /* skip the attribute and its elements */
        int64_t left = root->number;
        for (root++; left; root++)
            left += ssa_node_elements(root) - 1;
    }
    int is_error = root->kind == SSA_TOKEN_ERROR || root->kind == SSA_TOKEN_BULK_ERROR;
    if (is_error && keep_first_error(command, root, &connection->tree.text))
        return SSA_ENOMEM;
    if (--command->replies) {
        ssa_reply_free(&connection->tree);
        connection->current = NULL;
        connection->stage = SSA_READING_BETWEEN;
        return SSA_OK;
    }
    ssa_status status = is_error ? SSA_ESERVER : SSA_OK;
    if (command->expectation == SSA_EXPECT_REPLY) {
        ssa_reply kept = command->reply; /* empty, with the memory of a spare command: that of the next tree */
        command->reply = connection->tree;
        connection->tree = kept;
    } else {
        if (status == SSA_OK)
            status = root->kind == SSA_TOKEN_NULL ? SSA_ENOTFOUND : SSA_EPROTOCOL;
        ssa_reply_free(&connection->tree);
    }
    ssa_connection_finish_current(connection, status);
    return SSA_OK;
}

static ssa_status add_to_tree(ssa_connection *connection, const ssa_token *token) {
    ssa_status status = ssa_reply_add(&connection->tree, token);
    if (status < 0)
        return status != SSA_ELIMIT ? status
                                    : ssa_connection_broken(connection, status, "a reply nested too deeply or with too many elements");
    if (token->kind == SSA_TOKEN_BULK || token->kind == SSA_TOKEN_BULK_ERROR || token->kind == SSA_TOKEN_VERBATIM) {
        connection->stage = SSA_READING_TREE_BODY;
        connection->target_left = (uint64_t)token->number;
        /* Room for all of it at once: growing while it comes would copy it again and again. */
        if (!ssa_reply_body_space(&connection->tree, (size_t)token->number))
            return SSA_ENOMEM;
        connection->body_status = status; /* SSA_OK: the tree is whole after this string */
        return SSA_OK;
    }
    connection->stage = SSA_READING_TREE;
    return status == SSA_OK ? finish_tree(connection) : SSA_OK;
}

static ssa_status begin_tree(ssa_connection *connection, const ssa_token *token, int is_push) {
    connection->tree_is_push = is_push;
    connection->stage = SSA_READING_TREE;
    return add_to_tree(connection, token);
}

static ssa_command *find_by_id(ssa_connection *connection, int64_t id) {
    for (ssa_command *command = connection->waiting.first; command; command = command->next)
        if (command->id == (uint64_t)id && command->expectation == SSA_EXPECT_RESULTS)
            return command;
    return NULL;
}

/* The other side answers a command that it has not read in full: it refuses it (a value longer than its limit) and
 * gives up on the stream. The command has that answer; sending it again would end in the same way. */
static ssa_status answered_early(ssa_connection *connection, const ssa_token *token) {
    if (token->kind != SSA_TOKEN_ERROR)
        return ssa_connection_broken(connection, SSA_EPROTOCOL, "a reply to a command that is not sent in full");
    snprintf(connection->error, sizeof connection->error, "%.*s", (int)token->text_bytes, token->text);
    if (ssa_command_set_error(connection->current, token->text, token->text_bytes))
        return SSA_ENOMEM;
    ssa_connection_finish_current(connection, SSA_ESERVER);
    return SSA_ECLOSED;
}

static void discard_body(ssa_connection *connection, ssa_status status) {
    connection->stage = SSA_READING_DISCARD_BODY;
    connection->body_status = status;
}

/* The elements come next, into fresh memory. */
static ssa_status begin_body(ssa_connection *connection, ssa_tensor *tensor) {
    ssa_command *command = connection->current;
    tensor->memory = ssa_memory_take(connection->memory, tensor->header.data_bytes);
    if (!tensor->memory.data) {
        discard_body(connection, SSA_ENOMEM);
        return SSA_OK;
    }
    if (!command->tensors)
        command->tensors = ssa_allocate(sizeof *command->tensors);
    if (!command->tensors) {
        ssa_memory_free(&tensor->memory);
        return SSA_ENOMEM;
    }
    command->tensors[command->tensor_count++] = *tensor;
    connection->target = tensor->memory.data;
    connection->target_left = tensor->header.data_bytes;
    connection->stage = SSA_READING_TENSOR_BODY;
    return SSA_OK;
}

static ssa_status begin_bytes(ssa_connection *connection, uint64_t bytes) {
    ssa_tensor tensor = {.header = {SSA_UINT8, SSA_ROW_MAJOR, 1, 1, bytes, {bytes}}};
    const ssa_command *command = connection->current;
    connection->last_body = bytes;
    if (command->abandoned) {
        discard_body(connection, SSA_OK);
    } else if (!command->into) {
        return begin_body(connection, &tensor);
    } else if (bytes != command->into_header.data_bytes) {
        discard_body(connection, SSA_ESHAPE);
    } else {
        connection->target = command->into;
        connection->target_left = bytes;
        connection->stage = SSA_READING_TENSOR_BODY;
    }
    return SSA_OK;
}

/* Of a transaction the answers to the first commands come while the last ones leave; only this one ends it early. */
static int is_protocol_error(const ssa_token *token) {
    static const char text[] = "ERR Protocol error";
    return token->kind == SSA_TOKEN_ERROR && token->text_bytes >= sizeof text - 1 && !memcmp(token->text, text, sizeof text - 1);
}

static ssa_status begin_reply(ssa_connection *connection, const ssa_token *token) {
    if (token->kind == SSA_TOKEN_PUSH)
        return begin_tree(connection, token, 1);
    if (connection->by_id) {
        if (token->kind == SSA_TOKEN_ERROR) {
            snprintf(connection->error, sizeof connection->error, "%.*s", (int)token->text_bytes, token->text);
            return SSA_ESERVER;
        }
        if (token->kind != SSA_TOKEN_ARRAY || token->number < 2 || token->number > MAX_RESULTS)
            return ssa_connection_broken(connection, SSA_EPROTOCOL, "a worker's reply is not an array of an id and results");
        connection->results_left = token->number;
        connection->results_status = SSA_OK;
        connection->stage = SSA_READING_RESULT_ID;
        return SSA_OK;
    }
    connection->current = connection->waiting.first;
    if (!connection->current)
        return ssa_connection_broken(connection, SSA_EPROTOCOL, "a reply to no command");
    if (connection->current->sent < connection->current->total && (connection->current->replies == 1 || is_protocol_error(token)))
        return answered_early(connection, token);
    ssa_expectation expectation = connection->current->expectation;
    if (expectation == SSA_EXPECT_BYTES && token->kind == SSA_TOKEN_BULK)
        return begin_bytes(connection, (uint64_t)token->number);
    if ((expectation == SSA_EXPECT_TENSOR || expectation == SSA_EXPECT_INTO) && token->kind == SSA_TOKEN_BULK) {
        connection->stage = SSA_READING_TENSOR_HEADER;
        return SSA_OK;
    }
    return begin_tree(connection, token, 0);
}

/* One element of a worker's reply was taken. */
static void result_taken(ssa_connection *connection) {
    if (--connection->results_left == 0)
        ssa_connection_finish_current(connection, connection->results_status);
    else
        connection->stage = SSA_READING_RESULT_TENSOR;
}

static ssa_status take_result(ssa_connection *connection, const ssa_token *token) {
    ssa_command *command = connection->current;
    switch (connection->stage) {
    case SSA_READING_RESULT_ID:
        if (token->kind != SSA_TOKEN_INTEGER)
            return ssa_connection_broken(connection, SSA_EPROTOCOL, "a worker's reply does not begin with an id");
        connection->current = command = find_by_id(connection, token->number);
        if (!command || command->sent < command->total)
            return ssa_connection_broken(connection, SSA_EPROTOCOL, "a worker's reply to no request");
        connection->results_left--;
        connection->stage = SSA_READING_RESULT_VERSION;
        return SSA_OK;
    case SSA_READING_RESULT_VERSION:
        if (token->kind == SSA_TOKEN_ERROR && connection->results_left == 1) {
            if (ssa_command_set_error(command, token->text, token->text_bytes))
                return SSA_ENOMEM;
            ssa_connection_finish_current(connection, SSA_ESERVER);
            return SSA_OK;
        }
        if (token->kind != SSA_TOKEN_BULK || token->number > VERSION_BYTES)
            return ssa_connection_broken(connection, SSA_EPROTOCOL, "a worker's reply names no version of the model");
        if (ssa_reply_add(&command->reply, token) < 0)
            return SSA_ENOMEM;
        command->tensors = ssa_allocate((size_t)connection->results_left * sizeof *command->tensors);
        if (!command->tensors || !ssa_reply_body_space(&command->reply, (size_t)token->number))
            return SSA_ENOMEM;
        connection->stage = SSA_READING_RESULT_VERSION_BODY;
        connection->target_left = (uint64_t)token->number;
        return SSA_OK;
    default:
        if (token->kind != SSA_TOKEN_BULK)
            return ssa_connection_broken(connection, SSA_EPROTOCOL, "a worker's result is not a tensor");
        connection->stage = SSA_READING_TENSOR_HEADER;
        return SSA_OK;
    }
}

static ssa_status take_token(ssa_connection *connection, const ssa_token *token) {
    switch (connection->stage) {
    case SSA_READING_BETWEEN: return begin_reply(connection, token);
    case SSA_READING_TREE: return add_to_tree(connection, token);
    case SSA_READING_RESULT_ID:
    case SSA_READING_RESULT_VERSION:
    case SSA_READING_RESULT_TENSOR: return take_result(connection, token);
    default: return ssa_connection_broken(connection, SSA_EPROTOCOL, "a token inside a string");
    }
}

static int same_type_and_shape(const ssa_tensor_header *a, const ssa_tensor_header *b) {
    return a->dtype == b->dtype && a->itemsize == b->itemsize && a->ndim == b->ndim &&
           !memcmp(a->shape, b->shape, a->ndim * sizeof *a->shape);
}

/* In place of a tensor there may be a short value that tells where it is (chunks.h): it is kept, and SSA_EHEADER. */
static ssa_status keep_manifest(ssa_connection *connection, const unsigned char *bytes, size_t buffered, uint64_t left) {
    ssa_command *command = connection->current;
    if (connection->by_id || left > SSA_MANIFEST_MAX || buffered < 4 || memcmp(bytes, SSA_MANIFEST_MAGIC, 4))
        return SSA_OK;
    if (buffered < left)
        return SSA_MORE;
    ssa_token token = {.kind = SSA_TOKEN_BULK, .number = (int64_t)left};
    void *space = ssa_reply_add(&command->reply, &token) < 0 ? NULL : ssa_reply_body_space(&command->reply, (size_t)left);
    if (!space)
        return SSA_ENOMEM;
    memcpy(space, bytes, (size_t)left);
    ssa_reply_body_came(&command->reply, (size_t)left);
    return SSA_OK;
}

/* The header of a tensor is here or cannot come: choose where the elements go. */
static ssa_status take_header(ssa_connection *connection) {
    ssa_command *command = connection->current;
    size_t buffered, offset;
    const unsigned char *bytes = ssa_reader_body(connection->reader, &buffered);
    uint64_t left = ssa_reader_body_left(connection->reader);
    ssa_tensor tensor;
    memset(&tensor, 0, sizeof tensor);
    ssa_status status = ssa_tensor_header_decode(&tensor.header, bytes, buffered, left, &offset);
    if (status == SSA_MORE)
        return SSA_MORE;
    if (status == SSA_EHEADER && !command->abandoned) {
        ssa_status kept = keep_manifest(connection, bytes, buffered, left);
        if (kept != SSA_OK)
            return kept;
    }
    int into = command->expectation == SSA_EXPECT_INTO;
    if (status == SSA_OK && into && !same_type_and_shape(&tensor.header, &command->into_header)) {
        int same_dtype = tensor.header.dtype == command->into_header.dtype && tensor.header.itemsize == command->into_header.itemsize;
        status = same_dtype ? SSA_ESHAPE : SSA_EDTYPE;
        command->into_header = tensor.header; /* what is stored, for the text of the error */
    }
    if (status != SSA_OK || command->abandoned) {
        discard_body(connection, status);
        return SSA_OK;
    }
    ssa_reader_take(connection->reader, offset);
    connection->last_body = tensor.header.data_bytes;
    if (into && tensor.header.order == command->into_header.order) {
        connection->target = command->into;
        connection->target_left = tensor.header.data_bytes;
        connection->stage = SSA_READING_TENSOR_BODY;
        return SSA_OK;
    }
    return begin_body(connection, &tensor);
}

/* The body of a tensor, or what is thrown away of it, is over. */
static void body_over(ssa_connection *connection, ssa_status status) {
    if (!connection->by_id) {
        ssa_connection_finish_current(connection, status);
        return;
    }
    if (status != SSA_OK)
        connection->results_status = status;
    result_taken(connection);
}

/* Move what is buffered of a body to where it goes. SSA_OK: the body is over; SSA_MORE: the rest is to come. */
static ssa_status take_body(ssa_connection *connection) {
    size_t buffered;
    const unsigned char *bytes = ssa_reader_body(connection->reader, &buffered);
    if (connection->stage == SSA_READING_TENSOR_BODY) {
        memcpy(connection->target, bytes, buffered);
        connection->target += buffered;
        connection->target_left -= buffered;
    } else if (connection->stage != SSA_READING_DISCARD_BODY && buffered) {
        ssa_reply *reply = connection->stage == SSA_READING_TREE_BODY ? &connection->tree : &connection->current->reply;
        memcpy(ssa_reply_body_space(reply, buffered), bytes, buffered);
        ssa_reply_body_came(reply, buffered);
    }
    ssa_reader_take(connection->reader, buffered);
    return ssa_reader_body_left(connection->reader) ? SSA_MORE : SSA_OK;
}

ssa_status ssa_connection_advance(ssa_connection *connection) {
    for (;;) {
        ssa_status status;
        switch (connection->stage) {
        case SSA_READING_TENSOR_HEADER:
            status = take_header(connection);
            break;
        case SSA_READING_TENSOR_BODY:
            status = take_body(connection);
            if (status == SSA_OK)
                body_over(connection, SSA_OK);
            break;
        case SSA_READING_DISCARD_BODY:
            status = take_body(connection);
            if (status == SSA_OK)
                body_over(connection, connection->body_status);
            break;
        case SSA_READING_TREE_BODY:
            status = take_body(connection);
            if (status == SSA_OK) {
                connection->stage = SSA_READING_TREE;
                if (connection->body_status == SSA_OK)
                    status = finish_tree(connection);
            }
            break;
        case SSA_READING_RESULT_VERSION_BODY:
            status = take_body(connection);
            if (status == SSA_OK)
                result_taken(connection);
            break;
        default: {
            ssa_token token;
            status = ssa_reader_next(connection->reader, &token);
            if (status == SSA_OK)
                status = take_token(connection, &token);
            else if (status < 0)
                ssa_connection_broken(connection, status, ssa_reader_error(connection->reader));
        }
        }
        if (status != SSA_OK)
            return status;
    }
}
