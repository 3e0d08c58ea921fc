#include "this_host.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* The system binds a socket to its own addresses only. */
static int can_bind(const struct sockaddr *address, socklen_t bytes) {
    int descriptor = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return 0;
    int is_bound = !bind(descriptor, address, bytes);
    close(descriptor);
    return is_bound;
}

/* a is b, or one of them is the other's first label. */
static int is_name_of(const char *a, const char *b) {
    size_t bytes = strcspn(a, "."), other_bytes = strcspn(b, ".");
    if (!a[bytes] || !b[other_bytes])
        return bytes == other_bytes && !strncasecmp(a, b, bytes);
    return !strcasecmp(a, b);
}

int ssa_is_this_host(const char *host) {
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    char own[256] = "";
    if (inet_pton(AF_INET, host, &four.sin_addr) == 1)
        return can_bind((const struct sockaddr *)&four, sizeof four);
    if (inet_pton(AF_INET6, host, &six.sin6_addr) == 1)
        return can_bind((const struct sockaddr *)&six, sizeof six);
    return !strcasecmp(host, "localhost") || (!gethostname(own, sizeof own - 1) && *own && is_name_of(host, own));
}
