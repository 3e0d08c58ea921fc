/* One transaction on keys that are as they were when the request looked at them: WATCH and looks, then MULTI ...
 * EXEC on the same connection (call_routing.c, "turns"). When somebody changed them between it looks again; when a
 * server does not do it now, after a pause.
 *
 * In doubt: the connection was lost between EXEC and its answer. What may be carried out twice looks again then;
 * what may not (a rename finds nothing the second time) ends, and says that nobody knows. */
#ifndef SSA_OP_WATCHED_H
#define SSA_OP_WATCHED_H

#include "request.h"

typedef struct ssa_watched {
    const ssa_buffer *key; /* the transaction goes to its server; borrowed */
    unsigned flags;
    void (*look)(ssa_request *request), (*done)(ssa_request *request);
    int may_repeat;
} ssa_watched;

/* look: makes calls and a step that takes their answers, and sends the first call, which begins with WATCH, by
 * ssa_watched_look. The step ends in ssa_watched_act, or goes another way after ssa_watched_leave; it may send calls
 * of its own before that. flags: SSA_CALL_FENCE if the transaction names keys of other hash tags. */
void ssa_watched_start(ssa_request *request, const ssa_buffer *key, unsigned flags, void (*look)(ssa_request *request));
void ssa_watched_look(ssa_request *request, ssa_command *command); /* NULL: no memory */
/* The transaction; NULL: no memory. done: it was carried out, or refused, or nobody knows and may_repeat is 0. */
void ssa_watched_act(ssa_request *request, ssa_command *command, int may_repeat, void (*done)(ssa_request *request));
/* There will be no transaction, or it is over. Without a watch: nothing. */
void ssa_watched_leave(ssa_request *request);
void ssa_watched_free(ssa_request *request);

/* Of a command that was not carried out, and may be soon; or of a connection that was lost. */
int ssa_answer_is_not_now(const ssa_command *answer);

#endif
