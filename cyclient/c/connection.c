#include "connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "allocator.h"
#include "chunks.h"

#define BUFFER_BYTES ((size_t)64 << 10)
#define PIECES 64
#define SEND_WAITING ((size_t)2 << 20) /* between two looks at deadline and signals */
#define TLS_TURN ((size_t)2 << 20) /* ciphered or deciphered in one call, so that it cannot starve a loop: a millisecond */
#define RECEIVE_CALLS 16       /* in one ssa_connection_receive, so that one connection cannot starve a loop */
#define DIRECT_FROM 4096       /* shorter rests of a body come through the buffer, along with what follows them */
#define HEAD_BYTES 1024        /* in which the beginning of a tensor's reply fits, and little of its body */
#define LONG_BODY (32 << 10)   /* from here on it costs more to move a body out of the buffer than to ask the socket twice */
#define MAX_RESULTS 1024

typedef struct queue {
    ssa_command *first, *last;
    size_t length;
} queue;

typedef struct push {
    struct push *next;
    ssa_reply reply;
} push;

/* What is being read. */
typedef enum stage {
    BETWEEN,        /* no reply has begun */
    TREE,           /* tokens of a reply or of a push into `tree` */
    TREE_BODY,      /* a string of that tree */
    TENSOR_HEADER,  /* the first bytes of a tensor */
    TENSOR_BODY,    /* its elements into `target` */
    DISCARD_BODY,
    RESULT_ID,      /* a worker's reply, element by element */
    RESULT_VERSION,
    RESULT_VERSION_BODY,
    RESULT_TENSOR
} stage;

struct ssa_connection {
    int descriptor;
    int blocks; /* system calls on the descriptor wait, each for a while */
    int by_id;
    ssa_status failed;
    ssa_tls *tls; /* NULL: none */
    ssa_reader *reader;
    queue waiting;          /* queued or sent, in order */
    ssa_command *unsent;    /* the first of `waiting` that is not sent in full */
    queue complete;
    push *first_push, *last_push;

    stage stage;
    ssa_command *current;   /* whose reply is being read; NULL: nobody's */
    ssa_reply tree;
    int tree_is_push;
    unsigned char *target;  /* where the body of a tensor goes */
    uint64_t target_left;
    ssa_status body_status; /* what the command ends with once the body is over */
    uint64_t last_body;     /* bytes of the last tensor: the next one is likely as long */
    int64_t results_left;   /* elements of a worker's reply */
    ssa_status results_status; /* one bad result spoils the reply; the others still have to be read */
    ssa_memory_cache *memory;
    ssa_connection_statistics statistics;
    char error[200];
};

static void queue_append(queue *q, ssa_command *command) {
    command->next = NULL;
    command->previous = q->last;
    *(q->last ? &q->last->next : &q->first) = command;
    q->last = command;
    q->length++;
}

static void queue_remove(queue *q, ssa_command *command) {
    *(command->previous ? &command->previous->next : &q->first) = command->next;
    *(command->next ? &command->next->previous : &q->last) = command->previous;
    q->length--;
}

ssa_connection *ssa_connection_new(int descriptor, ssa_reader_limits limits) {
    ssa_connection *connection = ssa_allocate(sizeof *connection);
    if (!connection)
        return NULL;
    memset(connection, 0, sizeof *connection);
    connection->descriptor = descriptor;
    connection->reader = ssa_reader_new(BUFFER_BYTES, limits);
    if (!connection->reader) {
        ssa_release(connection);
        return NULL;
    }
    return connection;
}

void ssa_connection_free(ssa_connection *connection) {
    if (!connection)
        return;
    queue *queues[] = {&connection->waiting, &connection->complete};
    for (int i = 0; i < 2; i++)
        while (queues[i]->first) {
            ssa_command *command = queues[i]->first;
            queue_remove(queues[i], command);
            ssa_command_free(command);
        }
    ssa_reply reply;
    while (ssa_connection_next_push(connection, &reply))
        ssa_reply_free(&reply);
    ssa_reply_free(&connection->tree);
    ssa_reader_free(connection->reader);
    ssa_tls_free(connection->tls);
    ssa_release(connection);
}

