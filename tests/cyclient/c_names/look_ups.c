// links: name_lookup address allocator
/* Look-ups that nobody waits for any more, at every moment of their thread: `look_ups ROUNDS`, with name_server.c. */
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "name_lookup.h"

static void fails(const char *what) {
    puts(what);
    exit(1);
}

static void wait_until_done(const ssa_name_lookup *lookup) {
    struct pollfd told = {.fd = ssa_name_lookup_descriptor(lookup), .events = POLLIN};
    if (poll(&told, 1, 20000) != 1 || !ssa_name_lookup_is_done(lookup))
        fails("it is not told");
    const struct addrinfo *found = ssa_name_lookup_addresses(lookup);
    if (!found || found->ai_next)
        fails("it has not one address");
}

/* The child has no thread: what it frees is its own. */
static void free_in_child(ssa_name_lookup *lookup) {
    int status;
    pid_t child = fork();
    if (!child) {
        ssa_name_lookup_free(lookup, 0);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status)
        fails("the child ended otherwise");
}

int main(int count, char **words) {
    int rounds = count > 1 ? atoi(words[1]) : 0, gate = open(getenv("GATE"), O_RDWR);
    for (int i = 0; i < rounds; i++) {
        ssa_name_lookup *lookup = ssa_name_lookup_new("slow.test", 1);
        if (!lookup || ssa_name_lookup_descriptor(lookup) < 0)
            fails("there is no thread");
        if (i % 4 == 3)
            free_in_child(lookup);
        if (i % 2)
            ssa_name_lookup_free(lookup, 1); /* the thread is the last to leave */
        if (write(gate, "", 1) != 1)
            fails("the gate is closed");
        if (i % 2)
            continue;
        if (i % 4)
            wait_until_done(lookup);
        ssa_name_lookup_free(lookup, 1);
    }
    ssa_name_lookup *digits = ssa_name_lookup_new("127.0.0.1", 1);
    if (!digits || !ssa_name_lookup_is_done(digits) || ssa_name_lookup_descriptor(digits) >= 0)
        fails("digits are looked up");
    ssa_name_lookup_free(digits, 1);
    ssa_name_lookup_free(NULL, 1);
    printf("%d rounds\n", rounds);
    return 0;
}
