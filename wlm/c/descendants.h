/* All that a workload has started and that still lives, however it tried to get away.
 *
 * Linux: the launcher is a child subreaper, so an orphaned descendant becomes its child and stays in the tree below it,
 * after setsid and double forks too. Elsewhere, and with `portable`: what carries the attempt's token in its
 * environment (where /proc shows it) or is in the workload's process group; what has dropped both is not found. */
#ifndef SSA_DESCENDANTS_H
#define SSA_DESCENDANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Environment variable that names the attempt; the driver sets it, descendants inherit it. */
#define SSA_TOKEN_VARIABLE "SSA_ATTEMPT"

typedef struct {
    bool tree;   /* the launcher is a subreaper and /proc shows the tree */
    pid_t group; /* the workload's process group */
} ssa_descendants;

/* Make this process a subreaper unless `portable`. */
void ssa_descendants_begin(ssa_descendants *descendants, bool portable);

/* Send `number` to every living descendant; 0 only counts. Returns how many there are, zombies not counted. */
size_t ssa_descendants_signal(const ssa_descendants *descendants, int number);

#endif