void ssa_connection_use_tls(ssa_connection *connection, ssa_tls *tls) {
    connection->tls = tls;
}

ssa_tls *ssa_connection_tls(const ssa_connection *connection) {
    return connection->tls;
}

void ssa_connection_use_memory(ssa_connection *connection, ssa_memory_cache *cache) {
    connection->memory = cache;
}

void ssa_connection_match_by_id(ssa_connection *connection) {
    connection->by_id = 1;
}

void ssa_connection_set_blocking(ssa_connection *connection) {
    connection->blocks = 1;
}

int ssa_connection_blocks(const ssa_connection *connection) {
    return connection->blocks;
}

void ssa_connection_queue(ssa_connection *connection, ssa_command *command) {
    queue_append(&connection->waiting, command);
    if (!connection->unsent)
        connection->unsent = command;
    connection->statistics.commands++;
    if (connection->failed) {
        char text[sizeof connection->error];
        memcpy(text, connection->error, sizeof text);
        ssa_connection_fail(connection, connection->failed, text);
    }
}

/* ---- sending */

/* Sending failed. What the other side said before it closed may still be there, and tells more. */
static ssa_status why_it_closed(ssa_connection *connection) {
    int error = errno;
    ssa_status status = SSA_MORE;
    for (int i = 0; i < 64 && status == SSA_MORE; i++)
        status = ssa_connection_receive(connection);
    if (status < 0)
        return status;
    snprintf(connection->error, sizeof connection->error, "%s", strerror(error));
    return error == EPIPE || error == ECONNRESET ? SSA_ECLOSED : SSA_ESYSTEM;
}

/* Keep the first `most` bytes of the pieces; returns how many are kept. */
static size_t cut(struct iovec *pieces, size_t *count, size_t most) {
    size_t bytes = 0;
    for (size_t i = 0; i < *count; i++) {
        if (pieces[i].iov_len >= most - bytes) {
            pieces[i].iov_len = most - bytes;
            *count = i + 1;
        }
        bytes += pieces[i].iov_len;
    }
    return bytes;
}

static void was_sent(ssa_connection *connection, size_t bytes) {
    connection->statistics.bytes_sent += bytes;
    while (connection->unsent && bytes >= connection->unsent->total - connection->unsent->sent) {
        bytes -= connection->unsent->total - connection->unsent->sent;
        connection->unsent->sent = connection->unsent->total;
        connection->unsent = connection->unsent->next;
    }
    if (connection->unsent)
        connection->unsent->sent += bytes;
}

static size_t unsent_pieces(const ssa_connection *connection, struct iovec pieces[PIECES]) {
    size_t count = 0;
    for (ssa_command *c = connection->unsent; c && count < PIECES; c = c->next)
        count += ssa_command_unsent(c, pieces + count, PIECES - count);
    return count;
}

static ssa_status send_queued_ciphered(ssa_connection *connection) {
    for (size_t turn = 0; connection->unsent && turn < TLS_TURN;) {
        struct iovec pieces[PIECES];
        size_t count = unsent_pieces(connection, pieces);
        cut(pieces, &count, TLS_TURN - turn);
        ssize_t sent = ssa_tls_send(connection->tls, pieces, count);
        connection->statistics.send_calls++;
        if (sent < 0)
            return why_it_closed(connection);
        if (sent == 0)
            return SSA_MORE;
        was_sent(connection, (size_t)sent);
        turn += (size_t)sent;
    }
    ssa_status flushed = ssa_tls_flush(connection->tls);
    if (flushed < 0)
        return why_it_closed(connection);
    return connection->unsent ? SSA_MORE : flushed;
}

