/* What becomes of a request that is complete: its results go to the caller, and what was kept for it is freed. */
#ifndef SSA_CLIENT_RESULT_H
#define SSA_CLIENT_RESULT_H

#include "caller_array.h"
#include "client_run.h"

/* What was made of the caller's arguments, and is borrowed by the request until it is complete. */
typedef struct ssa_held {
    ssa_caller_array array;    /* of a put or an unpack */
    int has_array;             /* it is not in place */
    ssa_run_arguments run;
    ssa_buffer content;        /* of a file */
} ssa_held;

/* Moves by plain assignment. All zero: of an operation that gives nothing. */
typedef struct ssa_result {
    /* Give the caller what the request got, which may be taken out of it. text: why that failed. NULL: it gives
     * nothing, or (of an infer that was started) not before it is asked. */
    ssa_status (*give)(const struct ssa_result *result, ssa_request *request, char text[SSA_MISTAKE_BYTES]);
    void *to;          /* the caller's, where it goes */
    size_t *count;     /* the caller's: how many there is room for, and are */
    ssa_layout layout; /* wanted, of a tensor */
    ssa_held *held;    /* until the request is complete; NULL: nothing */
} ssa_result;

void ssa_held_init(ssa_held *held);
/* Whether the request borrows something of it. */
int ssa_held_matters(const ssa_held *held);
/* On the heap; the one that is given is empty then. NULL: no memory. */
ssa_held *ssa_held_move(ssa_held *held);
void ssa_held_clear(ssa_held *held);
void ssa_held_free(ssa_held *held); /* one that was moved; NULL is allowed */

/* The request is complete, and nobody else's: no lock is needed. Returns how it ended, which the request tells too. */
ssa_status ssa_result_give(const ssa_result *result, ssa_request *request);

/* It is complete, and has failed after all. */
void ssa_request_fail_late(ssa_request *request, ssa_status status, const char *text);

#endif
