/* What an ssa_future is. */
#ifndef SSA_CLIENT_FUTURE_H
#define SSA_CLIENT_FUTURE_H

#include "client_result.h"

struct ssa_future {
    ssa_client *client;    /* one of whose users it is, once it is started */
    ssa_request *request;  /* its own; the batch's as long as there is one */
    ssa_batch *batch;      /* that it carries out; NULL: it is of one operation, or the batch was freed */
    ssa_ticket ticket;
    ssa_result result;
    ssa_tensor *tensor;    /* got, and not taken yet */
    int gives_outputs;     /* it is of an infer, */
    int taken;             /* and they were taken */
    int refused;           /* the last call on it failed by itself; the client has noted why */
    int finished;          /* status is the last word */
    ssa_status status;
};

/* Not started: freed by ssa_release. NULL: the entry says why. */
ssa_future *ssa_future_new(ssa_entry *entry);
/* Start a request, which the future owns then as it does the result. */
void ssa_future_start(ssa_future *future, ssa_entry *entry, ssa_request *request, const ssa_result *result);

#endif
