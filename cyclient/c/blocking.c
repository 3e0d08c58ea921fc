#include "blocking.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

int64_t ssa_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static ssa_status give_up(ssa_connection *connection, ssa_status status) {
    char text[200];
    const char *known = ssa_connection_error(connection);
    snprintf(text, sizeof text, "%s", *known ? known : status == SSA_ENOMEM ? "no memory for a reply" : strerror(errno));
    ssa_connection_fail(connection, SSA_ECLOSED, text);
    return status;
}

void ssa_connection_prepare_waits(ssa_connection *connection) {
    int descriptor = ssa_connection_descriptor(connection), flags = fcntl(descriptor, F_GETFL);
    struct timeval time = {.tv_usec = SSA_CALL_NS / 1000};
    if (flags >= 0 && !setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) &&
        !setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) &&
        !fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK))
        ssa_connection_set_blocking(connection);
}

/* In poll, whatever the descriptor is. */
static ssa_status wait_and_receive(ssa_connection *connection, short events, int64_t left, int *interrupted) {
    struct pollfd socket = {.fd = ssa_connection_descriptor(connection), .events = events};
    int64_t milliseconds = (left + 999999) / 1000000;
    int ready = poll(&socket, 1, milliseconds > 86400000 ? 86400000 : (int)milliseconds);
    *interrupted = ready < 0 && errno == EINTR;
    if (ready < 0)
        return *interrupted ? SSA_MORE : SSA_ECLOSED;
    return socket.revents & ~POLLOUT ? ssa_connection_receive(connection) : SSA_MORE;
}

ssa_status ssa_connection_wait(ssa_connection *connection, const ssa_command *command, int64_t deadline) {
    uint64_t received = ssa_connection_statistics_now(connection).bytes_received;
    int blocks = ssa_connection_blocks(connection);
    for (;;) {
        int interrupted = 0;
        ssa_status status = ssa_connection_send(connection);
        int64_t left = deadline - ssa_now();
        /* Not with another answer on its way: the other side may wait for us to read it before it reads on. */
        while (status == SSA_MORE && blocks && left >= SSA_CALL_NS && !interrupted && ssa_connection_unanswered(connection) == 1) {
            status = ssa_connection_send_waiting(connection, &interrupted);
            left = deadline - ssa_now();
        }
        if (interrupted) /* nobody reads: perhaps because it has said why */
            status = ssa_connection_receive(connection);
        if (status < 0)
            return give_up(connection, status);
        if (command ? command->complete : ssa_connection_statistics_now(connection).bytes_received != received)
            return SSA_OK;
        if (interrupted || left <= 0)
            return SSA_MORE;
        if (status == SSA_OK && blocks && left >= SSA_CALL_NS)
            status = ssa_connection_receive_waiting(connection, &interrupted);
        else
            status = wait_and_receive(connection, status == SSA_MORE ? POLLIN | POLLOUT : POLLIN, left, &interrupted);
        if (status < 0)
            return give_up(connection, status);
        if (interrupted)
            return SSA_MORE;
    }
}
