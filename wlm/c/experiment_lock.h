/* What a launcher does once its driver is gone: watch whether another one holds the experiment's lock, and at its own
 * end remove the runtime directory if it is the last that used it. */
#ifndef SSA_EXPERIMENT_LOCK_H
#define SSA_EXPERIMENT_LOCK_H

#include <stdbool.h>

/* True when no process holds the flock on the file at `path`, or there is no such file. Takes the lock for a moment:
 * a driver that acquires it tries again for a while (wlm/runtime_directory.py). */
bool ssa_experiment_lock_is_free(const char *path);

/* Remove `directory` with all in it, unless the experiment's lock or any other attempt's lock in it is held. Call it
 * with the own attempt's lock released. Several launchers may call it at once: they take turns on `cleanup.lock`, and
 * the last one finds nothing held. */
void ssa_runtime_directory_remove_if_last(const char *directory);

#endif
