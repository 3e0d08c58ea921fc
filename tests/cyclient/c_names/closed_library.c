/* `program LIBRARY`: a client in a library that is loaded while the program runs; it is closed while a thread of it looks up a
 * name, whose answer (name_server.c) comes after that. */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ssasync.h"

#define SECONDS 20

static size_t threads(void) {
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (const struct dirent *entry; tasks && (entry = readdir(tasks));)
        count += *entry->d_name != '.';
    closedir(tasks);
    return count;
}

static void *symbol(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (!found)
        exit(3);
    return found;
}

/* 1: the name is looked up still. */
static int begin(void *library) {
    void (*init)(ssa_options *, size_t) = symbol(library, "ssa_options_init");
    ssa_status (*new)(const ssa_options *, ssa_client **) = symbol(library, "ssa_client_new");
    ssa_status (*ping)(ssa_client *, const char *, size_t, double) = symbol(library, "ssa_ping");
    void (*free_it)(ssa_client *) = symbol(library, "ssa_client_free");
    ssa_options options;
    ssa_client *client;
    init(&options, sizeof options);
    options.address = "slow.test:1";
    if (new(&options, &client))
        return 0;
    ssa_status status = ping(client, "", 0, 0.1);
    free_it(client);
    return status == SSA_ECONNECT && threads() == 2;
}

int main(int count, char **words) {
    void *library = count == 2 ? dlopen(words[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!library || !begin(library) || dlclose(library))
        return 2;
    int gate = open(getenv("GATE"), O_RDWR);
    if (write(gate, "x", 1) != 1)
        return 4;
    for (time_t end = time(NULL) + SECONDS; threads() > 1;) {
        if (time(NULL) > end)
            return 5;
        sched_yield();
    }
    puts("all threads ended");
    return 0;
}