/* interrupted: NULL: take what the socket takes now; else wait until it took a good part. */
static ssa_status send_queued(ssa_connection *connection, int *interrupted) {
    while (connection->unsent) {
        struct iovec pieces[PIECES];
        size_t count = unsent_pieces(connection, pieces);
        size_t asked = cut(pieces, &count, interrupted ? SEND_WAITING : SIZE_MAX);
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
        ssize_t sent = sendmsg(connection->descriptor, &message, MSG_NOSIGNAL | (interrupted ? 0 : MSG_DONTWAIT));
        connection->statistics.send_calls++;
        if (interrupted)
            *interrupted = sent < (ssize_t)asked;
        if (sent < 0) {
            if (errno == EINTR && interrupted)
                return SSA_MORE;
            if (errno == EINTR)
                continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                return SSA_MORE;
            return why_it_closed(connection);
        }
        was_sent(connection, (size_t)sent);
        if (interrupted && connection->unsent)
            return SSA_MORE;
    }
    return SSA_OK;
}

ssa_status ssa_connection_send(ssa_connection *connection) {
    return connection->tls ? send_queued_ciphered(connection) : send_queued(connection, NULL);
}

ssa_status ssa_connection_send_waiting(ssa_connection *connection, int *interrupted) {
    *interrupted = 0;
    return send_queued(connection, interrupted);
}

int ssa_connection_wants_write(const ssa_connection *connection) {
    return connection->unsent || (connection->tls && ssa_tls_wants_write(connection->tls));
}

/* ---- completing */

static void finish(ssa_connection *connection, ssa_command *command, ssa_status status) {
    queue_remove(&connection->waiting, command);
    command->status = status;
    command->complete = 1;
    connection->statistics.replies++;
    if (command->abandoned)
        ssa_command_free(command);
    else
        queue_append(&connection->complete, command);
}

static void finish_current(ssa_connection *connection, ssa_status status) {
    ssa_command *command = connection->current;
    connection->current = NULL;
    connection->stage = BETWEEN;
    if (command)
        finish(connection, command, status);
}

static ssa_status set_error(ssa_command *command, const char *text, size_t bytes) {
    command->error.bytes = 0;
    return ssa_buffer_append(&command->error, text, bytes);
}

ssa_status ssa_connection_abandon(ssa_connection *connection, ssa_command *command) {
    command->abandoned = 1;
    command->owner = NULL;
    if (command->complete) {
        queue_remove(&connection->complete, command);
        ssa_command_free(command);
        return SSA_OK;
    }
    if (command->sent == 0 && command != connection->current) {
        if (connection->unsent == command)
            connection->unsent = command->next;
        queue_remove(&connection->waiting, command);
        ssa_command_free(command);
        return SSA_OK;
    }
    if (command == connection->current && connection->stage == TENSOR_BODY) {
        /* The rest of the body is read into nowhere: not into the caller's array, nor into memory nobody will see. */
        connection->stage = DISCARD_BODY;
        connection->body_status = SSA_OK;
    }
    return ssa_command_return_loans(command);
}

void ssa_connection_ignore_reply(ssa_connection *connection, ssa_command *command) {
    (void)connection;
    command->abandoned = 1;
    command->owner = NULL;
}

void ssa_connection_fail(ssa_connection *connection, ssa_status status, const char *text) {
    if (text != connection->error)
        snprintf(connection->error, sizeof connection->error, "%s", text);
    connection->failed = status;
    connection->unsent = NULL;
    connection->current = NULL;
    connection->stage = BETWEEN;
    while (connection->waiting.first) {
        ssa_command *command = connection->waiting.first;
        set_error(command, connection->error, strlen(connection->error));
        finish(connection, command, status);
    }
}

ssa_command *ssa_connection_next_complete(ssa_connection *connection) {
    ssa_command *command = connection->complete.first;
    if (command) {
        queue_remove(&connection->complete, command);
        command->next = command->previous = NULL;
    }
    return command;
}

