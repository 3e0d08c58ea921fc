#include "descendants.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

typedef struct {
    pid_t pid, parent, group;
    bool zombie, ours;
} process;

void ssa_descendants_begin(ssa_descendants *descendants, bool portable) {
    *descendants = (ssa_descendants){false, 0};
#ifdef __linux__
    descendants->tree = !portable && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && access("/proc/self/stat", R_OK) == 0;
#else
    (void)portable;
#endif
}

static bool read_process(pid_t pid, process *out) {
    char path[64], line[1024], state;
    long parent, group;
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    char *got = fgets(line, sizeof line, file);
    fclose(file);
    char *after_name = got ? strrchr(line, ')') : NULL;
    if (!after_name || sscanf(after_name + 1, " %c %ld %ld", &state, &parent, &group) != 3) return false;
    *out = (process){pid, (pid_t)parent, (pid_t)group, state == 'Z' || state == 'X', false};
    return true;
}

/* All processes that /proc shows. Returns their number; *out is to be freed. */
static size_t read_all(process **out) {
    size_t count = 0, room = 0;
    *out = NULL;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc && (entry = readdir(proc));) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0) continue;
        if (count == room) {
            process *more = realloc(*out, (room = room ? 2 * room : 256) * sizeof **out);
            if (!more) break; /* the caller signals what was found and comes back */
            *out = more;
        }
        if (read_process(pid, *out + count)) count++;
    }
    if (proc) closedir(proc);
    return count;
}

static void mark_children(process *all, size_t count, pid_t parent) {
    for (size_t i = 0; i < count; i++) {
        if (all[i].ours || all[i].parent != parent) continue;
        all[i].ours = true;
        mark_children(all, count, all[i].pid);
    }
}

static bool carries_token(pid_t pid, const char *token) {
    char path[64], *entry = NULL;
    size_t room = 0, name = strlen(SSA_TOKEN_VARIABLE);
    bool found = false;
    snprintf(path, sizeof path, "/proc/%ld/environ", (long)pid);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    while (!found && getdelim(&entry, &room, '\0', file) > 0)
        found = !strncmp(entry, SSA_TOKEN_VARIABLE "=", name + 1) && !strcmp(entry + name + 1, token);
    free(entry);
    fclose(file);
    return found;
}

static void mark_token(process *all, size_t count, pid_t group) {
    const char *token = getenv(SSA_TOKEN_VARIABLE);
    for (size_t i = 0; i < count; i++)
        all[i].ours = all[i].pid != getpid() &&
                      (all[i].group == group || (token && *token && carries_token(all[i].pid, token)));
}

size_t ssa_descendants_signal(const ssa_descendants *descendants, int number) {
    process *all;
    size_t count = read_all(&all), living = 0;
    if (count == 0) { /* a system without /proc: the group is all that can be known */
        free(all);
        return descendants->group > 0 && kill(-descendants->group, number) == 0 ? 1 : 0;
    }
    if (descendants->tree) mark_children(all, count, getpid());
    else mark_token(all, count, descendants->group);
    for (size_t i = 0; i < count; i++) {
        if (!all[i].ours || all[i].zombie) continue;
        living++;
        if (number) kill(all[i].pid, number);
    }
    free(all);
    return living;
}
