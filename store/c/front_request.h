/* One request to run a model: who asked, what, and the memory of its inputs. No socket and no lock in here. */
#ifndef SSA_FRONT_REQUEST_H
#define SSA_FRONT_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "front_link.h"
#include "status.h"
#include "tensor_header.h"
#include "tensor_memory.h"

struct ssa_peer;
struct ssa_model;

/* An array: of an input, or of an output that the caller lends for the time of one call. */
typedef struct ssa_array {
    ssa_tensor_header header;
    const unsigned char *data;
} ssa_array;

typedef struct ssa_input {
    ssa_array array;      /* data is aligned to SSA_TENSOR_ALIGNMENT; NULL until it is there */
    ssa_memory memory;    /* where it lies */
    char *key;            /* NULL: the tensor came with the request */
    size_t key_bytes;
} ssa_input;

typedef enum ssa_request_state {
    SSA_REQUEST_READING,  /* its connection is still reading it */
    SSA_REQUEST_FETCHING, /* waits for inputs from the store */
    SSA_REQUEST_QUEUED,
    SSA_REQUEST_RUNNING
} ssa_request_state;

typedef struct ssa_request {
    ssa_link in_model;      /* queue or fetching list of its model */
    ssa_link in_peer; /* the unanswered requests of its connection */
    struct ssa_peer *peer;
    struct ssa_model *model;
    ssa_request_state state;
    uint64_t serial;        /* ours, unique in this worker */
    int64_t id;             /* the client's */
    uint64_t timeout_ms;
    uint64_t arrived, deadline, next_alive; /* nanoseconds of the monotonic clock */
    uint64_t rows, signature;               /* set by ssa_request_seal */
    uint64_t held_bytes;                    /* memory of the inputs */
    int joinable;                           /* all inputs have the same first dimension */
    int abandoned;                          /* its connection was closed while it ran: nobody to answer */
    const char *refusal;                    /* code to answer with instead of running; text in refusal_text */
    char refusal_text[200];
    char *function;
    size_t function_bytes;
    char *model_name;
    size_t model_name_bytes;
    size_t inputs_count;
    ssa_input inputs[];
} ssa_request;

/* Allocates a request with room for so many inputs; NULL when there is no memory. */
ssa_request *ssa_request_new(size_t inputs);
void ssa_request_free(ssa_request *request);

/* Allocates text (NUL is appended); the request owns it. */
ssa_status ssa_request_set_text(char **place, size_t *place_bytes, const void *text, size_t bytes);

/* Allocates aligned memory for the elements of header and returns where they go; NULL when there is none. */
unsigned char *ssa_request_hold(ssa_request *request, size_t input, const ssa_tensor_header *header);

/* All inputs are there: work out rows, joinable, signature. */
void ssa_request_seal(ssa_request *request);

/* Whether two sealed requests of one model may share a call of it: same function, dtypes and trailing shapes. */
int ssa_requests_alike(const ssa_request *a, const ssa_request *b);

/* Copy the elements to row-major order. */
void ssa_array_copy_row_major(const ssa_array *array, unsigned char *out);

#endif
