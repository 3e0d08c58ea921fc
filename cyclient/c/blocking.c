#include "blocking.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

int64_t ssa_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void ssa_connection_prepare_waits(ssa_connection *connection) {
    int descriptor = ssa_connection_descriptor(connection), flags = fcntl(descriptor, F_GETFL);
    struct timeval time = {.tv_usec = SSA_CALL_NS / 1000};
    if (flags >= 0 && !setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) &&
        !setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) &&
        !fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK))
        ssa_connection_set_blocking(connection);
}
