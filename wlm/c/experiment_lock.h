/* What a launcher does once its driver is gone: watch whether another one holds the experiment's lock, and at its own
 * end remove the runtime directory if it is the last that used it. */
#ifndef SSA_EXPERIMENT_LOCK_H
#define SSA_EXPERIMENT_LOCK_H

#include <stdbool.h>

/* True when no process holds the flock on the file at `path` exclusively, or there is no such file. Holds it shared for
 * a moment: other launchers may look meanwhile, and a driver that acquires it tries again for a while
 * (wlm/runtime_directory.py). */
bool ssa_experiment_lock_is_free(const char *path);

/* Remove `directory` with all in it, unless a driver or another attempt holds its lock. Call it with the own attempt's
 * lock released, and at the end: the experiment's lock may stay with this process. Several launchers may call it at
 * once: they take turns on `cleanup.lock`, and the last one finds nothing held. Waits up to 2 s for launchers that are
 * looking at the experiment's lock. */
void ssa_runtime_directory_remove_if_last(const char *directory);

#endif