int ssa_connection_next_push(ssa_connection *connection, ssa_reply *reply) {
    push *first = connection->first_push;
    if (!first)
        return 0;
    connection->first_push = first->next;
    if (!first->next)
        connection->last_push = NULL;
    *reply = first->reply;
    ssa_release(first);
    return 1;
}

/* ---- receiving */

static ssa_status broken(ssa_connection *connection, ssa_status status, const char *text) {
    snprintf(connection->error, sizeof connection->error, "%s", text);
    return status;
}

static ssa_status keep_push(ssa_connection *connection) {
    push *next = ssa_allocate(sizeof *next);
    if (!next)
        return SSA_ENOMEM;
    next->next = NULL;
    next->reply = connection->tree;
    memset(&connection->tree, 0, sizeof connection->tree);
    *(connection->last_push ? &connection->last_push->next : &connection->first_push) = next;
    connection->last_push = next;
    connection->statistics.pushes++;
    connection->stage = BETWEEN;
    return SSA_OK;
}

/* The first error of a unit of several commands says why; what the last reply says follows from it. */
static ssa_status keep_first_error(ssa_command *command, const ssa_node *root, const ssa_buffer *text) {
    return command->error.bytes ? SSA_OK : set_error(command, (char *)text->data + root->text_at, root->text_bytes);
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
        connection->stage = BETWEEN;
        return SSA_OK;
    }
    ssa_status status = is_error ? SSA_ESERVER : SSA_OK;
    if (command->expectation == SSA_EXPECT_REPLY) {
        command->reply = connection->tree;
        memset(&connection->tree, 0, sizeof connection->tree);
    } else {
        if (status == SSA_OK)
            status = root->kind == SSA_TOKEN_NULL ? SSA_ENOTFOUND : SSA_EPROTOCOL;
        ssa_reply_free(&connection->tree);
    }
    finish_current(connection, status);
    return SSA_OK;
}

static ssa_status add_to_tree(ssa_connection *connection, const ssa_token *token) {
    ssa_status status = ssa_reply_add(&connection->tree, token);
    if (status < 0)
        return status == SSA_ELIMIT ? broken(connection, status, "a reply nested too deeply or with too many elements") : status;
    if (token->kind == SSA_TOKEN_BULK || token->kind == SSA_TOKEN_BULK_ERROR || token->kind == SSA_TOKEN_VERBATIM) {
        connection->stage = TREE_BODY;
        connection->target_left = (uint64_t)token->number;
        /* Room for all of it at once: growing while it comes would copy it again and again. */
        if (!ssa_reply_body_space(&connection->tree, (size_t)token->number))
            return SSA_ENOMEM;
        connection->body_status = status; /* SSA_OK: the tree is whole after this string */
        return SSA_OK;
    }
    connection->stage = TREE;
    return status == SSA_OK ? finish_tree(connection) : SSA_OK;
}

static ssa_status begin_tree(ssa_connection *connection, const ssa_token *token, int is_push) {
    connection->tree_is_push = is_push;
    connection->stage = TREE;
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
        return broken(connection, SSA_EPROTOCOL, "a reply to a command that is not sent in full");
    snprintf(connection->error, sizeof connection->error, "%.*s", (int)token->text_bytes, token->text);
    if (set_error(connection->current, token->text, token->text_bytes))
        return SSA_ENOMEM;
    finish_current(connection, SSA_ESERVER);
    return SSA_ECLOSED;
}

