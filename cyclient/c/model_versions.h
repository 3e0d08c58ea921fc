/* The versions of models and scripts that a client knows of, since it set or deleted them: workers are told of a new version by
 * the store, a little later than who set it, so a run says which version it must not be older than (WIRE.md, "Run").
 * Shared by the engines of one client, in any threads. */
#ifndef SSA_MODEL_VERSIONS_H
#define SSA_MODEL_VERSIONS_H

#include <stdint.h>

typedef struct ssa_model_versions ssa_model_versions;

/* NULL: no memory. Held once. */
ssa_model_versions *ssa_model_versions_new(void);
ssa_model_versions *ssa_model_versions_hold(ssa_model_versions *versions);
void ssa_model_versions_release(ssa_model_versions *versions); /* NULL: nothing */

/* hash: of the tag of its keys. 0: none is known. */
uint64_t ssa_model_versions_of(ssa_model_versions *versions, uint64_t hash);
/* What was set has this version; of one that was deleted: the next one would. Without memory a run may find the old one. */
void ssa_model_versions_note(ssa_model_versions *versions, uint64_t hash, uint64_t version);
/* A run that was to be no older than `least` ran on `version`: earlier where the store was emptied, and counts anew. */
void ssa_model_versions_ran(ssa_model_versions *versions, uint64_t hash, uint64_t least, uint64_t version);

#endif
