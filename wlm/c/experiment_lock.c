#include "experiment_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define CLEANUP_LOCK "cleanup.lock"

/* Returns false when somebody holds it; otherwise *fd holds it now, or is -1 where there is no such file. */
static bool take_lock(const char *path, int *fd) {
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) return errno == ENOENT || errno == ENOTDIR;
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0) return true;
    close(*fd);
    *fd = -1;
    return false;
}

bool ssa_experiment_lock_is_free(const char *path) {
    int fd;
    bool is_free = take_lock(path, &fd);
    if (fd >= 0) close(fd);
    return is_free;
}

/* nftw has no argument for the caller; the launcher is one thread. */
static bool any_lock_held;

static int look_at_lock(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status;
    const char *name = path + where->base, *suffix = strrchr(name, '.');
    int fd;
    if (kind != FTW_F || !suffix || strcmp(suffix, ".lock") || !strcmp(name, CLEANUP_LOCK)) return 0;
    /* Kept until this process ends: no driver may come back to a directory that is being removed. */
    if (!take_lock(path, &fd)) any_lock_held = true;
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status, (void)kind, (void)where;
    return remove(path) && errno != ENOENT ? -1 : 0;
}

void ssa_runtime_directory_remove_if_last(const char *directory) {
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/" CLEANUP_LOCK, directory);
    if (size < 0 || (size_t)size >= sizeof path) return;
    int turn = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (turn < 0) return; /* another launcher has removed the directory */
    if (flock(turn, LOCK_EX) == 0) {
        any_lock_held = false;
        nftw(directory, look_at_lock, 8, FTW_PHYS);
        if (!any_lock_held) nftw(directory, remove_entry, 8, FTW_PHYS | FTW_DEPTH);
    }
    close(turn);
}
