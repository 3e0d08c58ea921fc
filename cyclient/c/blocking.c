#include "blocking.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
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

ssa_status ssa_connection_wait(ssa_connection *connection, const ssa_command *command, int64_t deadline) {
    uint64_t received = ssa_connection_statistics_now(connection).bytes_received;
    for (;;) {
        ssa_status status = ssa_connection_send(connection);
        if (status < 0)
            return give_up(connection, status);
        if (command ? command->complete : ssa_connection_statistics_now(connection).bytes_received != received)
            return SSA_OK;
        struct pollfd socket = {.fd = ssa_connection_descriptor(connection), .events = POLLIN};
        if (status == SSA_MORE)
            socket.events |= POLLOUT;
        int64_t left = deadline - ssa_now();
        if (left <= 0)
            return SSA_MORE;
        int64_t milliseconds = (left + 999999) / 1000000;
        int ready = poll(&socket, 1, milliseconds > 86400000 ? 86400000 : (int)milliseconds);
        if (ready < 0) {
            if (errno == EINTR)
                return SSA_MORE;
            return give_up(connection, SSA_ECLOSED);
        }
        if (socket.revents & ~POLLOUT) {
            status = ssa_connection_receive(connection);
            if (status < 0)
                return give_up(connection, status);
        }
    }
}
