/* What a simulation was asked for (WIRE.md, "Control"): for each entity that a client polls, its place in the list of
 * requests and what has come and was not handed out. The list is tracked: as long as nobody told of a change there is
 * nothing new.
 *
 * Each request is handed out once. What a poll was given belongs to it until its face says that the caller has it (`taken`
 * in request.h); a poll that is freed without that (it was cancelled when it was complete already, there was no memory for
 * the caller's copy) gives it back, and the next one has it. */
#ifndef SSA_OP_CONTROL_H
#define SSA_OP_CONTROL_H

struct ssa_engine;

typedef struct ssa_control ssa_control;

/* With the engine: at its close; when it is freed. */
void ssa_control_stop(struct ssa_engine *engine);
void ssa_control_free(struct ssa_engine *engine);

#endif