static void discard_body(ssa_connection *connection, ssa_status status) {
    connection->stage = DISCARD_BODY;
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
    connection->stage = TENSOR_BODY;
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
        connection->stage = TENSOR_BODY;
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
            return broken(connection, SSA_EPROTOCOL, "a worker's reply is not an array of an id and results");
        connection->results_left = token->number;
        connection->results_status = SSA_OK;
        connection->stage = RESULT_ID;
        return SSA_OK;
    }
    connection->current = connection->waiting.first;
    if (!connection->current)
        return broken(connection, SSA_EPROTOCOL, "a reply to no command");
    if (connection->current->sent < connection->current->total && (connection->current->replies == 1 || is_protocol_error(token)))
        return answered_early(connection, token);
    ssa_expectation expectation = connection->current->expectation;
    if (expectation == SSA_EXPECT_BYTES && token->kind == SSA_TOKEN_BULK)
        return begin_bytes(connection, (uint64_t)token->number);
    if ((expectation == SSA_EXPECT_TENSOR || expectation == SSA_EXPECT_INTO) && token->kind == SSA_TOKEN_BULK) {
        connection->stage = TENSOR_HEADER;
        return SSA_OK;
    }
    return begin_tree(connection, token, 0);
}

/* One element of a worker's reply was taken. */
static void result_taken(ssa_connection *connection) {
    if (--connection->results_left == 0)
        finish_current(connection, connection->results_status);
    else
        connection->stage = RESULT_TENSOR;
}

static ssa_status take_result(ssa_connection *connection, const ssa_token *token) {
    ssa_command *command = connection->current;
    switch (connection->stage) {
    case RESULT_ID:
        if (token->kind != SSA_TOKEN_INTEGER)
            return broken(connection, SSA_EPROTOCOL, "a worker's reply does not begin with an id");
        connection->current = command = find_by_id(connection, token->number);
        if (!command || command->sent < command->total)
            return broken(connection, SSA_EPROTOCOL, "a worker's reply to no request");
        connection->results_left--;
        connection->stage = RESULT_VERSION;
        return SSA_OK;
    case RESULT_VERSION:
        if (token->kind == SSA_TOKEN_ERROR && connection->results_left == 1) {
            if (set_error(command, token->text, token->text_bytes))
                return SSA_ENOMEM;
            finish_current(connection, SSA_ESERVER);
            return SSA_OK;
        }
        if (token->kind != SSA_TOKEN_BULK || token->number > 256)
            return broken(connection, SSA_EPROTOCOL, "a worker's reply names no version of the model");
        if (ssa_reply_add(&command->reply, token) < 0)
            return SSA_ENOMEM;
        command->tensors = ssa_allocate((size_t)connection->results_left * sizeof *command->tensors);
        if (!command->tensors || !ssa_reply_body_space(&command->reply, (size_t)token->number))
            return SSA_ENOMEM;
        connection->stage = RESULT_VERSION_BODY;
        connection->target_left = (uint64_t)token->number;
        return SSA_OK;
    default:
        if (token->kind != SSA_TOKEN_BULK)
            return broken(connection, SSA_EPROTOCOL, "a worker's result is not a tensor");
        connection->stage = TENSOR_HEADER;
        return SSA_OK;
    }
}

static ssa_status take_token(ssa_connection *connection, const ssa_token *token) {
    switch (connection->stage) {
    case BETWEEN: return begin_reply(connection, token);
    case TREE: return add_to_tree(connection, token);
    case RESULT_ID:
    case RESULT_VERSION:
    case RESULT_TENSOR: return take_result(connection, token);
    default: return broken(connection, SSA_EPROTOCOL, "a token inside a string");
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
        connection->stage = TENSOR_BODY;
        return SSA_OK;
    }
    return begin_body(connection, &tensor);
}

