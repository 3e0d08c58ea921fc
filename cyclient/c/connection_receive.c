#include "connection_private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define RECEIVE_CALLS 16       /* in one ssa_connection_receive, so that one connection cannot starve a loop; more after a reset, of
                                * which a loop may tell only once: what is there is all that comes */
#define DIRECT_FROM 4096       /* shorter rests of a body come through the buffer, along with what follows them */
#define HEAD_BYTES 1024        /* in which the beginning of a tensor's reply fits, and little of its body */
#define SLOW_BODY (128 << 10)  /* longer ones fill the buffer more than once */
#define LONG_BODY (32 << 10)   /* from here on it costs more to move a body out of the buffer than to ask the socket twice */

/* Memory that the body being read can be received into directly; 0: it comes through the buffer. */
static size_t direct_target(ssa_connection *connection, void **target) {
    uint64_t left = ssa_reader_body_left(connection->reader);
    if (left < DIRECT_FROM || ssa_reader_buffered(connection->reader))
        return 0;
    if (connection->stage == SSA_READING_TENSOR_BODY) {
        *target = connection->target;
        return (size_t)left;
    }
    if (connection->stage == SSA_READING_TREE_BODY) {
        *target = ssa_reply_body_space(&connection->tree, (size_t)left);
        return *target ? (size_t)left : 0;
    }
    return 0;
}

/* On a unix socket a body begins some 130 bytes behind the beginning of a page of the kernel's, and the processor copies it to
 * the beginning of another page at less than half the speed (AMD, rep movsb; measured: 13.2 µs instead of 5.7 for 64 KiB, only
 * for offsets 0 to 15): by way of the buffer it is quicker. */
static int is_copied_slowly(const ssa_connection *connection, const ssa_command *command) {
    return connection->is_unix && ((uintptr_t)command->into & 4095) < 16 && command->into_header.data_bytes <= SLOW_BODY;
}

/* Whether the reply to this command, which comes next, is likely the body of a tensor that is better not buffered. */
static int is_long(const ssa_connection *connection, const ssa_command *command) {
    if (!command || connection->by_id)
        return 0;
    if (command->expectation == SSA_EXPECT_INTO)
        return command->into_header.data_bytes >= LONG_BODY && !is_copied_slowly(connection, command);
    return (command->expectation == SSA_EXPECT_TENSOR || command->expectation == SSA_EXPECT_BYTES) && connection->last_body >= LONG_BODY;
}

/* How much of the buffer's free space is to be filled: not with a long body, which is copied once less when the buffer has
 * its beginning alone. direct: bytes that go past the buffer first. */
static size_t room_to_fill(const ssa_connection *connection, size_t space, size_t direct) {
    uint64_t before = 0; /* of what is being read */
    const ssa_command *next = connection->waiting.first;
    if (connection->stage == SSA_READING_TENSOR_BODY) {
        before = ssa_reader_body_left(connection->reader) - direct;
        next = next->next;
    } else if (connection->stage != SSA_READING_BETWEEN || ssa_reader_buffered(connection->reader)) {
        return space;
    }
    return is_long(connection, next) && space > before + HEAD_BYTES ? (size_t)before + HEAD_BYTES : space;
}

/* So many bytes came: first into the memory that was given for them, the rest into the reader. */
static ssa_status take_received(ssa_connection *connection, size_t received, size_t direct) {
    size_t into_target = received < direct ? received : direct;
    connection->statistics.bytes_received += received;
    if (into_target) {
        if (connection->stage == SSA_READING_TENSOR_BODY) {
            connection->target += into_target;
            connection->target_left -= into_target;
        } else {
            ssa_reply_body_came(&connection->tree, into_target);
        }
        ssa_reader_skip_ahead(connection->reader, into_target);
    }
    ssa_reader_fed(connection->reader, received - into_target);
    return ssa_connection_advance(connection);
}

int ssa_descriptor_is_reset(int descriptor) {
    struct pollfd watched = {.fd = descriptor};
    return poll(&watched, 1, 0) == 1 && watched.revents & POLLERR;
}

/* What OpenSSL has read ahead is always taken to its end: the socket would not tell of it again. */
static ssa_status receive_ciphered(ssa_connection *connection) {
    for (size_t turn = 0, calls = 0;; calls++) {
        void *target;
        size_t direct = direct_target(connection, &target), room = direct < SSA_TLS_TURN ? direct : SSA_TLS_TURN;
        if (!direct) {
            target = ssa_reader_space(connection->reader, &room);
            room = room_to_fill(connection, room, 0);
        }
        int may_read = (turn < SSA_TLS_TURN && calls < RECEIVE_CALLS) || ssa_descriptor_is_reset(connection->descriptor);
        ssize_t got = ssa_tls_receive(connection->tls, target, room, may_read);
        connection->statistics.receive_calls++;
        if (got < 0)
            return ssa_connection_broken(connection, ssa_tls_failure(connection->tls), ssa_tls_error(connection->tls));
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

static int more_comes_soon(const ssa_connection *connection) {
    return connection->stage == SSA_READING_TENSOR_BODY &&
           ssa_connection_soon_ready(connection, POLLIN, connection->target_left);
}

/* interrupted: NULL: take what the socket has now; else wait for the first of it. */
static ssa_status receive(ssa_connection *connection, int *interrupted) {
    int flags = interrupted ? 0 : MSG_DONTWAIT, waits = SSA_BRIEF_WAITS;
    for (int calls = 0; calls < RECEIVE_CALLS || ssa_descriptor_is_reset(connection->descriptor); calls++) {
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
            return ssa_connection_broken(connection, SSA_ECLOSED, "the other side closed the connection");
        if (got < 0) {
            if (errno == EINTR && interrupted) {
                *interrupted = 1;
                return SSA_MORE;
            }
            if (errno == EINTR)
                continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                return SSA_MORE;
            return ssa_connection_broken(connection, errno == ECONNRESET ? SSA_ECLOSED : SSA_ESYSTEM, strerror(errno));
        }
        if (direct && connection->stage == SSA_READING_TENSOR_BODY)
            calls = 0;
        ssa_status status = take_received(connection, (size_t)got, direct);
        if (status != SSA_MORE)
            return status;
        if ((size_t)got < direct + space && !(waits-- > 0 && more_comes_soon(connection)) && !connection->reads_to_end)
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
