#include "connection_private.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "allocator.h"
#include "blocking.h"

#define BUFFER_BYTES ((size_t)64 << 10)
#define PIECES 256 /* in one write */
#define SHORTEST_REST (32 << 10) /* of a value, and the longest, for which the socket is waited for a moment */
#define LONGEST_REST (4 << 20)
#define YIELD_NS 30000
#define SLEEP_NS 50000
#define SEND_WAITING ((size_t)2 << 20) /* between two looks at deadline and signals */

static void queue_append(ssa_command_queue *q, ssa_command *command) {
    command->next = NULL;
    command->previous = q->last;
    *(q->last ? &q->last->next : &q->first) = command;
    q->last = command;
    q->length++;
}

static void queue_remove(ssa_command_queue *q, ssa_command *command) {
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
    int family = 0;
    socklen_t bytes = sizeof family;
    connection->is_unix = !getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &bytes) && family == AF_UNIX;
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
    ssa_command_queue *queues[] = {&connection->waiting, &connection->complete};
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

void ssa_connection_read_to_end(ssa_connection *connection) {
    connection->reads_to_end = 1;
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
    for (size_t turn = 0; connection->unsent && turn < SSA_TLS_TURN;) {
        struct iovec pieces[PIECES];
        size_t count = unsent_pieces(connection, pieces);
        cut(pieces, &count, SSA_TLS_TURN - turn);
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

/* Meanwhile whoever else is ready runs: who gives its turn away need not be woken, as who sleeps. */
static int becomes_ready_while_yielding(struct pollfd *watched) {
    int64_t end = ssa_now() + YIELD_NS;
    do {
        if (poll(watched, 1, 0) == 1)
            return 1;
        sched_yield();
    } while (ssa_now() < end);
    return 0;
}

int ssa_connection_soon_ready(const ssa_connection *connection, short events, uint64_t left) {
    if (left < SHORTEST_REST || left > LONGEST_REST)
        return 0;
    struct pollfd watched = {.fd = connection->descriptor, .events = events};
    const struct timespec briefly = {.tv_nsec = SLEEP_NS};
    return (events == POLLIN && becomes_ready_while_yielding(&watched)) || ppoll(&watched, 1, &briefly, NULL) == 1;
}

/* interrupted: NULL: take what the socket takes now; else wait until it took a good part. */
static ssa_status send_queued(ssa_connection *connection, int *interrupted) {
    int waits = interrupted ? 0 : SSA_BRIEF_WAITS;
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
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                uint64_t left = connection->unsent->total - connection->unsent->sent;
                if (waits-- > 0 && ssa_connection_soon_ready(connection, POLLOUT, left))
                    continue;
                return SSA_MORE;
            }
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

void ssa_connection_finish_current(ssa_connection *connection, ssa_status status) {
    ssa_command *command = connection->current;
    connection->current = NULL;
    connection->stage = SSA_READING_BETWEEN;
    if (command)
        finish(connection, command, status);
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
    if (command == connection->current && connection->stage == SSA_READING_TENSOR_BODY) {
        /* The rest of the body is read into nowhere: not into the caller's array, nor into memory nobody will see. */
        connection->stage = SSA_READING_DISCARD_BODY;
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
    connection->stage = SSA_READING_BETWEEN;
    while (connection->waiting.first) {
        ssa_command *command = connection->waiting.first;
        ssa_command_set_error(command, connection->error, strlen(connection->error));
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
    ssa_push *first = connection->first_push;
    if (!first)
        return 0;
    connection->first_push = first->next;
    if (!first->next)
        connection->last_push = NULL;
    *reply = first->reply;
    ssa_release(first);
    return 1;
}

static int conflict(const ssa_command *a, const ssa_command *b) {
    return a->is_fence || b->is_fence || a->key_hash == b->key_hash;
}

int ssa_connection_conflicts(const ssa_connection *connection, const ssa_command *command) {
    for (const ssa_command *other = connection->waiting.first; other; other = other->next)
        if (conflict(other, command))
            return 1;
    return 0;
}

int ssa_connection_has_unsettled(const ssa_connection *connection, const ssa_command *command, uint64_t epoch, int only_again) {
    for (const ssa_command *other = connection->waiting.first; other && other->epoch < epoch; other = other->next)
        if (other->number < command->number && (other->again || !only_again) && conflict(other, command))
            return 1;
    return 0;
}

int ssa_connection_has_older(const ssa_connection *connection, uint64_t epoch) {
    return connection->waiting.first && connection->waiting.first->epoch < epoch;
}

void ssa_connection_mark_again(ssa_connection *connection, const ssa_command *command) {
    ssa_command_queue *queues[] = {&connection->complete, &connection->waiting};
    for (int i = 0; i < 2; i++)
        for (ssa_command *other = queues[i]->first; other; other = other->next)
            if (!other->abandoned && other->number > command->number && conflict(other, command))
                other->again = 1;
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

int ssa_connection_was_alerted(const ssa_connection *connection) {
    return ssa_reader_begins(connection->reader, "\x15\x03", 2); /* RFC 8446, 5.1: an alert, of any version since SSL 3 */
}

ssa_connection_statistics ssa_connection_statistics_now(const ssa_connection *connection) {
    return connection->statistics;
}
