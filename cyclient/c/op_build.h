/* What the constructors of operations share: problems, keys, commands of a few arguments. */
#ifndef SSA_OP_BUILD_H
#define SSA_OP_BUILD_H

#include "operations.h"

/* Both return NULL, so that a constructor can return them. */
ssa_request *ssa_problem_memory(ssa_problem *problem);
ssa_request *ssa_problem_names(ssa_engine *engine, ssa_problem *problem, ssa_status status); /* as key_names said */

/* A command whose arguments are these texts, in order, up to the one without data. NULL: no memory. */
ssa_command *ssa_command_of(ssa_expectation expectation, const ssa_text *arguments);

/* It ends with SSA_ENOTFOUND: what it is about is not where call i looked. */
void ssa_request_fail_not_found(ssa_request *request, size_t i);

/* A request whose state has these bytes, zeroed, and begins with an ssa_buffer: the key of the name. `end` frees both.
 * kind SSA_KIND_KEY: the name is the key. NULL: *problem says why. */
ssa_request *ssa_request_of_key(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_direction direction,
                                size_t state_bytes, void (*step)(ssa_request *request), void (*end)(ssa_request *request),
                                ssa_problem *problem);

#define SSA_TEXT(literal) ((ssa_text){literal, sizeof(literal) - 1})
#define SSA_KEY_TEXT(buffer) ((ssa_text){(const char *)(buffer).data, (buffer).bytes})
#define SSA_TEXTS(...) ((const ssa_text[]){__VA_ARGS__, {NULL, 0}})

/* The state of a request that sends one command about one key, and more where what it finds is a value in chunks
 * (op_chunk.h): freed with it. */
typedef struct ssa_single {
    ssa_spare spare;           /* while nobody has it */
    ssa_buffer key;
    ssa_command *command;  /* until it is sent */
    unsigned flags;
    /* It succeeded: make the result; NULL: there is none. With another request->step it goes on. */
    void (*finished)(ssa_request *request, ssa_command *answer);
    void *into;                /* an unpack: the caller's memory */
    const void *carried;       /* a put: the caller's elements */
    int writes;                /* it changes what is under the key */
    int reads_tensor;          /* it is a get or an unpack */
    int reads_bytes;           /* it is a get of bytes */
    ssa_tensor_header wanted;  /* of `into`; of a put, of what it carries; means nothing without them */
} ssa_single;

/* Complete a get or unpack that was not sent with this tensor, which stays its owner's. SSA_ENOMEM; a mismatch is an error of the
 * request, whose status is returned. */
ssa_status ssa_single_answer(ssa_request *request, const ssa_tensor *tensor);

/* Free what is kept of them. */
void ssa_single_free_spares(ssa_spares *singles);

/* A request with that state and the key of the name. kind SSA_KIND_KEY: the name is the key. NULL: *problem says why. */
ssa_request *ssa_single_new(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_direction direction,
                            ssa_problem *problem);
/* Once more from the beginning, with this command; NULL: no memory. */
void ssa_single_again(ssa_request *request, ssa_command *command);
/* With the command complete; NULL: no memory, the request is freed. */
ssa_request *ssa_single_ready(ssa_request *request, ssa_command *command, unsigned flags, ssa_problem *problem);

#endif
