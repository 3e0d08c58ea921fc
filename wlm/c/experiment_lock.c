#include "experiment_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* As wlm/runtime_directory.py names them. */
#define DRIVER_LOCK "driver.lock"
#define ATTEMPTS "attempts"
#define CLEANUP_LOCK "cleanup.lock"

/* For how long the removal steps aside for launchers that look: each of them holds the lock for microseconds. */
enum { REMOVAL_TRIES = 200 };
static const struct timespec REMOVAL_PAUSE = {.tv_nsec = 10 * 1000 * 1000};

typedef enum { NOBODY, SOMEBODY, NO_FILE } holder;

/* Who else has the lock, as far as `operation` (LOCK_SH or LOCK_EX) is refused. After NOBODY *fd holds it. */
static holder take_lock(const char *path, int operation, int *fd) {
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) return errno == ENOENT || errno == ENOTDIR ? NO_FILE : SOMEBODY;
    if (flock(*fd, operation | LOCK_NB) == 0) return NOBODY;
    close(*fd);
    *fd = -1;
    return SOMEBODY;
}

bool ssa_experiment_lock_is_free(const char *path) {
    int fd;
    /* Shared: launchers look in lockstep, having lost their driver at the same moment, and an exclusive look would make
     * each of them a driver to the others (test_launcher_that_looks_is_no_driver_and_delays_no_removal). */
    holder found = take_lock(path, LOCK_SH, &fd);
    if (fd >= 0) close(fd);
    return found != SOMEBODY;
}

/* nftw has no argument for the caller; the launcher is one thread. */
static bool any_lock_held;

static int look_at_lock(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status;
    const char *suffix = strrchr(path + where->base, '.');
    if (kind == FTW_F && suffix && !strcmp(suffix, ".lock") && !ssa_experiment_lock_is_free(path)) any_lock_held = true;
    return 0;
}

static bool any_attempt_lives(const char *directory) {
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/" ATTEMPTS, directory);
    if (size < 0 || (size_t)size >= sizeof path) return true;
    any_lock_held = false;
    nftw(path, look_at_lock, 8, FTW_PHYS);
    return any_lock_held;
}

/* True: no driver has the directory, and none can get it until this process ends. */
static bool shut_out_drivers(const char *directory) {
    char path[4096];
    int fd, size = snprintf(path, sizeof path, "%s/" DRIVER_LOCK, directory);
    if (size < 0 || (size_t)size >= sizeof path) return false;
    for (int i = 0; i < REMOVAL_TRIES; i++) {
        if (take_lock(path, LOCK_EX, &fd) != SOMEBODY) return true;
        if (!ssa_experiment_lock_is_free(path)) return false; /* it is no look: a driver is there */
        nanosleep(&REMOVAL_PAUSE, NULL);
    }
    return false;
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
    /* The driver's lock is the last to be taken: to an attempt that lives on, its holder would be a driver. Then look
     * again: a driver may have come, started something and died in between. */
    if (flock(turn, LOCK_EX) == 0 && !any_attempt_lives(directory) && shut_out_drivers(directory) &&
        !any_attempt_lives(directory))
        nftw(directory, remove_entry, 8, FTW_PHYS | FTW_DEPTH);
    close(turn);
}
