/* One request to run a model, a script or a chain of them: who asked, what, and the memory of its inputs. No socket and no
 * lock in here. */
#ifndef SSA_FRONT_REQUEST_H
#define SSA_FRONT_REQUEST_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "front_link.h"
#include "status.h"
#include "tensor_header.h"
#include "tensor_memory.h"

#define SSA_VERSION_BYTES 32 /* longest version of a model, with its NUL */

struct ssa_chain;
struct ssa_model;
struct ssa_peer;

/* What a request, or one step of a chain, runs. */
typedef struct ssa_target {
    char *name;            /* of a model or of a script */
    size_t name_bytes;
    char *function;        /* of the script; empty: it is a model */
    size_t function_bytes;
    uint64_t least_version; /* one that the client knows of; 0: none */
} ssa_target;

/* An array: of an input, or of an output that the caller lends for the time of one call. */
typedef struct ssa_array {
    ssa_tensor_header header;
    const unsigned char *data;
} ssa_array;

typedef struct ssa_input {
    ssa_array array;      /* data is aligned to SSA_TENSOR_ALIGNMENT; NULL until it is there */
    ssa_memory memory;    /* where it lies, unless an earlier step gave it */
    char *key;            /* of a tensor in the store; NULL: another source */
    size_t key_bytes;
    int from_step;        /* an earlier step gives it: `taken` of the chain is where */
    size_t taken;
} ssa_input;

typedef enum ssa_request_state {
    SSA_REQUEST_READING,  /* its connection is still reading it */
    SSA_REQUEST_FETCHING, /* waits for the store: for inputs, or for a look at the current version */
    SSA_REQUEST_QUEUED,
    SSA_REQUEST_RUNNING
} ssa_request_state;

/* Lives as long as somebody holds it: the books until it is answered, and each batch that ran one of its steps, because
 * whoever ran it may still look at the inputs. */
typedef struct ssa_request {
    ssa_link in_model; /* queue or fetching list of its model */
    ssa_link in_peer;  /* the unanswered requests of its connection */
    atomic_int holders;
    struct ssa_peer *peer;
    struct ssa_model *model;
    ssa_request_state state;
    uint64_t serial;        /* ours, unique in this worker */
    int64_t id;             /* the client's */
    uint64_t timeout_ms;
    uint64_t arrived, deadline, next_alive; /* nanoseconds of the monotonic clock */
    uint64_t rows, signature;               /* set by ssa_request_seal */
    uint64_t held_bytes;                    /* memory of the inputs and of what steps gave */
    int joinable;                           /* all inputs have the same first dimension */
    int abandoned;                          /* its connection was closed while it ran: nobody to answer */
    const char *refusal;                    /* code to answer with instead of running; text in refusal_text */
    char refusal_text[256];
    ssa_target target;                      /* of the step that is due; a chain owns those of its steps */
    int looked;                             /* the store was asked for the current version for this step */
    struct ssa_chain *chain;                /* NULL: a single run */
    int goes_on;                            /* the step that just ran is not the last one */
    size_t first_input, step_inputs;        /* those of the step that is due */
    size_t inputs_count;                    /* of all steps */
    ssa_input inputs[];
} ssa_request;

/* Allocates a request with room for so many inputs, of which it has none yet, held once; NULL when there is no memory. */
ssa_request *ssa_request_new(size_t room);
void ssa_request_free(ssa_request *request);

static inline int ssa_target_is_script(const ssa_target *target) {
    return target->function_bytes != 0;
}
void ssa_target_free(ssa_target *target);

/* Allocates text (NUL is appended); the request owns it. */
ssa_status ssa_request_set_text(char **place, size_t *place_bytes, const void *text, size_t bytes);

/* Allocates aligned memory for the elements of header and returns where they go; NULL when there is none. */
unsigned char *ssa_request_hold(ssa_request *request, size_t input, const ssa_tensor_header *header);

/* Answer with this instead of running; the first reason is the one to tell. code lives for ever, text is copied. The step
 * of a chain is named before it. */
void ssa_request_refuse(ssa_request *request, const char *code, const char *text);

/* All inputs of the step are there: work out rows, joinable, signature. */
void ssa_request_seal(ssa_request *request);

/* Whether two sealed requests of one model may share a call of it: same function, dtypes and trailing shapes. */
int ssa_requests_alike(const ssa_request *a, const ssa_request *b);

/* Copy the elements to row-major order. */
void ssa_array_copy_row_major(const ssa_array *array, unsigned char *out);

#endif
