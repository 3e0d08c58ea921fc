/* A store that is full: what its user must know to help himself. */
#ifndef SSA_STORE_FULL_H
#define SSA_STORE_FULL_H

#include "request.h"

/* Before the request ends with SSA_EFULL and this text, which is about the call: ask the shard how much of its memory it uses. The
 * request ends then, with both; with the text alone when there is no answer in a quarter of a second, or until its deadline. 0: it
 * cannot be asked, the request has not ended. */
int ssa_store_full_ask(ssa_request *request, const ssa_call *call, const char *text);

/* "64 MiB", "1.5 GiB", "700 bytes". Returns `text`. */
#define SSA_SIZE_TEXT_BYTES 32
const char *ssa_size_text(uint64_t bytes, char text[SSA_SIZE_TEXT_BYTES]);

#endif
