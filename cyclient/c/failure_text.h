/* What a failed request tells its caller: a status, and a sentence with the thing, what happened and the remedy. The same in
 * every language. */
#ifndef SSA_FAILURE_TEXT_H
#define SSA_FAILURE_TEXT_H

#include "request.h"

/* Of a call that is done and whose command did not succeed. */
ssa_status ssa_failure_of_call(const ssa_request *request, const ssa_call *call, char *text, size_t room);

/* "0.2 s", or "2 ms" for what is shorter than a hundredth of a second. Returns out. */
#define SSA_SPAN_BYTES 24
const char *ssa_failure_span(int64_t nanoseconds, char out[SSA_SPAN_BYTES]);

/* Of a request whose deadline is over. */
ssa_status ssa_failure_of_timeout(const ssa_request *request, char *text, size_t room);

/* Ends it with SSA_ECLOSED: its client is closed while it is under way. */
void ssa_failure_of_closing(ssa_request *request);

/* Of an error that a shard or worker answered; `where`: its address. */
ssa_status ssa_failure_of_answer(const ssa_request *request, const char *answer, size_t bytes, const char *where, char *text,
                                 size_t room);

/* What is stored does not fit what an unpack wants; status: SSA_EDTYPE or SSA_ESHAPE, which is returned. */
ssa_status ssa_failure_of_mismatch(const ssa_request *request, ssa_status status, const ssa_tensor_header *stored,
                                   const char *where, char *text, size_t room);

/* The user of this client may not do that; `answer`: what the server said. */
ssa_status ssa_failure_not_permitted(const ssa_request *request, const char *answer, size_t bytes, const char *where, char *text,
                                     size_t room);

/* Whether something of it may have been carried out though its caller hears no answer: it changes something, and has left. Only
 * when this is false a request may end with SSA_ECONNECT. */
int ssa_failure_is_in_doubt(const ssa_request *request);

/* There is no such thing; `where` may be "". */
ssa_status ssa_failure_not_found(const ssa_request *request, const char *where, char *text, size_t room);

/* "a tensor", "a model" ...: the word of a kind, without article. */
const char *ssa_kind_word(ssa_kind kind);

#endif
