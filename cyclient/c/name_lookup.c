#include "name_lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "allocator.h"

struct ssa_name_lookup {
    atomic_int owners; /* who asked, and the thread */
    atomic_int is_done;
    char host[sizeof((ssa_address *)0)->host];
    unsigned port;
    struct addrinfo *found;
    int code, error;   /* of getaddrinfo; errno */
    int pipe[2];       /* the thread writes a byte when it is done; -1: there is none */
};

static void leave(ssa_name_lookup *lookup) {
    if (atomic_fetch_sub(&lookup->owners, 1) > 1)
        return;
    if (lookup->found)
        freeaddrinfo(lookup->found);
    for (int i = 0; i < 2; i++)
        if (lookup->pipe[i] >= 0)
            close(lookup->pipe[i]);
    ssa_release(lookup);
}

static void ask(ssa_name_lookup *lookup, int flags) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags}, *found = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", lookup->port);
    lookup->code = getaddrinfo(lookup->host, port, &hints, &found);
    lookup->error = errno;
    lookup->found = lookup->code ? NULL : found;
    atomic_store(&lookup->is_done, 1);
}

static void *ask_and_tell(void *self) {
    ssa_name_lookup *lookup = self;
    ask(lookup, 0);
    while (write(lookup->pipe[1], "", 1) < 0 && errno == EINTR)
        ;
    leave(lookup);
    return NULL;
}

static int open_pipe(ssa_name_lookup *lookup) {
    if (pipe(lookup->pipe)) {
        lookup->pipe[0] = lookup->pipe[1] = -1;
        return 0;
    }
    for (int i = 0; i < 2; i++) {
        fcntl(lookup->pipe[i], F_SETFD, FD_CLOEXEC);
        fcntl(lookup->pipe[i], F_SETFL, fcntl(lookup->pipe[i], F_GETFL) | O_NONBLOCK);
    }
    return 1;
}

/* Signals are for the threads of the program: it starts with all of them blocked. */
static int start_thread(ssa_name_lookup *lookup) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    if (pthread_attr_init(&attributes))
        return 0;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    atomic_store(&lookup->owners, 2);
    int error = pthread_create(&thread, &attributes, ask_and_tell, lookup);
    if (error)
        atomic_store(&lookup->owners, 1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return !error;
}

ssa_name_lookup *ssa_name_lookup_new(const char *host, unsigned port) {
    ssa_name_lookup *lookup = ssa_allocate(sizeof *lookup);
    if (!lookup)
        return NULL;
    memset(lookup, 0, sizeof *lookup);
    atomic_init(&lookup->owners, 1);
    atomic_init(&lookup->is_done, 0);
    lookup->pipe[0] = lookup->pipe[1] = -1;
    lookup->port = port;
    snprintf(lookup->host, sizeof lookup->host, "%s", host);
    ask(lookup, AI_NUMERICHOST);
    if (!lookup->code)
        return lookup;
    atomic_store(&lookup->is_done, 0);
    if (!open_pipe(lookup) || !start_thread(lookup))
        ask(lookup, 0);
    return lookup;
}

void ssa_name_lookup_free(ssa_name_lookup *lookup, int is_at_home) {
    if (!lookup)
        return;
    if (!is_at_home)
        atomic_store(&lookup->owners, 1);
    leave(lookup);
}

int ssa_name_lookup_is_done(const ssa_name_lookup *lookup) {
    return atomic_load(&((ssa_name_lookup *)lookup)->is_done);
}

int ssa_name_lookup_is_of(const ssa_name_lookup *lookup, const char *host, unsigned port) {
    return lookup->port == port && !strcmp(lookup->host, host);
}

int ssa_name_lookup_descriptor(const ssa_name_lookup *lookup) {
    return lookup ? lookup->pipe[0] : -1;
}

const struct addrinfo *ssa_name_lookup_addresses(const ssa_name_lookup *lookup) {
    return lookup->found;
}

const char *ssa_name_lookup_error(const ssa_name_lookup *lookup) {
    return lookup->code == EAI_SYSTEM ? strerror(lookup->error) : gai_strerror(lookup->code);
}