/* The body of a tensor, or what is thrown away of it, is over. */
static void body_over(ssa_connection *connection, ssa_status status) {
    if (!connection->by_id) {
        finish_current(connection, status);
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
    if (connection->stage == TENSOR_BODY) {
        memcpy(connection->target, bytes, buffered);
        connection->target += buffered;
        connection->target_left -= buffered;
    } else if (connection->stage != DISCARD_BODY && buffered) {
        ssa_reply *reply = connection->stage == TREE_BODY ? &connection->tree : &connection->current->reply;
        memcpy(ssa_reply_body_space(reply, buffered), bytes, buffered);
        ssa_reply_body_came(reply, buffered);
    }
    ssa_reader_take(connection->reader, buffered);
    return ssa_reader_body_left(connection->reader) ? SSA_MORE : SSA_OK;
}

/* Work off what is buffered. SSA_MORE: all of it is. */
static ssa_status advance(ssa_connection *connection) {
    for (;;) {
        ssa_status status;
        switch (connection->stage) {
        case TENSOR_HEADER:
            status = take_header(connection);
            break;
        case TENSOR_BODY:
            status = take_body(connection);
            if (status == SSA_OK)
                body_over(connection, SSA_OK);
            break;
        case DISCARD_BODY:
            status = take_body(connection);
            if (status == SSA_OK)
                body_over(connection, connection->body_status);
            break;
        case TREE_BODY:
            status = take_body(connection);
            if (status == SSA_OK) {
                connection->stage = TREE;
                if (connection->body_status == SSA_OK)
                    status = finish_tree(connection);
            }
            break;
        case RESULT_VERSION_BODY:
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
                broken(connection, status, ssa_reader_error(connection->reader));
        }
        }
        if (status != SSA_OK)
            return status;
    }
}

/* Memory that the body being read can be received into directly; 0: it comes through the buffer. */
static size_t direct_target(ssa_connection *connection, void **target) {
    uint64_t left = ssa_reader_body_left(connection->reader);
    if (left < DIRECT_FROM || ssa_reader_buffered(connection->reader))
        return 0;
    if (connection->stage == TENSOR_BODY) {
        *target = connection->target;
        return (size_t)left;
    }
    if (connection->stage == TREE_BODY) {
        *target = ssa_reply_body_space(&connection->tree, (size_t)left);
        return *target ? (size_t)left : 0;
    }
    return 0;
}

/* Whether the reply to this command, which comes next, is likely the body of a tensor that is better not buffered. */
static int is_long(const ssa_connection *connection, const ssa_command *command) {
    if (!command || connection->by_id)
        return 0;
    if (command->expectation == SSA_EXPECT_INTO)
        return command->into_header.data_bytes >= LONG_BODY;
    return (command->expectation == SSA_EXPECT_TENSOR || command->expectation == SSA_EXPECT_BYTES) && connection->last_body >= LONG_BODY;
}

/* How much of the buffer's free space is to be filled: not with a long body, which is copied once less when the buffer has
 * its beginning alone. direct: bytes that go past the buffer first. */
static size_t room_to_fill(const ssa_connection *connection, size_t space, size_t direct) {
    uint64_t before = 0; /* of what is being read */
    const ssa_command *next = connection->waiting.first;
    if (connection->stage == TENSOR_BODY) {
        before = ssa_reader_body_left(connection->reader) - direct;
        next = next->next;
    } else if (connection->stage != BETWEEN || ssa_reader_buffered(connection->reader)) {
        return space;
    }
    return is_long(connection, next) && space > before + HEAD_BYTES ? (size_t)before + HEAD_BYTES : space;
}

/* So many bytes came: first into the memory that was given for them, the rest into the reader. */
static ssa_status take_received(ssa_connection *connection, size_t received, size_t direct) {
    size_t into_target = received < direct ? received : direct;
    connection->statistics.bytes_received += received;
    if (into_target) {
        if (connection->stage == TENSOR_BODY) {
            connection->target += into_target;
            connection->target_left -= into_target;
        } else {
            ssa_reply_body_came(&connection->tree, into_target);
        }
        ssa_reader_skip_ahead(connection->reader, into_target);
    }
    ssa_reader_fed(connection->reader, received - into_target);
    return advance(connection);
}

