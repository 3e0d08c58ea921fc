/* Lists of datasets: what reading one and copying one share. */
#ifndef SSA_OP_LIST_H
#define SSA_OP_LIST_H

#include "op_build.h"

#define SSA_LIST_PAGE 16384 /* elements that are read or written by one command */

/* Send LRANGE for each page from `from` to before `end`, all in one flight; at least one. */
void ssa_list_read(ssa_request *request, const ssa_buffer *key, uint64_t from, uint64_t end);

/* Step through the elements of an answer that is an array of strings: *at starts as 0. Returns 0 after the last one. */
int ssa_list_next(const ssa_reply *reply, size_t *at, ssa_text *element);

#endif
