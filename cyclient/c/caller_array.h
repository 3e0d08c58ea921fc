/* An array of a caller of the library (ssa_array) on its way to a packed one and back: sent or filled in place where it
 * lies in one piece, packed once where it does not. */
#ifndef SSA_CALLER_ARRAY_H
#define SSA_CALLER_ARRAY_H

#include "../include/ssasync.h"

#include "mistake.h"
#include "tensor_header.h"
#include "tensor_memory.h"

typedef struct ssa_caller_array {
    ssa_tensor_header header; /* of the packed array */
    ssa_layout layout;
    int64_t strides[SSA_TENSOR_MAX_NDIM]; /* SSA_STRIDED */
    void *data;               /* the caller's; never NULL */
    ssa_memory packed;        /* where it is packed, if it is not in one piece */
    int in_place;
} ssa_caller_array;

/* Look at what the caller says. is_target: it is to be written. Keeps no pointer but data. SSA_EARGUMENT, SSA_ELIMIT:
 * text has what is wrong. */
ssa_status ssa_caller_array_take(ssa_caller_array *array, const ssa_array *given, int is_target,
                                 char text[SSA_MISTAKE_BYTES]);

/* The packed array for a put. SSA_ENOMEM, SSA_EARGUMENT (a NULL among nested pointers): text says it. */
ssa_status ssa_caller_array_pack(ssa_caller_array *array, ssa_memory_cache *cache, char text[SSA_MISTAKE_BYTES]);
/* Where the packed array of an unpack goes, without its elements. SSA_ENOMEM. */
ssa_status ssa_caller_array_make_room(ssa_caller_array *array, ssa_memory_cache *cache, char text[SSA_MISTAKE_BYTES]);
/* After it: what is to be read or written; header.data_bytes bytes. */
void *ssa_caller_array_packed(const ssa_caller_array *array);
/* What was unpacked goes to where the caller wants it. SSA_EARGUMENT: a NULL among nested pointers. */
ssa_status ssa_caller_array_unpack(const ssa_caller_array *array, char text[SSA_MISTAKE_BYTES]);

void ssa_caller_array_free(ssa_caller_array *array); /* leaves it empty; an empty (all zero) one is allowed */

#endif