/* What OpenSSL has read ahead is always taken to its end: the socket would not tell of it again. */
static ssa_status receive_ciphered(ssa_connection *connection) {
    for (size_t turn = 0, calls = 0;; calls++) {
        void *target;
        size_t direct = direct_target(connection, &target), room = direct < TLS_TURN ? direct : TLS_TURN;
        if (!direct) {
            target = ssa_reader_space(connection->reader, &room);
            room = room_to_fill(connection, room, 0);
        }
        ssize_t got = ssa_tls_receive(connection->tls, target, room, turn < TLS_TURN && calls < RECEIVE_CALLS);
        connection->statistics.receive_calls++;
        if (got < 0)
            return broken(connection, ssa_tls_failure(connection->tls), ssa_tls_error(connection->tls));
        if (got == 0)
            return SSA_MORE;
        turn += (size_t)got;
        ssa_status status = take_received(connection, (size_t)got, direct);
        if (status != SSA_MORE)
            return status;
        if ((size_t)got < room && !ssa_tls_failure(connection->tls))
            return SSA_MORE;
    }
}

/* interrupted: NULL: take what the socket has now; else wait for the first of it. */
static ssa_status receive(ssa_connection *connection, int *interrupted) {
    int flags = interrupted ? 0 : MSG_DONTWAIT;
    for (int calls = 0; calls < RECEIVE_CALLS; calls++) {
        struct iovec pieces[2];
        size_t space;
        size_t direct = direct_target(connection, &pieces[0].iov_base);
        pieces[0].iov_len = direct;
        pieces[1].iov_base = ssa_reader_space(connection->reader, &space);
        pieces[1].iov_len = space = room_to_fill(connection, space, direct);
        struct msghdr message = {.msg_iov = direct ? pieces : pieces + 1, .msg_iovlen = direct ? 2 : 1};
        ssize_t got = recvmsg(connection->descriptor, &message, flags);
        connection->statistics.receive_calls++;
        if (got == 0)
            return broken(connection, SSA_ECLOSED, "the other side closed the connection");
        if (got < 0) {
            if (errno == EINTR && interrupted) {
                *interrupted = 1;
                return SSA_MORE;
            }
            if (errno == EINTR)
                continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                return SSA_MORE;
            return broken(connection, errno == ECONNRESET ? SSA_ECLOSED : SSA_ESYSTEM, strerror(errno));
        }
        if (direct && connection->stage == TENSOR_BODY)
            calls = 0;
        ssa_status status = take_received(connection, (size_t)got, direct);
        if (status != SSA_MORE)
            return status;
        if ((size_t)got < direct + space)
            return SSA_MORE; /* the socket is empty: no further call to be told so */
        flags = MSG_DONTWAIT;
    }
    return SSA_MORE;
}

ssa_status ssa_connection_receive(ssa_connection *connection) {
    return connection->tls ? receive_ciphered(connection) : receive(connection, NULL);
}

ssa_status ssa_connection_receive_waiting(ssa_connection *connection, int *interrupted) {
    *interrupted = 0;
    return receive(connection, interrupted);
}

static int conflicts(const ssa_command *command, uint64_t key_hash, int is_fence) {
    return is_fence || command->is_fence || command->key_hash == key_hash;
}

int ssa_connection_conflicts(const ssa_connection *connection, uint64_t key_hash, int is_fence, uint64_t before_epoch) {
    for (const ssa_command *command = connection->waiting.first; command && command->epoch < before_epoch; command = command->next)
        if (conflicts(command, key_hash, is_fence))
            return 1;
    return 0;
}

int ssa_connection_has_older(const ssa_connection *connection, uint64_t epoch) {
    return connection->waiting.first && connection->waiting.first->epoch < epoch;
}

void ssa_connection_mark_again(ssa_connection *connection, uint64_t key_hash, int is_fence) {
    for (ssa_command *command = connection->waiting.first; command; command = command->next)
        if (!command->abandoned && conflicts(command, key_hash, is_fence))
            command->again = 1;
}

int ssa_connection_descriptor(const ssa_connection *connection) {
    return connection->descriptor;
}

size_t ssa_connection_unanswered(const ssa_connection *connection) {
    return connection->waiting.length;
}

const char *ssa_connection_error(const ssa_connection *connection) {
    return connection->error;
}

ssa_connection_statistics ssa_connection_statistics_now(const ssa_connection *connection) {
    return connection->statistics;
}
