/* What a simulation was asked for (WIRE.md, "Control"): for each entity that a client polls, its place in the list of
 * requests and what has come and was not handed out. The list is tracked: as long as nobody told of a change there is
 * nothing new. */
#ifndef SSA_OP_CONTROL_H
#define SSA_OP_CONTROL_H

struct ssa_engine;

typedef struct ssa_control ssa_control;

/* With the engine: at its close; when it is freed. */
void ssa_control_stop(struct ssa_engine *engine);
void ssa_control_free(struct ssa_engine *engine);

#endif
