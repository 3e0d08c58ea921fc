/* A getaddrinfo whose answers a test chooses; loaded before the C library (LD_PRELOAD), or built into a program.
 *
 *     two.test   127.0.0.2, then 127.0.0.1
 *     slow.test  127.0.0.1, for each byte that is written to the named pipe $GATE
 *     none.test  nothing: there is no such name
 *
 * All other names are the system's. */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int question(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    question *real = (question *)dlsym(RTLD_NEXT, "getaddrinfo");
    if (!name || (hints && hints->ai_flags & AI_NUMERICHOST))
        return real(name, service, hints, found);
    if (!strcmp(name, "slow.test")) {
        char byte;
        int gate = open(getenv("GATE"), O_RDWR);
        if (read(gate, &byte, 1) != 1)
            return EAI_AGAIN;
        close(gate);
        return real("127.0.0.1", service, hints, found);
    }
    if (!strcmp(name, "none.test"))
        return EAI_NONAME;
    if (strcmp(name, "two.test"))
        return real(name, service, hints, found);
    int code = real("127.0.0.2", service, hints, found);
    return code ? code : real("127.0.0.1", service, hints, &(*found)->ai_next);
}
