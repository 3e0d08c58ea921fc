/* The same step of a request once more, after a pause that grows from try to try. */
#ifndef SSA_RETRY_H
#define SSA_RETRY_H

struct ssa_request;

/* After a pause: a server did not do it now. Without memory for the pause the request ends. */
void ssa_retry_later(struct ssa_request *request, void (*again)(struct ssa_request *request));
/* Others came between. At once the first few times; then after a pause, which is never quite as long as theirs: two
 * that undo each other's work in step would go on for ever. */
void ssa_retry_contended(struct ssa_request *request, void (*again)(struct ssa_request *request));

/* The request is complete: it does not go on. */
void ssa_retry_end(struct ssa_request *request);
void ssa_retry_free(struct ssa_request *request);

#endif
